"""Tracebacks as a plugin's author wants them: from the plugin's own code on."""

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
    """Return the frames below those of the runtime; ``None`` when there are none.

    Whatever called the runtime is left out as well.
    """
    frames = error.__traceback__
    while frames is not None and not _is_runtime_code(frames.tb_frame.f_code):
        frames = frames.tb_next
    while frames is not None and _is_runtime_code(frames.tb_frame.f_code):
        frames = frames.tb_next
    return frames


def location(frames: TracebackType | None) -> str:
    """Return ``file:line`` of the last frame that is the plugin's, empty when none is."""
    found = ""
    for frame, line in traceback.walk_tb(frames):
        if not _is_runtime_code(frame.f_code):
            found = f"{frame.f_code.co_filename}:{line}"
    return found


def format_error(error: BaseException, frames: TracebackType | None) -> str:
    """Format ``error`` with what caused it, from ``frames`` on.

    Lines are those of the code that ran, even if the file has other ones by now.
    """
    with lines.shown(_globals(error, frames)):
        text = traceback.TracebackException(type(error), error, frames)
        _remove_machinery(text, set())
        return "".join(text.format()).rstrip()


def _globals(error: BaseException, frames: TracebackType | None) -> Iterator[dict[str, Any]]:
    """Yield the names of the modules in the tracebacks of ``error`` and of its causes."""
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
    """Remove the import machinery, which stands between a plugin's modules."""
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
