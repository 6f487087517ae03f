"""Records of Python's ``logging`` go to the gateway's log, one each, whatever plugins configure.

The root logger is everybody's: it keeps the gateway's handler and level when a
plugin runs ``basicConfig(force=True)``, ``dictConfig`` or ``logging.disable``.
"""

from __future__ import annotations

import logging
import logging.config
import threading
from typing import Any

from tyk_cffi import streams, uncaught
from tyk_cffi.gateway import TykGateway

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


class GatewayHandler(logging.Handler):
    """Hands records of Python's ``logging`` to the gateway, tracebacks included.

    It serves all plugins, so no plugin gives it a level, a format or a filter.
    """

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
        try:
            message = self.format(record)
        except Exception as error:  # arguments that do not fit the format, for one
            message = (
                f"{record.pathname}:{record.lineno}: a record of logger {record.name!r} cannot be "
                f"formatted: {type(error).__name__}; its message is {record.msg!r:.1000}"
            )
        try:
            TykGateway.log(message, level)
        except Exception:
            self.handleError(record)

    def setLevel(self, level: Any) -> None:
        """Leave the level as it is: see :func:`set_level`."""

    def setFormatter(self, fmt: Any) -> None:
        """Leave the format as it is."""

    def addFilter(self, filter: Any) -> None:
        """Leave out the filter: it would see and drop records of other plugins."""


_handler = GatewayHandler()


class _Root(logging.RootLogger):
    """The root logger: plugins add handlers of their own, and cannot take ours out."""

    _lock = threading.Lock()
    # While this thread is in basicConfig: the handlers that it gives.
    _given = threading.local()

    @property
    def handlers(self) -> list[logging.Handler]:
        given: list[logging.Handler] | None = getattr(self._given, "handlers", None)
        if given is not None:
            return given
        own: list[logging.Handler] = self.__dict__["handlers"]
        if _handler not in own:
            with self._lock:
                if _handler not in own:
                    own.insert(0, _handler)
        return own

    @handlers.setter
    def handlers(self, handlers: list[logging.Handler]) -> None:
        self.__dict__["handlers"] = handlers

    def addHandler(self, hdlr: logging.Handler) -> None:
        # One that writes to the standard streams would say everything twice.
        if not isinstance(getattr(hdlr, "stream", None), streams.LogStream):
            super().addHandler(hdlr)

    def removeHandler(self, hdlr: logging.Handler) -> None:
        if hdlr is not _handler:
            super().removeHandler(hdlr)

    def setLevel(self, level: Any) -> None:
        """Leave the level as it is: it is that of the gateway's log."""

    def basic_config(self, **options: Any) -> None:
        """``logging.basicConfig``: without ``force`` nothing, as where root has handlers."""
        if not options.get("force"):
            return
        before = [handler for handler in self.handlers if handler is not _handler]
        self._given.handlers = before
        try:
            _basic_config(**options)
        finally:
            given = self._given.handlers
            self._given.handlers = None
            self.handlers = [_handler, *given]


_basic_config = logging.basicConfig


def set_level(level: int) -> None:
    """Have ``logging`` make no records that the gateway would drop."""
    logging.Handler.setLevel(_handler, level)  # for loggers that have a lower level of their own
    logging.Logger.setLevel(logging.getLogger(), level)


def _disable(level: int = logging.CRITICAL) -> None:
    """``logging.disable`` would silence all plugins."""
    logging.getLogger("tyk_cffi").warning(
        "logging.disable() has no effect in the gateway: it would silence every plugin. "
        "Set the level of your own loggers, or the gateway's log_level"
    )


def _keep_loggers(existing: Any, child_loggers: Any, disable_existing: bool) -> None:
    """``disable_existing_loggers``, true by default, would silence all other plugins."""


def install(level: int = logging.DEBUG) -> None:
    """Send ``logging``, ``warnings``, ``print`` and uncaught errors to the gateway's log.

    Args:
        level: the least that the gateway logs, as a number of ``logging``.
    """
    root: Any = logging.getLogger()
    root.__class__ = _Root
    root.handlers = [_handler, *root.__dict__["handlers"]]
    set_level(level)
    logging.raiseExceptions = False
    logging.disable = _disable
    logging.basicConfig = root.basic_config
    logging.config._handle_existing_loggers = _keep_loggers  # type: ignore[attr-defined]
    streams.install()
    uncaught.install()
