"""Python middleware for an API gateway: the runtime behind ``libgateway``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["on_unload"]
__version__ = "0.2.0"

_F = TypeVar("_F", bound=Callable[[], Any])


def on_unload(function: _F) -> _F:
    """Register ``function`` to run when the calling plugin code is unloaded.

    Code is unloaded after a reload has replaced it and its running calls have returned,
    and when the gateway stops. The functions of one source run in reverse order of
    registration, each on a thread of its own with a limit of 5 seconds; an exception is
    logged and does not keep the others from running. Outside a gateway, registering
    does nothing. See "Unload" in docs/internals.md.

    Args:
        function: a callable without arguments. Its result is ignored.

    Returns:
        ``function``, so this can be used as a decorator.
    """
    from tyk_cffi import unload  # the command line does not need it

    return unload.on_unload(function)
