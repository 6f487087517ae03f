"""The library answers any bytes with a status and a text, and never crashes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.source import Source
from support.transports import Library

from tyk_cffi.answer import OK

FAILURES = {
    "GATEWAY_HOOK_FAILED",
    "GATEWAY_UNKNOWN",
    "GATEWAY_BAD_MESSAGE",
    "GATEWAY_LOAD_FAILED",
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["handle", "key", "path", "entry", "keep", "source", "type", "name", "spec"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
REQUESTS = st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())


@pytest.fixture
def new_transport() -> type[Library]:
    """Only the real library; its Python part runs in this interpreter."""
    return Library


@pytest.mark.parametrize("name", ["load", "bind", "dispatch_event"])
def test_any_request_is_answered(name: str) -> None:
    """Arbitrary bytes, JSON, and JSON with the expected keys."""
    library = Library()

    @given(REQUESTS)
    def check(data: bytes) -> None:
        status, text, _ = library.control(name, data)
        assert status == OK or (status in FAILURES and text)

    check()


def test_any_message_is_answered(source: Source) -> None:
    """By a hook that reads all of it."""
    source.hook(
        "request.add_header('a', str(request.get_header('b')) + session.alias)\n"
        "request.object.body += 'x'\n"
        "str(request.object)"
    )
    source.load()
    hook = source.bind()

    @given(st.binary(max_size=200), st.binary(max_size=50))
    def check(message: bytes, body: bytes) -> None:
        status, text, _ = source.transport.dispatch(hook.handle, message, body)
        assert status == OK or (status in FAILURES and text)

    check()
