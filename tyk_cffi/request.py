"""What hooks know as ``request``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tyk_cffi.body import Body
from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.view import BodyView
from tyk_cffi.wire import ADD_PARAMS, DELETE_HEADERS, DELETE_PARAMS, SET_HEADERS, entry, text

if TYPE_CHECKING:
    from tyk_cffi.envelope import Envelope


class RequestObject(BodyView):
    """``request.object``: the ``MiniRequestObject`` itself, its body lazy."""

    __slots__ = ()
    FIELDS = frozenset(MiniRequestObject.DESCRIPTOR.fields_by_name) - {"raw_body", "body"}

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return MiniRequestObject


class Request:
    """The request of one hook call (contract 4).

    The methods record changes without parsing the message; ``object`` is the
    message, with every field.
    """

    __slots__ = ("_envelope", "_object")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._object: RequestObject | None = None

    @property
    def object(self) -> MiniRequestObject:
        """The message: ``.url``, ``.method``, ``.raw_body``, ``.return_overrides`` …"""
        if self._object is None:
            envelope = self._envelope
            body = Body(envelope.body, envelope.raw_only)
            self._object = RequestObject(envelope.parse().request, body)
        return self._object  # type: ignore[return-value]  # it looks like the message

    def get_header(self, key: str) -> str | None:
        """Return the first value of header ``key`` as it came, ``None`` when it did not.

        The name is looked up as written, then in HTTP's canonical form.
        """
        headers = self._envelope.parse().request.headers
        if key in headers:
            return headers[key]
        canonical = "-".join(part.capitalize() for part in key.split("-"))
        return headers.get(canonical)

    def add_header(self, key: str, value: str) -> None:
        """Set header ``key`` of the request that goes upstream.

        Raises:
            TypeError: the name or the value is not a string.
        """
        envelope = self._envelope
        if envelope.message is None:
            envelope.changes += entry(SET_HEADERS, key, value)
        else:
            envelope.message.request.set_headers[key] = value

    def delete_header(self, key: str) -> None:
        """Remove header ``key``; deletions come before additions (contract 6)."""
        envelope = self._envelope
        if envelope.message is None:
            envelope.changes += text(DELETE_HEADERS, key)
        else:
            envelope.message.request.delete_headers.append(key)

    def add_param(self, key: str, value: str) -> None:
        """Set query parameter ``key``.

        Raises:
            TypeError: the name or the value is not a string.
        """
        envelope = self._envelope
        if envelope.message is None:
            envelope.changes += entry(ADD_PARAMS, key, value)
        else:
            envelope.message.request.add_params[key] = value

    def delete_param(self, key: str) -> None:
        """Remove query parameter ``key``; deletions come before additions."""
        envelope = self._envelope
        if envelope.message is None:
            envelope.changes += text(DELETE_PARAMS, key)
        else:
            envelope.message.request.delete_params.append(key)

    def new_body(self) -> bytes | None:
        """End of the hook, for the dispatcher: the body that replaces the host's, if any."""
        return None if self._object is None else self._object.new_body()
