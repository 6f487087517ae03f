"""``TykGateway``, the gateway's services for plugin code: store, events, log (contract 5)."""

from __future__ import annotations

import math
import numbers
from typing import Any, Protocol

from tyk_cffi.errors import NoGatewayError
from tyk_cffi.running import Running, running

# Time limit of one store call, in milliseconds.
STORE_TIMEOUT_MS = 2000

# The longest time to live in seconds: 285 years. The host counts nanoseconds in 64 bits,
# which is 292 years.
MAX_TTL = 9_000_000_000

# The results of ``TykGateway.ttl`` for a key that does not expire and for a missing key, as
# in Redis.
KEPT = -1
ABSENT = -2

_PREFIX = "coprocess-data:"
_LEVELS = frozenset({"debug", "info", "warning", "error"})


class Host(Protocol):
    """The host's callbacks; a transport implements them."""

    def store_get(self, key: str, timeout_ms: int) -> bytes | None:
        """Return the value, ``None`` if there is none; raise ``StoreError`` on failure."""

    def store_set(self, key: str, value: bytes, ttl_ms: int, timeout_ms: int) -> None:
        """Write the value; raise ``StoreError`` on failure."""

    def store_delete(self, key: str, timeout_ms: int) -> bool:
        """Remove the key; return whether it existed."""

    def store_increment(self, key: str, by: int, ttl_ms: int, timeout_ms: int) -> int:
        """Add atomically; raise ``StoreError`` on failure or if the value is not an integer."""

    def store_ttl(self, key: str, timeout_ms: int) -> int | None:
        """Return the milliseconds left, 0 without expiry, ``None`` if there is no such key."""

    def trigger_event(self, api: str, name: str, payload: str) -> None:
        """Fire an event of the API."""

    def log(self, level: str, api: str, hook: str, message: str) -> None:
        """Write one record."""


_host: Host | None = None


def connect(host: Host | None) -> None:
    """Set the host that ``TykGateway`` uses.

    The transport's host is connected at start. Tests of plugins can pass a fake.

    Args:
        host: an object with the methods of ``Host``; ``None`` disconnects.
    """
    global _host
    _host = host


def host() -> Host:
    """Return the host.

    Raises:
        NoGatewayError: no gateway is connected.
    """
    if _host is None:
        raise NoGatewayError(
            "no gateway runs here: TykGateway works inside hooks and event handlers; "
            "in a test, pass a fake host to tyk_cffi.gateway.connect()"
        )
    return _host


def write_record(message: str, level: str, owner: Running) -> None:
    """Write one record to the gateway's log on behalf of ``owner``."""
    host().log(level, owner.api, owner.hook, message)


class TykGateway:
    """The gateway's services: ``from gateway import TykGateway as tyk``.

    The methods can be called from hooks, event handlers and threads that they start; a store
    call takes at most 2 seconds. All of them raise ``NoGatewayError``, a ``RuntimeError``,
    outside a gateway. See section 5 of docs/contract.md.
    """

    @staticmethod
    def store_data(key: str, value: str | bytes, ttl: int) -> None:
        """Write ``value`` to the gateway's store under ``coprocess-data:<key>``.

        Args:
            key: the name, a ``str`` without the prefix.
            value: ``str``, written as UTF-8, or ``bytes``.
            ttl: time to live in seconds, ``int`` or ``float``, at most 9,000,000,000;
                0 or less means that the value does not expire.

        Raises:
            TypeError: an argument is of another type.
            ValueError: a text contains lone surrogates, ``ttl`` is NaN, infinite or too
                large, or key and value exceed the gateway's limit in bytes.
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
        """Read a value that ``store_data`` wrote.

        Args:
            key: the name, a ``str`` without the prefix.

        Returns:
            The value as bytes; ``b""`` if there is none.

        Raises:
            TypeError: ``key`` is not a ``str``.
            ValueError: ``key`` contains lone surrogates, or key or value exceed the
                gateway's limit in bytes.
            StoreTimeoutError: the store did not answer in time.
            StoreError: the store failed.
        """
        return host().store_get(_PREFIX + _text(key, "the key"), STORE_TIMEOUT_MS) or b""

    @staticmethod
    def delete_data(key: str) -> bool:
        """Remove a value that ``store_data`` or ``increment_data`` wrote.

        Args:
            key: the name, without the prefix.

        Returns:
            Whether the key existed.

        Raises:
            TypeError: the key is not a string.
            StoreTimeoutError: the store did not answer in time.
            StoreError: the store failed.
        """
        return host().store_delete(_PREFIX + _text(key, "the key"), STORE_TIMEOUT_MS)

    @staticmethod
    def increment_data(key: str, by: int = 1, ttl: int = 0) -> int:
        """Add ``by`` to a counter atomically, and return the sum.

        No increment is lost, however many hooks and gateways count at once. The value is
        decimal text: ``get_data`` reads it and ``store_data`` may have written it.

        Args:
            key: the name, without the prefix; a missing counter is 0.
            by: the increment, an ``int``, which may be negative.
            ttl: time to live in seconds if this call creates the counter; 0 or less means
                that it does not expire. An existing counter keeps its time to live.

        Raises:
            TypeError: the key is not a string, or the others are not numbers.
            ValueError: ``by`` has more than 64 bits, or the time to live is not finite.
            StoreTimeoutError: the store did not answer in time; it may have counted.
            StoreError: the value is not an integer, the sum has more than 64 bits
                (neither changes anything), or the store failed.
        """
        name = _PREFIX + _text(key, "the key")
        return host().store_increment(name, _integer(by), _milliseconds(ttl), STORE_TIMEOUT_MS)

    @staticmethod
    def exists(key: str) -> bool:
        """Return whether the key exists, even if its value is empty.

        Raises:
            TypeError: the key is not a string.
            StoreTimeoutError: the store did not answer in time.
            StoreError: the store failed; never ``False``.
        """
        return TykGateway.ttl(key) != ABSENT

    @staticmethod
    def ttl(key: str) -> int:
        """Return the time to live of a key in seconds, rounded up.

        As in Redis, the result is -1 if the key does not expire, and -2 if it does not
        exist.

        Raises:
            TypeError: the key is not a string.
            StoreTimeoutError: the store did not answer in time.
            StoreError: the store failed.
        """
        left = host().store_ttl(_PREFIX + _text(key, "the key"), STORE_TIMEOUT_MS)
        if left is None:
            return ABSENT
        return -(-left // 1000) or KEPT

    @staticmethod
    def trigger_event(name: str, payload: str) -> None:
        """Fire an event for the event handlers of the running hook's API.

        Args:
            name: the event's name, a ``str``.
            payload: a ``str``; the event's ``Meta.Message``.

        Raises:
            TypeError: an argument is not a ``str``.
            ValueError: an argument contains lone surrogates, ``name`` is empty, or both
                together exceed the gateway's limit in bytes.
            GatewayError: the gateway rejected the event.
        """
        if not _text(name, "the event's name"):
            raise ValueError("the event's name is empty")
        host().trigger_event(running.get().api, name, _text(payload, "the payload"))

    @staticmethod
    def log(message: str, level: str = "info") -> None:
        """Write a record to the gateway's log, with the running hook's API and name.

        Args:
            message: the text; other objects are converted with ``str``. A text above the
                gateway's limit in bytes is cut.
            level: ``debug``, ``info``, ``warning`` or ``error``; anything else is ``info``.
        """
        known = isinstance(level, str) and level in _LEVELS
        write_record(str(message), level if known else "info", running.get())

    @staticmethod
    def log_error(message: str) -> None:
        """Write a record of level ``error``; see ``log``."""
        TykGateway.log(message, "error")


def _text(value: Any, what: str) -> str:
    """Return ``value`` if it is a string that can be encoded as UTF-8, else raise."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be str, got {type(value).__name__}")
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} has no UTF-8 form: {error}") from None
    return value


def _integer(value: Any) -> int:
    """Return a number that the store can add."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"the increment must be an integer, got {type(value).__name__}")
    if not -(2**63) <= value < 2**63:
        raise ValueError("the increment must fit into 64 bits")
    return int(value)


def _milliseconds(ttl: Any) -> int:
    """Return a time to live in milliseconds; 0 means that the value does not expire."""
    if isinstance(ttl, bool) or not isinstance(ttl, numbers.Real):
        raise TypeError(f"the time to live must be a number of seconds, got {type(ttl).__name__}")
    if not -math.inf < ttl <= MAX_TTL:  # false for NaN too
        raise ValueError(f"the time to live must be at most {MAX_TTL} seconds, got {ttl}")
    return math.ceil(ttl * 1000) if ttl > 0 else 0
