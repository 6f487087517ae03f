"""Limits assignments to ``sys.stdout`` and ``sys.stderr`` to the running call.

This includes ``contextlib.redirect_stdout``. Otherwise a hook that captures its output
would capture the output of other hooks too, and two such hooks at the same time could leave
``sys.stdout`` permanently redirected.

``print`` reads the stream from the ``sys`` module's dict, Python code reads the module's
attribute. So the dict has a :class:`_StreamProxy` that looks the stream up for each call,
and the attribute is a property over a context variable.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from types import ModuleType
from typing import Any

_UNSET: Any = object()


class _StreamProxy:
    """Passes everything on to the stream of the running call."""

    def __init__(self, name: str, stream: Any) -> None:
        self._stream = stream
        self._assigned: ContextVar[Any] = ContextVar(f"sys.{name}", default=_UNSET)

    def current(self) -> Any:
        """Return the running call's ``sys.stdout`` or ``sys.stderr``."""
        assigned = self._assigned.get()
        return self._stream if assigned is _UNSET else assigned

    def assign(self, stream: Any) -> None:
        """Set the stream for the running call."""
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
    """Install the streams in ``sys``, by name."""
    proxies = {name: _StreamProxy(name, stream) for name, stream in streams.items()}
    vars(sys).update(proxies)
    names: dict[str, Any] = {name: _property(proxy) for name, proxy in proxies.items()}
    # Since Python 3.14, specialized code reads module attributes without their properties,
    # unless the class has a __getattr__.
    names["__getattr__"] = _missing
    sys.__class__ = type("_Sys", (ModuleType,), names)
