"""Python middleware for an API gateway: the runtime behind ``libgateway``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["on_unload"]
__version__ = "0.1.0"

_F = TypeVar("_F", bound=Callable[[], Any])


def on_unload(function: _F) -> _F:
    """Run ``function`` when the plugin code that calls this is no longer used.

    That is after a reload that replaced it, when its running calls have ended, or when
    the gateway stops. It may be used as a decorator. Outside a gateway it does nothing.
    """
    from tyk_cffi import unload  # not needed where only the command line runs

    return unload.on_unload(function)
