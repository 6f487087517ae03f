"""The ``metadata`` argument of hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tyk_cffi.map_view import MapView

if TYPE_CHECKING:
    from tyk_cffi.envelope import Envelope


class Metadata(MapView):
    """The session's metadata; stays valid when the hook clears or replaces the session."""

    __slots__ = ("_envelope",)

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def _map(self) -> Any:
        return self._envelope.parse().session.metadata

    def __setitem__(self, key: str, value: str) -> None:
        self._envelope.parse().session.metadata[key] = value
