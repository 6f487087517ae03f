"""The event loop of the runtime, on which all ``async def`` hooks and handlers run.

It has a thread of its own, started with the first of them. The thread of the
call waits for the result without the GIL; the host was told so when the hook
was bound, and lets many of them wait at once.

The loop is everybody's, so it is supervised: what one call does to it, down to
``sys.exit()``, fails that call alone. If the loop itself breaks, the calls that
wait for it fail at once, and the next call starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any
from weakref import WeakSet

from tyk_cffi import streams, uncaught
from tyk_cffi.errors import HookError
from tyk_cffi.shared_loop import SharedLoop, own_tasks

_lock = threading.Lock()
_current: _LoopThread | None = None


def blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain function that runs the coroutine function on the loop and waits.

    The context of the call (``running`` and the rest) goes along: the loop copies it.
    """

    @functools.wraps(function)
    def wait(*arguments: Any) -> Any:
        return _submit(function, arguments).result()

    return wait


def _submit(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Future[Any]:
    global _current
    future: Future[Any] = Future()
    with _lock:
        if _current is None:
            thread = _LoopThread()
            thread.start()
            _current = thread
        _current.waiting.add(future)
        _current.loop.call_soon_threadsafe(_current.begin, function, arguments, future)
    return future


class _LoopThread(threading.Thread):
    """Runs one loop, and answers for the calls that wait for it."""

    def __init__(self) -> None:
        super().__init__(name="tyk-cffi-loop", daemon=True)
        self.loop = SharedLoop()
        self.waiting: set[Future[Any]] = set()
        self._calls: set[asyncio.Task[None]] = set()  # asyncio itself refers to tasks weakly

    def begin(self, function: Callable[..., Any], arguments: Any, future: Future[Any]) -> None:
        """Begin a call, on the loop."""
        task = self.loop.create_task(self._call(function, arguments, future))
        self._calls.add(task)
        task.add_done_callback(functools.partial(self._ended, future))

    async def _call(
        self, function: Callable[..., Any], arguments: Any, future: Future[Any]
    ) -> None:
        own_tasks.set(WeakSet([task] if (task := asyncio.current_task()) else []))
        try:
            try:
                result = function(*arguments)
                if inspect.isawaitable(result):
                    result = await result
            finally:
                if streams.unfinished:
                    streams.finish()
            _resolve(future.set_result, result)
        except BaseException as error:  # sys.exit() included: it would stop the loop
            _resolve(future.set_exception, error)
        finally:
            del future  # which refers to the error, and so to this frame

    def _ended(self, future: Future[Any], task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self.waiting.discard(future)
        if not future.done():
            _resolve(
                future.set_exception, HookError("the async hook was cancelled before it began")
            )

    def run(self) -> None:
        error: BaseException | None = None
        try:
            while error is None:
                error = self._run_once()
        finally:
            self._abandon(error)

    def _run_once(self) -> BaseException | None:
        """Run the loop until something ends it; return what broke it, if it is broken."""
        try:
            self.loop.serve()
        except BaseException as error:
            uncaught.report(error, "code on the event loop of async hooks")
            if not _is_of_a_callback(error):
                return error
        return None

    def _abandon(self, error: BaseException | None) -> None:
        global _current
        with _lock:
            if _current is self:
                _current = None
            waiting = list(self.waiting)
        why = f"the event loop of async hooks ended while this call ran: {type(error).__name__}"
        for future in waiting:
            _resolve(future.set_exception, HookError(why))
        for task in self._calls:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # said above
        with contextlib.suppress(Exception):
            self.loop.end()


def _resolve(setter: Callable[[Any], None], value: Any) -> None:
    with contextlib.suppress(InvalidStateError):  # the loop was abandoned meanwhile
        setter(value)


def _is_of_a_callback(error: BaseException) -> bool:
    """Whether a callback or a task raised it, and the loop can go on: it has lost nothing."""
    code = asyncio.Handle._run.__code__
    return any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))
