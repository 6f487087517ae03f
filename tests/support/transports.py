"""Two ways to call a dispatcher: directly, and through the real library."""

from __future__ import annotations

import functools
import itertools
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from cffi import FFI

from tyk_cffi.answer import Answer, Limits
from tyk_cffi.body import Lendable
from tyk_cffi.dispatcher import Dispatcher
from tyk_cffi.info import collect

BUILD = Path(__file__).resolve().parents[2] / "build_gateway.py"


class Transport(Protocol):
    """Brings calls to a dispatcher of its own, and returns its answers."""

    dispatcher: Dispatcher

    def dispatch(
        self,
        handle: int,
        message: bytes,
        body: Lendable | None = None,
        response_body: Lendable | None = None,
    ) -> Answer:
        """Run a hook; a body that can be called is one that the host has not read."""

    def control(self, name: str, request: bytes) -> Answer:
        """Load, bind or dispatch an event."""


class InMemory:
    """Calls the dispatcher as it is."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.dispatcher = Dispatcher(limits)
        self.dispatch = self.dispatcher.dispatch
        self.control = self.dispatcher.control


@functools.cache
def library() -> tuple[Any, Any]:
    """Return ``ffi`` and the real library, by the header's declarations.

    It is loaded without ``gateway_start``: its Python part runs in this interpreter.
    """
    import tyk_cffi.transport.cffi  # noqa: F401

    ffi = FFI()
    types, exported = runpy.run_path(str(BUILD))["declarations"]()
    ffi.cdef(f"{types}\n{exported}")
    return ffi, ffi.dlopen(collect().library)


class Library:
    """Calls the C functions of the library, as the driver does.

    The library has one dispatcher; each call sets it to that of its transport.
    """

    _unread: dict[int, tuple[Lendable | None, Lendable | None]] = {}  # noqa: RUF012
    _handed_out: dict[int, list[Any]] = {}  # noqa: RUF012
    _ids = itertools.count(1)

    def __init__(self, limits: Limits | None = None) -> None:
        self.dispatcher = Dispatcher(limits)
        self.ffi, self.lib = library()

    def dispatch(
        self,
        handle: int,
        message: bytes,
        body: Lendable | None = None,
        response_body: Lendable | None = None,
    ) -> Answer:
        reply = self._begin()
        reply.call = call = next(self._ids)
        self._unread[call] = body, response_body
        self._handed_out[call] = []
        bodies = *self._pointer(body), *self._pointer(response_body)
        try:
            status = self.lib.gateway_dispatch(handle, message, len(message), *bodies, reply)
            return self._answer(reply, status)
        finally:
            del self._unread[call], self._handed_out[call]

    def control(self, name: str, request: bytes) -> Answer:
        reply = self._begin()
        call = getattr(self.lib, f"gateway_{name}")
        return self._answer(reply, call(request, len(request), reply))

    def _begin(self) -> Any:
        from tyk_cffi.transport import cffi

        cffi._dispatcher = self.dispatcher
        cffi._host = _host_of_bodies()
        return self.ffi.new("gateway_reply *")

    def _pointer(self, data: Lendable | None) -> tuple[Any, int]:
        if callable(data):
            return self.ffi.NULL, 1
        return (self.ffi.from_buffer("char[]", data), len(data)) if data else (self.ffi.NULL, 0)

    def _answer(self, reply: Any, status: int) -> Answer:
        name = self.ffi.typeof("enum gateway_status").elements[status]
        data = (
            self.ffi.unpack(reply.data, reply.message_len + reply.body_len) if reply.data else b""
        )
        message, body = data[: reply.message_len], data[reply.message_len :]
        replaced = reply.body == self.lib.GATEWAY_BODY_REPLACED
        self.lib.gateway_free(reply)
        return name, message, body if replaced else None


@functools.cache
def _host_of_bodies() -> Any:
    """The library's side of a host that reads bodies, and nothing else."""
    from tyk_cffi.transport import cffi

    ffi, lib = library()

    def read(call: int, which: int, data: Any, size: Any) -> int:
        if call not in Library._unread:
            return int(lib.HOST_DID_NOT_RUN)
        body = Library._unread[call][which]
        assert callable(body)
        value = ffi.new("char[]", content := body())
        Library._handed_out[call].append(value)  # it is valid until the call returns
        data[0], size[0] = value, len(content)
        return int(lib.HOST_OK)

    callback = ffi.callback("int(uint64_t, int, char **, size_t *)", read)
    table = ffi.new("host_table *", {"log_level": lib.HOST_LOG_DEBUG, "body": callback})
    generated: Any = vars(cffi)["ffi"]
    host: Any = cffi._CHost(generated.cast("host_table *", int(ffi.cast("uintptr_t", table))))
    host.kept = table, callback
    return host


TRANSPORTS: dict[str, Callable[[], Transport]] = {"memory": InMemory, "library": Library}
