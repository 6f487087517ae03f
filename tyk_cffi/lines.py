"""Makes tracebacks show the source that was compiled, even if the file has changed since."""

from __future__ import annotations

import importlib.util
import linecache
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.RLock()


def show(file: str, data: bytes | None) -> None:
    """Let tracebacks show ``data`` as the lines of ``file``."""
    if data is None:
        return
    try:
        text = importlib.util.decode_source(data)
    except (SyntaxError, UnicodeError):
        return
    # linecache does not compare an entry without a modification time with the file.
    linecache.cache[file] = len(data), None, text.splitlines(keepends=True), file


def forget(file: str) -> None:
    """Let tracebacks read ``file`` again."""
    linecache.cache.pop(file, None)


@contextmanager
def shown(modules: Iterable[dict[str, Any]]) -> Iterator[None]:
    """While the block runs, show the lines that these modules were compiled from."""
    with _lock:
        before: dict[str, Any] = {}
        for names in modules:
            loader = names.get("__loader__")
            data = getattr(loader, "compiled", None)
            file = getattr(loader, "path", None)
            if isinstance(data, bytes) and isinstance(file, str):
                before.setdefault(file, linecache.cache.get(file))
                show(file, data)
        try:
            yield
        finally:
            for file, entry in before.items():
                if entry is None:
                    linecache.cache.pop(file, None)
                else:
                    linecache.cache[file] = entry
