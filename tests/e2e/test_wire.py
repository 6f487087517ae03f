"""Unchanged parts are forwarded byte for byte, and every response is valid HTTP."""

from __future__ import annotations

import http.client
import textwrap
from collections.abc import Iterator
from contextlib import closing

import pytest
from support.gateway import Gateway
from support.raw import RawUpstream, ask, connect

PLUGIN = textwrap.dedent("""
    import json
    from tyk.decorators import *

    @Pre
    def reads(request, session, spec):
        o = request.object
        o.url, o.method
        request.add_header("X-Same", o.headers.get("X-Same", ""))

    @Hook
    def same(request, response, session, metadata, spec):
        response.headers["X-Ran"] = "yes"
        for name in response.headers:
            response.headers[name] = response.headers[name]
        return response

    @Hook
    def respells(request, response, session, metadata, spec):
        response.headers["content-type"] = "text/plain"
        response.headers["set-COOKIE"] = "new=1"
        return response

    @Hook
    def reframes(request, response, session, metadata, spec):
        response.headers["Content-Length"] = "1"
        response.headers["Transfer-Encoding"] = "gzip"
        response.headers["Trailer"] = "X"
        response.raw_body = b"all of it"
        return response

    @Hook
    def status(request, response, session, metadata, spec):
        response.status_code = int(request.get_header("X-Status"))
        if request.get_header("X-Body"):
            response.raw_body = response.raw_body + b"!"
        return response

    @Pre
    def answers(request, session, spec):
        overrides = request.object.return_overrides
        overrides.response_code = int(request.get_header("X-Status"))
        overrides.response_body = "body"
        overrides.override_error = True
        overrides.headers["Content-Length"] = "100"
        overrides.headers["Transfer-Encoding"] = "chunked"
        overrides.headers["X-Own"] = "1"
""")

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nContent-Type: a/b; x=caf\xe9\r\n"
    b"Set-Cookie: a=\xe9\r\nSet-Cookie: b=\xe8\r\nX-Text: caf\xc3\xa9\r\n\r\nok"
)
NO_BODY = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nConnection: close\r\n\r\n'


@pytest.fixture
def raw() -> Iterator[RawUpstream]:
    with RawUpstream(ANSWER) as upstream:
        yield upstream


@pytest.fixture
def wired(gateway: Gateway, raw: RawUpstream) -> Gateway:
    gateway.plugin(PLUGIN)
    for name in ("reads", "answers", "same", "respells", "reframes", "status"):
        kind = "pre" if name in ("reads", "answers") else "response"
        proxy = {"listen_path": f"/{name}/", "target_url": raw.url, "strip_listen_path": True}
        gateway.define(name, {kind: [{"name": name}]}, proxy=proxy)
    return gateway.start()


def lines(message: bytes) -> list[bytes]:
    return message.partition(b"\r\n\r\n")[0].split(b"\r\n")


def test_requests_pass_with_their_bytes(wired: Gateway, raw: RawUpstream) -> None:
    """Headers, path and query, even if a hook has read them."""
    headers = [b"X-Same: caf\xe9", b"X-Latin: \xe9 \xff", b"X-Text: caf\xc3\xa9"]
    ask(wired.port, b"/reads/%E9%e9/%2B?q=\xe9&%FF=%ff", *headers)
    sent = lines(raw.heads[-1])
    assert sent[0] == b"GET /%E9%e9/%2B?q=\xe9&%FF=%ff HTTP/1.1"
    assert set(headers) < set(sent)


def test_responses_pass_with_their_bytes(wired: Gateway) -> None:
    """First and further values, even if a hook sets each to the value that it has read."""
    got = lines(ask(wired.port, b"/same/"))
    for line in lines(ANSWER)[3:]:
        assert got.count(line) == 1
    assert b"X-Ran: yes" in got


def test_a_header_set_in_another_spelling_is_replaced(wired: Gateway) -> None:
    """There is one header, always the same; further values stay."""
    for _ in range(20):
        got = lines(ask(wired.port, b"/respells/"))
        assert [h for h in got if h.startswith(b"Content-Type")] == [b"Content-Type: text/plain"]
        cookies = [h for h in got if h.lower().startswith(b"set-cookie")]
        assert cookies == [b"Set-Cookie: new=1", b"Set-Cookie: b=\xe8"]


def test_hooks_do_not_frame_messages(wired: Gateway) -> None:
    """The gateway sets the length of messages."""
    got = ask(wired.port, b"/reframes/")
    assert got.endswith(b"\r\n\r\nall of it")
    assert b"Content-Length: 9" in lines(got)
    assert not [h for h in lines(got) if h.startswith((b"Transfer-Encoding", b"Trailer"))]


def reply(
    connection: http.client.HTTPConnection, method: str, path: str, **headers: str
) -> tuple[int, bytes]:
    sent = {f"X-{name}": value for name, value in headers.items()}
    connection.request(method, path, headers=sent)
    response = connection.getresponse()
    return response.status, response.read()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("answer", [ANSWER, NO_BODY, NOT_MODIFIED], ids=["200", "204", "304"])
@pytest.mark.parametrize("body", ["", "1"])
def test_any_status_a_hook_sets_is_a_whole_answer(
    wired: Gateway, raw: RawUpstream, method: str, answer: bytes, body: str
) -> None:
    """With a body if the status allows one; the connection can be reused."""
    raw.answer = answer
    connection = http.client.HTTPConnection("127.0.0.1", wired.port, timeout=20)
    with closing(connection):
        for status in (200, 201, 204, 304, 404, 100, 101, 199, 0, -1, 1000):
            code, got = reply(connection, method, "/status/", Status=str(status), Body=body)
            assert code == (status if 200 <= status <= 999 else 500)
            whole = (b"ok" if answer is ANSWER else b"") + (b"!" if body else b"")
            assert got == (b"" if method == "HEAD" or code in (204, 304) else whole)
            assert connection.sock is not None, "the gateway closed the connection"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_any_override_is_a_whole_answer(wired: Gateway, method: str) -> None:
    """Whatever its headers say about its length."""
    connection = http.client.HTTPConnection("127.0.0.1", wired.port, timeout=20)
    with closing(connection):
        for status in (200, 204, 304, 404, 503, 100, 101, 1000):
            code, got = reply(connection, method, "/answers/", Status=str(status))
            assert code == (status if 200 <= status <= 999 else 500)
            assert got == (b"" if method == "HEAD" or code in (204, 304) else b"body")
            assert connection.sock is not None, "the gateway closed the connection"


def test_no_hook_makes_a_tunnel(wired: Gateway, raw: RawUpstream) -> None:
    """CONNECT is refused from clients and from hooks."""
    with connect(wired.port) as connection:
        connection.sendall(b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert raw.heads == []
