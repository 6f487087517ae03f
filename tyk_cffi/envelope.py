"""The raw ``Object`` of one call, parsed when something first needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from tyk_cffi import wire
from tyk_cffi.body import Body
from tyk_cffi.ended import ENDED
from tyk_cffi.errors import MessageError
from tyk_cffi.proto.coprocess_object_pb2 import Object
from tyk_cffi.request import RequestObject
from tyk_cffi.response import Response

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

    __slots__ = (
        "_request",
        "_response",
        "body",
        "changes",
        "data",
        "has_views",
        "message",
        "raw_only",
        "response_body",
    )

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
        # The views over parts of the message that carry a body; made when first asked for.
        self.has_views = False
        self._request: RequestObject | None = None
        self._response: Response | None = None

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

    def request(self) -> RequestObject:
        """Return the view over the request's message: one for the whole call."""
        if self._request is None:
            self.has_views = True
            self._request = RequestObject(self.parse().request, Body(self.body, self.raw_only))
        return self._request

    def response(self) -> Response:
        """Return the view over the response's message, likewise."""
        if self._response is None:
            self.has_views = True
            body = Body(self.response_body, self.raw_only)
            self._response = Response(self.parse().response, body)
        return self._response

    def copy(self) -> Envelope:
        """Return an envelope with copies of the message and the request's body."""
        view = self.request()
        edited = view.new_body()
        body = view.raw_body if edited is None else edited
        lent = memoryview(body) if body else None
        return Envelope(self.parse().SerializeToString(), lent, raw_only=self.raw_only)

    def new_body(self) -> bytes | None:
        """End of the hook: the body that replaces the request's; ``None`` to keep it."""
        return None if self._request is None else self._request.new_body()

    def end(self) -> None:
        """Close what the hook was given: a later use of any of it is an error."""
        self.message = ENDED
        if self._request is not None:
            self._request.end()
        if self._response is not None:
            self._response.end()

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
