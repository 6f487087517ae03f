"""``sys.stdout = …`` counts for the call that says it, ``contextlib.redirect_stdout`` too.

Otherwise a hook that captures what it prints would capture what other hooks
print meanwhile; and two that do so at once could leave ``sys.stdout`` pointing
into nowhere for good.

``print`` takes its file from the dict of ``sys``, Python code through the
module's attribute. So the dict has a :class:`_StreamProxy` that looks each time, and
the attribute is a property over a context variable.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from types import ModuleType
from typing import Any

_UNSET: Any = object()


class _StreamProxy:
    """What ``print`` writes to: the stream of the running call."""

    def __init__(self, name: str, stream: Any) -> None:
        self._stream = stream
        self._assigned: ContextVar[Any] = ContextVar(f"sys.{name}", default=_UNSET)

    def current(self) -> Any:
        """Return what ``sys.stdout`` or ``sys.stderr`` is for the running call."""
        assigned = self._assigned.get()
        return self._stream if assigned is _UNSET else assigned

    def assign(self, stream: Any) -> None:
        """Set it, for the running call."""
        self._assigned.set(_UNSET if stream is self or stream is self._stream else stream)

    def write(self, text: str) -> Any:
        stream = self.current()
        return None if stream is None else stream.write(text)

    def flush(self) -> None:
        stream = self.current()
        if stream is not None:
            stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.current(), name)


def _property(proxy: _StreamProxy) -> Any:
    return property(
        lambda _: proxy.current(),
        lambda _, stream: proxy.assign(stream),
        lambda _: proxy.assign(None),
    )


def _missing(module: ModuleType, name: str) -> Any:
    raise AttributeError(f"module 'sys' has no attribute {name!r}", name=name, obj=module)


def install(**streams: Any) -> None:
    """Make the streams those of ``sys``, by name."""
    proxies = {name: _StreamProxy(name, stream) for name, stream in streams.items()}
    vars(sys).update(proxies)
    names: dict[str, Any] = {name: _property(proxy) for name, proxy in proxies.items()}
    # From Python 3.14 on, code that runs often reads attributes of modules past properties,
    # but not of a class with a __getattr__.
    names["__getattr__"] = _missing
    sys.__class__ = type("_Sys", (ModuleType,), names)
