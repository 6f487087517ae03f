"""What plugin code asks to be run when it is no longer used: at a reload, or at the gateway's end.

``on_unload`` and ``atexit`` record functions with the version whose code called them.
They run, the last one first, when the calls have ended that the version was serving;
then its memory is collected.
"""

from __future__ import annotations

import atexit
import functools
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

from tyk_cffi import callers
from tyk_cffi.handler import Function
from tyk_cffi.tracebacks import format_error, plugin_frames
from tyk_cffi.version import Version

# Time limits in seconds: for one function, for all of a version, and for calls of an old
# version to end.
FUNCTION_LIMIT = 5.0
VERSION_LIMIT = 10.0
CALLS_LIMIT = 300.0

_F = TypeVar("_F", bound=Callable[[], Any])
_log = logging.getLogger(__name__)
_register = atexit.register
_unregister = atexit.unregister


def on_unload(function: _F) -> _F:
    """See ``tyk_cffi.on_unload``."""
    version = callers.innermost()
    if version is not None and not version.unloaded:
        version.unload_callbacks.append((function, (), {}))
    return function


def register(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """``atexit.register``: what plugin code registers runs when that code is unloaded."""
    version = callers.version_of(sys._getframe(1))
    if version is None or version.unloaded:
        return _register(function, *arguments, **keywords)
    version.unload_callbacks.append((function, arguments, keywords))
    return function


def unregister(function: Any) -> None:
    """``atexit.unregister``, likewise."""
    version = callers.version_of(sys._getframe(1))
    if version is not None:
        version.unload_callbacks[:] = [
            entry for entry in version.unload_callbacks if entry[0] != function
        ]
    _unregister(function)


def install() -> None:
    """Let ``atexit`` know versions; in the gateway's process only."""
    atexit.register = register  # type: ignore[assignment]
    atexit.unregister = unregister


def finish(end: float) -> None:
    """Run what installed packages and the standard library registered with ``atexit``.

    The interpreter does not: it is never finalized.
    """
    _run_with_deadline("a function registered with atexit", atexit._run_exitfuncs, end)


class Unloader:
    """Unloads versions on a thread of its own, which lives while there is something to do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Version, list[FrameType], float]] = []
        self._thread: threading.Thread | None = None

    def unload(self, version: Version, codes: frozenset[object]) -> None:
        """Unload a version as soon as no call runs that began before now.

        Args:
            codes: code objects of the functions that run calls.
        """
        calls = _running(codes)
        with self._lock:
            self._waiting.append((version, calls, time.monotonic() + CALLS_LIMIT))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="tyk-cffi-unload", daemon=True
                )
                self._thread.start()

    def stop(self, versions: list[Version], end: float) -> None:
        """Unload all by ``end``, those that still wait for calls included."""
        with self._lock:
            versions = versions + [version for version, _, _ in self._waiting]
        for version in versions:
            run_callbacks(version, end)

    def join(self, timeout: float = 10.0) -> None:
        """Wait until nothing is left to unload."""
        end = time.monotonic() + timeout
        while (thread := self._thread) is not None and time.monotonic() < end:
            thread.join(0.05)

    def _run(self) -> None:
        pause = 0.01
        while True:
            with self._lock:
                stacks = _frames()
                ready = [
                    entry
                    for entry in self._waiting
                    if entry[2] < time.monotonic() or not any(call in stacks for call in entry[1])
                ]
                self._waiting = [entry for entry in self._waiting if entry not in ready]
            del stacks
            for version, calls, _ in ready:
                calls.clear()
                run_callbacks(version, time.monotonic() + VERSION_LIMIT)
            if ready:
                del version, calls, ready
                gc.collect()
            else:
                del ready
                time.sleep(pause)
                pause = min(pause * 2, 0.5)
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return


def run_callbacks(version: Version, end: float) -> None:
    """Run what a version asked for, the last one first; an error stops no other."""
    version.unloaded = True
    while version.unload_callbacks:
        function, arguments, keywords = version.unload_callbacks.pop()
        call = functools.partial(function, *arguments, **keywords)
        _run_with_deadline(_name(function), call, min(end, time.monotonic() + FUNCTION_LIMIT))


def _run_with_deadline(name: str, function: Function, end: float) -> None:
    """Run ``function`` on a thread of its own, and wait for it until ``end``."""

    def run() -> None:
        try:
            function()
        except BaseException as error:  # plugin code may raise anything
            _log.error(
                "%s failed while unloading\n%s", name, format_error(error, plugin_frames(error))
            )

    thread = threading.Thread(target=run, name="tyk-cffi-unload-function", daemon=True)
    thread.start()
    thread.join(max(0.1, end - time.monotonic()))
    if thread.is_alive():
        _log.error("%s does not end, and is left running while unloading", name)


def _name(function: Function) -> str:
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(type(function)))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else str(name)


def _running(codes: frozenset[object]) -> list[FrameType]:
    """The frames that run calls now, in any thread."""
    return [frame for frame in _frames() if frame.f_code in codes]


def _frames() -> list[FrameType]:
    found = []
    for frame in sys._current_frames().values():
        inner: FrameType | None = frame
        while inner is not None:
            found.append(inner)
            inner = inner.f_back
    return found
