"""Loads sources: builds a new version, checks it, and replaces the old one if it is good."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tyk_cffi import files, importing, lines, sources, unload
from tyk_cffi.errors import LoadError
from tyk_cffi.handler import Handler
from tyk_cffi.registration import collect
from tyk_cffi.version import Version

# The key of the event_handlers folder; all other keys are bundle hashes (contract 1).
EVENTS_KEY = "event_handlers"

# How long a load waits for the previous one, in seconds.
LOAD_LIMIT = 60.0


@dataclass(frozen=True)
class LoadRequest:
    """A request to load a source.

    Attributes:
        key: the bundle hash, by which hooks are looked up.
        path: the folder.
        entry: the module to import, as a dotted name or as the path of a ``.py`` file
            in the folder; ``None`` for all modules in the folder.
        keep: the configured hooks, as ``(type, name)``; a new version without one of
            them is refused.
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
    fingerprint: files.Fingerprint
    modules: set[str]

    def is_for(self, request: LoadRequest) -> bool:
        """Whether it was loaded from the same folder and entry module."""
        return (self.request.path, self.request.entry) == (request.path, request.entry)


class Loader:
    """All sources by key. Loads run one at a time; look-ups need no lock.

    Args:
        calls: code objects of the functions that run calls; an old version is in use
            while one of them runs.
    """

    def __init__(self, calls: frozenset[object] = frozenset()) -> None:
        self.sources: dict[str, Source] = {}
        self.unloader = unload.Unloader()
        self._calls = calls
        self._lock = threading.Lock()
        self._loading: LoadRequest | None = None
        self._importing: Version | None = None
        importing.install()
        unload.install()

    def load(self, request: LoadRequest) -> bool:
        """Load or reload a source.

        Returns:
            False if nothing in its folder has changed.

        Raises:
            LoadError: the new code does not load, or a configured hook is missing; the
                old version stays in use. The text has the tracebacks.
        """
        if not self._lock.acquire(timeout=LOAD_LIMIT):
            busy = self._loading.path if self._loading else "another source"
            raise LoadError(f"{request.path}: {busy} is still being loaded: a module blocks there")
        try:
            self._loading = request
            return self._load(request)
        finally:
            self._loading = self._importing = None
            self._lock.release()

    def _load(self, request: LoadRequest) -> bool:
        fingerprint = files.fingerprint(request.path)
        old = self.sources.get(request.key)
        if old and old.is_for(request) and old.fingerprint == fingerprint:
            return False
        modules = [request.entry] if request.entry else files.modules(request.path)
        version = Version(request.path, f"{sources.ROOT}.{files.package_name(request.key)}")
        self._importing = version
        _build(version, modules, first=old is None)
        if old:
            problem = _compare(old, version, request.keep)
            if problem:
                sources.drop(version)
                version.retire()
                self._forget(version, old.version)
                old.version.show_lines()
                self.unloader.unload(version, frozenset())
                raise LoadError(f"{request.path}: the previous version stays in use: {problem}")
        loaded = {name[len(version.name) + 1 :] for name in version.modules()}
        self.sources[request.key] = Source(request, version, fingerprint, loaded.union(modules))
        sources.set_current(version)  # child processes get its folders
        if old:
            old.version.retire()
            self._forget(old.version, version)
        return True

    def retire(self, version: Version) -> None:
        """Unload a replaced version once its running calls have ended."""
        self.unloader.unload(version, self._calls)

    def stop(self, end: float) -> None:
        """Run the unload callbacks of all versions, until ``end``.

        A module that is still being imported may have registered some, too.
        """
        versions = [source.version for source in self.sources.values()]
        if (importing := self._importing) is not None:
            versions.append(importing)
        self.unloader.stop(versions, end)

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

    @staticmethod
    def _forget(gone: Version, stays: Version) -> None:
        """Remove the names and cached lines of modules that only ``gone`` has."""
        there = {getattr(module, "__file__", None) for module in stays.modules().values()}
        for name, module in gone.modules().items():
            file = getattr(module, "__file__", None)
            if stays.loaded(name) is None:
                stays.remove_alias(name)
            if isinstance(file, str) and file not in there:
                lines.forget(file)


def _build(version: Version, modules: Iterable[str], first: bool) -> None:
    if first:
        sources.set_current(version)
    for module in modules:
        version.load(module)
    collect(version)


def _compare(old: Source, new: Version, keep: Iterable[tuple[str, str]]) -> str | None:
    """Return why ``new`` must not replace ``old``, ``None`` if it may.

    A module may fail if it failed before or is new: running code does not use it.
    """
    broken = {
        module: text
        for module, text in new.failures.items()
        if module in old.modules and module not in old.version.failures
    }
    if broken:
        return "\n".join(f"{module} does not load\n{text}" for module, text in broken.items())
    for kind, name in sorted(keep):
        if old.version.find(kind, name) and not new.find(kind, name):
            return f"hook {name!r} ({kind}) is configured and no longer there"
    return None
