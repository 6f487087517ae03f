"""Finds the hooks and event handlers of a version, in its modules' attributes.

A decorated function that a module has as an attribute is a handler, wherever it was defined,
for instance in an installed package that was imported earlier. It is registered under the
function's own name (contract 4) and under the attribute's. Functions that were decorated in
the source but are no longer attributes are registered too: two functions of the same name
under different decorators both exist, as in Tyk's samples.
"""

from __future__ import annotations

import inspect
from types import FunctionType, ModuleType
from typing import Any

from tyk_cffi.decorators import is_defined_in_class, kinds
from tyk_cffi.errors import SignatureError
from tyk_cffi.handler import Handler, describe, is_wrapper_of, name_of
from tyk_cffi.version import Version

_Key = tuple[str, str]


def collect(version: Version) -> None:
    """Set the version's handlers, and add warnings about names that are defined twice.

    An invalid handler is a failure of its module.
    """
    table = _HandlerTable(version)
    held = [
        (module, name, value)
        for module, there in version.modules().items()
        for name, value in list(getattr(there, "__dict__", {}).items())
        if kinds(value)
    ]
    for kind, function in version.decorated:
        if not any(value is function or is_wrapper_of(value, function) for _, _, value in held):
            table.add_decorated(kind, function)
    for module, name, value in held:
        for kind in kinds(value):
            table.add_held(kind, module, name, value)
    version.handlers = {**table.others, **table.main}
    version.decorated.clear()


class _HandlerTable:
    def __init__(self, version: Version) -> None:
        self.version = version
        self.main: dict[_Key, Handler] = {}
        # Under attribute names that differ from the function's; they have lower priority.
        self.others: dict[_Key, Handler] = {}
        self._made: dict[tuple[int, str], Handler] = {}
        self._values: dict[_Key, object] = {}

    def add_held(self, kind: str, module: str, name: str, value: Any) -> None:
        """Add the attribute ``name`` of a module."""
        own = name_of(value)
        if is_defined_in_class(value) and not inspect.ismethod(value) and _is_method(value):
            return
        handler = self._describe(kind, value, name, module)
        if handler is None:
            return
        if own in ("", name):
            self._put((kind, name), handler, value)
            return
        self.others.setdefault((kind, name), handler)
        home = self._home(value)
        if home is None or getattr(home, own, None) is value or not hasattr(home, own):
            self.others.setdefault((kind, own), handler)

    def add_decorated(self, kind: str, function: Any) -> None:
        """Add a decorated function that is not an attribute of a module."""
        home = self._home(function)
        path = getattr(function, "__qualname__", "").rpartition("<locals>.")[2].split(".")
        name = name_of(function) or path[-1]
        where = home.__name__ if home else self.version.name
        if is_defined_in_class(function):
            owner: Any = home
            for part in path[:-1]:
                owner = getattr(owner, part, None)
            if not inspect.isclass(owner):
                return
            static = inspect.getattr_static(owner, path[-1], None)
            if isinstance(static, classmethod | staticmethod):
                function = getattr(owner, path[-1])
            elif _is_method(function):
                code = function.__code__
                self._fail(
                    where,
                    f"{code.co_filename}:{code.co_firstlineno}: @{kind} {name} is a method; "
                    f"make it a function or a static method",
                )
                return
        elif home is not None:
            now = vars(home).get(name)
            if callable(now) and not kinds(now) and is_wrapper_of(now, function):
                function = now  # another decorator wraps it
        handler = self._describe(kind, function, name, where)
        if handler is not None:
            self._put((kind, name), handler, function)

    def _home(self, function: object) -> ModuleType | None:
        name = getattr(function, "__module__", None)
        if isinstance(name, str) and name.startswith(f"{self.version.name}."):
            return self.version.loaded(name)
        return None

    def _describe(self, kind: str, value: Any, name: str, module: str) -> Handler | None:
        key = id(value), kind
        if key not in self._made:
            try:
                self._made[key] = describe(value, kind, name)
            except (SignatureError, ValueError) as error:
                self._fail(module, str(error))
                return None
        return self._made[key]

    def _put(self, key: _Key, handler: Handler, value: object) -> None:
        before = self.main.get(key)
        if before is not None and self._values[key] is not value:
            self.version.warnings.append(
                f"@{handler.type} {key[1]} is defined twice; {handler.where} is used, "
                f"{before.where} is ignored"
            )
        self.main[key], self._values[key] = handler, value

    def _fail(self, module: str, text: str) -> None:
        name = module.removeprefix(f"{self.version.name}.")
        before = self.version.failures.get(name)
        self.version.failures[name] = f"{before}\n{text}" if before else text


def _is_method(function: object) -> bool:
    """Whether its first argument is named ``self`` or ``cls``."""
    if not isinstance(function, FunctionType):
        return False
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return names[:1] in (("self",), ("cls",))
