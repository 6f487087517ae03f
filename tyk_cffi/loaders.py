"""Loaders for modules of plugin code, in the gateway and its child processes."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import zlib
from contextvars import ContextVar
from importlib.abc import Loader
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from tyk_cffi import lines, sources
from tyk_cffi.alias import add_alias

if TYPE_CHECKING:
    from tyk_cffi.version import Version

# The largest source file that is loaded; the gateway keeps a compressed copy in memory.
MAX_SOURCE_BYTES = 32 << 20


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
        placed = plain_names.set([])
        try:
            super().exec_module(module)
        finally:
            for name in plain_names.get() or ():
                sys.modules.pop(name, None)
            plain_names.reset(placed)


# The plain names that the C extension being loaded has imported.
plain_names: ContextVar[list[str] | None] = ContextVar("plain_names", default=None)


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
