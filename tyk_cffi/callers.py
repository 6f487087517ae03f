"""Find the version of the plugin code that is running, from the stack.

Modules of a source have a ``__builtins__`` dict of their own that refers to their version.
So every frame of plugin code identifies its version, in any thread, and calls need not be
recorded.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tyk_cffi.version import Version

# The builtin that refers to the version; only modules of sources have it.
MARK = "__tyk_version__"

_HERE = str(Path(__file__).parent) + os.sep
_STDLIB = str(Path(os.__file__).parent) + os.sep
_INSTALLED = ("site-packages", "dist-packages")


def version_of(frame: FrameType | None) -> Version | None:
    """Return the version whose code ``frame`` runs."""
    found: Version | None = frame.f_builtins.get(MARK) if frame else None
    return found


def innermost() -> Version | None:
    """Return the version of the innermost plugin code that is running in this thread."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        version = version_of(frame)
        if version is not None:
            return version
        frame = frame.f_back
    return None


def defining() -> Version | None:
    """Return the version whose own code is running.

    The code of an installed package that a plugin imports is not the plugin's own.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        version = version_of(frame)
        if version is not None:
            return version
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return None
        frame = frame.f_back
    return None


def outside() -> FrameType | None:
    """Return the innermost frame that is not the runtime's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return frame


def stdlib_caller() -> tuple[Version | None, bool]:
    """Return the version that called the standard library, and whether it did so directly.

    A call through an installed package is not direct.
    """
    frame: FrameType | None = sys._getframe(1)
    direct = True
    while frame is not None:
        version = version_of(frame)
        if version is not None:
            return version, direct
        if not _is_skipped(frame.f_code.co_filename):
            direct = False
        frame = frame.f_back
    return None, False


def _is_skipped(file: str) -> bool:
    """Whether the file belongs to the runtime or to the standard library."""
    if file.startswith(("<frozen", _HERE)):
        return True
    return file.startswith(_STDLIB) and not any(name in file for name in _INSTALLED)
