"""Views of protobuf messages: they do what the messages do, and parse only what is used.

A view has the fields and methods of its message's class as properties and methods, made from
the class and its descriptor. What Python code does with a message, it can do with a view.
protobuf's C code compares exact types where it takes a message; :func:`accept_views` makes
those functions take views.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, ClassVar

from google.protobuf.message import Message

from tyk_cffi.map_view import map_field


class ViewType(type):
    """The class of view classes: instances of the message's class count as instances too."""

    MESSAGE: type[Message] = Message

    def __instancecheck__(cls, instance: object) -> bool:
        return type.__instancecheck__(cls, instance) or isinstance(instance, cls.MESSAGE)


class MessageView(metaclass=ViewType):
    """A view of the message that ``_get()`` returns.

    Subclasses name the message's class, and define where the message comes from and when it
    is created. Calling such a class makes a message, as calling the message's class does.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # like protobuf messages
    MESSAGE: ClassVar[type[Message]]
    _message: Any  # the message, possibly without its body

    def __init_subclass__(cls, message: type[Message] | None = None) -> None:
        if message is not None:
            cls.MESSAGE = message
            _add_fields(cls, message)
            _add_methods(cls, message)
            accept_views(message, "CopyFrom", "MergeFrom")

    def __new__(cls, *arguments: Any, **fields: Any) -> Any:
        return cls.MESSAGE(*arguments, **fields)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self).MESSAGE

    def _get(self) -> Any:
        raise NotImplementedError

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.MESSAGE), *self.MESSAGE.DESCRIPTOR.fields_by_name})

    @property
    def __dict__(self) -> Any:  # type: ignore[override]  # for vars()
        return self._get().__dict__

    @property
    def Extensions(self) -> Any:
        """protobuf's own attribute; these messages have no extensions."""
        return self._get().Extensions

    # Copies and pickles contain the message, not the view: they stay valid after the call.

    def __copy__(self) -> Any:
        twin = self.MESSAGE()
        twin.CopyFrom(self._get())
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.__copy__()

    def __getstate__(self) -> Any:
        return self._get().__getstate__()

    def __reduce__(self) -> Any:
        return self.__copy__().__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__copy__().__reduce_ex__(protocol)

    def __eq__(self, other: object) -> bool:
        return bool(self._get() == unwrap(other))

    def __str__(self) -> str:
        return str(self._get())

    def __repr__(self) -> str:
        return repr(self._get())


def unwrap(value: Any) -> Any:
    """Return the message if ``value`` is a view of one, and ``value`` itself otherwise."""
    return value._get() if issubclass(type(value), MessageView) else value


def accept_views(message: type[Message], *names: str) -> None:
    """Make these methods of a message's class, which is protobuf's C code, accept views."""
    for name in names:
        setattr(message, name, _taking_views(getattr(message, name)))


def _taking_views(method: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(method)
    def take(message: Any, *arguments: Any, **fields: Any) -> None:
        method(
            message,
            *map(unwrap, arguments),
            **{name: unwrap(value) for name, value in fields.items()},
        )

    return take


def _add_fields(view: type[MessageView], message: type[Message]) -> None:
    """Add a property for each field that the view does not define itself."""
    for name, field in message.DESCRIPTOR.fields_by_name.items():
        if not hasattr(view, name):
            setattr(view, name, map_field(name) if _maps_text(field) else _field(name))


def _maps_text(field: Any) -> bool:
    """Whether it is a ``map<string, string>``: no map of these messages has other scalars."""
    kind = field.message_type
    return bool(kind and kind.GetOptions().map_entry) and (
        kind.fields_by_name["value"].message_type is None
    )


def _field(name: str) -> property:
    def write(view: MessageView, value: Any) -> None:
        setattr(view._message, name, value)

    def delete(view: MessageView) -> None:
        delattr(view._message, name)  # raises the message's own error

    return property(operator.attrgetter(f"_message.{name}"), write, delete)


def _add_methods(view: type[MessageView], message: type[Message]) -> None:
    """Add the methods and constants of the message's class."""
    constants = [f"{name.upper()}_FIELD_NUMBER" for name in message.DESCRIPTOR.fields_by_name]
    for name in {*dir(message), *constants} - set(dir(view)):
        value = getattr(message, name)
        is_method = callable(value) and not isinstance(value, type) and name != "FromString"
        setattr(view, name, _method(name) if is_method else value)


def _method(name: str) -> Any:
    def call(view: MessageView, *arguments: Any, **named: Any) -> Any:
        return getattr(view._get(), name)(*arguments, **named)

    call.__name__ = name
    return call
