"""Decorators that define hooks and event handlers (contract 4).

They mark the function for the loader and return it unchanged, so plugin code can be called
and tested like any other code.

Each decorator takes one argument, a function or another callable. A hook has 3, 4 or 5
positional arguments, listed in section 4 of docs/contract.md, and may be ``async``. The
decorators raise ``SignatureError``, a ``TypeError``, with file and line for a callable of
another form. Its name is the hook's name in API definitions and manifests.
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

# The attribute with the names of the decorators; ``functools.wraps`` copies it.
MARK = "__tyk_hooks__"


def kinds(value: object) -> tuple[str, ...]:
    """Return the names of the decorators on ``value``, without running its code."""
    try:
        names = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        function = getattr(value, "__func__", None) if inspect.ismethod(value) else None
        return kinds(function) if function is not None else ()
    found = names.get(MARK)
    return found if isinstance(found, tuple) else ()


def _register(function: Any, kind: str) -> Any:
    if not is_defined_in_class(function):
        describe(function, kind)  # reports a mistake at the decorator
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
    """Whether a class defines it; then its arguments are only known from the class."""
    if isinstance(function, classmethod):
        return True
    name = getattr(function, "__qualname__", "")
    return inspect.isfunction(function) and "." in name.rpartition("<locals>.")[2]


def Hook(function: _H) -> _H:
    """Define a hook of any type.

    Args:
        function: ``(request, session, spec)``, ``(request, session, metadata, spec)`` or
            ``(request, response, session, metadata, spec)``. It returns its arguments
            without ``spec`` (the last form: the response), or ``None`` to keep its
            in-place changes.

    Returns:
        ``function``.

    Raises:
        SignatureError: ``function`` has none of these forms.
    """
    hook: _H = _register(function, "Hook")
    return hook


def Pre(function: _H) -> _H:
    """Define a hook that runs before authentication (contract 3). See ``Hook``."""
    hook: _H = _register(function, "Pre")
    return hook


def CustomKeyCheck(function: _H) -> _H:
    """Define the hook that authenticates requests (contract 6). See ``Hook``.

    The hook accepts a request by filling ``session`` and setting ``metadata["token"]``;
    otherwise the gateway answers 403.
    """
    hook: _H = _register(function, "CustomKeyCheck")
    return hook


def PostKeyAuth(function: _H) -> _H:
    """Define a hook that runs right after authentication (contract 3). See ``Hook``."""
    hook: _H = _register(function, "PostKeyAuth")
    return hook


def Post(function: _H) -> _H:
    """Define a hook that runs last before the upstream (contract 3). See ``Hook``."""
    hook: _H = _register(function, "Post")
    return hook


def Event(function: _E) -> _E:
    """Define an event handler (contract 7).

    Args:
        function: ``(event, spec)``, which may be ``async``. Its result is ignored.

    Returns:
        ``function``.

    Raises:
        SignatureError: ``function`` does not take two arguments.
    """
    handler: _E = _register(function, "Event")
    return handler
