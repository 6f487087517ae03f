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
from tyk_cffi.view import MessageView

if TYPE_CHECKING:
    from tyk_cffi.envelope import Envelope
    from tyk_cffi.proto.coprocess_object_pb2 import Object

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


class Session(MessageView, message=SessionState):
    """``session`` in all forms of hooks: a view that parses the message at first use."""

    __slots__ = ("_envelope",)
    _envelope: Envelope | Parsed

    def _get(self) -> SessionState:
        return self._envelope.parse().session

    _message = property(_get)


class Parsed:
    """A parsed message that outlives its call, unlike that of its envelope."""

    __slots__ = ("_message",)

    def __init__(self, message: Object) -> None:
        self._message = message

    def parse(self) -> Object:
        """Return the message."""
        return self._message


_new = object.__new__
_set_envelope = vars(Session)["_envelope"].__set__


def session_of(envelope: Envelope | Parsed) -> Any:
    """Return the view of a call's session."""
    session = _new(Session)  # calling the class makes a message
    _set_envelope(session, envelope)
    return session
