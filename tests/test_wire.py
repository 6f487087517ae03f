"""The hand-written encoder produces valid protobuf."""

from __future__ import annotations

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from hypothesis import given
from hypothesis import strategies as st

from tyk_cffi import wire
from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.proto.coprocess_object_pb2 import Object

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(st.integers(0, 2**64 - 1))
def test_varints_are_protobufs(number: int) -> None:
    """Any number that fits."""
    assert wire.varint(number) == _VarintBytes(number)


@given(TEXT, TEXT)
def test_entries_are_protobufs(key: str, value: str) -> None:
    """Any name and value, short or long."""
    message = MiniRequestObject(set_headers={key: value})
    read = MiniRequestObject.FromString(wire.entry(wire.SET_HEADERS, key, value))
    assert read == message


@given(TEXT)
def test_texts_and_nested_messages_are_protobufs(value: str) -> None:
    """Any text, inside a message inside a message."""
    inner = wire.text(wire.DELETE_HEADERS, value)
    read = Object.FromString(wire.field(wire.OBJECT_REQUEST, inner))
    assert list(read.request.delete_headers) == [value]


@pytest.mark.parametrize("bad", [5, None, b"bytes", 1.5])
def test_values_other_than_strings_are_refused(bad: object) -> None:
    """On the hook's own line."""
    with pytest.raises(TypeError, match="string"):
        wire.entry(wire.SET_HEADERS, "name", bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="string"):
        wire.text(wire.DELETE_HEADERS, bad)  # type: ignore[arg-type]


def test_lone_surrogates_are_refused() -> None:
    """They cannot be encoded as UTF-8."""
    with pytest.raises(UnicodeEncodeError):
        wire.entry(wire.SET_HEADERS, "name", "\ud800")
