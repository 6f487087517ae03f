"""A body that travels beside its message and is copied only when somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tyk_cffi.errors import HookError


class UnreadBody:
    """A body that the host has not read yet; looked at like a ``memoryview`` of it.

    Args:
        read: asks the host for the bytes.
    """

    __slots__ = ("_lock", "_read")

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read: Callable[[], bytes] | None = read
        # A thread of the plugin's may be reading when the call ends.
        self._lock = threading.Lock()

    def __bytes__(self) -> bytes:
        """Return the bytes; ``ValueError`` once released."""
        with self._lock:
            if self._read is None:
                raise ValueError("released")
            return self._read()

    def release(self) -> None:
        """The call has ended: the host has no body for it any more."""
        with self._lock:
            self._read = None


# What the host lends for the time of one call; released when the call ends.
Lent = memoryview | UnreadBody


class Body:
    """One body of a call: as the host lent it, and as the hook left it.

    Args:
        lent: the host's body, ``None`` for no body. Read during the call only.
        raw_only: the hook's ``raw_body_only``: the text stays empty.
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
        """The bytes: those the hook set, else those of the host.

        Raises:
            HookError: first touched after the call had ended, or the host could
                not read it.
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
        """The text: what the hook set, else the bytes when they are UTF-8, else empty."""
        return self._original_text() if self._new_text is None else self._new_text

    @text.setter
    def text(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"body must be a string, got {type(value).__name__}")
        value.encode()  # lone surrogates are told here, on the hook's own line
        self._new_text = value

    def replacement(self) -> bytes | None:
        """Return the body that replaces the host's, ``None`` to keep it.

        An edited ``body`` counts unless ``raw_body`` was edited too (contract 6).
        """
        if self._new_raw is not None:
            return None if self._new_raw is self._raw else self._new_raw
        if self._new_text is not None and self._is_edited(self._new_text):
            return self._new_text.encode()
        return None

    def _is_edited(self, text: str) -> bool:
        if text and self._raw is None:  # nobody looked: the host need not read it for this
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
