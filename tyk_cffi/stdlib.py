"""Patches for functions of the standard library that find modules by name.

In plugin code, ``importlib.import_module("sibling")`` finds the plugin's own module, and so
do ``importlib.resources.files``, ``pkgutil.get_data``, class paths in ``logging.config`` and
names in pickles. If an installed package calls them for a plugin, installed modules take
precedence.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.util
import logging.config
import multiprocessing.spawn
import pickle
import pkgutil
import runpy
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from tyk_cffi import callers, sources
from tyk_cffi.alias import PlainAlias, add_alias

_import_module = importlib.import_module
_reload = importlib.reload
_find_spec = importlib.util.find_spec
_get_data = pkgutil.get_data
_module_from_spec = importlib.util.module_from_spec
_preparation = multiprocessing.spawn.get_preparation_data


def _absolute(name: str, package: str | None) -> str:
    return importlib.util.resolve_name(name, package) if name.startswith(".") else name


def _source_name(name: str) -> str | None:
    """Return the importable name that ``name`` has for the calling plugin code, if any."""
    version, direct = callers.stdlib_caller()
    if version is None:
        return None
    if name == version.name or name.startswith(f"{version.name}."):
        return name
    if not version.owns(name) and not version.was_added(name):
        return None
    if not direct and _is_installed(name.partition(".")[0]):
        return None
    return f"{version.name}.{name}"


def _is_installed(top: str) -> bool:
    module = sys.modules.get(top)
    if module is not None:
        return type(module) is not PlainAlias
    try:
        return _find_spec(top) is not None
    except (ImportError, ValueError):
        return False


@functools.wraps(_import_module)
def import_module(name: str, package: str | None = None) -> ModuleType:
    absolute = _absolute(name, package)
    own = _source_name(absolute)
    version = callers.innermost()
    if own is None or version is None:
        return _import_module(name, package)
    return version.module(own)


@functools.wraps(_reload)
def reload(module: ModuleType) -> ModuleType:
    version = callers.innermost()
    name = getattr(module, "__name__", None)
    if version is None or not isinstance(name, str) or version.loaded(name) is not module:
        return _reload(module)
    if module.__spec__ is not None and module.__spec__.loader is not None:
        module.__spec__.loader.exec_module(module)
    return module


@functools.wraps(_find_spec)
def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
    own = _source_name(_absolute(name, package))
    version = callers.innermost()
    if own is None or version is None:
        return _find_spec(name, package)
    return version.find_spec(own)


@functools.wraps(_module_from_spec)
def module_from_spec(spec: ModuleSpec) -> ModuleType:
    module = _module_from_spec(spec)
    _adopt(vars(module), spec.origin)
    return module


def _exec(code: Any, names: dict[str, Any]) -> None:
    """``exec`` of ``runpy``, which runs files and modules as programs."""
    _adopt(names, getattr(code, "co_filename", None))
    exec(code, names)  # noqa: S102  # as runpy does


def _adopt(names: dict[str, Any], file: object) -> None:
    """Give a namespace that runs a source's file the ``__import__`` of the source's modules."""
    there = names.get("__builtins__", builtins)
    if not isinstance(file, str) or (there is not builtins and there is not vars(builtins)):
        return
    version = callers.innermost() or sources.of_file(file)
    if version is not None and version.is_below(file):
        names["__builtins__"] = version.builtins


@functools.wraps(_get_data)
def get_data(package: str, resource: str) -> bytes | None:
    own = _source_name(package)
    version = callers.innermost()
    if own is not None and version is not None:
        version.module(own)
    return _get_data(own or package, resource)


def _import_by_name(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    """``__import__`` for modules of the standard library that import by a given name."""
    own = None if level else _source_name(name)
    version = callers.innermost()
    if own is None or version is None or own == name:
        return builtins.__import__(name, globals, locals, fromlist, level)
    module = version.import_module(own)
    if name not in sys.modules:
        add_alias(name, PlainAlias)  # pickle reads sys.modules
    return module if fromlist else version.import_module(f"{version.name}.{name.partition('.')[0]}")


@functools.wraps(_preparation)
def _get_preparation_data(name: str) -> dict[str, Any]:
    return {**_preparation(name), "tyk_cffi": sources.Announcement()}


def install() -> None:
    """Patch the standard library."""
    importlib.import_module = import_module
    importlib.reload = reload
    importlib.util.find_spec = find_spec
    importlib.util.module_from_spec = module_from_spec
    pkgutil.get_data = get_data
    vars(runpy)["exec"] = _exec
    for module in (logging.config, pickle, pkgutil):
        vars(module)["__import__"] = _import_by_name
    if sys.version_info < (3, 11):
        import unittest.mock

        vars(unittest.mock)["_importer"] = pkgutil.resolve_name  # as later versions do
    logging.config.BaseConfigurator.importer = staticmethod(_import_by_name)
    multiprocessing.spawn.get_preparation_data = _get_preparation_data
