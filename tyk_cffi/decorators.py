"""The decorators that make a function a hook or an event handler (contract 4).

They return the function as it is, so that plugin code can be called and tested
like any other, and tell the loader what they saw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tyk_cffi.handler import collecting, describe

__all__ = ["CustomKeyCheck", "Event", "Hook", "Post", "PostKeyAuth", "Pre"]

_F = TypeVar("_F", bound=Callable[..., Any])


def _register(function: _F, kind: str) -> _F:
    handler = describe(function, kind)
    handlers = collecting.get()
    if handlers is not None:
        handlers.append(handler)
    return function


def Hook(function: _F) -> _F:
    """A hook of any type; the number of arguments says which form it takes."""
    return _register(function, "Hook")


def Pre(function: _F) -> _F:
    """A hook that runs before authentication."""
    return _register(function, "Pre")


def CustomKeyCheck(function: _F) -> _F:
    """A hook that authenticates: it fills the session and ``metadata["token"]``, or denies."""
    return _register(function, "CustomKeyCheck")


def PostKeyAuth(function: _F) -> _F:
    """A hook that runs right after authentication."""
    return _register(function, "PostKeyAuth")


def Post(function: _F) -> _F:
    """A hook that runs last before the upstream."""
    return _register(function, "Post")


def Event(function: _F) -> _F:
    """An event handler: ``(event, spec)``; what it returns does not matter."""
    return _register(function, "Event")
