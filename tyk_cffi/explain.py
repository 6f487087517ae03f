"""The text of a failure: a summary line with the place, then the traceback.

Whatever the exception does, there is a text, of bounded size: its ``str()`` may
raise, its causes may go in a circle, its message may be a whole file.
"""

from __future__ import annotations

import traceback
from types import TracebackType

from tyk_cffi.errors import GatewayError
from tyk_cffi.tracebacks import format_error, location, plugin_frames

# Of an exception's message in the summary, and of the whole text, in characters.
_MESSAGE_LIMIT = 2_000
_TEXT_LIMIT = 64_000


def explain(error: BaseException, what: str) -> str:
    """Return the text of a failure of ``what``, from the plugin's own code on.

    Errors of the runtime itself need no traceback when nothing of the plugin's
    is in it.
    """
    try:
        frames = plugin_frames(error)
    except Exception:
        frames = _traceback(error)
    if issubclass(type(error), GatewayError) and frames is None:
        return _message(error)
    return _text(error, what, frames or _traceback(error))


def explain_uncaught(error: BaseException, what: str) -> str:
    """Return the text of a failure outside of any call, with the whole traceback."""
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
    """Return the class's name, past whatever a metaclass makes of it."""
    try:
        return str(vars(type)["__name__"].__get__(type(error)))
    except Exception:
        return "an exception without a name"


def _message(error: BaseException) -> str:
    try:
        text = str(error) or repr(error)
    except BaseException as second:  # sys.exit() in __str__ included
        return f"(its text cannot be had: {_name(second)})"
    if len(text) > _MESSAGE_LIMIT:
        return f"{text[:_MESSAGE_LIMIT]} ... ({len(text)} characters)"
    return text


def _traceback(error: BaseException) -> TracebackType | None:
    """Return ``__traceback__``, past whatever the class makes of it."""
    frames: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    return frames


def _frames(frames: TracebackType | None) -> str:
    try:
        return "".join(["Traceback (most recent call last):\n", *traceback.format_tb(frames)])
    except Exception:
        return ""


def _cut(text: str) -> str:
    """Return the beginning and the end, where the exception's own line is."""
    if len(text) <= _TEXT_LIMIT:
        return text
    half = _TEXT_LIMIT // 2
    return f"{text[:half]}\n... ({len(text) - 2 * half} characters left out) ...\n{text[-half:]}"
