"""The C side of the runtime: functions that the host calls, and the host's own as Python.

The only importer of the generated ``ffi``; it converts and decides nothing. It
is imported once, by the library's start, on the thread that started Python; its
functions run on whatever thread the host calls from, with the GIL.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from google.protobuf.internal import api_implementation

import tyk_cffi.gateway
from tyk_cffi import guard, logs
from tyk_cffi.body import Lent, Unread
from tyk_cffi.dispatcher import Dispatcher, explain
from tyk_cffi.errors import (
    GatewayError,
    HookError,
    StoreError,
    StoreTimeoutError,
    UnknownError,
)
from tyk_cffi.libgateway import ffi, lib

if api_implementation.Type() != "upb":
    raise ImportError(
        f"protobuf runs without its C implementation (found {api_implementation.Type()!r}, "
        f"20 times slower): install a wheel with `pip install --force-reinstall protobuf` "
        f"and unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
    )

_OK: int = lib.GATEWAY_OK
_dispatcher = Dispatcher()
_bindings = _dispatcher.bindings
_unpack, _buffer, _answer = ffi.unpack, ffi.buffer, lib.gateway_answer


class _CHost:
    """The host's callback table. The GIL is released while a callback runs."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def body(self, reply: Any, which: int) -> bytes:
        data, size = ffi.new("char **"), ffi.new("size_t *")
        if self._table.body(reply, which, data, size) == lib.HOST_OK:
            return _unpack(data[0], size[0]) if size[0] else b""
        raise HookError(f"the host did not read the body: {_take(data, size).decode()}")

    def store_get(self, key: str, timeout_ms: int) -> bytes | None:
        name = key.encode()
        value, size = ffi.new("char **"), ffi.new("size_t *")
        status = self._table.store_get(name, len(name), timeout_ms, value, size)
        return _store_result(status, key, value, size)

    def store_set(self, key: str, value: bytes, ttl_ms: int, timeout_ms: int) -> None:
        name = key.encode()
        error, size = ffi.new("char **"), ffi.new("size_t *")
        status = self._table.store_set(
            name, len(name), value, len(value), ttl_ms, timeout_ms, error, size
        )
        _store_result(status, key, error, size)

    def trigger_event(self, api: str, name: str, payload: str) -> None:
        a, n, p = api.encode(), name.encode(), payload.encode()
        self._table.trigger_event(a, len(a), n, len(n), p, len(p))

    def log(self, level: str, api: str, hook: str, message: str) -> None:
        parts = [text.encode(errors="backslashreplace") for text in (level, api, hook, message)]
        self._table.log(*(argument for part in parts for argument in (part, len(part))))


def _take(text: Any, size: Any) -> bytes:
    """Take over a text that a callback gave, from malloc; empty when it gave none."""
    if text[0] == ffi.NULL:
        return b""
    data = _unpack(text[0], size[0])
    lib.free(text[0])
    return data


def _store_result(status: int, key: str, text: Any, size: Any) -> bytes | None:
    """Turn what a store callback answered into a value or an error."""
    data = _take(text, size)
    if status == lib.HOST_OK:
        return data
    if status == lib.HOST_ABSENT:
        return None
    if status == lib.HOST_TIMED_OUT:
        raise StoreTimeoutError(f"the store did not answer in time for {key!r}")
    raise StoreError(f"the store failed for {key!r}: {(data or b'no reason given').decode()}")


def _lend(body: Any, size: int, reply: Any, which: int) -> Lent:
    """Wrap a body of the host's; it is read from the host when it has not read it itself."""
    if body:
        return memoryview(_buffer(body, size))
    return Unread(lambda: _host.body(reply, which))


def _fail(reply: Any, error: BaseException, what: str) -> int:
    """Write a failure into the reply and return its status."""
    status = error.status if isinstance(error, GatewayError) else GatewayError.status
    _fill(reply, explain(error, what).encode(errors="backslashreplace"))
    return int(getattr(lib, status))


def _fill(reply: Any, message: bytes, body: bytes = b"") -> None:
    """Write both parts of a reply."""
    if not _answer(reply, message, len(message), body, len(body)):
        raise MemoryError(f"no room for a reply of {len(message) + len(body)} bytes")


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
    lent_too = (
        _lend(response_body, response_body_len, reply, lib.HOST_RESPONSE_BODY)
        if response_body_len
        else None
    )
    try:
        if binding is None:
            raise UnknownError(f"there is no hook with handle {handle}")
        out, new_body = binding.run(_unpack(message, message_len), lent, lent_too)
        if new_body is None:
            _fill(reply, out)
        else:
            _fill(reply, out, new_body)
            reply.body = lib.GATEWAY_BODY_REPLACED
    except BaseException as error:  # sys.exit() and Ctrl-C included: the gateway lives
        return _fail(reply, error, binding.label if binding else "the call")
    finally:  # the host takes its memory back
        if lent is not None:
            lent.release()
        if lent_too is not None:
            lent_too.release()
    return _OK


def _answering(what: str) -> Callable[..., Any]:
    """Export a function of JSON in, JSON out, that may raise."""

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


@_answering("loading")
def gateway_load(request: bytes) -> Any:
    return _dispatcher.load(request)


@_answering("binding")
def gateway_bind(request: bytes) -> Any:
    return _dispatcher.bind(request)


@_answering("the event handler")
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
def gateway_stop(reply: Any) -> int:
    try:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        _fill(reply, b"")
    except BaseException as error:
        return _fail(reply, error, "stopping")
    return _OK


_host = _CHost(lib.gateway_host)
if lib.gateway_host != ffi.NULL:  # null only when a test imports the library itself
    tyk_cffi.gateway.connect(_host)
    guard.install()
    logs.install()
