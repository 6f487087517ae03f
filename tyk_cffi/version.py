"""One loaded version of one source of plugin code, and how its modules import each other.

Each version is a package of its own (``tyk_plugins_<n>``), so that modules of the
same name in two bundles, or in the old and the new version of one, never meet.
Plugin code does not see this: its modules carry an ``__import__`` of their own,
which looks beside the importing module first. That holds for imports inside
functions too, whenever they run.
"""

from __future__ import annotations

import builtins
import importlib
import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tyk_cffi.handler import Handler, collecting
from tyk_cffi.tracebacks import plugin_frames, whole

PREFIX = "tyk_plugins_"

# Names that always mean the runtime's own, whatever lies beside the plugin.
_RESERVED = ("tyk", "gateway", "tyk_cffi")

_numbers = itertools.count(1)
_versions: dict[str, Version] = {}


class Version:
    """The modules and handlers that one load of a source gave.

    Args:
        path: the source's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.package = f"{PREFIX}{next(_numbers)}"
        self.handlers: dict[tuple[str, str], Handler] = {}
        # Traceback of each module that did not load, by its name.
        self.failures: dict[str, str] = {}
        self.warnings: list[str] = []
        self._own = _top_level_names(path)
        self._builtins = {**vars(builtins), "__import__": self._import}
        _versions[self.package] = self
        package = ModuleType(self.package)
        package.__path__ = [str(path)]
        sys.modules[self.package] = package

    def load(self, module: str) -> None:
        """Import ``module`` and collect its handlers.

        It is a dotted name, or the path of a ``.py`` file, both relative to the folder.
        """
        handlers: list[Handler] = []
        token = collecting.set(handlers)
        try:
            if module.endswith(".py"):
                self._load_file(module)
            else:
                importlib.import_module(f"{self.package}.{module}")
        except BaseException as error:  # plugin code may raise anything, sys.exit() included
            self.failures[module] = whole(error, plugin_frames(error))
        finally:
            collecting.reset(token)
        for handler in handlers:
            self._add(handler)

    def _load_file(self, file: str) -> None:
        """Import a file by its path in the folder; its name may be no identifier."""
        parts = file.removesuffix(".py").split("/")
        if all(part.isidentifier() for part in parts):
            importlib.import_module(".".join((self.package, *parts)))
            return
        name = f"{self.package}.{re.sub(r'[^0-9A-Za-z_]', '_', '_'.join(parts))}"
        path = str(self.path / file)
        loader = _Loader(name, path)
        spec = ModuleSpec(name, loader, origin=path)
        spec.has_location = True
        module = module_from_spec(spec)
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise

    def find(self, kind: str, name: str) -> Handler | None:
        """Return the hook of that type and name; ``@Hook`` stands for any type."""
        return self.handlers.get((kind, name)) or self.handlers.get(("Hook", name))

    def event_handler(self, name: str) -> Handler | None:
        """Return the ``@Event`` function of that name."""
        return self.handlers.get(("Event", name))

    def discard(self) -> None:
        """Forget the modules. Functions that still run keep what they use."""
        _versions.pop(self.package, None)
        inside = self.package + "."
        for name in [n for n in sys.modules if n == self.package or n.startswith(inside)]:
            del sys.modules[name]

    def prepare(self, module: ModuleType) -> None:
        """Give ``module`` the imports of this version, before its code runs."""
        vars(module)["__builtins__"] = self._builtins

    def _add(self, handler: Handler) -> None:
        key = handler.type, handler.name
        before = self.handlers.get(key)
        if before is not None:
            self.warnings.append(
                f"@{handler.type} {handler.name} is defined twice; {handler.where} counts, "
                f"{before.where} does not"
            )
        self.handlers[key] = handler

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or top not in self._own:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        inside = f"{self.package}.{name}"
        if fromlist:
            return builtins.__import__(inside, globals, locals, fromlist, 0)
        importlib.import_module(inside)
        module: ModuleType = sys.modules[f"{self.package}.{top}"]
        return module


def _top_level_names(path: Path) -> frozenset[str]:
    names = set()
    for item in path.iterdir() if path.is_dir() else ():
        name = item.name.partition(".")[0]
        is_module = item.suffix == ".py" or any(item.name.endswith(s) for s in EXTENSION_SUFFIXES)
        if name.isidentifier() and (is_module or (item.is_dir() and any(item.rglob("*.py")))):
            names.add(name)
    return frozenset(n for n in names if n not in _RESERVED and not n.startswith("coprocess_"))


class _Loader(SourceFileLoader):
    """Loads from source only: a cached ``.pyc`` is told apart by the second, reloads are faster."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        _versions[package].prepare(module)
        super().exec_module(module)


class _Finder:
    """Finds modules below the packages of versions; asks the disk each time."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(PREFIX) or path is None:
            return None
        for folder in path:
            details: Any = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (_Loader, [".py"]))
            spec = FileFinder(folder, *details).find_spec(fullname)
            if spec is not None:
                return spec
        return None


# First: the packages have a __path__, so the standard finder would take them too.
sys.meta_path.insert(0, _Finder)
