"""The one event loop of the runtime, on which all ``async def`` hooks and handlers run.

It has a thread of its own, started with the first of them. The thread of the
call waits for the result without the GIL; the host was told so when the hook
was bound, and lets many of them wait at once.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def blocking(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return a plain function that runs the coroutine function on the loop and waits.

    The running hook (``running``) goes along: the loop copies the caller's context.
    """

    @functools.wraps(function)
    def wait(*arguments: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(function(*arguments), _running_loop()).result()

    return wait


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="tyk-cffi-loop", daemon=True).start()
        return _loop
