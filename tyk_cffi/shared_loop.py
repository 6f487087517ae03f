"""An event loop that plugins share: no plugin can stop it or see another's tasks."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, NoReturn

from tyk_cffi import uncaught

# The tasks of one call, in the context of the call and its tasks.
own_tasks: ContextVar[weakref.WeakSet[asyncio.Task[Any]]] = ContextVar("own_tasks")

_log = logging.getLogger("tyk_cffi")


class SharedLoop(asyncio.SelectorEventLoop):
    """Refuses calls that would stop it, and ignores settings that would affect all plugins."""

    def __init__(self) -> None:
        super().__init__()
        super().set_task_factory(_new_task)  # type: ignore[arg-type]  # for any coroutine

    def stop(self) -> NoReturn:
        """Refuse: the async hooks of all APIs run here."""
        raise RuntimeError("loop.stop() would stop the async hooks of all APIs; return instead")

    def close(self) -> NoReturn:
        """Refuse, likewise."""
        raise RuntimeError("loop.close() would end the async hooks of all APIs; return instead")

    def run_forever(self) -> NoReturn:
        """Refuse: the loop is running, and Python 3.13 would lose that state."""
        raise RuntimeError("this event loop is running: await the coroutine instead")

    def run_until_complete(self, future: Any) -> NoReturn:
        """Refuse, likewise."""
        if asyncio.iscoroutine(future):
            future.close()
        self.run_forever()

    def serve(self) -> None:
        """Run the loop, for its own thread."""
        super().run_forever()

    def end(self) -> None:
        """Close the loop once nothing runs on it any more."""
        super().close()

    def __del__(self) -> None:
        """Do nothing: ``end`` has closed it."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> NoReturn:
        """Refuse: ``asyncio.to_thread`` of all plugins uses it."""
        raise RuntimeError("the async hooks of all APIs share the default executor")

    async def shutdown_asyncgens(self) -> NoReturn:
        """Refuse: it would close the generators of other calls."""
        raise RuntimeError("the loop has the async generators of the hooks of all APIs")

    def remove_reader(self, fd: Any) -> bool:
        """Remove a reader, except that of the socket that wakes the loop."""
        waker: Any = getattr(self, "_ssock", None)
        if waker is not None and self.is_running() and fd in (waker, waker.fileno()):
            raise RuntimeError("this socket wakes the event loop of the async hooks of all APIs")
        return super().remove_reader(fd)

    def set_default_executor(self, executor: Any) -> None:
        """Ignore: another plugin would lose its executor."""
        _no_effect("set_default_executor")

    def set_task_factory(self, factory: Any) -> None:
        """Ignore, likewise."""
        _no_effect("set_task_factory")

    def set_exception_handler(self, handler: Any) -> None:
        """Ignore: the errors of all plugins go to the gateway's log."""
        _no_effect("set_exception_handler")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Write one record."""
        message = str(context.get("message") or "error on the event loop of async hooks")
        error = context.get("exception")
        if isinstance(error, BaseException):
            uncaught.report(error, message)
        else:
            rest = {k: uncaught.safe_repr(v) for k, v in context.items() if k != "message"}
            _log.error("%s: %s", message, rest)


def _no_effect(name: str) -> None:
    _log.warning("loop.%s() has no effect: the async hooks of all APIs share the loop", name)


def _new_task(loop: Any, coroutine: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """Create a task that only its own call sees in ``asyncio.all_tasks()``."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    asyncio.tasks._unregister_task(task)
    own = own_tasks.get(None)
    if own is not None:
        own.add(task)
    return task


_all_tasks = asyncio.all_tasks


def _own_tasks(loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
    """``asyncio.all_tasks``: on the shared loop, only the running call's tasks."""
    if loop is None:
        loop = asyncio.get_running_loop()
    if isinstance(loop, SharedLoop):
        return {task for task in own_tasks.get(weakref.WeakSet()) if not task.done()}
    return _all_tasks(loop)


asyncio.all_tasks = asyncio.tasks.all_tasks = _own_tasks
