"""The decorators that make a function a hook or an event handler (contract 4).

They return the function as it is, so that plugin code can be called and tested
like any other, and mark it for the loader.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any, TypeVar

from tyk_cffi import callers
from tyk_cffi.handler import describe
from tyk_cffi.types import EventFunction, HookFunction

__all__ = ["CustomKeyCheck", "Event", "Hook", "Post", "PostKeyAuth", "Pre"]

# A decorated function keeps its own type.
_H = TypeVar("_H", bound=HookFunction)
_E = TypeVar("_E", bound=EventFunction)

# The attribute of decorated functions: names of decorators. ``functools.wraps`` hands it on.
MARK = "__tyk_hooks__"


def kinds(value: object) -> tuple[str, ...]:
    """Return the names of the decorators that ``value`` has; runs no code of its own."""
    try:
        names = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        function = getattr(value, "__func__", None) if inspect.ismethod(value) else None
        return kinds(function) if function is not None else ()
    found = names.get(MARK)
    return found if isinstance(found, tuple) else ()


def _register(function: Any, kind: str) -> Any:
    if not is_defined_in_class(function):
        describe(function, kind)  # a mistake is told where it is made
    try:
        setattr(function, MARK, (*(k for k in kinds(function) if k != kind), kind))
    except AttributeError:  # a bound method or a built-in function
        function = functools.partial(function)
        setattr(function, MARK, (kind,))
    version = callers.defining()
    if version is not None and version.loading:
        version.decorated.append((kind, function))
    return function


def is_defined_in_class(function: object) -> bool:
    """Whether it was defined in a class: what it takes, the class decides."""
    if isinstance(function, classmethod):
        return True
    name = getattr(function, "__qualname__", "")
    return inspect.isfunction(function) and "." in name.rpartition("<locals>.")[2]


def Hook(function: _H) -> _H:
    """A hook of any type; the number of arguments says which form it takes."""
    hook: _H = _register(function, "Hook")
    return hook


def Pre(function: _H) -> _H:
    """A hook that runs before authentication."""
    hook: _H = _register(function, "Pre")
    return hook


def CustomKeyCheck(function: _H) -> _H:
    """A hook that authenticates: it fills the session and ``metadata["token"]``, or denies."""
    hook: _H = _register(function, "CustomKeyCheck")
    return hook


def PostKeyAuth(function: _H) -> _H:
    """A hook that runs right after authentication."""
    hook: _H = _register(function, "PostKeyAuth")
    return hook


def Post(function: _H) -> _H:
    """A hook that runs last before the upstream."""
    hook: _H = _register(function, "Post")
    return hook


def Event(function: _E) -> _E:
    """An event handler: ``(event, spec)``; what it returns does not matter."""
    handler: _E = _register(function, "Event")
    return handler
