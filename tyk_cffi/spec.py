"""The ``spec`` argument of hooks and event handlers: constants of the API."""

from __future__ import annotations


class Spec(dict[str, str]):
    """``OrgID``, ``APIID``, ``bundle_hash`` and ``config_data`` (contract 3).

    A missing key reads as an empty string, as in the protobuf map that this replaces.
    """

    __slots__ = ()

    def __missing__(self, key: str) -> str:
        return ""
