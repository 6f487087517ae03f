"""What hooks know as ``metadata``."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from tyk_cffi.proto.coprocess_session_state_pb2 import SessionState


class Metadata(MutableMapping[str, str]):
    """The session's metadata, whatever the hook does to the session meanwhile.

    A map that was taken out of a protobuf message is another one's as soon as the
    message is cleared, parsed or copied into; this one looks each time.
    """

    __slots__ = ("_session",)

    def __init__(self, session: SessionState) -> None:
        self._session = session

    def __getitem__(self, key: str) -> str:
        return self._session.metadata[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._session.metadata[key] = value

    def __delitem__(self, key: str) -> None:
        del self._session.metadata[key]

    def __contains__(self, key: object) -> bool:
        return key in self._session.metadata

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, ``default`` when there is none; nothing is put in."""
        return self._session.metadata.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._session.metadata)

    def __len__(self) -> int:
        return len(self._session.metadata)

    def __repr__(self) -> str:
        return repr(dict(self))
