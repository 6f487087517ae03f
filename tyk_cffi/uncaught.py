"""Uncaught errors, warnings and printed tracebacks: one record each, of the level they are of."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import Any

from tyk_cffi.explain import explain_whole
from tyk_cffi.gateway import TykGateway
from tyk_cffi.streams import LogStream


def report(error: BaseException, what: str) -> None:
    """Write one record of level error; never raises."""
    with contextlib.suppress(Exception):  # the log itself fails: there is nowhere else to say so
        TykGateway.log(explain_whole(error, what), "error")


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
    """Return a short ``repr``, whatever the object's own does."""
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


_print_whole = traceback.TracebackException.print  # type: ignore[attr-defined]
_print_list = traceback.print_list


def _print_exception(self: traceback.TracebackException, *, file: Any = None, **how: Any) -> None:
    """``TracebackException.print``: in one piece, where it goes to the log."""
    file = sys.stderr if file is None else file
    if isinstance(file, LogStream):
        file.record("".join(self.format(chain=how.get("chain", True))))
    else:
        _print_whole(self, file=file, **how)


def _print_frames(extracted_list: Any, file: Any = None) -> None:
    """``traceback.print_list``, which ``print_stack`` and ``print_tb`` use: likewise."""
    file = sys.stderr if file is None else file
    if isinstance(file, LogStream):
        file.record("".join(traceback.format_list(extracted_list)))
    else:
        _print_list(extracted_list, file=file)


def install() -> None:
    """Replace the hooks of the interpreter."""
    threading.excepthook = _of_thread
    sys.excepthook = _of_main
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warn
    traceback.TracebackException.print = _print_exception  # type: ignore[attr-defined]
    traceback.print_list = _print_frames
