"""Keeps plugin code from ending, copying or replacing the process it shares with the gateway.

A guard, not a sandbox: code that means to can still do all of it, through
``ctypes`` for one.
"""

from __future__ import annotations

import faulthandler
import functools
import os
import posix
import signal
from collections.abc import Callable
from typing import Any, NoReturn

_FORK = (
    "{name}() inside the gateway would copy a process full of running threads; "
    "use subprocess, or multiprocessing with the 'spawn' start method"
)
_END = "{name}() would end the gateway, with the requests of all its clients; raise an exception"
_REPLACE = "{name}() would replace the gateway by another program; use subprocess"
_FORBIDDEN = {
    "fork": _FORK,
    "forkpty": _FORK,
    "_exit": _END,
    "abort": _END,
    "execv": _REPLACE,
    "execve": _REPLACE,
}


def install() -> None:
    """Replace what would end, copy or replace the process by clear errors.

    In a child that was forked otherwise (``subprocess`` with ``preexec_fn``)
    everything is as ever.
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
        if hasattr(posix, name):
            guarded = in_gateway(getattr(posix, name), _refusal(text.format(name=f"os.{name}")))
            setattr(os, name, guarded)
            setattr(posix, name, guarded)
    for name in ("kill", "killpg"):
        guarded = in_gateway(getattr(posix, name), _refuse_own_process)
        setattr(os, name, guarded)
        setattr(posix, name, guarded)
    faulthandler.dump_traceback_later = in_gateway(
        faulthandler.dump_traceback_later, _refuse_exit_option
    )
    signal.raise_signal = in_gateway(signal.raise_signal, _refusal(_SIGNAL))
    signal.pthread_kill = in_gateway(signal.pthread_kill, _refuse_thread_signal)
    # As Python itself does outside of its main thread: packages expect just that.
    for name in ("signal", "set_wakeup_fd", "siginterrupt", "setitimer", "alarm"):
        setattr(signal, name, in_gateway(getattr(signal, name), _refuse_handler))


_SIGNAL = "this would send the gateway a signal, which are the operator's; raise an exception"


def _refusal(text: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(text)

    return refuse


def _refuse_own_process(target: int, sig: int, /) -> None:
    """Refuse a signal to the gateway's own process, its group, or everybody."""
    if sig != 0 and (target in (os.getpid(), 0, -1) or abs(target) == os.getpgrp()):
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
        "which is the gateway's; signals belong to it"
    )
