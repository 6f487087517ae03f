"""The importable names of sources, and where their folders are.

Each source is a package below ``tyk_plugins``; what its names mean, the version that is
current says. Other processes learn the folders from the environment.
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

# Folders by package; under "*" folders that hold bundles, each by its key.
_VARIABLE = "TYK_CFFI_SOURCES"

_lock = threading.Lock()
_current: dict[str, Version] = {}
_folders: dict[str, list[str]] = {}


def package(name: str) -> str:
    """Return the package of the source that a module with that importable name is in."""
    return ".".join(name.split(".", 2)[:2])


def current(package: str) -> Version | None:
    """Return the version that the names below ``tyk_plugins.<…>`` mean."""
    return _current.get(package)


def set_current(version: Version) -> None:
    """Let the names of a source mean ``version``, and tell child processes its folder."""
    _current[version.name] = version
    with _lock:
        _folders[version.name] = [str(version.path), version.folder]
        encoded = json.dumps(_known_folders())
        if os.environ.get(_VARIABLE) != encoded:
            os.environ[_VARIABLE] = encoded


def drop(version: Version) -> None:
    """Let the names of a source mean nothing, if they mean ``version``."""
    if _current.get(version.name) is version:
        del _current[version.name]


def folder(package: str) -> tuple[Path, str] | None:
    """Return the folder of a source, and that of its entry module below it.

    It may be a source of the process that started this one.
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
    """Take over the folders of the process that started this one; see ``multiprocessing``."""
    os.environ[_VARIABLE] = json.dumps(folders)
    return _VARIABLE


class Announcement:
    """Tells a child process the folders when it is unpickled there."""

    def __reduce__(self) -> tuple[object, ...]:
        return announce, (_known_folders(),)


def _known_folders() -> dict[str, object]:
    """Folders by package. Bundles lie beside each other: a thousand of them are one entry."""
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
