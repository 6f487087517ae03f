"""Finders and loaders for modules of plugin code, in the gateway and its child processes."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import zlib
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from importlib.abc import Loader
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.metadata import DistributionFinder, MetadataPathFinder
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from tyk_cffi import callers, files, lines, sources
from tyk_cffi.alias import Alias, AliasLoader, add_alias

if TYPE_CHECKING:
    from tyk_cffi.version import Version

# The largest source file that is loaded; the gateway keeps a compressed copy in memory.
MAX_SOURCE_BYTES = 32 << 20

# The prefix of inner names, under which sys.modules has the modules of each version.
INNER_PREFIX = "_tyk_plugins_"


class SourceLoader(SourceFileLoader):
    """Loads source files and ignores cached bytecode.

    Bytecode is compared with the source by whole seconds, and reloads can be faster. The
    loader keeps the source that it compiled, so that tracebacks show the code that runs.
    """

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, path)
        self._compiled: bytes | None = None

    def get_code(self, fullname: str) -> CodeType:
        if os.stat(self.path).st_size > MAX_SOURCE_BYTES:
            raise ImportError(
                f"{self.path} has more than {MAX_SOURCE_BYTES >> 20} MiB", path=self.path
            )
        data = self.get_data(self.path)
        code: CodeType = self.source_to_code(data, self.path)
        self._compiled = zlib.compress(data, 1)
        lines.show(self.path, data)
        return code

    def exec_module(self, module: ModuleType) -> None:
        if "__builtins__" not in vars(module):  # plugin code made it from the spec
            version = sources.current(sources.package(module.__name__))
            if version is not None:
                vars(module)["__builtins__"] = version.builtins
        super().exec_module(module)

    @property
    def compiled(self) -> bytes | None:
        """The compiled source as bytes."""
        return zlib.decompress(self._compiled) if self._compiled is not None else None

    def get_source(self, fullname: str) -> str | None:
        data = self.compiled
        return super().get_source(fullname) if data is None else importlib.util.decode_source(data)


class NamespaceLoader(Loader):
    """Loads a namespace package."""

    def __init__(self, folders: list[str]) -> None:
        self.folders = folders

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a namespace package has no code."""

    def is_package(self, fullname: str) -> bool:
        return True

    def get_source(self, fullname: str) -> str:
        return ""

    def get_resource_reader(self, fullname: str) -> Any:
        where = "importlib.readers" if sys.version_info < (3, 11) else "importlib.resources.readers"
        return _Folders(importlib.import_module(where).MultiplexedPath(*self.folders))


class _Folders:
    def __init__(self, path: Any) -> None:
        self._path = path

    def files(self) -> Any:
        return self._path


class SharedExtensionLoader(ExtensionFileLoader):
    """Loads a C extension. A process can load it only once, so all versions share it."""

    _known: ClassVar[dict[str, tuple[tuple[int, ...], ModuleType]]] = {}
    _running: ClassVar[set[str]] = set()
    _lock = threading.Lock()

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        status = os.stat(self.path)
        now = status.st_ino, status.st_size, status.st_mtime_ns
        with self._lock:
            known = self._known.get(self.path)
        if known is None:
            module = super().create_module(spec)
            with self._lock:
                self._known[self.path] = now, module
            return module
        if known[0] != now:
            raise ImportError(
                f"{self.path} has changed, and a C extension cannot be replaced in a running "
                f"process: restart the gateway, or give the new file another name",
                path=self.path,
            )
        return known[1]

    def exec_module(self, module: ModuleType) -> None:
        with self._lock:
            if self.path in self._running:
                return
            self._running.add(self.path)
        # C extensions import their package by plain names and bypass __import__.
        placed = _plain_names.set([])
        try:
            super().exec_module(module)
        finally:
            for name in _plain_names.get() or ():
                sys.modules.pop(name, None)
            _plain_names.reset(placed)


# The plain names that the C extension being loaded has imported.
_plain_names: ContextVar[list[str] | None] = ContextVar("plain_names", default=None)


class VersionLoader(Loader):
    """Loads a module of one version under its importable name."""

    def __init__(self, version: Version, spec: ModuleSpec) -> None:
        self._version = version
        self._spec = spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        assert self._spec.loader is not None
        return self._spec.loader.create_module(self._spec)

    def exec_module(self, module: ModuleType) -> None:
        spec, name = self._spec, self._spec.name
        module.__name__, module.__spec__, module.__loader__ = name, spec, spec.loader
        module.__package__ = spec.parent
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations
        vars(module)["__builtins__"] = self._version.builtins
        add_alias(name)
        alias = sys.modules[name]
        spec._initializing = True  # type: ignore[attr-defined]  # makes other threads wait
        try:
            assert spec.loader is not None
            spec.loader.exec_module(module)
        except BaseException:
            self._version.remove_alias(name)
            raise
        finally:
            spec._initializing = False  # type: ignore[attr-defined]
        # A module may replace itself in sys.modules.
        now = sys.modules.get(name)
        if now is not alias:
            sys.modules[name] = alias
            if now is not None and now is not module:
                sys.modules[self._version.inner_name(name)] = now


# Finders by folder. Each keeps a listing of its folder.
_finders: dict[str, FileFinder] = {}


def forget_folders() -> None:
    """Drop the listings; the next search reads the folders again."""
    _finders.clear()


def _in_folder(name: str, folder: str) -> ModuleSpec | None:
    """Find a module in a folder, as Python's own finder does.

    If the kept listing does not have it, the folder is listed again: files can be
    created faster than the folder's modification time advances.
    """
    finder = _finders.get(folder)
    spec = finder.find_spec(name) if finder is not None else None
    if spec is not None and spec.loader is not None:
        return spec
    details: Any = ((SharedExtensionLoader, EXTENSION_SUFFIXES), (SourceLoader, [".py"]))
    finder = FileFinder(folder, *details)
    spec = finder.find_spec(name)
    if spec is not None:
        _finders[folder] = finder
    return spec


def find(name: str, folders: Iterable[str]) -> ModuleSpec | None:
    """Find a module in folders."""
    bare: list[str] = []
    for folder in folders:
        spec = _in_folder(name, folder)
        if spec is None:
            spec = _by_file(name, folder)
        if spec is None:
            continue
        if spec.loader is not None:
            return spec
        bare.extend(spec.submodule_search_locations or ())
    if not bare:
        return None
    spec = ModuleSpec(name, NamespaceLoader(bare), is_package=True)
    spec.submodule_search_locations = bare
    return spec


def _by_file(name: str, folder: str) -> ModuleSpec | None:
    """Find a file whose name is not an identifier: ``auth_v1.2.py`` is ``auth_v1_2``."""
    last = name.rpartition(".")[2]
    if "_" not in last:
        return None
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    for file in names:
        if file.endswith(".py") and file != f"{last}.py" and files.module_name(file) == last:
            path = os.path.join(folder, file)
            if os.path.isfile(path):
                return importlib.util.spec_from_file_location(
                    name, path, loader=SourceLoader(name, path)
                )
    return None


class Finder:
    """Finds modules of versions by their inner names, and names below ``tyk_plugins``."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.startswith(INNER_PREFIX) and path is not None:
            return _find_inner(fullname, path)
        if fullname.startswith(f"{sources.ROOT}."):
            return _find_importable(fullname)
        if (names := _plain_names.get()) is not None:
            return _find_plain(fullname, names)
        return None

    @staticmethod
    def find_distributions(context: Any = None) -> Any:
        """Find the metadata of packages inside a source, for its own code."""
        version, _ = callers.stdlib_caller()
        if version is None or (context is not None and "path" in vars(context)):
            return iter(())
        name = context.name if context is not None else None
        context = DistributionFinder.Context(name=name, path=version.paths)
        return MetadataPathFinder.find_distributions(context)


def _find_inner(fullname: str, path: Sequence[str]) -> ModuleSpec | None:
    from tyk_cffi.version import of_module

    version = of_module(fullname)
    spec = find(version.importable_name(fullname), path) if version else None
    if version is None or spec is None:
        return None
    inner = ModuleSpec(
        fullname, VersionLoader(version, spec), origin=spec.origin, is_package=_is_package(spec)
    )
    inner.submodule_search_locations = spec.submodule_search_locations
    inner.has_location = spec.has_location
    return inner


def _find_importable(fullname: str) -> ModuleSpec | None:
    """Find an importable name; in a child process this also adds its source."""
    from tyk_cffi.version import Version

    package = sources.package(fullname)
    version = sources.current(package)
    if version is None:
        folder = sources.folder(package)
        if folder is None:
            return None
        path, below = folder
        version = Version(path, package)
        if below:
            version.search(below)
        sources.set_current(version)
    found = version.find_spec(fullname)
    if found is None:
        return None
    spec = ModuleSpec(fullname, AliasLoader(), origin=found.origin)  # type: ignore[arg-type]
    spec.submodule_search_locations = found.submodule_search_locations
    return spec


def _find_plain(fullname: str, names: list[str]) -> ModuleSpec | None:
    """Find a source's module by its plain name, for C extensions."""
    version, direct = callers.stdlib_caller()
    if version is None or not direct or not version.owns(fullname):
        return None
    found = version.find_spec(f"{version.name}.{fullname}")
    if found is None:
        return None
    names.append(fullname)
    spec = ModuleSpec(fullname, AliasLoader(), origin=found.origin)  # type: ignore[arg-type]
    spec.submodule_search_locations = found.submodule_search_locations
    return spec


def _is_package(spec: ModuleSpec) -> bool:
    return spec.submodule_search_locations is not None


_finder = Finder()


def install() -> None:
    """Make names below ``tyk_plugins`` importable in this process; later calls do nothing."""
    from tyk_cffi import stdlib

    if _finder not in sys.meta_path:
        # First in the list: the standard finder would find the packages by their __path__.
        sys.meta_path.insert(0, _finder)
        stdlib.install()


__all__ = ["INNER_PREFIX", "MAX_SOURCE_BYTES", "Alias", "Finder", "SourceLoader", "find", "install"]
