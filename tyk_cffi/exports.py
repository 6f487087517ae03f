"""The C interface of the runtime: functions that the host calls, and its callbacks.

The only module that imports the generated ``ffi``. It converts values and contains no other
logic. The library imports it once, at start, on the thread that started Python. Its
functions run on the thread of the host's call and hold the GIL.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf.internal import api_implementation

import tyk_cffi.gateway
from tyk_cffi import guard, logs, unload
from tyk_cffi.binding import Binding
from tyk_cffi.body import Lent, UnreadBody
from tyk_cffi.dispatcher import Dispatcher
from tyk_cffi.errors import (
    GatewayError,
    HookError,
    StoreError,
    StoreTimeoutError,
    UnknownError,
)
from tyk_cffi.explain import explain
from tyk_cffi.libgateway import ffi, lib

if api_implementation.Type() != "upb":
    raise ImportError(
        f"protobuf does not use its C implementation (found {api_implementation.Type()!r}, "
        f"20 times slower): install a wheel with `pip install --force-reinstall protobuf` "
        f"and unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
    )

_OK: int = lib.GATEWAY_OK
_dispatcher = Dispatcher()
_bindings = _dispatcher.bindings
_unpack, _buffer, _answer = ffi.unpack, ffi.buffer, lib.gateway_answer

_LEVELS = {
    "debug": lib.HOST_LOG_DEBUG,
    "info": lib.HOST_LOG_INFO,
    "warning": lib.HOST_LOG_WARNING,
    "error": lib.HOST_LOG_ERROR,
}


class _Limits(NamedTuple):
    """``host_limits`` as Python integers."""

    store_value: int = sys.maxsize
    event_payload: int = sys.maxsize
    log_message: int = sys.maxsize
    reply_message: int = sys.maxsize
    reply_body: int = sys.maxsize


# The table is NULL only if a test imports the library directly.
_LIMITS = (
    _Limits(*(min(getattr(lib.gateway_host.limits, f), sys.maxsize) for f in _Limits._fields))
    if lib.gateway_host
    else _Limits()
)
_MESSAGE_LIMIT, _BODY_LIMIT = _LIMITS.reply_message, _LIMITS.reply_body  # read on every call


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
        parts.append(_cut(message, _LIMITS.log_message))
        self._table.log(*(argument for part in parts for argument in (part, len(part))))


def _check(what: str, size: int, limit: int, call: str) -> None:
    """Raise ``ValueError`` if a value exceeds the host's limit in bytes."""
    if size > limit:
        raise ValueError(f"{call}: {what} of {size} bytes: the gateway's limit is {limit}")


def _cut(text: str, limit: int) -> bytes:
    """Encode a text and cut it at ``limit`` bytes, without copying all of it."""
    data = text[:limit].encode(errors="backslashreplace")
    if len(text) <= limit and len(data) <= limit:
        return data
    return data[:limit].decode(errors="ignore").encode() + b" ... [cut: %d characters]" % len(text)


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


def _lend(body: Any, size: int, reply: Any, which: int) -> Lent:
    """Wrap a body that the host owns; if the host has not read it yet, read it on demand."""
    if body:
        return memoryview(_buffer(body, size))
    call = reply.call  # later calls reuse the reply
    return UnreadBody(lambda: _host.body(call, which))


def _fail(reply: Any, error: BaseException, what: str) -> int:
    """Write a failure into the reply and return its status."""
    status = error.status if isinstance(error, GatewayError) else GatewayError.status
    try:
        text = _cut(explain(error, what), _LIMITS.log_message)
    except BaseException as second:  # MemoryError, for instance
        text = f"{what} failed: {type(error).__name__}; its text: {type(second).__name__}".encode()
    if not _answer(reply, text, len(text), ffi.NULL, 0):
        return int(lib.GATEWAY_DID_NOT_RUN)
    return int(getattr(lib, status))


def _fill(reply: Any, message: bytes, body: bytes = b"", of: Binding | None = None) -> None:
    """Write message and body into a reply; ``of`` is the hook that made them, if any."""
    if len(message) > _MESSAGE_LIMIT or len(body) > _BODY_LIMIT:
        raise HookError(
            f"{of.label if of else 'the call'} failed: its reply is too large: "
            f"{len(message)} bytes of message and {len(body)} of body; the gateway's limits "
            f"are {_MESSAGE_LIMIT} and {_BODY_LIMIT}"
        )
    if not _answer(reply, message, len(message), body, len(body)):
        raise MemoryError(f"no memory for a reply of {len(message) + len(body)} bytes")


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
    binding = _bindings.get(handle)
    lent = _lend(body, body_len, reply, lib.HOST_REQUEST_BODY) if body_len else None
    lent_response = (
        _lend(response_body, response_body_len, reply, lib.HOST_RESPONSE_BODY)
        if response_body_len
        else None
    )
    try:
        if binding is None:
            raise UnknownError(f"there is no hook with handle {handle}")
        out, new_body = binding.run(_unpack(message, message_len), lent, lent_response)
        if new_body is None:
            _fill(reply, out, b"", binding)
        else:
            _fill(reply, out, new_body, binding)
            reply.body = lib.GATEWAY_BODY_REPLACED
    except BaseException as error:  # sys.exit() included: the gateway must not end
        return _fail(reply, error, binding.label if binding else "the call")
    finally:  # the host reuses the memory
        if lent is not None:
            lent.release()
        if lent_response is not None:
            lent_response.release()
    return _OK


def _json_function(what: str) -> Callable[..., Any]:
    """Export a function that takes and returns JSON; its exceptions become failures."""

    def export(function: Callable[[bytes], Any]) -> Any:
        def exported(request: Any, request_len: int, reply: Any) -> int:
            try:
                answer = function(_unpack(request, request_len))
                _fill(reply, json.dumps(answer).encode())
            except BaseException as error:
                return _fail(reply, error, what)
            return _OK

        return ffi.def_extern(name=function.__name__)(exported)

    return export


@_json_function("loading")
def gateway_load(request: bytes) -> Any:
    return _dispatcher.load(request)


@_json_function("binding")
def gateway_bind(request: bytes) -> Any:
    return _dispatcher.bind(request)


@_json_function("the event handler")
def gateway_dispatch_event(event: bytes) -> Any:
    return _dispatcher.dispatch_event(event)


@ffi.def_extern()
def gateway_unbind(handle: int) -> int:
    _dispatcher.unbind(handle)
    return _OK


@ffi.def_extern()
def gateway_stats(reply: Any) -> int:
    _fill(reply, json.dumps(_dispatcher.stats()).encode())
    return _OK


@ffi.def_extern()
def gateway_log_level(level: int) -> int:
    _host.log_level = level
    logs.set_level(level)
    return _OK


@ffi.def_extern()
def gateway_stop(timeout_ms: int, reply: Any) -> int:
    try:
        end = time.monotonic() + 0.9 * timeout_ms / 1000  # the rest is for the following steps
        _dispatcher.stop(end - time.monotonic())
        unload.finish(end)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        _fill(reply, b"")
    except BaseException as error:
        return _fail(reply, error, "stopping")
    return _OK


_host = _CHost(lib.gateway_host)
if lib.gateway_host != ffi.NULL:  # NULL only if a test imports the library directly
    tyk_cffi.gateway.connect(_host)
    guard.install()
    logs.install(_host.log_level)
