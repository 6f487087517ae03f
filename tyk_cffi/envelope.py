"""The encoded ``Object`` of one call, parsed when it is first needed."""

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
from tyk_cffi.view import accept_views

if TYPE_CHECKING:
    from tyk_cffi.body import Lent

_parse = Object.FromString
accept_views(Object, "__init__")  # Object(session=session)


class Envelope:
    """The message of one call: encoded, with changes appended, or parsed.

    Args:
        data: an encoded ``Object`` without spec and bodies.
        body: the request body, owned by the host.
        response_body: the response body, owned by the host.
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
        # Encoded fields of the request that are not in the message yet.
        self.changes = b""
        # Views of the parts that have a body; made at first use.
        self.has_views = False
        self._request: RequestObject | None = None
        self._response: Response | None = None

    def parse(self) -> Object:
        """Return the message, including the changes made so far.

        Raises:
            MessageError: the bytes are not a valid message.
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
        """Return the view of the request message, the same one during the whole call."""
        if self._request is None:
            self.has_views = True
            self._request = RequestObject.of(self.parse().request, Body(self.body, self.raw_only))
        return self._request

    def response(self) -> Response:
        """Return the view of the response message, the same one during the whole call."""
        if self._response is None:
            self.has_views = True
            body = Body(self.response_body, self.raw_only)
            self._response = Response.of(self.parse().response, body)
        return self._response

    def copy(self) -> Envelope:
        """Return an envelope with copies of the message and the request body."""
        view = self.request()
        edited = view.new_body()
        body = view.raw_body if edited is None else edited
        lent = memoryview(body) if body else None
        return Envelope(self.parse().SerializeToString(), lent, raw_only=self.raw_only)

    def new_body(self) -> bytes | None:
        """Return the body that replaces the request's, ``None`` if it is unchanged."""
        return None if self._request is None else self._request.new_body()

    def end(self) -> None:
        """Close all objects that the hook was given: using them later is an error."""
        self.message = ENDED
        if self._request is not None:
            self._request.end()
        if self._response is not None:
            self._response.end()

    def reply(self) -> bytes:
        """Return the encoded ``Object`` for the host; empty if the hook changed nothing.

        A parsed message is returned whole: the host skips fields that hooks cannot
        change, which is faster than clearing them here.
        """
        if self.message is not None:
            return self.message.SerializeToString()
        if self.changes:
            return wire.field(wire.OBJECT_REQUEST, self.changes)
        return b""
