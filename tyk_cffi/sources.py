"""The importable names of sources, their current versions, and their folders.

Each source is a package below ``tyk_plugins``. Its names refer to its current version.
Child processes read the folders from the environment.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tyk_cffi.version import Version

ROOT = "tyk_plugins"

# JSON with the folders by package; "*" lists folders that contain bundles.
_VARIABLE = "TYK_CFFI_SOURCES"

_lock = threading.Lock()
_current: dict[str, Version] = {}
_folders: dict[str, list[str]] = {}


def package(name: str) -> str:
    """Return the package of the source that a module belongs to, by importable names."""
    return ".".join(name.split(".", 2)[:2])


def current(package: str) -> Version | None:
    """Return the current version of the source with that package."""
    return _current.get(package)


def set_current(version: Version) -> None:
    """Make ``version`` current, and publish its folder to child processes."""
    _current[version.name] = version
    with _lock:
        _folders[version.name] = [str(version.path), version.folder]
        encoded = json.dumps(_known_folders())
        if os.environ.get(_VARIABLE) != encoded:
            os.environ[_VARIABLE] = encoded


def of_file(file: str) -> Version | None:
    """Return the current version of the source that has ``file``."""
    return next((v for v in list(_current.values()) if v.is_below(file)), None)


def drop(version: Version) -> None:
    """If ``version`` is current, leave its source without a current version."""
    if _current.get(version.name) is version:
        del _current[version.name]


def folder(package: str) -> tuple[Path, str] | None:
    """Return the folder of a source, and the one of its entry module inside it.

    The source may be one of the parent process.
    """
    known: object = _folders.get(package)
    if known is None:
        inherited = _inherited()
        known = inherited.get(package)
        bundles = inherited.get("*")
        key = package.rpartition(".b")[2]
        for above in bundles if isinstance(bundles, list) and key else ():
            if known is None and os.path.isdir(os.path.join(above, key)):
                known = [os.path.join(above, key), ""]
    if not isinstance(known, list):
        return None
    path, below = known
    return Path(path), below


def announce(folders: dict[str, object]) -> str:
    """Set the folders in a child process of ``multiprocessing``."""
    os.environ[_VARIABLE] = json.dumps(folders)
    return _VARIABLE


class Announcement:
    """Publishes the folders to a child process when it is unpickled there."""

    def __reduce__(self) -> tuple[object, ...]:
        return announce, (_known_folders(),)


def _known_folders() -> dict[str, object]:
    """Return the folders by package. All bundles in one folder share an entry."""
    folders: dict[str, object] = {}
    above = set()
    for package, (path, below) in list(_folders.items()):
        parent, name = os.path.split(path)
        if package == f"{ROOT}.b{name}" and not below:
            above.add(parent)
        else:
            folders[package] = [path, below]
    folders["*"] = sorted(above)
    return folders


def _inherited() -> dict[str, object]:
    try:
        folders = json.loads(os.environ.get(_VARIABLE, "{}"))
    except ValueError:
        return {}
    return folders if isinstance(folders, dict) else {}
