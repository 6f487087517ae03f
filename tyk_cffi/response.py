"""The ``response`` argument of response hooks."""

from __future__ import annotations

from typing import Any

from tyk_cffi.body import Body
from tyk_cffi.proto.coprocess_response_object_pb2 import ResponseObject
from tyk_cffi.view import BodyView, accept_views, map_field

accept_views(ResponseObject)


class Response(BodyView):
    """A view of the ``ResponseObject`` that reads the body on demand (contract 3 and 6)."""

    __slots__ = ()
    FIELDS = frozenset(ResponseObject.DESCRIPTOR.fields_by_name) - {"raw_body", "body"}
    headers = map_field("headers")

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return ResponseObject

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
