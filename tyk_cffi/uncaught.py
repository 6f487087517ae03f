"""Logs uncaught exceptions, warnings and printed tracebacks, in one record each."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tyk_cffi.explain import explain_uncaught
from tyk_cffi.gateway import TykGateway
from tyk_cffi.streams import LogStream


def report(error: BaseException, what: str) -> None:
    """Write one record of level ``error``; never raises."""
    with contextlib.suppress(Exception):  # the log itself failed
        TykGateway.log(explain_uncaught(error, what), "error")


def _of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        report(args.exc_value, f"thread {args.thread.name if args.thread else '(ended)'!r}")


def _of_main(kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
    report(error, "code outside of any hook")


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    if args.exc_value is not None:
        report(
            args.exc_value, f"{args.err_msg or 'exception ignored in'}: {safe_repr(args.object)}"
        )


def safe_repr(thing: Any) -> str:
    """Return a short ``repr``, even if the object's own fails."""
    try:
        return f"{thing!r:.200}" if isinstance(thing, str) else repr(thing)[:200]
    except BaseException:
        return object.__repr__(thing)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    text = warnings.formatwarning(message, category, filename, lineno, line)
    if file is not None:
        file.write(text)
    else:
        TykGateway.log(text.rstrip("\n"), "warning")


def _as_one_record(function: Callable[..., None]) -> Callable[..., None]:
    """Wrap a printing function of ``traceback`` so that it writes one record to our streams."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def printing(*arguments: Any, **named: Any) -> None:
        call = signature.bind(*arguments, **named)
        file = call.arguments.get("file") or sys.stderr
        if not isinstance(file, LogStream):
            function(*arguments, **named)
            return
        text = call.arguments["file"] = io.StringIO()
        function(*call.args, **call.kwargs)
        file.record(text.getvalue())

    return printing


def _safely(show: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a ``warnings._showwarnmsg`` that never raises: a plugin may replace showwarning."""

    @functools.wraps(show)
    def showing(message: Any) -> None:
        try:
            show(message)
        except Exception:
            _warn(message.message, message.category, message.filename, message.lineno)

    return showing


def install() -> None:
    """Replace the interpreter's hooks."""
    threading.excepthook = _of_thread
    sys.excepthook = _of_main
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warn
    if hasattr(warnings, "_showwarnmsg"):
        warnings._showwarnmsg = _safely(warnings._showwarnmsg)
    traceback.print_exception = _as_one_record(traceback.print_exception)
    traceback.print_list = _as_one_record(traceback.print_list)  # print_stack and print_tb use it
    exception: Any = traceback.TracebackException
    if hasattr(exception, "print"):  # from Python 3.11 on
        exception.print = _as_one_record(exception.print)
