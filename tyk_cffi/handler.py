"""Handlers: decorated functions of plugin code, with their name, type and form."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, MethodType
from typing import Any

from tyk_cffi import callers
from tyk_cffi.errors import SignatureError
from tyk_cffi.loop import awaited, blocking
from tyk_cffi.proto.coprocess_common_pb2 import HookType

# Names of the hook types, by their number in the messages: 0 is Unknown.
HOOK_TYPES = tuple(HookType.keys())

# The three forms of a hook, by number of arguments (contract 4).
REQUEST_FORM, AUTH_FORM, RESPONSE_FORM = 3, 4, 5
FORMS = {
    REQUEST_FORM: "(request, session, spec)",
    AUTH_FORM: "(request, session, metadata, spec)",
    RESPONSE_FORM: "(request, response, session, metadata, spec)",
}
EVENT_FORM = 2
# The form in which each decorator calls a function that takes any number of arguments.
_FORM_OF = {"Pre": 3, "Post": 3, "PostKeyAuth": 3, "CustomKeyCheck": 4, "Event": EVENT_FORM}

Function = Callable[..., Any]

# The deepest nesting of wrapped functions that is followed.
_DEPTH = 16


@dataclass(frozen=True)
class Handler:
    """One decorated function.

    ``type`` is the decorator's name: a hook type, ``Hook`` for any, or ``Event``.
    """

    name: str
    type: str
    function: Function
    form: int
    file: str
    line: int
    is_async: bool = False

    @property
    def where(self) -> str:
        """``file:line`` of the definition."""
        return f"{self.file}:{self.line}"


def describe(function: Function, kind: str, name: str = "") -> Handler:
    """Return the handler for ``function`` under decorator ``kind``.

    Args:
        function: the decorated function.
        kind: the decorator's name.
        name: the name to use if the function has none.

    Raises:
        SignatureError: the number of arguments is wrong, or the object cannot be called
            as a hook; the text has file and line.
    """
    name = name_of(function) or name or "<unnamed>"
    code = _code(function)
    file, line = (code.co_filename, code.co_firstlineno) if code else _place()
    what = f"{file}:{line}: @{kind} {name}"
    if inspect.isclass(function) or not callable(function):
        raise SignatureError(
            f"{what} is not a function: decorate a function or a callable instance"
        )
    layers = list(_layers(function))
    if any(inspect.isgeneratorfunction(f) or inspect.isasyncgenfunction(f) for f in layers):
        raise SignatureError(f"{what} is a generator; a hook returns its result")
    is_async = any(inspect.iscoroutinefunction(layer) for layer in layers)
    # The result of an event handler is ignored, but it may be a coroutine.
    run = _awaiting(function, layers) if is_async or kind == "Event" else function
    forms = {EVENT_FORM: "(event, spec)"} if kind == "Event" else FORMS
    required, most, keywords = _arguments(function)
    for count in (required, most, *_forms_behind(function, kind)):
        if count in forms and not keywords:
            return Handler(name, kind, run, count, file, line, is_async)
    takes = "takes any number of" if _takes_any(function) else f"takes {most}"
    takes += " arguments" + (f" and the keyword {keywords[0]!r}" if keywords else "")
    raise SignatureError(f"{what} {takes}; write it as {' or '.join(forms.values())}")


def _awaiting(function: Function, layers: list[Any]) -> Function:
    """Return a plain function that runs ``function`` and waits for its result."""
    first = next((layer for layer in layers if hasattr(layer, "__code__")), None)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(first):
        return blocking(function)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        # A plain function made by a decorator may have run the coroutine itself.
        return awaited(function(*arguments))

    return call


def name_of(function: object) -> str:
    """Return the name of a function's definition; empty if it has none."""
    name = getattr(function, "__name__", "")
    return name if isinstance(name, str) and name != "<lambda>" else ""


def is_wrapper_of(outer: object, inner: object) -> bool:
    """Whether ``outer`` is the result of a decorator and refers to ``inner``."""
    return any(layer is inner for layer in _reachable(outer, _DEPTH))


def _layers(function: object) -> list[Any]:
    """Return ``function`` and the functions that it wraps, outermost first."""
    found: list[Any] = []
    while len(found) < _DEPTH:
        found.append(function)
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType | staticmethod | classmethod):
            function = function.__func__
        elif (wrapped := getattr(function, "__wrapped__", None)) is not None:
            function = wrapped
        elif not hasattr(function, "__code__") and hasattr(_call_of(function), "__code__"):
            function = _call_of(function)
        else:
            break
    return found


def _call_of(value: object) -> Any:
    return getattr(type(value), "__call__", None)  # noqa: B004  # needs the method itself


def _code(function: object) -> CodeType | None:
    code = getattr(_layers(function)[-1], "__code__", None)
    return code if isinstance(code, CodeType) else None


def _reachable(value: object, depth: int) -> list[object]:
    found: list[object] = []
    inside = list(_layers(value))
    for layer in inside:
        found.append(layer)
        cells = getattr(layer, "__closure__", None) or ()
        held: list[object] = [cell.cell_contents for cell in cells if _is_set(cell)]
        if not inspect.isclass(layer):
            held += getattr(layer, "__dict__", {}).values()
        for item in held:
            if callable(item) and depth > 0 and not inspect.isclass(item):
                found.append(item)
                found += _reachable(item, depth // 2)
    return found


def _is_set(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _place() -> tuple[str, int]:
    """Return file and line of the code that calls a decorator."""
    frame = callers.outside()
    return (frame.f_code.co_filename, frame.f_lineno) if frame else ("<compiled code>", 0)


def _signature(function: Function, follow_wrapped: bool = False) -> inspect.Signature:
    if isinstance(function, staticmethod):
        function = function.__func__
    call = _call_of(function)
    if not hasattr(function, "__code__") and hasattr(call, "__code__"):
        function = MethodType(call, function)
    for follow in (follow_wrapped, True):
        with contextlib.suppress(ValueError):  # compiled code, such as functools.lru_cache's
            return inspect.signature(function, follow_wrapped=follow)
    anything = inspect.Parameter("arguments", inspect.Parameter.VAR_POSITIONAL)
    return inspect.Signature([anything])


def _takes_any(function: Function) -> bool:
    """Whether it takes any number of positional arguments itself."""
    parameters = _signature(function).parameters.values()
    return any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)


def _forms_behind(function: Function, kind: str) -> tuple[int, ...]:
    """Return the form of ``(*args)``: that of the function in its closure, or its hook type's.

    Decorators that do not use ``functools.wraps`` return such functions.
    """
    if not _takes_any(function):
        return ()
    found = {
        count
        for inner in _reachable(function, _DEPTH)
        if inner is not function and callable(inner) and hasattr(inner, "__code__")
        for count in _arguments(inner)[:1]
        if count in ((EVENT_FORM,) if kind == "Event" else FORMS)
    }
    if found:
        return tuple(found) if len(found) == 1 else ()
    return (_FORM_OF[kind],) if kind in _FORM_OF else ()


def _arguments(function: Function) -> tuple[int, int, list[str]]:
    """Return the numbers of required and of all positional arguments, and required keywords."""
    # For (*args), the arguments of the wrapped function.
    parameters = _signature(function, follow_wrapped=_takes_any(function)).parameters.values()
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    keywords = [
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    ]
    return sum(p.default is p.empty for p in positional), len(positional), keywords
