"""Finds the files of a source that Python could import."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

# Name, size, modification and change times, and inode of each file.
Fingerprint = tuple[tuple[str, int, int, int, int], ...]

# The deepest nesting of folders that is searched.
_DEPTH = 32
_SUFFIXES = (".py", *EXTENSION_SUFFIXES)


def modules(path: Path) -> list[str]:
    """Return the dotted names of all modules below ``path``, packages first."""
    found = set()
    for file, _ in _walk(path, lambda name: name.isidentifier()):
        if not file.endswith(".py"):
            continue
        parts = Path(file).relative_to(path).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts and parts[-1] != "__main__" and all(part.isidentifier() for part in parts):
            found.add(".".join(parts))
    return sorted(found)


def fingerprint(path: Path) -> Fingerprint:
    """Return a value that changes when the code in the folder changes.

    It covers all files that Python could import, including those in folders such as
    ``vendor-libs``, and a bundle's manifest. Other files do not count.
    """
    found = [(file, status) for file, status in _walk(path, lambda name: name[0] != ".")]
    manifest = path / "manifest.json"
    status = _status(str(manifest))
    if status:
        found.append((str(manifest), status))
    return tuple(
        sorted((file, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for file, s in found)
    )


def holds_modules(path: str) -> bool:
    """Whether the folder has a file that Python could import, at any depth."""
    return next(_walk(Path(path), lambda name: name.isidentifier()), None) is not None


def module_name(file: str) -> str:
    """Return the importable name of a file: ``auth_v1_2`` for ``auth_v1.2.py``."""
    name = re.sub(r"\W", "_", file.rpartition("/")[2].removesuffix(".py"))
    return f"_{name}" if name[:1].isdigit() or not name else name


def package_name(key: str) -> str:
    """Return the importable name of the source with that key, below ``tyk_plugins``."""
    if key == "d41d8cd98f00b204e9800998ecf8427e":  # the MD5 of the empty name (contract 1)
        return "directory"
    if key == "event_handlers":
        return key
    if re.fullmatch("[0-9a-f]{32}", key):
        return f"b{key}"
    name = re.sub(r"[^0-9A-Za-z_]", "_", key)
    if name == key:
        return f"s_{name}"
    return f"s_{name}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _walk(
    path: Path, enter: Callable[[str], bool], above: tuple[tuple[int, int], ...] = ()
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files that Python could import, in the folders that ``enter`` allows.

    Links are followed, as by Python; a folder that links to itself is entered once.
    Unreadable files are skipped here: importing them fails with the reason.
    """
    try:
        folder = os.stat(path)
        names = sorted(os.listdir(path))
    except OSError:
        return
    above += ((folder.st_dev, folder.st_ino),)
    for name in names:
        item = os.path.join(path, name)
        if name.endswith(_SUFFIXES) and not name.startswith("."):
            status = _status(item)
            if status:
                yield item, status
                continue
        if name == "__pycache__" or not enter(name) or not os.path.isdir(item):
            continue
        inner = os.stat(item)
        if (inner.st_dev, inner.st_ino) not in above and len(above) < _DEPTH:
            yield from _walk(Path(item), enter, above)


def _status(file: str) -> os.stat_result | None:
    """Return the status of a regular file, ``None`` for anything else."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None
