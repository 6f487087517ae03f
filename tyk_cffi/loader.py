"""Sources of plugin code: build the new version, verify it, swap; the old stays on failure."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tyk_cffi.errors import LoadError
from tyk_cffi.handler import Handler
from tyk_cffi.version import Version

# The key of the event handlers' folder; all others are a bundle's hash (contract 1).
EVENTS_KEY = "event_handlers"

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class LoadRequest:
    """What the host asks to load.

    Attributes:
        key: the bundle hash by which hooks are looked up.
        path: the folder.
        entry: the one module to import, by its dotted name or as the path of a
            ``.py`` file in the folder; ``None`` for all in the folder.
        keep: hooks ``(type, name)`` that are configured: a new version that lost
            one of them is refused.
    """

    key: str
    path: Path
    entry: str | None = None
    keep: frozenset[tuple[str, str]] = frozenset()


@dataclass
class Source:
    """One source and its current version."""

    request: LoadRequest
    version: Version
    fingerprint: Fingerprint
    # The version before: its modules stay importable for handlers that still run.
    retired: Version | None = field(default=None)


class Loader:
    """All sources by key. Loads happen one at a time; look-ups need no lock."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}
        self._lock = threading.Lock()

    def load(self, request: LoadRequest) -> bool:
        """Load a source, or load it anew.

        Returns:
            False when nothing in its folder had changed.

        Raises:
            LoadError: the new code does not load, or lost a configured hook; the
                old version stays. Holds the tracebacks.
        """
        with self._lock:
            fingerprint = _fingerprint(request.path)
            old = self.sources.get(request.key)
            if old and old.request.path == request.path and old.fingerprint == fingerprint:
                return False
            version = _build(request)
            problem = _compare(old.version, version, request.keep) if old else None
            if problem:
                version.discard()
                raise LoadError(f"{request.path}: the code that ran before stays: {problem}")
            if old and old.retired:
                old.retired.discard()
            self.sources[request.key] = Source(
                request, version, fingerprint, retired=old.version if old else None
            )
            return True

    def version(self, key: str) -> Version | None:
        """Return the current version of a source."""
        source = self.sources.get(key)
        return source.version if source else None

    def event_handlers(self, name: str) -> Iterator[tuple[str, Handler]]:
        """Yield ``(key, handler)`` for each source with an ``@Event`` of that name."""
        for key, source in list(self.sources.items()):
            handler = source.version.event_handler(name)
            if handler:
                yield key, handler


def _build(request: LoadRequest) -> Version:
    version = Version(request.path)
    for module in [request.entry] if request.entry else _modules(request.path):
        version.load(module)
    return version


def _compare(old: Version, new: Version, keep: Iterable[tuple[str, str]]) -> str | None:
    """Say why ``new`` may not replace ``old``; a module that failed before may go on failing."""
    broken = {m: text for m, text in new.failures.items() if m not in old.failures}
    if broken:
        return "\n".join(f"{module} does not load\n{text}" for module, text in broken.items())
    for kind, name in sorted(keep):
        if old.find(kind, name) and not new.find(kind, name):
            return f"hook {name!r} ({kind}) is configured and no longer there"
    return None


def _modules(path: Path) -> list[str]:
    """All modules below ``path``, dotted; packages before what they hold."""
    found = []
    for file in path.rglob("*.py"):
        parts = file.relative_to(path).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts and all(part.isidentifier() for part in parts):
            found.append(".".join(parts))
    return sorted(found)


def _fingerprint(path: Path) -> Fingerprint:
    """What is in the folder: name, size and time of change of each file."""
    entries = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            status = os.stat(os.path.join(folder, name))
            entries.append((os.path.join(folder, name), status.st_size, status.st_mtime_ns))
    return tuple(sorted(entries))
