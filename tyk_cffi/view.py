"""Views that stand for one protobuf message: they look like it, and cost less."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from tyk_cffi.body import Body
from tyk_cffi.ended import ENDED


class MessageView:
    """Passes everything on to the message that ``_get()`` returns.

    A subclass says where the message comes from and when it is made.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as protobuf messages
    _message: Any  # the message, whatever of it is still to be filled in

    def _get(self) -> Any:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get(), name)

    # Copies and pickles are those of the message: they are the plugin's own and
    # outlive the call.

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
    """Have ``CopyFrom`` and ``MergeFrom`` of a message class take views of it too.

    protobuf compares types there, and does not ask ``__class__``.
    """
    for name in ("CopyFrom", "MergeFrom"):
        setattr(message, name, _taking_views(getattr(message, name)))


def _taking_views(method: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    @functools.wraps(method)
    def take(message: Any, other: Any) -> None:
        method(message, other._get() if issubclass(type(other), MessageView) else other)

    return take


class MapView(MutableMapping[str, str]):
    """Stands for a ``map<string, string>`` of a message, and finds it each time.

    The map that protobuf hands out is another one's as soon as the message is
    cleared, parsed or copied into; and it could be used after its call.
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
        """Return the value, ``default`` when there is none; nothing is put in."""
        return self._map().get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._map())

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
        """Return the value, ``default`` when there is none; nothing is put in."""
        return getattr(self._owner._message, self._name).get(key, default)  # the usual way to read


def map_field(name: str) -> Any:
    """Define the field of that name and of type ``map<string, string>`` in a view."""
    return property(lambda view: FieldMap(view, name))


_set_slot = object.__setattr__


class BodyView(MessageView):
    """A view over a message with ``raw_body`` and ``body``, which travel beside it.

    Fields other than these two go to the message. Whatever needs the message
    as a whole (``SerializeToString``, ``ListFields``, ``==``, ``str``) first puts
    the body where a reader expects it; :meth:`settle` takes it out again.
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
        """What was done to the filled message's body counts as done to the body."""
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
        """The body as text when it is UTF-8 and the hook is not ``raw_body_only``, else empty."""
        self._pull()
        return self._body.text

    @body.setter
    def body(self, value: str) -> None:
        self._pull()
        self._body.text = value

    def settle(self) -> None:
        """End of the hook: the body is out of the message, its changes in ``Body``."""
        self._pull()

    def end(self) -> None:
        """End of the call: a later use of the message or the body is an error."""
        _set_slot(self, "_message", ENDED)
        _set_slot(self, "_body", ENDED)

    def new_body(self) -> bytes | None:
        """End of the hook, for the dispatcher: the body that replaces the host's, if any."""
        self.settle()
        return self._body.replacement()
