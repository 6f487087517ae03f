"""Unloads versions of plugin code, after a reload and when the gateway stops.

``on_unload`` and ``atexit`` register functions for the version whose code calls them. They
run in reverse order once the version's calls have ended. Then its memory is freed.
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

# Time limits in seconds: for one function, for all functions of a version, and for the
# running calls of an old version.
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
    """``atexit.register``: functions of plugin code run when that code is unloaded."""
    version = callers.version_of(sys._getframe(1))
    if version is None or version.unloaded:
        return _register(function, *arguments, **keywords)
    version.unload_callbacks.append((function, arguments, keywords))
    return function


def unregister(function: Any) -> None:
    """``atexit.unregister``, for functions of plugin code too."""
    version = callers.version_of(sys._getframe(1))
    if version is not None:
        version.unload_callbacks[:] = [
            entry for entry in version.unload_callbacks if entry[0] != function
        ]
    _unregister(function)


def install() -> None:
    """Replace ``atexit``'s functions, in the gateway's process only."""
    atexit.register = register  # type: ignore[assignment]
    atexit.unregister = unregister


def finish(end: float) -> None:
    """Run the ``atexit`` functions of installed packages and of the standard library.

    The interpreter is never finalized, so it does not run them itself.
    """
    _run_with_deadline("a function registered with atexit", atexit._run_exitfuncs, end)


class Unloader:
    """Unloads versions on a thread of its own, which ends when nothing is left to unload."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Version, list[FrameType], float]] = []
        self._thread: threading.Thread | None = None

    def unload(self, version: Version, codes: frozenset[object]) -> None:
        """Unload a version once all calls that are running now have ended.

        Args:
            version: the version.
            codes: code objects of the functions that run calls.
        """
        calls = _running(codes)
        with self._lock:
            self._waiting.append((version, calls, time.monotonic() + CALLS_LIMIT))
            if self._thread is None or not self._thread.is_alive():  # it failed
                self._thread = threading.Thread(
                    target=self._run, name="tyk-cffi-unload", daemon=True
                )
                self._thread.start()

    def stop(self, versions: list[Version], end: float) -> None:
        """Unload all versions by ``end``, including those that still wait for calls."""
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
    """Run a version's callbacks in reverse order; an exception does not stop the others."""
    version.unloaded = True
    while version.unload_callbacks:
        function, arguments, keywords = version.unload_callbacks.pop()
        call = functools.partial(function, *arguments, **keywords)
        _run_with_deadline(_name(function), call, min(end, time.monotonic() + FUNCTION_LIMIT))


def _run_with_deadline(name: str, function: Function, end: float) -> None:
    """Run ``function`` on a thread of its own and wait for it until ``end``."""

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
        _log.error("%s did not return in time while unloading, and was left running", name)


def _name(function: Function) -> str:
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(type(function)))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else str(name)


def _running(codes: frozenset[object]) -> list[FrameType]:
    """Return the frames that run calls now, in all threads."""
    return [frame for frame in _frames() if frame.f_code in codes]


def _frames() -> list[FrameType]:
    found = []
    for frame in sys._current_frames().values():
        inner: FrameType | None = frame
        while inner is not None:
            found.append(inner)
            inner = inner.f_back
    return found
