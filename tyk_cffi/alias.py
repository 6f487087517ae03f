"""The ``sys.modules`` entries for the importable names of plugin modules.

Several versions of a module can be in use at once: an old one that still serves calls,
and a new one that is being loaded. Plugin code finds the module of its own version under
the name, all other code that of the current version. So ``pickle`` in an old call finds
the old classes, and ``sys.modules[__name__]`` in a new module finds the new module.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from tyk_cffi import callers, sources


class Alias(ModuleType):
    """A proxy for the module of one name in each version of a source."""

    def __getattribute__(self, name: str) -> Any:
        return getattr(target(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        module = target(self)
        # The import system sets its metadata on this object; the module has its own.
        if not issubclass(type(value), Alias) and not _is_import_metadata(value):
            setattr(module, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(target(self), name)

    def __dir__(self) -> list[str]:
        return dir(target(self))

    def __repr__(self) -> str:
        return f"<module {ModuleType.__getattribute__(self, '__name__')!r}>"


class PlainAlias(Alias):
    """A proxy for the module of that plain name in the calling source; ``pickle`` needs it."""


def target(alias: Alias) -> ModuleType:
    """Return the module that ``alias`` stands for in the calling code."""
    name: str = ModuleType.__getattribute__(alias, "__name__")
    version = callers.innermost()
    if type(alias) is PlainAlias:  # not isinstance, which asks the alias for its class
        module = version.loaded(f"{version.name}.{name}") if version else None
    else:
        package = sources.package(name)
        if version is None or version.name != package:
            version = sources.current(package)
        module = version.loaded(name) if version else None
        now = sources.current(package)
        if module is None and now is not None and now is not version:
            module = now.loaded(name)
    if module is None:
        raise AttributeError(f"module {name!r} is not loaded in the calling code's version")
    return module


def add_alias(name: str, kind: type[Alias] = Alias) -> None:
    """Add an alias to ``sys.modules`` under ``name``, unless there is one."""
    if not issubclass(type(sys.modules.get(name)), Alias):
        sys.modules[name] = kind(name)


class AliasLoader:
    """Loads an importable name: returns its alias."""

    def create_module(self, spec: Any) -> ModuleType:
        if not spec.name.startswith(f"{sources.ROOT}."):
            asking = callers.innermost()
            if asking is None:
                raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)
            asking.import_module(f"{asking.name}.{spec.name}")
            add_alias(spec.name, PlainAlias)
            return sys.modules[spec.name]
        version = sources.current(sources.package(spec.name))
        nearest = callers.innermost()
        if nearest is not None and version is not None and nearest.name == version.name:
            version = nearest
        if version is None:
            raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)
        version.import_module(spec.name)
        add_alias(spec.name)
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the version has run the module's code."""

    # ``python -m`` and ``runpy`` run the code of a module that is not loaded.

    def get_code(self, name: str) -> Any:
        return _loader(name).get_code(name)

    def get_source(self, name: str) -> Any:
        return _loader(name).get_source(name)

    def get_filename(self, name: str) -> Any:
        return _loader(name).get_filename(name)

    def is_package(self, name: str) -> Any:
        return _loader(name).is_package(name)


def _loader(name: str) -> Any:
    """Return the loader of the module with that importable name."""
    version = sources.current(sources.package(name))
    spec = version.find_spec(name) if version else None
    if spec is None or spec.loader is None:
        raise ImportError(f"no module named {name!r}", name=name)
    return spec.loader


def _is_import_metadata(value: object) -> bool:
    return isinstance(value, AliasLoader) or isinstance(getattr(value, "loader", None), AliasLoader)
