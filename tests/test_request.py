"""The request wrapper behaves like its message, parsed or not."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from tyk_cffi.body import Lent, UnreadBody
from tyk_cffi.envelope import Envelope
from tyk_cffi.errors import HookError, MessageError
from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.proto.coprocess_object_pb2 import Object
from tyk_cffi.request import Request

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add_header", "add_param"]), TEXT, TEXT),
        st.tuples(st.sampled_from(["delete_header", "delete_param"]), TEXT),
        st.tuples(st.sampled_from(["url", "method"]), TEXT),
        st.tuples(st.just("touch")),
    ),
    max_size=8,
)
HEADERS = st.dictionaries(TEXT, TEXT, max_size=5)


def do(request: Request, model: MiniRequestObject, operation: tuple[str, ...]) -> None:
    """Apply one operation to the wrapper and to a plain message."""
    name, *arguments = operation
    if name == "touch":
        assert request.object.scheme == model.scheme
    elif name in ("url", "method"):
        setattr(request.object, name, arguments[0])
        setattr(model, name, arguments[0])
    else:
        getattr(request, name)(*arguments)
        field: Any = getattr(model, {"add_header": "set_headers"}.get(name, name + "s"))
        if len(arguments) == 2:
            field[arguments[0]] = arguments[1]
        else:
            field.append(arguments[0])


@given(HEADERS, HEADERS, TEXT, OPERATIONS)
def test_any_sequence_of_operations_gives_what_the_message_gives(
    headers: dict[str, str], params: dict[str, str], url: str, operations: list[tuple[str, ...]]
) -> None:
    """After the hook, Go reads the same as from a plain message with the same changes."""
    model = MiniRequestObject(headers=headers, params=params, url=url, scheme="http")
    envelope = Envelope(Object(request=model).SerializeToString())
    request = Request(envelope)
    for operation in operations:
        do(request, model, operation)
    reply = Object.FromString(envelope.reply()).request
    if envelope.message is not None:
        assert reply == model
    else:
        for field in ("set_headers", "add_params"):
            assert dict(getattr(reply, field)) == dict(getattr(model, field))
        for field in ("delete_headers", "delete_params"):
            assert list(getattr(reply, field)) == list(getattr(model, field))
        assert not reply.headers


@given(HEADERS, TEXT)
def test_get_header_gives_what_came(headers: dict[str, str], name: str) -> None:
    """The value of each header, ``None`` if it is missing."""
    envelope = Envelope(Object(request=MiniRequestObject(headers=headers)).SerializeToString())
    request = Request(envelope)
    for key, value in headers.items():
        assert request.get_header(key) == value
    canonical = "-".join(part.capitalize() for part in name.split("-"))
    if name not in headers and canonical not in headers:
        assert request.get_header(name) is None


def test_get_header_knows_the_canonical_form() -> None:
    """Hosts use canonical names, plugins use any spelling."""
    data = Object(request=MiniRequestObject(headers={"X-My-Header": "a"})).SerializeToString()
    assert Request(Envelope(data)).get_header("x-MY-header") == "a"


def lend(body: bytes, unread: bool) -> Lent | None:
    """Return a body as the host passes it: already read, or read on demand."""
    if unread:
        return UnreadBody(lambda: body)
    return memoryview(body) if body else None


def with_body(body: bytes, unread: bool = False, raw_only: bool = False) -> Request:
    return Request(Envelope(b"", lend(body, unread), raw_only=raw_only))


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_the_body_is_bytes_and_text_when_it_is_utf8(
    body: bytes, unread: bool, raw_only: bool
) -> None:
    """``body`` is empty for other bytes, and with raw_body_only."""
    request = with_body(body, unread, raw_only)
    assert request.object.raw_body == body
    try:
        text = "" if raw_only else body.decode()
    except UnicodeDecodeError:
        text = ""
    assert request.object.body == text
    assert request._envelope.new_body() is None


@given(st.binary(max_size=50), st.booleans(), st.none() | st.binary(max_size=50), st.none() | TEXT)
def test_an_edited_text_counts_unless_the_bytes_were_edited_too(
    body: bytes, unread: bool, raw: bytes | None, text: str | None
) -> None:
    """In either order of edits, whether read before or not."""
    request = with_body(body, unread)
    before = with_body(body).object.body
    if raw is not None:
        request.object.raw_body = raw
    if text is not None:
        request.object.body = text
    expected = body
    if raw is not None:
        expected = raw
    elif text is not None and text != before:
        expected = text.encode()
    new = request._envelope.new_body()
    assert (body if new is None else new) == expected


@given(st.binary(max_size=200), st.booleans())
def test_the_message_as_a_whole_includes_the_body_and_counts_as_no_change(
    body: bytes, unread: bool
) -> None:
    """When serialized, listed, compared or printed, as in Tyk's own message."""
    request = with_body(body, unread)
    o: Any = request.object
    whole = MiniRequestObject.FromString(o.SerializeToString())
    assert whole.raw_body == body
    assert whole == MiniRequestObject(raw_body=body, body=o.body)
    assert o == whole
    assert str(o) == str(whole)
    assert MessageToDict(o) == MessageToDict(whole)
    assert isinstance(o, MiniRequestObject)
    assert request._envelope.new_body() is None


def test_a_body_of_the_wrong_type_is_refused() -> None:
    """The error names the field."""
    request = with_body(b"a")
    with pytest.raises(TypeError, match="raw_body must be bytes"):
        request.object.raw_body = "text"  # type: ignore[assignment]
    with pytest.raises(TypeError, match="body must be a string"):
        request.object.body = b"bytes"  # type: ignore[assignment]


@pytest.mark.parametrize("unread", [False, True])
def test_a_body_first_read_after_the_call_is_a_clear_error(unread: bool) -> None:
    """Its memory belongs to the host again."""
    lent = lend(b"body", unread)
    request = Request(Envelope(b"", lent))
    kept = request.object
    assert lent is not None
    lent.release()
    with pytest.raises(HookError, match="after its call had ended"):
        _ = kept.raw_body


def test_the_host_reads_a_body_once_and_only_on_demand() -> None:
    """Not for a hook that only sets headers, fields or the body."""
    reads: list[str] = []

    def read() -> bytes:
        reads.append("read")
        return b"body"

    request = Request(Envelope(b"", UnreadBody(read)))
    request.add_header("a", "b")
    request.object.url = "/elsewhere"
    request.object.body = "another"
    assert (request._envelope.new_body(), reads) == (b"another", [])
    request = Request(Envelope(b"", UnreadBody(read)))
    assert (request.object.raw_body, request.object.body) == (b"body", "body")
    assert (request._envelope.new_body(), reads) == (None, ["read"])


def test_an_invalid_message_is_reported_when_it_is_read() -> None:
    """A hook that does not read the message works anyway."""
    request = Request(Envelope(b"\xff\xff"))
    request.add_header("a", "b")
    with pytest.raises(MessageError):
        request.get_header("a")


def test_unknown_fields_come_through() -> None:
    """Fields of a newer host are kept."""
    unknown = wire_unknown = b"\xfa\x7f\x05later"
    envelope = Envelope(Object(request=MiniRequestObject(url="/")).SerializeToString() + unknown)
    Request(envelope).object.url = "/new"
    assert wire_unknown in envelope.reply()
