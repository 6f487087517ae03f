"""Formats tracebacks for plugin authors, without frames of the runtime."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from tyk_cffi import lines

_HERE = str(Path(__file__).parent)
_MACHINERY = {
    importlib.__file__,
    *(str(Path(__file__).with_name(f"{name}.py")) for name in ("version", "importing", "stdlib")),
}


def plugin_frames(error: BaseException) -> TracebackType | None:
    """Return the frames after those of the runtime; ``None`` if there are none.

    Frames that called the runtime are omitted too.
    """
    frames = error.__traceback__
    while frames is not None and not _is_runtime_code(frames.tb_frame.f_code):
        frames = frames.tb_next
    while frames is not None and _is_runtime_code(frames.tb_frame.f_code):
        frames = frames.tb_next
    return frames


def location(frames: TracebackType | None) -> str:
    """Return ``file:line`` of the last frame outside the runtime, empty if there is none."""
    found = ""
    for frame, line in traceback.walk_tb(frames):
        if not _is_runtime_code(frame.f_code):
            found = f"{frame.f_code.co_filename}:{line}"
    return found


def format_error(error: BaseException, frames: TracebackType | None) -> str:
    """Format ``error`` and its causes; its own traceback begins with ``frames``.

    The lines are those of the code that ran, even if the file has changed since.
    """
    with lines.shown(_globals(error, frames)):
        text = traceback.TracebackException(type(error), error, frames)
        _remove_machinery(text, set())
        return "".join(text.format()).rstrip()


def _globals(error: BaseException, frames: TracebackType | None) -> Iterator[dict[str, Any]]:
    """Yield the globals of the frames of ``error`` and of its causes."""
    seen: set[int] = set()
    pending: list[tuple[BaseException | None, TracebackType | None]] = [(error, frames)]
    while pending:
        one, trace = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        for frame, _ in traceback.walk_tb(trace):
            yield frame.f_globals
        inner = [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        pending += [(each, each.__traceback__) for each in inner if each is not None]


def _remove_machinery(text: traceback.TracebackException | None, seen: set[int]) -> None:
    """Remove the frames of the import system between the plugin's modules."""
    if text is None or id(text) in seen:
        return
    seen.add(id(text))
    text.stack[:] = [frame for frame in text.stack if not _is_machinery(frame.filename)]
    for inner in (text.__cause__, text.__context__, *(getattr(text, "exceptions", None) or ())):
        _remove_machinery(inner, seen)


def _is_runtime_code(code: CodeType) -> bool:
    file = code.co_filename
    return file.startswith((_HERE, "<frozen importlib")) or file == importlib.__file__


def _is_machinery(file: str) -> bool:
    return file.startswith("<frozen importlib") or file in _MACHINERY
