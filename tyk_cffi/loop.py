"""The event loop that runs all ``async def`` hooks and event handlers.

It runs on a thread of its own, which the first such call starts. The thread of the call
waits for the result without the GIL. The host learns this when it binds the hook, and lets
many such calls wait at once.

All plugins share the loop, so it is supervised: whatever a call does to it, ``sys.exit()``
included, only fails that call. If the loop itself breaks, all calls that wait for it fail
at once, and the next call starts a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import threading
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any
from weakref import WeakSet

from tyk_cffi import streams, uncaught
from tyk_cffi.errors import HookError
from tyk_cffi.shared_loop import SharedLoop, own_tasks

_lock = threading.Lock()
_current: _LoopThread | None = None


def blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain function that runs a coroutine function on the loop and waits for it.

    The coroutine runs in a copy of the call's context, which includes ``running``.
    """

    @functools.wraps(function)
    def wait(*arguments: Any) -> Any:
        return _submit(function, arguments).result()

    return wait


def awaited(result: Any) -> Any:
    """Return what a call returned; run a coroutine on the loop first, and wait for it."""
    return _wait(result) if inspect.isawaitable(result) else result


@blocking
async def _wait(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


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
    """Runs one event loop, and completes the calls that wait for it."""

    def __init__(self) -> None:
        super().__init__(name="tyk-cffi-loop", daemon=True)
        self.loop = SharedLoop()
        self.waiting: set[Future[Any]] = set()
        self._calls: set[asyncio.Task[None]] = set()  # asyncio has weak references only

    def begin(self, function: Callable[..., Any], arguments: Any, future: Future[Any]) -> None:
        """Start a call. Runs on the loop."""
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
        except BaseException as error:  # sys.exit() included, which would stop the loop
            _resolve(future.set_exception, error)
        finally:
            del future  # breaks the reference cycle of error and frame

    def _ended(self, future: Future[Any], task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self.waiting.discard(future)
        if not future.done():
            _resolve(
                future.set_exception, HookError("the async hook was cancelled before it started")
            )

    def run(self) -> None:
        error: BaseException | None = None
        try:
            while error is None:
                error = self._run_once()
        finally:
            self._abandon(error)

    def _run_once(self) -> BaseException | None:
        """Run the loop until it ends; return the exception that broke it, if any."""
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
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # reported already
        with contextlib.suppress(Exception):
            self.loop.end()


def _resolve(setter: Callable[[Any], None], value: Any) -> None:
    with contextlib.suppress(InvalidStateError):  # the loop was abandoned in the meantime
        setter(value)


def _is_of_a_callback(error: BaseException) -> bool:
    """Whether a callback or a task raised it; then the loop itself is intact."""
    code = asyncio.Handle._run.__code__
    return any(frame.f_code is code for frame, _ in traceback.walk_tb(error.__traceback__))
