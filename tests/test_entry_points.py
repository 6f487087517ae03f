"""The library answers any bytes with a status and a text, and never crashes."""

from __future__ import annotations

import ctypes
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.source import Source

from tyk_cffi.info import collect

OK, FAILURES = 1, {2, 3, 4, 5}


class Reply(ctypes.Structure):
    """``gateway_reply`` of libgateway.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("capacity", ctypes.c_size_t),
        ("message_len", ctypes.c_size_t),
        ("body_len", ctypes.c_size_t),
        ("body", ctypes.c_int32),
    )

    @property
    def text(self) -> bytes:
        return ctypes.string_at(self.data or 0, self.message_len) if self.data else b""


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    """The real shared library; its Python part runs in this interpreter."""
    importlib.import_module("tyk_cffi.exports")
    return ctypes.CDLL(collect().library)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "path", "entry", "keep", "source", "type", "name", "spec"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
REQUESTS = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize("function", ["gateway_load", "gateway_bind", "gateway_dispatch_event"])
def test_any_request_is_answered(library: ctypes.CDLL, function: str) -> None:
    """Arbitrary bytes, JSON, and JSON with the expected keys."""
    call: Callable[..., int] = getattr(library, function)

    @given(REQUESTS)
    def check(data: bytes) -> None:
        reply = Reply()
        status = call(data, ctypes.c_size_t(len(data)), ctypes.byref(reply))
        assert status == OK or (status in FAILURES and reply.text)
        library.gateway_free(ctypes.byref(reply))

    check()


def test_any_message_is_answered(library: ctypes.CDLL, tmp_path: Path) -> None:
    """By a hook that reads all of it."""
    from tyk_cffi.exports import _dispatcher

    source = Source(tmp_path / "p", "fuzz", _dispatcher)
    source.hook(
        "request.add_header('a', str(request.get_header('b')) + session.alias)\n"
        "request.object.body += 'x'\n"
        "str(request.object)"
    )
    source.load()
    source.bind()
    handle = max(_dispatcher.bindings)

    @given(st.binary(max_size=200), st.binary(max_size=50))
    def check(message: bytes, body: bytes) -> None:
        reply = Reply()
        status = library.gateway_dispatch(
            ctypes.c_uint64(handle),
            message,
            ctypes.c_size_t(len(message)),
            body,
            ctypes.c_size_t(len(body)),
            None,
            ctypes.c_size_t(0),
            ctypes.byref(reply),
        )
        assert status == OK or (status in FAILURES and reply.text)
        library.gateway_free(ctypes.byref(reply))

    check()
