"""``sys.stdout`` and ``sys.stderr`` in the gateway: text files whose lines become log records.

An incomplete line belongs to the call that wrote it. It is kept in a context variable, so
the output of concurrent hooks does not mix. It is written when the call ends, or when its
context is freed.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from contextvars import Context, ContextVar
from typing import Any

from tyk_cffi import redirect
from tyk_cffi.gateway import write_record
from tyk_cffi.running import running

# Longer lines are split into records of this size, in bytes.
LINE_LIMIT = 64 * 1024

# A text that contains this is one record, to keep a traceback in one piece.
_TRACEBACK = b"Traceback (most recent call last):\n"

# The ids of the incomplete lines. It is usually empty, so that the end of a call has
# nothing to look up.
unfinished: set[int] = set()


class _Line:
    """The incomplete line of a call. The call's threads share it."""

    __slots__ = ("_buffer", "_lock", "_owner", "_text")

    def __init__(self, buffer: LogBuffer) -> None:
        self._buffer = buffer
        self._owner = running.get()
        self._text = bytearray()
        self._lock = threading.RLock()  # a finalizer may print while a line is written

    def write(self, data: bytes) -> None:
        with self._lock:
            owner = running.get()
            if owner != self._owner:  # a thread that works for several hooks
                self._finish()
                self._owner = owner
            if _TRACEBACK in data:
                self._add(data.rstrip(b"\n"))
                self._finish()
                return
            start = 0
            while (end := data.find(b"\n", start)) >= 0:
                self._add(data[start:end])
                self._finish()
                start = end + 1
            self._add(data[start:])

    def finish(self) -> None:
        with self._lock:
            self._finish()

    def _add(self, data: bytes) -> None:
        text = self._text
        text += data
        if not text:
            return
        unfinished.add(id(self))
        start = 0
        while len(text) - start > LINE_LIMIT:
            end = start + LINE_LIMIT
            while end > start and text[end] & 0xC0 == 0x80:  # inside a UTF-8 sequence
                end -= 1
            end = end if end > start else start + LINE_LIMIT
            self._record(text[start:end])
            start = end
        del text[:start]

    def _finish(self) -> None:
        unfinished.discard(id(self))
        text, self._text = self._text, bytearray()
        if text.endswith(b"\r"):
            del text[-1:]
        if text:
            self._record(text)

    def _record(self, text: bytearray) -> None:
        buffer = self._buffer
        message = text.decode(buffer.encoding, "backslashreplace")
        try:
            write_record(message, buffer.level, self._owner)
        except Exception:  # print() must not fail if the log does
            os.write(2, text + b"\n")

    def __del__(self) -> None:
        # The line of a task or a thread; those of calls are finished already.
        if self._text and not sys.is_finalizing():
            self._finish()


class LogBuffer(io.BufferedIOBase):
    """The binary layer of a :class:`LogStream`, ``sys.stdout.buffer``.

    It cannot be closed, since all plugins write to it.
    """

    mode = "wb"

    def __init__(self, name: str, fd: int, level: str) -> None:
        self.name = name
        self.level = level
        self.encoding = "utf-8"
        self._fd = fd
        self._line: ContextVar[_Line | None] = ContextVar(f"line of {name}", default=None)

    def write(self, data: Any, /) -> int:
        if isinstance(data, str):
            raise TypeError("a bytes-like object is required, not 'str'")
        data = bytes(data)
        line = self._line.get()
        if line is None:
            line = _Line(self)
            self._line.set(line)
        line.write(data)
        return len(data)

    def finish(self, context: Context | None = None) -> None:
        """Write the incomplete line of ``context``, by default the current context."""
        line = self._line.get() if context is None else context.get(self._line)
        if line is not None:
            line.finish()

    def flush(self) -> None:
        self.finish()

    def close(self) -> None:
        self.flush()

    def detach(self) -> LogBuffer:  # type: ignore[override]
        self.flush()
        return self

    @property
    def raw(self) -> LogBuffer:
        return self

    @property
    def closed(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Return the process's file descriptor, for child processes and ``faulthandler``."""
        return self._fd


class LogStream(io.TextIOWrapper):
    """Replaces ``sys.stdout`` or ``sys.stderr``: a text file that cannot be closed.

    Args:
        name: the name of the original stream, for instance ``<stdout>``.
        fd: the process's file descriptor.
        level: the level of the records.
    """

    def __init__(self, name: str, fd: int, level: str) -> None:
        self._log = LogBuffer(name, fd, level)
        super().__init__(
            self._log,
            encoding="utf-8",
            errors="backslashreplace",
            newline="\n",
            write_through=True,  # output of one call must not stay here until the next
        )
        self.mode = "w"  # type: ignore[misc]  # as open() does

    def reconfigure(self, *, encoding: str | None = None, **options: Any) -> None:
        """Change encoding, errors or newline; the stream stays unbuffered."""
        if options.get("errors") is None and encoding is not None:
            options["errors"] = "backslashreplace"  # print() must not fail for any character
        options.update(line_buffering=False, write_through=True)
        super().reconfigure(encoding=encoding, **options)
        self._log.finish()
        self._log.encoding = self.encoding

    def record(self, text: str) -> None:
        """Write a text of several lines as one record."""
        self._log.finish()
        write_record(text.rstrip("\n"), self._log.level, running.get())

    def finish(self, context: Context | None = None) -> None:
        """Write the incomplete line of ``context``, by default the current context."""
        self._log.finish(context)

    def close(self) -> None:
        """Flush only: all plugins share the stream."""
        self.flush()

    def detach(self) -> LogBuffer:  # type: ignore[override]
        """Return the buffer; the stream stays usable."""
        return self._log.detach()


class SharedInput(io.TextIOWrapper):
    """``sys.stdin``, which no plugin closes for the others: ``quit()`` tries to."""

    def close(self) -> None:
        """Do nothing."""


_streams: list[LogStream] = []


def finish(context: Context | None = None) -> None:
    """End of a call: write its incomplete lines."""
    for stream in _streams:
        stream.finish(context)


def install() -> None:
    """Replace the standard streams of the process."""
    out, err = LogStream("<stdout>", 1, "info"), LogStream("<stderr>", 2, "error")
    _streams[:] = out, err
    sys.__stdout__, sys.__stderr__ = out, err  # type: ignore[misc]
    redirect.install(stdout=out, stderr=err)
    if sys.stdin is None:  # the gateway was started without stdin
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  # stays open
    given: Any = sys.stdin
    encoding, errors = given.encoding, given.errors
    sys.stdin = sys.__stdin__ = SharedInput(given.detach(), encoding, errors)  # type: ignore[misc]
