"""Sends the records of Python's ``logging`` to the gateway's log, once each.

All plugins share the root logger. It keeps the gateway's handler and level even if a plugin
calls ``basicConfig(force=True)``, ``dictConfig`` or ``logging.disable``.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import logging.config
import threading
from collections.abc import Callable
from typing import Any

from tyk_cffi import streams, uncaught
from tyk_cffi.gateway import TykGateway

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


class GatewayHandler(logging.Handler):
    """Passes records of ``logging`` to the gateway, including tracebacks.

    All plugins share it, so plugins cannot change its level, format or filters.
    """

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
        try:
            message = self.format(record)
        except Exception as error:  # arguments that do not match the format, for instance
            message = (
                f"{record.pathname}:{record.lineno}: a record of logger {record.name!r} cannot be "
                f"formatted: {type(error).__name__}; its message is {record.msg!r:.1000}"
            )
        try:
            TykGateway.log(message, level)
        except Exception:
            self.handleError(record)

    def setLevel(self, level: Any) -> None:
        """Keep the level; see :func:`set_level`."""

    def setFormatter(self, fmt: Any) -> None:
        """Keep the format."""

    def addFilter(self, filter: Any) -> None:
        """Ignore the filter: it would see and drop records of other plugins."""


_handler = GatewayHandler()


class _Root(logging.RootLogger):
    """The root logger. Plugins can add handlers but not remove the gateway's."""

    _lock = threading.Lock()
    # While this thread is in basicConfig: the handlers that it adds.
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
        # A handler for the standard streams would log every record twice.
        if not isinstance(getattr(hdlr, "stream", None), streams.LogStream):
            super().addHandler(hdlr)

    def removeHandler(self, hdlr: logging.Handler) -> None:
        if hdlr is not _handler:
            super().removeHandler(hdlr)

    def setLevel(self, level: Any) -> None:
        """Keep the level, which is that of the gateway's log."""

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        """Ignore the assignment: the root logger is shared."""

    def handle(self, record: logging.LogRecord) -> None:
        """Pass on every record: filters may add to it, but not drop it for other plugins."""
        with contextlib.suppress(Exception):
            self.filter(record)
        self.callHandlers(record)

    def basic_config(self, **options: Any) -> None:
        """``logging.basicConfig``: without ``force``, do nothing, since root has a handler."""
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
    """Make ``logging`` skip records below the gateway's log level."""
    logging.Handler.setLevel(_handler, level)  # for loggers with a lower level
    logging.Logger.setLevel(logging.getLogger(), level)


def _disable(level: int = logging.CRITICAL) -> None:
    """``logging.disable``: do nothing, since it would silence all plugins."""
    logging.getLogger("tyk_cffi").warning(
        "logging.disable() has no effect in the gateway: it would silence every plugin. "
        "Set the level of your own loggers, or the gateway's log_level"
    )


_handle = logging.Handler.handle
_set_factory = logging.setLogRecordFactory


def _handle_safely(handler: logging.Handler, record: logging.LogRecord) -> Any:
    """Report what a handler raises: the record may be another plugin's."""
    try:
        return _handle(handler, record)
    except Exception as error:
        uncaught.report(error, f"logging handler {uncaught.safe_repr(handler)}")
        return False


def _set_safe_factory(factory: Callable[..., logging.LogRecord]) -> None:
    """Set a factory; where it raises, the record is created without it."""

    @functools.wraps(factory, updated=())
    def make(*arguments: Any, **named: Any) -> logging.LogRecord:
        try:
            return factory(*arguments, **named)
        except Exception:
            return logging.LogRecord(*arguments, **named)

    _set_factory(make)


def _keep_loggers(existing: Any, child_loggers: Any, disable_existing: bool) -> None:
    """Ignore ``disable_existing_loggers``, which would silence other plugins by default."""


def install(level: int = logging.DEBUG) -> None:
    """Send ``logging``, ``warnings``, ``print`` and uncaught errors to the gateway's log.

    Args:
        level: the gateway's log level, as a number of ``logging``.
    """
    root: Any = logging.getLogger()
    root.__class__ = _Root
    root.handlers = [_handler, *root.__dict__["handlers"]]
    set_level(level)
    logging.raiseExceptions = False
    logging.disable = _disable
    logging.Handler.handle = _handle_safely  # type: ignore[assignment, method-assign]
    logging.setLogRecordFactory = _set_safe_factory
    logging.basicConfig = root.basic_config
    logging.config._handle_existing_loggers = _keep_loggers  # type: ignore[attr-defined]
    streams.install()
    uncaught.install()
