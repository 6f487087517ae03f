"""What hooks know as ``spec``: facts of the API."""

from __future__ import annotations


class Spec(dict[str, str]):
    """``OrgID``, ``APIID``, ``bundle_hash`` and ``config_data``; a missing name reads as empty.

    As in a protobuf map, which this replaces.
    """

    __slots__ = ()

    def __missing__(self, key: str) -> str:
        return ""
