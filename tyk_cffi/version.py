"""One loaded version of a source, and the imports between its modules.

A source's modules have an importable name, ``tyk_plugins.<source>.<module>``, which is the
same in all versions. Each version has modules of its own under inner names, so same-named
modules of two bundles, or of the old and the new version of one, are isolated. Plugin code
does not see this: its modules have an ``__import__`` of their own, which searches the source
first. This includes imports inside functions: a thread that runs old code imports the
modules of its version.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import itertools
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

from tyk_cffi import callers, files, importing, lines, sources
from tyk_cffi.alias import PlainAlias, add_alias
from tyk_cffi.handler import Function, Handler
from tyk_cffi.loaders import NamespaceLoader, SourceLoader
from tyk_cffi.tracebacks import format_error, plugin_frames

# Names that always refer to the runtime's modules, even if the source has such modules.
_RESERVED = ("tyk", "gateway", "tyk_cffi", "tyk_plugins")

# sys.path before any plugin is loaded: an environment may be inside a source's folder.
_INITIAL_SYS_PATH = frozenset(["", *sys.path])

_numbers = itertools.count(1)
_versions: WeakValueDictionary[str, Version] = WeakValueDictionary()
# The original function; tyk_cffi.stdlib replaces it.
_import_module = importlib.import_module


def of_module(inner: str) -> Version | None:
    """Return the version that a module with that inner name belongs to."""
    return _versions.get(inner.partition(".")[0])


class Version:
    """The modules and handlers of one load of a source.

    Args:
        path: the source's folder.
        name: the importable name of its package.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.package = f"{importing.INNER_PREFIX}{next(_numbers)}"
        # The folders to search: the source's, and those that its code adds to sys.path.
        self.paths = [str(path)]
        # The folder of the entry module, relative to the source's.
        self.folder = ""
        self.handlers: dict[tuple[str, str], Handler] = {}
        # The traceback of each module that failed to load, by its name.
        self.failures: dict[str, str] = {}
        self.warnings: list[str] = []
        # The functions decorated while modules were loaded, each with the decorator's name.
        self.decorated: list[tuple[str, Function]] = []
        self.loading = False
        # The functions to run when this version is unloaded, in reverse order.
        self.unload_callbacks: list[tuple[Function, tuple[Any, ...], dict[str, Any]]] = []
        self.unloaded = False
        self.builtins = {**vars(builtins), "__import__": self._import, callers.MARK: self}
        self._root = os.path.realpath(path) + os.sep
        self._seen_sys_path = list(sys.path)
        self._top_level = self._find_top_level()
        # Modules that left sys.modules when a newer version replaced this one.
        self._kept: dict[str, ModuleType] = {}
        self._lock = threading.RLock()
        self._importing = 0
        self._retired = False
        _versions[self.package] = self
        importing.forget_folders()
        package = ModuleType(name)
        package.__path__ = self.paths
        package.__package__ = name
        package.__spec__ = ModuleSpec(name, NamespaceLoader(self.paths), is_package=True)
        package.__spec__.submodule_search_locations = self.paths
        package.__loader__ = package.__spec__.loader
        sys.modules[self.package] = package
        add_alias(name)

    def load(self, module: str) -> None:
        """Import ``module``, a dotted name or the path of a ``.py`` file in the folder."""
        self.loading = True
        try:
            self.import_module(f"{self.name}.{self._entry(module)}")
        except BaseException as error:  # plugin code may raise anything, sys.exit() included
            self.failures[module] = format_error(error, plugin_frames(error))
        finally:
            self.loading = False
            self._adopt_sys_path(remove=True)

    def find(self, kind: str, name: str) -> Handler | None:
        """Return the hook of that type and name; an ``@Hook`` matches every type."""
        return self.handlers.get((kind, name)) or self.handlers.get(("Hook", name))

    def event_handler(self, name: str) -> Handler | None:
        """Return the ``@Event`` function of that name."""
        return self.handlers.get(("Event", name))

    def inner_name(self, name: str) -> str:
        """Return the inner name for an importable name."""
        return self.package + name[len(self.name) :]

    def importable_name(self, inner: str) -> str:
        """Return the importable name for an inner name."""
        return self.name + inner[len(self.package) :]

    def loaded(self, name: str) -> ModuleType | None:
        """Return the module with that importable name, ``None`` if it is not loaded."""
        inner = self.inner_name(name)
        module = sys.modules.get(inner)
        return self._kept.get(inner) if module is None else module

    def modules(self) -> dict[str, ModuleType]:
        """Return the loaded modules by importable name, in the order of loading.

        A module may have replaced itself with another object.
        """
        inside = self.package + "."
        found = {**self._kept, **sys.modules}
        return {
            self.importable_name(n): module for n, module in found.items() if n.startswith(inside)
        }

    def owns(self, name: str) -> bool:
        """Whether a plain name refers to a module of this source in its own code."""
        if sys.path != self._seen_sys_path:
            self._adopt_sys_path()
        return name.partition(".")[0] in self._top_level

    def was_added(self, name: str) -> bool:
        """Whether the module was written since the source's folders were last listed."""
        top = name.partition(".")[0]
        if top in sys.modules or self._top_level == (found := self._find_top_level()):
            return False
        self._top_level = found
        return top in found

    def import_module(self, name: str) -> ModuleType:
        """Import the module with that importable name.

        Raises:
            ModuleNotFoundError: its text and name have the plain name.
        """
        inner = self.inner_name(name)
        module = self.loaded(name)
        if module is not None:
            spec = getattr(module, "__spec__", None)
            if not getattr(spec, "_initializing", False):
                return module
        with self._in_sys_modules():
            try:
                return _import_module(inner)
            except ModuleNotFoundError as error:
                if error.name and error.name.partition(".")[0] == self.package:
                    plain = error.name[len(self.package) + 1 :]
                    text = str(error).replace(f"{self.package}.", "")
                    raise ModuleNotFoundError(text, name=plain) from None
                raise

    def find_spec(self, name: str) -> ModuleSpec | None:
        """Return the spec of a module, loaded or not, by its importable name."""
        module = self.loaded(name)
        if module is not None:
            return module.__spec__
        parent, _, _ = name.rpartition(".")
        folders = self.paths
        if parent != self.name:
            folders = getattr(self.import_module(parent), "__path__", [])
        return importing.find(name, folders)

    def remove_alias(self, name: str) -> None:
        """Remove a name from ``sys.modules`` if the current version has no such module."""
        current = sources.current(self.name)
        if current is None or current is self or current.loaded(name) is None:
            sys.modules.pop(name, None)

    def retire(self) -> None:
        """Leave ``sys.modules``. Code that is still running keeps its modules."""
        with self._lock:
            self._retired = True
            if not self._importing:
                self._leave_sys_modules()

    def show_lines(self) -> None:
        """Let tracebacks show the source of this version's modules."""
        for module in self.modules().values():
            loader = getattr(module, "__loader__", None)
            if isinstance(loader, SourceLoader):
                lines.show(loader.path, loader.compiled)

    def _entry(self, module: str) -> str:
        if not module.endswith(".py") and "/" not in module:
            return module
        parts = module.removesuffix(".py").split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise ImportError(f"{module!r} is not a file in {self.path}")
        if len(parts) > 1:
            self.search("/".join(parts[:-1]))
        if all(part.isidentifier() for part in parts):
            return ".".join(parts)
        return files.module_name(module)

    def search(self, folder: str) -> None:
        """Search a folder of the source first, as Python does with a script's folder."""
        self.folder = folder
        path = os.path.join(self.path, folder)
        if path not in self.paths:
            self.paths.insert(0, path)
            self._top_level = self._find_top_level()

    @contextmanager
    def _in_sys_modules(self) -> Iterator[None]:
        """Keep the version's modules in ``sys.modules`` while the block imports."""
        with self._lock:
            self._importing += 1
            sys.modules.update(self._kept)
        try:
            yield
        finally:
            with self._lock:
                self._importing -= 1
                if self._retired and not self._importing:
                    self._leave_sys_modules()

    def _leave_sys_modules(self) -> None:
        inside = self.package + "."
        for name in [n for n in sys.modules if n == self.package or n.startswith(inside)]:
            self._kept[name] = sys.modules.pop(name)

    def _find_top_level(self) -> frozenset[str]:
        """Return the top-level names of the source's modules."""
        found = set()
        for folder in self.paths:
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            for item in names:
                name, dot, suffix = item.partition(".")
                if not name.isidentifier():
                    continue
                path = os.path.join(folder, item)
                if dot and (f".{suffix}" in (".py", *EXTENSION_SUFFIXES)):
                    if os.path.isfile(path):
                        found.add(name)
                elif not dot and os.path.isdir(path) and _is_package(name, path):
                    found.add(name)
        return frozenset(n for n in found if n not in _RESERVED and not n.startswith("coprocess_"))

    def _adopt_sys_path(self, remove: bool = False) -> None:
        """Search the source's own folders that its code has added to ``sys.path``.

        After the load they are removed from ``sys.path``, where other sources would find
        them.
        """
        mine = [e for e in sys.path if isinstance(e, str) and e not in _INITIAL_SYS_PATH]
        mine = [e for e in mine if self.is_below(e)]
        new = [e for e in mine if e not in self.paths]
        if new:
            self.paths[:0] = new
        if remove and mine:
            sys.path[:] = [e for e in sys.path if e not in mine]
        if new:
            self._top_level = self._find_top_level()
        self._seen_sys_path = list(sys.path)

    def is_below(self, entry: str) -> bool:
        """Whether a file or folder lies in the source's folder."""
        return (os.path.realpath(entry) + os.sep).startswith(self._root)

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level:
            package = globals and (globals.get("__package__") or globals.get("__name__"))
            if not isinstance(package, str) or not self._is_name(package):
                return builtins.__import__(name, globals, locals, fromlist or (), level)
            absolute = importlib.util.resolve_name("." * level + name, package)
            if not self._is_name(absolute):
                raise ImportError("attempted relative import beyond the source's folder")
            return self._import_submodules(self.module(absolute), fromlist)
        if self.owns(name):
            module = self.import_module(f"{self.name}.{name}")
            if fromlist:
                return self._import_submodules(module, fromlist)
            top = name.partition(".")[0]
            if type(fromlist) is list and name not in sys.modules:
                add_alias(name, PlainAlias)  # pickle in C imports like this, then reads sys.modules
            return module if top == name else self.import_module(f"{self.name}.{top}")
        if name.startswith(f"{self.name}."):
            module = self.module(name)
            if fromlist:
                return self._import_submodules(module, fromlist)
        elif type(sys.modules.get(name)) is PlainAlias:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        try:
            return builtins.__import__(name, globals, locals, fromlist or (), 0)
        except ModuleNotFoundError as error:
            # The source's code may have written the module in the meantime.
            if error.name != name.partition(".")[0] or not self.was_added(name):
                raise
        return self._import(name, globals, locals, fromlist, level)

    def _is_name(self, name: str) -> bool:
        return name == self.name or name.startswith(f"{self.name}.")

    def module(self, name: str) -> ModuleType:
        """Return a module by its importable name, and import it if necessary."""
        if name == self.name:
            package = self.loaded(name)
            assert package is not None
            return package
        return self.import_module(name)

    def _import_submodules(self, module: ModuleType, fromlist: Sequence[str] | None) -> ModuleType:
        """Import the modules among the names of ``from module import …``."""
        if not fromlist or not hasattr(module, "__path__"):
            return module
        names = list(fromlist)
        if "*" in names:
            names += getattr(module, "__all__", ())
        for name in names:
            if name == "*" or not isinstance(name, str) or hasattr(module, name):
                continue
            plain = f"{module.__name__}.{name}"
            try:
                self.import_module(plain)
            except ModuleNotFoundError as error:
                if error.name != plain[len(self.name) + 1 :]:
                    raise
        return module


def _is_package(name: str, path: str) -> bool:
    """Whether Python would import the folder as the package of that name."""
    if os.path.isfile(os.path.join(path, "__init__.py")):
        return True
    return files.holds_modules(path) and not _is_installed(name)


def _is_installed(name: str) -> bool:
    """Whether a module of that name is installed: it precedes a namespace package."""
    if name in sys.builtin_module_names or name in sys.stdlib_module_names:
        return True
    spec = PathFinder.find_spec(name)
    return spec is not None and spec.loader is not None and spec.has_location
