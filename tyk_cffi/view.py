"""Views of protobuf messages: they behave like the messages and are cheaper."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from tyk_cffi.body import Body
from tyk_cffi.ended import ENDED


class MessageView:
    """Passes all attribute access on to the message that ``_get()`` returns.

    Subclasses define where the message comes from and when it is created.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # like protobuf messages
    _message: Any  # the message, possibly without its body

    def _get(self) -> Any:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get(), name)

    # Copies and pickles contain the message, not the view: they stay valid after the call.

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self._get(), memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._get().__reduce_ex__(protocol)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get(), name, value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MessageView):
            other = other._get()
        return bool(self._get() == other)

    def __str__(self) -> str:
        return str(self._get())

    def __repr__(self) -> str:
        return repr(self._get())


def accept_views(message: Any) -> None:
    """Make ``CopyFrom`` and ``MergeFrom`` of a message class accept views of it too.

    protobuf compares the types there and ignores ``__class__``.
    """
    for name in ("CopyFrom", "MergeFrom"):
        setattr(message, name, _taking_views(getattr(message, name)))


def _taking_views(method: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    @functools.wraps(method)
    def take(message: Any, other: Any) -> None:
        method(message, other._get() if issubclass(type(other), MessageView) else other)

    return take


class MapView(MutableMapping[str, str]):
    """A view of a ``map<string, string>`` of a message, which it looks up at each access.

    A map object of protobuf no longer belongs to the message once that is cleared, parsed
    or copied into, and it could be used after the call.
    """

    __slots__ = ()

    def _map(self) -> Any:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._map(), name)  # MergeFrom and the like

    def __getitem__(self, key: str) -> str:
        value: str = self._map()[key]
        return value

    def __setitem__(self, key: str, value: str) -> None:
        self._map()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._map()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._map()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or ``default`` if there is none, without adding the key."""
        return self._map().get(key, default)

    def __iter__(self) -> Iterator[str]:
        for key in self._map():
            yield key
            self._map()  # an error once the call has ended

    def __len__(self) -> int:
        return len(self._map())

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class FieldMap(MapView):
    """A map of a message that has a view."""

    __slots__ = ("_name", "_owner")

    def __init__(self, owner: MessageView, name: str) -> None:
        self._owner = owner
        self._name = name

    def _map(self) -> Any:
        return getattr(self._owner._message, self._name)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or ``default`` if there is none, without adding the key."""
        return getattr(self._owner._message, self._name).get(key, default)  # the common call


def map_field(name: str) -> Any:
    """Return a property for a view's ``map<string, string>`` field of that name."""
    return property(lambda view: FieldMap(view, name))


_set_slot = object.__setattr__


class BodyView(MessageView):
    """A view of a message whose ``raw_body`` and ``body`` are kept outside it.

    All other fields are those of the message. Operations on the whole message
    (``SerializeToString``, ``ListFields``, ``==``, ``str``) first copy the body into it;
    :meth:`settle` takes it out again.
    """

    __slots__ = ("_body", "_filled", "_message")
    FIELDS: frozenset[str] = frozenset()

    _body: Body
    _filled: bool

    def __init__(self, message: Any, body: Body) -> None:
        _set_slot(self, "_message", message)
        _set_slot(self, "_body", body)
        _set_slot(self, "_filled", False)

    def _get(self) -> Any:
        if not self._filled:
            self._message.raw_body = self._body.raw
            self._message.body = self._body.text
            _set_slot(self, "_filled", True)
        return self._message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._message if name in self.FIELDS else self._get(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.FIELDS:
            setattr(self._message, name, value)
        else:
            object.__setattr__(self, name, value)

    def _pull(self) -> None:
        """Apply changes of the body in the filled message, and remove it from the message."""
        if self._filled:
            if self._message.raw_body != self._body.raw:
                self._body.raw = self._message.raw_body
            if self._message.body != self._body.text:
                self._body.text = self._message.body
            self._message.ClearField("raw_body")
            self._message.ClearField("body")
            _set_slot(self, "_filled", False)

    @property
    def raw_body(self) -> bytes:
        """The body's bytes."""
        self._pull()
        return self._body.raw

    @raw_body.setter
    def raw_body(self, value: bytes) -> None:
        self._pull()
        self._body.raw = value

    @property
    def body(self) -> str:
        """The body as text; empty if it is not UTF-8 or the hook has ``raw_body_only``."""
        self._pull()
        return self._body.text

    @body.setter
    def body(self, value: str) -> None:
        self._pull()
        self._body.text = value

    def settle(self) -> None:
        """End of the hook: move the body and its changes from the message to ``Body``."""
        self._pull()

    def end(self) -> None:
        """End of the call: make later use of the message or the body an error."""
        _set_slot(self, "_message", ENDED)
        _set_slot(self, "_body", ENDED)

    def new_body(self) -> bytes | None:
        """Return the body that replaces the host's, ``None`` if it is unchanged."""
        self.settle()
        return self._body.replacement()
