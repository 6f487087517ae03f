"""Services of the gateway for plugin code: store, events, log (contract 5)."""

from __future__ import annotations

import math
import numbers
from typing import Any, Protocol

from tyk_cffi.errors import NoGatewayError
from tyk_cffi.running import Running, running

# Time limit of one store call, in milliseconds.
STORE_TIMEOUT_MS = 2000

# The longest time to live, in seconds: 285 years. More than 292 years of nanoseconds
# are more than the host can count.
MAX_TTL = 9_000_000_000

_PREFIX = "coprocess-data:"
_LEVELS = frozenset({"debug", "info", "warning", "error"})


class Host(Protocol):
    """What the host offers; ``exports`` brings it over the C boundary."""

    def store_get(self, key: str, timeout_ms: int) -> bytes | None:
        """Return the value, ``None`` when absent; ``StoreError`` when the store fails."""

    def store_set(self, key: str, value: bytes, ttl_ms: int, timeout_ms: int) -> None:
        """Write the value; ``StoreError`` when the store fails."""

    def trigger_event(self, api: str, name: str, payload: str) -> None:
        """Fire an event of that API."""

    def log(self, level: str, api: str, hook: str, message: str) -> None:
        """Write one record."""


_host: Host | None = None


def connect(host: Host | None) -> None:
    """Say who serves: ``exports`` does at start; a plugin's own tests may give a fake."""
    global _host
    _host = host


def host() -> Host:
    """Return the host.

    Raises:
        NoGatewayError: this interpreter does not run inside a gateway.
    """
    if _host is None:
        raise NoGatewayError(
            "no gateway runs here: TykGateway works inside hooks and event handlers; "
            "in a test, give a stand-in to tyk_cffi.gateway.connect()"
        )
    return _host


def write_record(message: str, level: str, owner: Running) -> None:
    """Write one record to the gateway's log on behalf of ``owner``."""
    host().log(level, owner.api, owner.hook, message)


class TykGateway:
    """``from gateway import TykGateway as tyk``."""

    @staticmethod
    def store_data(key: str, value: str | bytes, ttl: int) -> None:
        """Write ``value`` to the gateway's store under ``coprocess-data:<key>``.

        Args:
            key: the name, without the prefix.
            value: text is written as UTF-8.
            ttl: seconds until it expires; 0 or less keeps it.

        Raises:
            TypeError: the value is neither text nor bytes, or the key or the time
                to live is of another type.
            ValueError: a text holds lone surrogates, or the time to live is not finite.
            StoreTimeoutError: the store did not answer in time.
            StoreError: the store failed.
        """
        key = _PREFIX + _text(key, "the key")
        if isinstance(value, str):
            data = _text(value, "the value").encode()
        elif isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
        else:
            raise TypeError(f"the value must be str or bytes, got {type(value).__name__}")
        host().store_set(key, data, _milliseconds(ttl), STORE_TIMEOUT_MS)

    @staticmethod
    def get_data(key: str) -> bytes:
        """Read what ``store_data`` wrote; ``b""`` when absent.

        Raises:
            StoreTimeoutError: the store did not answer in time.
            StoreError: the store failed; never an empty value.
        """
        return host().store_get(_PREFIX + _text(key, "the key"), STORE_TIMEOUT_MS) or b""

    @staticmethod
    def trigger_event(name: str, payload: str) -> None:
        """Fire event ``name`` of the running hook's API; ``payload`` becomes ``Meta.Message``.

        Raises:
            TypeError: one of them is not a string.
            ValueError: one of them holds lone surrogates, or the name is empty.
        """
        if not _text(name, "the event's name"):
            raise ValueError("the event's name is empty")
        host().trigger_event(running.get().api, name, _text(payload, "the payload"))

    @staticmethod
    def log(message: str, level: str = "info") -> None:
        """Write to the gateway's log: ``debug``, ``info``, ``warning``, ``error``, else info."""
        known = isinstance(level, str) and level in _LEVELS
        write_record(str(message), level if known else "info", running.get())

    @staticmethod
    def log_error(message: str) -> None:
        """Write to the gateway's log at level error."""
        TykGateway.log(message, "error")


def _text(value: Any, what: str) -> str:
    """Return a text that has a UTF-8 form; the error is raised on the hook's own line."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be str, got {type(value).__name__}")
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} has no UTF-8 form: {error}") from None
    return value


def _milliseconds(ttl: Any) -> int:
    """Return a time to live as the host takes it; 0 keeps the value."""
    if isinstance(ttl, bool) or not isinstance(ttl, numbers.Real):
        raise TypeError(f"the time to live must be a number of seconds, got {type(ttl).__name__}")
    if not -math.inf < ttl <= MAX_TTL:  # not a number is neither
        raise ValueError(f"the time to live must be at most {MAX_TTL} seconds, got {ttl}")
    return math.ceil(ttl * 1000) if ttl > 0 else 0
