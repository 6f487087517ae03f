"""The ``response`` argument of response hooks."""

from __future__ import annotations

from tyk_cffi.body import Body
from tyk_cffi.body_view import BodyView
from tyk_cffi.proto.coprocess_response_object_pb2 import ResponseObject


class Response(BodyView, message=ResponseObject):
    """A view of the ``ResponseObject`` that reads the body on demand (contract 3 and 6)."""

    __slots__ = ()

    def take(self, returned: ResponseObject) -> None:
        """Replace the message by one that the hook created and returned."""
        self.settle()
        body: Body = self._body
        self._message.CopyFrom(returned)
        body.raw = returned.raw_body
        if returned.body and not returned.raw_body:
            body.raw = returned.body.encode()
        self._message.ClearField("raw_body")
        self._message.ClearField("body")
