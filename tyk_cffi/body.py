"""Bodies of requests and responses, which are outside the message and copied when first read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tyk_cffi.errors import HookError


class UnreadBody:
    """A body that the host has not read yet; supports the part of ``memoryview`` used here.

    Args:
        read: reads the body from the host.
    """

    __slots__ = ("_lock", "_read")

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read: Callable[[], bytes] | None = read
        # A thread of the plugin may be reading when the call ends.
        self._lock = threading.Lock()

    def __bytes__(self) -> bytes:
        """Return the bytes.

        Raises:
            ValueError: the body was released.
        """
        with self._lock:
            if self._read is None:
                raise ValueError("released")
            return self._read()

    def release(self) -> None:
        """End of the call: the host's body is no longer valid."""
        with self._lock:
            self._read = None


# A body that the host owns; valid during one call, and released at its end.
Lent = memoryview | UnreadBody

# What a transport has of a body: its memory, or a function that reads it from the host.
Lendable = bytes | memoryview | Callable[[], bytes]


def lend(body: Lendable) -> Lent:
    """Lend a body to a hook; whoever calls this releases it."""
    return UnreadBody(body) if callable(body) else memoryview(body)


class Body:
    """One body of a call: the host's, and the hook's changes to it.

    Args:
        lent: the host's body, ``None`` for no body. Valid during the call only.
        raw_only: the hook's ``raw_body_only``: leave the text empty.
    """

    __slots__ = ("_lent", "_new_raw", "_new_text", "_raw", "_raw_only", "_text")

    def __init__(self, lent: Lent | None, raw_only: bool) -> None:
        self._lent = lent
        self._raw_only = raw_only
        self._raw: bytes | None = None
        self._text: str | None = None
        self._new_raw: bytes | None = None
        self._new_text: str | None = None

    @property
    def raw(self) -> bytes:
        """The bytes: the hook's if it set them, else the host's.

        Raises:
            HookError: the body was first read after the call had ended, or the host
                could not read it.
        """
        if self._new_raw is not None:
            return self._new_raw
        return self._original()

    @raw.setter
    def raw(self, value: bytes) -> None:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"raw_body must be bytes, got {type(value).__name__}")
        self._new_raw = bytes(value)

    @property
    def text(self) -> str:
        """The text: the hook's if it set one, else the bytes decoded; empty if not UTF-8."""
        return self._original_text() if self._new_text is None else self._new_text

    @text.setter
    def text(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"body must be a string, got {type(value).__name__}")
        value.encode()  # reports lone surrogates here, on the hook's own line
        self._new_text = value

    def replacement(self) -> bytes | None:
        """Return the body that replaces the host's, ``None`` if it is unchanged.

        A changed ``body`` counts only if ``raw_body`` was not changed (contract 6).
        """
        if self._new_raw is not None:
            return None if self._new_raw is self._raw else self._new_raw
        if self._new_text is not None and self._is_edited(self._new_text):
            return self._new_text.encode()
        return None

    def _is_edited(self, text: str) -> bool:
        if text and self._raw is None:  # never read: do not make the host read it to compare
            return True
        return text != self._original_text()

    def _original(self) -> bytes:
        if self._raw is None:
            try:
                self._raw = b"" if self._lent is None else bytes(self._lent)
            except ValueError as error:  # released
                raise HookError(
                    "the body was first read after its call had ended: read it inside the hook"
                ) from error
        return self._raw

    def _original_text(self) -> str:
        if self._text is None:
            try:
                self._text = "" if self._raw_only else self._original().decode()
            except UnicodeDecodeError:
                self._text = ""
        return self._text
