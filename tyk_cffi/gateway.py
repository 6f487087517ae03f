"""Services of the gateway for plugin code: store, events, log (contract 5)."""

from __future__ import annotations

from typing import Protocol

from tyk_cffi.errors import NoGatewayError
from tyk_cffi.running import running

# Time limit of one store call, in milliseconds.
STORE_TIMEOUT_MS = 2000

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
            StoreTimeoutError: the store did not answer in time.
            StoreError: the store failed.
        """
        data = value.encode() if isinstance(value, str) else bytes(value)
        host().store_set(_PREFIX + key, data, max(0, int(ttl * 1000)), STORE_TIMEOUT_MS)

    @staticmethod
    def get_data(key: str) -> bytes:
        """Read what ``store_data`` wrote; ``b""`` when absent.

        Raises:
            StoreTimeoutError: the store did not answer in time.
            StoreError: the store failed; never an empty value.
        """
        return host().store_get(_PREFIX + key, STORE_TIMEOUT_MS) or b""

    @staticmethod
    def trigger_event(name: str, payload: str) -> None:
        """Fire event ``name`` of the running hook's API; ``payload`` becomes ``Meta.Message``."""
        host().trigger_event(running.get().api, name, payload)

    @staticmethod
    def log(message: str, level: str = "info") -> None:
        """Write to the gateway's log: ``debug``, ``info``, ``warning``, ``error``, else info."""
        api, hook = running.get()
        host().log(level if level in _LEVELS else "info", api, hook, str(message))

    @staticmethod
    def log_error(message: str) -> None:
        """Write to the gateway's log at level error."""
        TykGateway.log(message, "error")
