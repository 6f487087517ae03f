"""The raw ``Object`` of one call, parsed when something first needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from tyk_cffi import wire
from tyk_cffi.errors import MessageError
from tyk_cffi.proto.coprocess_object_pb2 import Object

if TYPE_CHECKING:
    from tyk_cffi.body import Lent

_parse = Object.FromString


class Envelope:
    """One call's message: its bytes, what was appended to them, and, once parsed, the message.

    Args:
        data: an encoded ``Object`` without spec and bodies.
        body: the request's body, lent.
        response_body: the response's body, lent.
        raw_only: the hook's ``raw_body_only``.
    """

    __slots__ = ("body", "changes", "data", "message", "raw_only", "response_body")

    def __init__(
        self,
        data: bytes,
        body: Lent | None = None,
        response_body: Lent | None = None,
        raw_only: bool = False,
    ) -> None:
        self.data = data
        self.body = body
        self.response_body = response_body
        self.raw_only = raw_only
        self.message: Object | None = None
        # Encoded fields of the request, not yet in any message.
        self.changes = b""

    def parse(self) -> Object:
        """Return the message, the changes made so far included.

        Raises:
            MessageError: the bytes do not decode.
        """
        if self.message is None:
            data = self.data
            if self.changes:
                data += wire.field(wire.OBJECT_REQUEST, self.changes)
                self.changes = b""
            try:
                self.message = _parse(data)
            except DecodeError as error:
                raise MessageError(f"the host's message does not decode: {error}") from error
        return self.message

    def reply(self) -> bytes:
        """Return the encoded ``Object`` for the host; empty when nothing was touched.

        A message that was parsed goes back whole: the host skips what a hook
        may not change faster than Python could clear it.
        """
        if self.message is not None:
            return self.message.SerializeToString()
        if self.changes:
            return wire.field(wire.OBJECT_REQUEST, self.changes)
        return b""
