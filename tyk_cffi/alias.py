"""What ``sys.modules`` has under the importable name of a plugin's module.

More than one version of a module can be running: an old one that still serves calls,
a new one that is being loaded. Its name means the module of the version whose code
asks, and the current version's for all others: ``pickle`` in an old call finds the old
classes, ``sys.modules[__name__]`` in a new module finds the new module.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from tyk_cffi import callers, sources


class Alias(ModuleType):
    """Stands for one module of each version of a source."""

    def __getattribute__(self, name: str) -> Any:
        return getattr(target(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        module = target(self)
        # The import system describes this object, not the module.
        if not issubclass(type(value), Alias) and not _is_import_metadata(value):
            setattr(module, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(target(self), name)

    def __dir__(self) -> list[str]:
        return dir(target(self))

    def __repr__(self) -> str:
        return f"<module {ModuleType.__getattribute__(self, '__name__')!r}>"


class PlainAlias(Alias):
    """Stands for a module by its plain name, for whatever source asks; see ``pickle``."""


def target(alias: Alias) -> ModuleType:
    """Return the module that ``alias`` stands for here and now."""
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
        raise AttributeError(f"module {name!r} is not there for the code that asks")
    return module


def add_alias(name: str, kind: type[Alias] = Alias) -> None:
    """Put an alias under ``name``, unless there is one."""
    if not issubclass(type(sys.modules.get(name)), Alias):
        sys.modules[name] = kind(name)


class AliasLoader:
    """The loader of names: whoever imports one gets the alias."""

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
        """The module's code has run."""


def _is_import_metadata(value: object) -> bool:
    return isinstance(value, AliasLoader) or isinstance(getattr(value, "loader", None), AliasLoader)
