"""One loaded version of one source of plugin code, and how its modules import each other.

A source's modules have one importable name, ``tyk_plugins.<source>.<module>``, whatever
the version. Behind it each version keeps modules of its own under an inner name, so that
modules of the same name in two bundles, or in the old and the new version of one, never
meet. Plugin code does not see this: its modules carry an ``__import__`` of their own,
which looks in the source first. That holds for imports inside functions too, whenever
they run: a thread of an old version keeps the modules of its version.
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
from tyk_cffi.tracebacks import format_error, plugin_frames

# Names that always mean the runtime's own, whatever lies beside the plugin.
_RESERVED = ("tyk", "gateway", "tyk_cffi", "tyk_plugins")

# What was on sys.path before any plugin: an environment may lie in a source's folder.
_INITIAL_SYS_PATH = frozenset(["", *sys.path])

_numbers = itertools.count(1)
_versions: WeakValueDictionary[str, Version] = WeakValueDictionary()
# The standard library's own; ``stdlib`` replaces it.
_import_module = importlib.import_module


def of_module(inner: str) -> Version | None:
    """Return the version that a module with that inner name belongs to."""
    return _versions.get(inner.partition(".")[0])


class Version:
    """The modules and handlers that one load of a source gave.

    Args:
        path: the source's folder.
        name: the importable name of its package.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self.package = f"{importing.INNER_PREFIX}{next(_numbers)}"
        # Where its modules are searched: its folder, and those that its code adds to sys.path.
        self.paths = [str(path)]
        # That of the entry module, below its own.
        self.folder = ""
        self.handlers: dict[tuple[str, str], Handler] = {}
        # Traceback of each module that did not load, by its name.
        self.failures: dict[str, str] = {}
        self.warnings: list[str] = []
        # What decorators saw while modules were loaded, with the module's name.
        self.decorated: list[tuple[str, Function]] = []
        self.loading = False
        # What runs when this version is no longer used, the last one first.
        self.unload_callbacks: list[tuple[Function, tuple[Any, ...], dict[str, Any]]] = []
        self.unloaded = False
        self.builtins = {**vars(builtins), "__import__": self._import, callers.MARK: self}
        self._root = os.path.realpath(path) + os.sep
        self._seen_sys_path = list(sys.path)
        self._top_level = self._find_top_level()
        # Modules that are in sys.modules no more, since a newer version took their place.
        self._kept: dict[str, ModuleType] = {}
        self._lock = threading.RLock()
        self._importing = 0
        self._retired = False
        _versions[self.package] = self
        package = ModuleType(name)
        package.__path__ = self.paths
        package.__package__ = name
        package.__spec__ = ModuleSpec(name, importing.NamespaceLoader(self.paths), is_package=True)
        package.__spec__.submodule_search_locations = self.paths
        package.__loader__ = package.__spec__.loader
        sys.modules[self.package] = package
        add_alias(name)

    def load(self, module: str) -> None:
        """Import ``module``, a dotted name or the path of a ``.py`` file, both in the folder."""
        self.loading = True
        try:
            self.import_module(f"{self.name}.{self._entry(module)}")
        except BaseException as error:  # plugin code may raise anything, sys.exit() included
            self.failures[module] = format_error(error, plugin_frames(error))
        finally:
            self.loading = False
            self._adopt_sys_path(remove=True)

    def find(self, kind: str, name: str) -> Handler | None:
        """Return the hook of that type and name; ``@Hook`` stands for any type."""
        return self.handlers.get((kind, name)) or self.handlers.get(("Hook", name))

    def event_handler(self, name: str) -> Handler | None:
        """Return the ``@Event`` function of that name."""
        return self.handlers.get(("Event", name))

    def inner_name(self, name: str) -> str:
        """Return the inner name for an importable one."""
        return self.package + name[len(self.name) :]

    def importable_name(self, inner: str) -> str:
        """Return the importable name for an inner one."""
        return self.name + inner[len(self.package) :]

    def loaded(self, name: str) -> ModuleType | None:
        """Return the module with that importable name, ``None`` when it is not loaded."""
        inner = self.inner_name(name)
        module = sys.modules.get(inner)
        return self._kept.get(inner) if module is None else module

    def modules(self) -> dict[str, ModuleType]:
        """Return what is loaded by importable name, in the order in which it was.

        A module may have put another object in its place.
        """
        inside = self.package + "."
        found = {**self._kept, **sys.modules}
        return {
            self.importable_name(n): module for n, module in found.items() if n.startswith(inside)
        }

    def owns(self, name: str) -> bool:
        """Whether a plain name means a module of this source to its own code."""
        if sys.path != self._seen_sys_path:
            self._adopt_sys_path()
        return name.partition(".")[0] in self._top_level

    def import_module(self, name: str) -> ModuleType:
        """Import the module with that importable name.

        Raises:
            ModuleNotFoundError: names it as plugin code would.
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
        """Return the spec of a module by its importable name; it need not be loaded."""
        module = self.loaded(name)
        if module is not None:
            return module.__spec__
        parent, _, _ = name.rpartition(".")
        folders = self.paths
        if parent != self.name:
            folders = getattr(self.import_module(parent), "__path__", [])
        return importing.find(name, folders)

    def remove_alias(self, name: str) -> None:
        """Take a name out of ``sys.modules`` when the current version has no such module."""
        current = sources.current(self.name)
        if current is None or current is self or current.loaded(name) is None:
            sys.modules.pop(name, None)

    def retire(self) -> None:
        """Leave ``sys.modules``. Code that still runs keeps its modules, for as long as it does."""
        with self._lock:
            self._retired = True
            if not self._importing:
                self._leave_sys_modules()

    def show_lines(self) -> None:
        """Let tracebacks show the source of this version's modules."""
        for module in self.modules().values():
            loader = getattr(module, "__loader__", None)
            if isinstance(loader, importing.SourceLoader):
                lines.show(loader.path, loader.compiled)

    def _entry(self, module: str) -> str:
        if not module.endswith(".py") and "/" not in module:
            return module
        parts = module.removesuffix(".py").split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise ImportError(f"{module!r} is no file of {self.path}")
        if len(parts) > 1:
            self.search("/".join(parts[:-1]))
        if all(part.isidentifier() for part in parts):
            return ".".join(parts)
        return files.module_name(module)

    def search(self, folder: str) -> None:
        """Search a folder of the source first, as Python does that of a script."""
        self.folder = folder
        path = os.path.join(self.path, folder)
        if path not in self.paths:
            self.paths.insert(0, path)
            self._top_level = self._find_top_level()

    @contextmanager
    def _in_sys_modules(self) -> Iterator[None]:
        """While the block imports, the version's modules are in ``sys.modules``."""
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
        """Top-level names of the source's modules."""
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
        """Search the folders too that the source's code put on ``sys.path``, if they are its own.

        When the load is done they leave ``sys.path``, where other sources would find them.
        """
        mine = [e for e in sys.path if isinstance(e, str) and e not in _INITIAL_SYS_PATH]
        mine = [e for e in mine if self._is_below(e)]
        new = [e for e in mine if e not in self.paths]
        if new:
            self.paths[:0] = new
        if remove and mine:
            sys.path[:] = [e for e in sys.path if e not in mine]
        if new:
            self._top_level = self._find_top_level()
        self._seen_sys_path = list(sys.path)

    def _is_below(self, entry: str) -> bool:
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
                add_alias(name, PlainAlias)  # pickle in C imports so, and then looks there
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
            # Its code may have written the module meanwhile.
            if error.name != name.partition(".")[0] or self._top_level == (
                own := self._find_top_level()
            ):
                raise
            self._top_level = own
            if error.name not in own:
                raise
        return self._import(name, globals, locals, fromlist, level)

    def _is_name(self, name: str) -> bool:
        return name == self.name or name.startswith(f"{self.name}.")

    def module(self, name: str) -> ModuleType:
        """Return a module by its importable name, imported when it is not yet."""
        if name == self.name:
            package = self.loaded(name)
            assert package is not None
            return package
        return self.import_module(name)

    def _import_submodules(self, module: ModuleType, fromlist: Sequence[str] | None) -> ModuleType:
        """Import what ``from module import …`` names, where it is a module."""
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
    """Whether a folder is what Python imports by that name."""
    if os.path.isfile(os.path.join(path, "__init__.py")):
        return True
    return files.holds_modules(path) and not _is_installed(name)


def _is_installed(name: str) -> bool:
    """Whether a module of that name is installed: it comes before a folder of files only."""
    if name in sys.builtin_module_names or name in sys.stdlib_module_names:
        return True
    spec = PathFinder.find_spec(name)
    return spec is not None and spec.loader is not None and spec.has_location
