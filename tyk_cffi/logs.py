"""What plugin code logs or prints goes to the gateway's log, one record each."""

from __future__ import annotations

import io
import logging
import sys
import threading

from tyk_cffi.gateway import TykGateway

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


class GatewayHandler(logging.Handler):
    """Hands records of Python's ``logging`` to the gateway, tracebacks included."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
        try:
            TykGateway.log(self.format(record), level)
        except Exception:
            self.handleError(record)


class LogStream(io.TextIOBase):
    """Stands for ``sys.stdout`` or ``sys.stderr``: each line becomes a record.

    Each thread's unfinished line is its own, so that hooks that print at once
    do not mix.
    """

    def __init__(self, level: str) -> None:
        self._level = level
        self._pending = threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, rest = (getattr(self._pending, "text", "") + text).split("\n")
        self._pending.text = rest
        for line in lines:
            if line:
                TykGateway.log(line, self._level)
        return len(text)

    def flush(self) -> None:
        rest, self._pending.text = getattr(self._pending, "text", ""), ""
        if rest:
            TykGateway.log(rest, self._level)


def set_level(level: int) -> None:
    """Have ``logging`` make no records that the gateway would drop."""
    root = logging.getLogger()
    root.setLevel(level)
    for handler in root.handlers:  # for loggers with a lower level of their own
        if isinstance(handler, GatewayHandler):
            handler.setLevel(level)


def install(level: int) -> None:
    """Send ``logging``, ``print`` and uncaught errors of threads to the gateway.

    Args:
        level: the least that the gateway logs, as a number of ``logging``.
    """
    root = logging.getLogger()
    root.addHandler(GatewayHandler())
    set_level(level)
    logging.raiseExceptions = False
    sys.stdout = LogStream("info")
    sys.stderr = LogStream("error")
