"""A function of plugin code, as its decorator described it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from tyk_cffi.errors import SignatureError
from tyk_cffi.loop import blocking

# Names of the hook types, by their number in the messages (enum HookType).
HOOK_TYPES = ("Unknown", "Pre", "Post", "PostKeyAuth", "CustomKeyCheck", "Response")

# The three forms of a hook, by number of arguments (contract 4).
REQUEST_FORM, AUTH_FORM, RESPONSE_FORM = 3, 4, 5
FORMS = {
    REQUEST_FORM: "(request, session, spec)",
    AUTH_FORM: "(request, session, metadata, spec)",
    RESPONSE_FORM: "(request, response, session, metadata, spec)",
}
EVENT_FORM = 2

Function = Callable[..., Any]


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


# The list that decorators add to while the loader imports a module; None elsewhere,
# so that decorated functions stay plain functions in a plugin author's own tests.
collecting: ContextVar[list[Handler] | None] = ContextVar("collecting", default=None)


def describe(function: Function, kind: str) -> Handler:
    """Return the handler that ``function`` makes under decorator ``kind``.

    Raises:
        SignatureError: the number of arguments fits no form; names file and line.
    """
    code = inspect.unwrap(function).__code__
    where = f"{code.co_filename}:{code.co_firstlineno}"
    is_async = inspect.iscoroutinefunction(function)
    run = blocking(function) if is_async else function
    required, most = _arguments(function)
    forms = {EVENT_FORM: "(event, spec)"} if kind == "Event" else FORMS
    for count in (required, most):
        if count in forms:
            name, file, line = function.__name__, code.co_filename, code.co_firstlineno
            return Handler(name, kind, run, count, file, line, is_async)
    raise SignatureError(
        f"{where}: @{kind} {function.__name__} takes {most} arguments; "
        f"write it as {' or '.join(forms.values())}"
    )


def _arguments(function: Function) -> tuple[int, int]:
    """Count the positional arguments: those without a default, and all."""
    positional = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return sum(p.default is p.empty for p in positional), len(positional)
