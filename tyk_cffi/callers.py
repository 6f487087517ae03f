"""Whose code is running: the version of a source, found in the calling frames.

Modules of a source have builtins of their own, and these name their version. So each
frame of plugin code says whose it is, in any thread, without a record of calls.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tyk_cffi.version import Version

# The builtin that names the version; only modules of sources have it.
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
    """Return the version whose module or function is being run, not merely imports another.

    Code of an installed package that a plugin imports is not the plugin's.
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


def stdlib_caller() -> tuple[Version | None, bool]:
    """Return for whom a function of the standard library is asked, and whether directly.

    Directly: plugin code called the standard library, not an installed package.
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
    """Whether it is the runtime's code or the standard library's."""
    if file.startswith(("<frozen", _HERE)):
        return True
    return file.startswith(_STDLIB) and not any(name in file for name in _INSTALLED)
