"""Prevents plugin code from ending, forking or replacing the gateway's process by accident.

This is not a sandbox: ``ctypes``, for instance, can still do all of it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

_FORK = (
    "{name}() would fork the gateway, a process with many threads; "
    "use subprocess, or multiprocessing with the 'spawn' start method"
)
_END = "{name}() would end the gateway and the requests of all its clients; raise an exception"
_REPLACE = "{name}() would replace the gateway with another program; use subprocess"
_FORBIDDEN = {
    "fork": _FORK,
    "forkpty": _FORK,
    "_exit": _END,
    "abort": _END,
    "execv": _REPLACE,
    "execve": _REPLACE,
}


def install() -> None:
    """Make functions that end, fork or replace the process raise a clear error.

    Child processes (``subprocess`` with ``preexec_fn``) are not affected.
    """
    gateway = os.getpid()

    def in_gateway(function: Callable[..., Any], refuse: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*arguments: Any, **named: Any) -> Any:
            if os.getpid() == gateway:
                refuse(*arguments, **named)
            return function(*arguments, **named)

        return guarded

    for name, text in _FORBIDDEN.items():
        if hasattr(os, name):
            _replace(
                os, name, in_gateway(getattr(os, name), _refusal(text.format(name=f"os.{name}")))
            )
    for name in ("kill", "killpg"):
        _replace(os, name, in_gateway(getattr(os, name), _refuse_own_process))
    faulthandler.dump_traceback_later = in_gateway(
        faulthandler.dump_traceback_later, _refuse_exit_option
    )
    _replace(signal, "raise_signal", in_gateway(signal.raise_signal, _refusal(_SIGNAL)))
    _replace(signal, "pthread_kill", in_gateway(signal.pthread_kill, _refuse_thread_signal))
    if hasattr(signal, "pidfd_send_signal"):
        guarded = in_gateway(signal.pidfd_send_signal, _refuse_own_pidfd)
        _replace(signal, "pidfd_send_signal", guarded)
    # The error that Python itself raises outside the main thread, which packages expect.
    for name in ("signal", "set_wakeup_fd", "siginterrupt", "setitimer", "alarm"):
        _replace(signal, name, in_gateway(getattr(signal, name), _refuse_handler))


def _replace(module: ModuleType, name: str, guarded: Callable[..., Any]) -> None:
    """Replace a function of ``os`` or ``signal``, also in the C module that it comes from."""
    setattr(module, name, guarded)
    below = sys.modules["posix" if module is os else "_signal"]
    if hasattr(below, name):
        setattr(below, name, guarded)


_SIGNAL = "this would send the gateway a signal, which only operators may do; raise an exception"


def _refusal(text: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(text)

    return refuse


def _refuse_own_process(target: int, sig: int, /) -> None:
    """Refuse a signal to the gateway's process, its process group, or all processes."""
    if sig != 0 and (target in (os.getpid(), 0, -1) or abs(target) == os.getpgrp()):
        raise RuntimeError(_SIGNAL)


def _refuse_own_pidfd(pidfd: int, sig: int, *__: Any) -> None:
    with contextlib.suppress(OSError), open(f"/proc/self/fdinfo/{pidfd}") as info:
        for line in info:
            name, _, pid = line.partition(":")
            if name == "Pid" and sig != 0 and int(pid) == os.getpid():
                raise RuntimeError(_SIGNAL)


def _refuse_exit_option(*arguments: Any, exit: bool = False, **_: Any) -> None:
    if exit or (len(arguments) > 3 and arguments[3]):
        raise RuntimeError(_END.format(name="faulthandler.dump_traceback_later(exit=True)"))


def _refuse_thread_signal(thread_id: int, signalnum: int, /) -> None:
    if signalnum != 0:
        raise RuntimeError(_SIGNAL)


def _refuse_handler(*_: Any, **__: Any) -> NoReturn:
    raise ValueError(
        "signal only works in main thread of the main interpreter, "
        "which belongs to the gateway, as do its signals"
    )
