"""The C interface: converts the host's calls for the dispatcher, and plugins' calls for the host.

The only module that imports the generated ``ffi``. It converts values and contains no other
logic. The library imports it once, at start, on the thread that started Python. Its
functions run on the thread of the host's call and hold the GIL.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from tyk_cffi import logs
from tyk_cffi.answer import OK, Answer, Limits, cut
from tyk_cffi.body import Lendable
from tyk_cffi.dispatcher import Dispatcher
from tyk_cffi.errors import GatewayError, HookError, StoreError, StoreTimeoutError
from tyk_cffi.libgateway import ffi, lib
from tyk_cffi.start import start

_STATUS: dict[str, int] = ffi.typeof("enum gateway_status").relements
_LEVELS = {
    "debug": lib.HOST_LOG_DEBUG,
    "info": lib.HOST_LOG_INFO,
    "warning": lib.HOST_LOG_WARNING,
    "error": lib.HOST_LOG_ERROR,
}

# The table is NULL only if a test imports the library directly.
_LIMITS = (
    Limits(*(min(getattr(lib.gateway_host.limits, f), sys.maxsize) for f in Limits._fields))
    if lib.gateway_host
    else Limits()
)
_dispatcher = Dispatcher(_LIMITS)

# Read on every call.
_unpack, _buffer, _answer = ffi.unpack, ffi.buffer, lib.gateway_answer
_REPLACED: int = lib.GATEWAY_BODY_REPLACED
_REQUEST_BODY: int = lib.HOST_REQUEST_BODY
_RESPONSE_BODY: int = lib.HOST_RESPONSE_BODY


class _CHost:
    """The host's callback table. The GIL is released while a callback runs."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.log_level: int = table.log_level if table else lib.HOST_LOG_DEBUG

    def body(self, call: int, which: int) -> bytes:
        data, size = ffi.new("char **"), ffi.new("size_t *")
        status = self._table.body(call, which, data, size)
        if status == lib.HOST_OK:
            return _unpack(data[0], size[0]) if size[0] else b""
        if status == lib.HOST_DID_NOT_RUN:
            raise HookError("the body was read after its call had ended")
        raise HookError(f"the host could not read the body: {_take_text(data, size).decode()}")

    def store_get(self, key: str, timeout_ms: int) -> bytes | None:
        name = key.encode()
        _check("key", len(name), _LIMITS.store_value, "get_data")
        value, size = ffi.new("char **"), ffi.new("size_t *")
        status = self._table.store_get(name, len(name), timeout_ms, value, size)
        return _store_result(status, key, value, size)

    def store_set(self, key: str, value: bytes, ttl_ms: int, timeout_ms: int) -> None:
        name = key.encode()
        _check("key and value", len(name) + len(value), _LIMITS.store_value, "store_data")
        error, size = ffi.new("char **"), ffi.new("size_t *")
        status = self._table.store_set(
            name, len(name), value, len(value), ttl_ms, timeout_ms, error, size
        )
        _store_result(status, key, error, size)

    def store_delete(self, key: str, timeout_ms: int) -> bool:
        return self._on_key("delete_data", "store_delete", key, timeout_ms) is not None

    def store_increment(self, key: str, by: int, ttl_ms: int, timeout_ms: int) -> int:
        result = ffi.new("int64_t *")
        self._on_key("increment_data", "store_increment", key, by, ttl_ms, timeout_ms, result)
        return int(result[0])

    def store_ttl(self, key: str, timeout_ms: int) -> int | None:
        left = ffi.new("int64_t *")
        found = self._on_key("ttl", "store_ttl", key, timeout_ms, left)
        return None if found is None else int(left[0])

    def _on_key(self, call: str, callback: str, key: str, *arguments: Any) -> bytes | None:
        """Run a store callback that returns no bytes; return ``None`` if there is no such key."""
        name = key.encode()
        _check("key", len(name), _LIMITS.store_value, call)
        error, size = ffi.new("char **"), ffi.new("size_t *")
        status = getattr(self._table, callback)(name, len(name), *arguments, error, size)
        return _store_result(status, key, error, size)

    def trigger_event(self, api: str, name: str, payload: str) -> None:
        limit = _LIMITS.event_payload
        _check("name and payload", len(name) + len(payload), limit, "trigger_event")
        a, n, p = api.encode(), name.encode(), payload.encode()
        _check("name and payload", len(n) + len(p), limit, "trigger_event")
        if self._table.trigger_event(a, len(a), n, len(n), p, len(p)) != lib.HOST_OK:
            raise GatewayError(f"the host rejected event {name!r}")

    def log(self, level: str, api: str, hook: str, message: str) -> None:
        if _LEVELS[level] < self.log_level:
            return
        parts = [text.encode(errors="backslashreplace") for text in (level, api, hook)]
        parts.append(cut(message, _LIMITS.log_message))
        self._table.log(*(argument for part in parts for argument in (part, len(part))))


def _check(what: str, size: int, limit: int, call: str) -> None:
    """Raise ``ValueError`` if a value exceeds the host's limit in bytes."""
    if size > limit:
        raise ValueError(f"{call}: {what} of {size} bytes: the gateway's limit is {limit}")


def _take_text(text: Any, size: Any) -> bytes:
    """Copy and free a text that a callback allocated with malloc; empty if there is none."""
    if text[0] == ffi.NULL:
        return b""
    data = _unpack(text[0], size[0])
    lib.free(text[0])
    return data


def _store_result(status: int, key: str, text: Any, size: Any) -> bytes | None:
    """Convert the result of a store callback into a value or an exception."""
    data = _take_text(text, size)
    if status == lib.HOST_OK:
        return data
    if status == lib.HOST_ABSENT:
        return None
    if status == lib.HOST_TIMED_OUT:
        raise StoreTimeoutError(f"the store did not answer in time for {key!r}")
    if status == lib.HOST_REFUSED:
        raise ValueError(f"the gateway refused {key!r}: {data.decode(errors='replace')}")
    reason = data.decode(errors="replace") or "no reason given"
    raise StoreError(f"the store failed for {key!r}: {reason}")


def _lendable(body: Any, size: int, reply: Any, which: int) -> Lendable:
    """Return a body that the host owns; ``NULL`` is one that it has not read yet."""
    if body:
        buffer: Lendable = _buffer(body, size)
        return buffer
    return partial(_host.body, reply.call, which)


def _fill(reply: Any, answer: Answer) -> int:
    """Copy an answer into the host's reply and return its status."""
    status, message, body = answer
    if body is None:
        filled = _answer(reply, message, len(message), b"", 0)
    elif filled := _answer(reply, message, len(message), body, len(body)):
        reply.body = _REPLACED
    if not filled:
        size = len(message) + len(body or b"")
        raise MemoryError(f"no memory for a reply of {size} bytes")
    return _STATUS[status]


def _fail(reply: Any, answer: Answer) -> int:
    """Report a failure of the crossing itself."""
    try:
        return _fill(reply, answer)
    except MemoryError:
        return int(lib.GATEWAY_DID_NOT_RUN)


@ffi.def_extern()
def gateway_dispatch(
    handle: int,
    message: Any,
    message_len: int,
    body: Any,
    body_len: int,
    response_body: Any,
    response_body_len: int,
    reply: Any,
) -> int:
    try:
        status, out, new_body = _dispatcher.dispatch(
            handle,
            _unpack(message, message_len),
            _lendable(body, body_len, reply, _REQUEST_BODY) if body_len else None,
            _lendable(response_body, response_body_len, reply, _RESPONSE_BODY)
            if response_body_len
            else None,
        )
        # Most calls change no body; this is their part of _fill, without its call.
        if new_body is None and _answer(reply, out, len(out), b"", 0):
            return _STATUS[status]
        return _fill(reply, (status, out, new_body))
    except BaseException as error:  # memory is exhausted, for instance
        return _fail(reply, _dispatcher.failure(handle, error))


def _control(name: str) -> None:
    """Export a function of the dispatcher that takes and returns JSON."""

    def exported(request: Any, request_len: int, reply: Any) -> int:
        try:
            return _fill(reply, _dispatcher.control(name, _unpack(request, request_len)))
        except BaseException as error:
            return _fail(reply, _dispatcher.failure(name, error))

    ffi.def_extern(name=f"gateway_{name}")(exported)


_control("load")
_control("bind")
_control("dispatch_event")


@ffi.def_extern()
def gateway_unbind(handle: int) -> int:
    _dispatcher.unbind(handle)
    return _STATUS[OK]


@ffi.def_extern()
def gateway_stats(reply: Any) -> int:
    return _fill(reply, _dispatcher.control("stats"))


@ffi.def_extern()
def gateway_log_level(level: int) -> int:
    _host.log_level = level
    logs.set_level(level)
    return _STATUS[OK]


@ffi.def_extern()
def gateway_stop(timeout_ms: int, reply: Any) -> int:
    return _fill(reply, _dispatcher.shut_down(timeout_ms / 1000))


_host = _CHost(lib.gateway_host)
if lib.gateway_host != ffi.NULL:  # NULL only if a test imports the library directly
    start(_host, _host.log_level)
