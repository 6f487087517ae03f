"""Keeps plugin code from what would harm the process it shares with the gateway."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn


def _no_fork(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError(
        "os.fork() inside the gateway would copy a process full of running threads; "
        "use subprocess, or multiprocessing with the 'spawn' start method"
    )


def _no_signal(*args: Any, **kwargs: Any) -> NoReturn:
    raise RuntimeError("signals belong to the gateway: signal.signal() is not for plugins")


def install() -> None:
    """Replace ``os.fork``, ``os.forkpty`` and ``signal.signal`` by a clear error."""
    os.fork = os.forkpty = _no_fork
    signal.signal = _no_signal
