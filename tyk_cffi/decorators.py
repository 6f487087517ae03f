"""The decorators that make a function a hook or an event handler (contract 4).

They return the function as it is, so that plugin code can be called and tested
like any other, and tell the loader what they saw.
"""

from __future__ import annotations

from typing import TypeVar

from tyk_cffi.handler import Function, collecting, describe
from tyk_cffi.types import EventFunction, HookFunction

__all__ = ["CustomKeyCheck", "Event", "Hook", "Post", "PostKeyAuth", "Pre"]

# A decorated function keeps its own type.
_H = TypeVar("_H", bound=HookFunction)
_E = TypeVar("_E", bound=EventFunction)


def _register(function: Function, kind: str) -> None:
    handler = describe(function, kind)
    handlers = collecting.get()
    if handlers is not None:
        handlers.append(handler)


def Hook(function: _H) -> _H:
    """A hook of any type; the number of arguments says which form it takes."""
    _register(function, "Hook")
    return function


def Pre(function: _H) -> _H:
    """A hook that runs before authentication."""
    _register(function, "Pre")
    return function


def CustomKeyCheck(function: _H) -> _H:
    """A hook that authenticates: it fills the session and ``metadata["token"]``, or denies."""
    _register(function, "CustomKeyCheck")
    return function


def PostKeyAuth(function: _H) -> _H:
    """A hook that runs right after authentication."""
    _register(function, "PostKeyAuth")
    return function


def Post(function: _H) -> _H:
    """A hook that runs last before the upstream."""
    _register(function, "Post")
    return function


def Event(function: _E) -> _E:
    """An event handler: ``(event, spec)``; what it returns does not matter."""
    _register(function, "Event")
    return function
