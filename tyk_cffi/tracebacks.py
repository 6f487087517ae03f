"""Tracebacks as a plugin's author wants them: from the plugin's own code on."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path
from types import CodeType, TracebackType

_HERE = str(Path(__file__).parent)


def plugin_frames(error: BaseException) -> TracebackType | None:
    """Return the frames below those of the runtime; ``None`` when there are none.

    Whatever called the runtime is left out as well.
    """
    frames = error.__traceback__
    while frames is not None and not _is_ours(frames.tb_frame.f_code):
        frames = frames.tb_next
    while frames is not None and _is_ours(frames.tb_frame.f_code):
        frames = frames.tb_next
    return frames


def place(frames: TracebackType | None) -> str:
    """Return ``file:line`` of the last frame that is the plugin's, empty when none is."""
    found = ""
    for frame, line in traceback.walk_tb(frames):
        if not _is_ours(frame.f_code):
            found = f"{frame.f_code.co_filename}:{line}"
    return found


def whole(error: BaseException, frames: TracebackType | None) -> str:
    """Format ``error`` with what caused it, from ``frames`` on."""
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def _is_ours(code: CodeType) -> bool:
    file = code.co_filename
    return file.startswith((_HERE, "<frozen importlib")) or file == importlib.__file__
