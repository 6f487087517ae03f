"""Error texts: a summary line with file and line, then the traceback.

There is always a text, and its size is bounded, even if the exception's ``str()`` raises,
its causes form a cycle, or its message is a whole file.
"""

from __future__ import annotations

import traceback
from types import TracebackType

from tyk_cffi.errors import GatewayError
from tyk_cffi.tracebacks import format_error, location, plugin_frames

# Limits for the message in the summary and for the whole text, in characters.
_MESSAGE_LIMIT = 2_000
_TEXT_LIMIT = 64_000


def explain(error: BaseException, what: str) -> str:
    """Return the text for a failure of ``what``; its traceback begins in plugin code.

    An error of the runtime has no traceback unless plugin code is part of it.
    """
    try:
        frames = plugin_frames(error)
    except Exception:
        frames = _traceback(error)
    if issubclass(type(error), GatewayError) and frames is None:
        return _message(error)
    return _text(error, what, frames or _traceback(error))


def explain_uncaught(error: BaseException, what: str) -> str:
    """Return the text for a failure outside any call, with the whole traceback."""
    return _text(error, what, _traceback(error))


def _text(error: BaseException, what: str, frames: TracebackType | None) -> str:
    message = _message(error)
    try:
        where = location(frames)
    except Exception:
        where = ""
    summary = f"{what} failed: {_name(error)}: {message} ({where})".replace("\n", " ")
    try:
        text = format_error(error, frames)
    except Exception as second:
        text = f"{_frames(frames)}{_name(error)}: {message}\n(its causes: {_name(second)})"
    return f"{summary}\n{_cut(text)}"


def _name(error: BaseException) -> str:
    """Return the class's name, bypassing overrides in a metaclass."""
    try:
        return str(vars(type)["__name__"].__get__(type(error)))
    except Exception:
        return "unnamed exception"


def _message(error: BaseException) -> str:
    try:
        text = str(error) or repr(error)
    except BaseException as second:  # sys.exit() in __str__ included
        return f"(no text: its str() raised {_name(second)})"
    if len(text) > _MESSAGE_LIMIT:
        return f"{text[:_MESSAGE_LIMIT]} ... ({len(text)} characters)"
    return text


def _traceback(error: BaseException) -> TracebackType | None:
    """Return ``__traceback__``, bypassing overrides in the class."""
    frames: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    return frames


def _frames(frames: TracebackType | None) -> str:
    try:
        return "".join(["Traceback (most recent call last):\n", *traceback.format_tb(frames)])
    except Exception:
        return ""


def _cut(text: str) -> str:
    """Shorten a text in its middle; the exception's own line is at the end."""
    if len(text) <= _TEXT_LIMIT:
        return text
    half = _TEXT_LIMIT // 2
    return f"{text[:half]}\n... ({len(text) - 2 * half} characters omitted) ...\n{text[-half:]}"
