"""What hooks know as ``request``."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NoReturn

from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.view import BodyView, accept_views, map_field
from tyk_cffi.wire import ADD_PARAMS, DELETE_HEADERS, DELETE_PARAMS, SET_HEADERS, entry, text

if TYPE_CHECKING:
    from tyk_cffi.envelope import Envelope


accept_views(MiniRequestObject)


class RequestObject(BodyView):
    """``request.object``: the ``MiniRequestObject`` itself, its body lazy."""

    __slots__ = ()
    FIELDS = frozenset(MiniRequestObject.DESCRIPTOR.fields_by_name) - {"raw_body", "body"}
    headers = map_field("headers")
    set_headers = map_field("set_headers")
    params = map_field("params")
    add_params = map_field("add_params")
    extended_params = map_field("extended_params")

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return MiniRequestObject


class Request:
    """The request of one hook call (contract 4).

    The methods record changes without parsing the message; ``object`` is the
    message, with every field. A hook may set attributes of its own on it.
    """

    __slots__ = ("__dict__", "_envelope")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    @property
    def object(self) -> MiniRequestObject:
        """The message: ``.url``, ``.method``, ``.raw_body``, ``.return_overrides`` …"""
        return self._envelope.request()  # type: ignore[return-value]  # it looks like the message

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

    def is_of(self, envelope: Envelope) -> bool:
        """Whether this is the request of that call, or a copy of it."""
        return self._envelope is envelope

    def __copy__(self) -> Request:
        """Return another request of the same call, with the same attributes."""
        twin = Request(self._envelope)
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Request:
        """Return a request of its own, which outlives the call."""
        twin = Request(self._envelope.copy())
        memo[id(self)] = twin
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            "a request cannot be pickled: it belongs to its call; "
            "request.object.SerializeToString() gives bytes to keep"
        )
