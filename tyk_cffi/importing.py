"""Finders for modules of plugin code, in the gateway and its child processes."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, FileFinder, ModuleSpec
from importlib.metadata import DistributionFinder, MetadataPathFinder
from types import ModuleType
from typing import Any

from tyk_cffi import callers, files, sources
from tyk_cffi.alias import AliasLoader
from tyk_cffi.loaders import (
    NamespaceLoader,
    SharedExtensionLoader,
    SourceLoader,
    VersionLoader,
    plain_names,
)

# The prefix of inner names, under which sys.modules has the modules of each version.
INNER_PREFIX = "_tyk_plugins_"

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
        if (names := plain_names.get()) is not None:
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
