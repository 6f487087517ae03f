"""The ``session`` argument of hooks, and the names of the session messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tyk_cffi.proto.coprocess_session_state_pb2 import (
    AccessDefinition,
    AccessSpec,
    BasicAuthData,
    JWTData,
    Monitor,
    SessionState,
)
from tyk_cffi.view import MessageView, accept_views, map_field

if TYPE_CHECKING:
    from tyk_cffi.envelope import Envelope

__all__ = [
    "AccessDefinition",
    "AccessSpec",
    "BasicAuthData",
    "JWTData",
    "Monitor",
    "SessionState",
    "TykSession",
]

TykSession = SessionState
accept_views(SessionState)


class Session(MessageView):
    """``session`` of the three-argument form: a view that parses the message at first use.

    The other forms get the message itself.
    """

    __slots__ = ("_envelope",)
    metadata = map_field("metadata")
    oauth_keys = map_field("oauth_keys")
    _envelope: Envelope

    def __init__(self, envelope: Envelope) -> None:
        _set_envelope(self, envelope)

    def _get(self) -> SessionState:
        return self._envelope.parse().session

    _message = property(_get)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return SessionState


# Bypasses the view's __setattr__, which sets fields of the message.
_set_envelope = vars(Session)["_envelope"].__set__
