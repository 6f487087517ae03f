"""The ``request`` argument of hooks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NoReturn

from tyk_cffi.body_view import BodyView
from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.wire import ADD_PARAMS, DELETE_HEADERS, DELETE_PARAMS, SET_HEADERS, entry, text

if TYPE_CHECKING:
    from tyk_cffi.envelope import Envelope


class RequestObject(BodyView, message=MiniRequestObject):
    """``request.object``: a view of the ``MiniRequestObject`` that reads bodies on demand."""

    __slots__ = ()


class Request:
    """The request of one hook call (contract 4).

    The methods record changes without parsing the message; ``object`` is the message with
    all fields. Hooks may set attributes of their own on the request. After the call, the
    request can no longer be used: access raises ``HookError``. ``copy.deepcopy`` makes a
    copy that stays valid.
    """

    __slots__ = ("__dict__", "_envelope")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    @property
    def object(self) -> MiniRequestObject:
        """The message: ``url``, ``method``, ``raw_body``, ``return_overrides`` and so on.

        See "Messages" in docs/contract.md for its fields, and section 6 for the effect of
        changes.
        """
        return self._envelope.request()  # type: ignore[return-value]  # a view of it

    def get_header(self, key: str) -> str | None:
        """Return the first value of a header of the received request (contract 3).

        Args:
            key: the header's name. It is looked up as given, then in canonical form
                (``Content-Type``).

        Returns:
            The value, or ``None`` if there is no such header.
        """
        headers = self._envelope.parse().request.headers
        if key in headers:
            return headers[key]
        canonical = "-".join(part.capitalize() for part in key.split("-"))
        return headers.get(canonical)

    def add_header(self, key: str, value: str) -> None:
        """Set a header of the request to the upstream, replacing its values (contract 6).

        Args:
            key: the header's name.
            value: the header's value.

        Raises:
            TypeError: an argument is not a ``str``.
            UnicodeEncodeError: an argument contains lone surrogates.
        """
        envelope = self._envelope
        if envelope.message is None:
            envelope.changes += entry(SET_HEADERS, key, value)
        else:
            envelope.message.request.set_headers[key] = value

    def delete_header(self, key: str) -> None:
        """Remove a header of the request to the upstream (contract 6).

        Deletions are applied before additions, whatever the order of the calls.

        Args:
            key: the header's name.

        Raises:
            TypeError: ``key`` is not a ``str``.
            UnicodeEncodeError: ``key`` contains lone surrogates.
        """
        envelope = self._envelope
        if envelope.message is None:
            envelope.changes += text(DELETE_HEADERS, key)
        else:
            envelope.message.request.delete_headers.append(key)

    def add_param(self, key: str, value: str) -> None:
        """Set a query parameter, replacing its values (contract 6).

        Args:
            key: the parameter's name, not URL-encoded.
            value: the parameter's value, not URL-encoded.

        Raises:
            TypeError: an argument is not a ``str``.
            UnicodeEncodeError: an argument contains lone surrogates.
        """
        envelope = self._envelope
        if envelope.message is None:
            envelope.changes += entry(ADD_PARAMS, key, value)
        else:
            envelope.message.request.add_params[key] = value

    def delete_param(self, key: str) -> None:
        """Remove a query parameter (contract 6).

        Deletions are applied before additions, whatever the order of the calls.

        Args:
            key: the parameter's name, not URL-encoded.

        Raises:
            TypeError: ``key`` is not a ``str``.
            UnicodeEncodeError: ``key`` contains lone surrogates.
        """
        envelope = self._envelope
        if envelope.message is None:
            envelope.changes += text(DELETE_PARAMS, key)
        else:
            envelope.message.request.delete_params.append(key)

    def is_of(self, envelope: Envelope) -> bool:
        """Whether this is the request of that call or a shallow copy of it."""
        return self._envelope is envelope

    def __copy__(self) -> Request:
        """Return another request object of the same call, with the same attributes."""
        twin = Request(self._envelope)
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Request:
        """Return an independent copy, which stays valid after the call."""
        twin = Request(self._envelope.copy())
        memo[id(self)] = twin
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            "a request cannot be pickled: it is valid during its call only; "
            "use request.object.SerializeToString()"
        )
