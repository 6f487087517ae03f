"""Every answer is that of its request, whatever hooks and upstreams make of it."""

from __future__ import annotations

import re
import socket
import textwrap
from collections.abc import Iterator

import pytest
from support.gateway import Gateway
from support.raw import OK, RawUpstream, ask, connect, read_all, read_head

PLUGIN = textwrap.dedent("""
    from tyk.decorators import *

    @Pre
    def method(request, session, spec):
        request.object.method = request.get_header("X-Method")

    @Pre
    def refuses(request, session, spec):
        request.object.return_overrides.response_code = 403
        request.object.return_overrides.response_body = "x" * 100_000

    @Hook
    def marks(request, response, session, metadata, spec):
        response.headers["X-Marked"] = "yes"
        return response

    @Hook
    def prefixes(request, response, session, metadata, spec):
        response.raw_body = b"hook:" + response.raw_body
        return response
""")


def answers(connection: socket.socket, head: bytes) -> None:
    """Read the body, and answer as HTTP demands, with no body for HEAD."""
    length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
    connection.recv(int(length[1]) if length else 0, socket.MSG_WAITALL)
    body = b"" if head.startswith(b"HEAD ") else b"ok"
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n" + body)


@pytest.fixture
def raw() -> Iterator[RawUpstream]:
    with RawUpstream(answers) as upstream:
        yield upstream


@pytest.fixture
def served(gateway: Gateway, raw: RawUpstream) -> Gateway:
    gateway.plugin(PLUGIN)
    hooks = {
        "plain": None,
        "method": {"pre": [{"name": "method"}]},
        "both": {"pre": [{"name": "method"}], "response": [{"name": "prefixes"}]},
        "refuses": {"pre": [{"name": "refuses"}]},
        "marks": {"response": [{"name": "marks"}]},
        "prefixes": {"response": [{"name": "prefixes"}]},
    }
    for name, section in hooks.items():
        proxy = {"listen_path": f"/{name}/", "target_url": raw.url, "strip_listen_path": True}
        gateway.define(name, section, proxy=proxy)
    return gateway.start()


@pytest.mark.parametrize("body", [b"", b"hi"])
@pytest.mark.parametrize("api", [b"method", b"both"])
@pytest.mark.parametrize(
    ("asked", "becomes"),
    [(b"GET", b"HEAD"), (b"POST", b"HEAD"), (b"HEAD", b"GET"), (b"HEAD", b"POST")],
)
def test_a_hook_that_changes_the_method_does_not_move_the_end_of_the_answer(
    served: Gateway, raw: RawUpstream, api: bytes, asked: bytes, becomes: bytes, body: bytes
) -> None:
    """A body in the answer to HEAD would be read as the answer to the next request."""
    first = b"%s /%s/ HTTP/1.1\r\nHost: h\r\nX-Method: %s\r\nContent-Length: %d\r\n\r\n%s"
    second = b"GET /plain/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with connect(served.port) as connection:
        connection.sendall(first % (asked, api, becomes, len(body), body) + second)
        head = read_head(connection)
        assert raw.heads[0].startswith(becomes + b" ")
        if asked != b"HEAD":
            content = b"hook:" if api == b"both" else b""  # the upstream sent none
            length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
            assert length is not None
            assert int(length[1]) == len(content)
            assert connection.recv(len(content), socket.MSG_WAITALL) == content
        assert read_head(connection).startswith(b"HTTP/1.1 200 OK\r\n")
        assert read_all(connection) == b"ok"


HINTS = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
    b"Keep-Alive: timeout=1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
)


def test_early_hints_pass_without_what_is_for_the_gateway(
    served: Gateway, raw: RawUpstream
) -> None:
    """Headers of the upstream's own connection stay there, in interim responses too."""
    raw.answer = HINTS
    interim, final = ask(served.port, b"/plain/").split(b"\r\n\r\n", 1)
    assert interim == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>"
    assert final.startswith(b"HTTP/1.1 200 OK")
    assert b"Link" not in final


def test_nothing_passes_by_the_response_hooks(served: Gateway, raw: RawUpstream) -> None:
    """Response hooks see no interim responses, so clients do not either."""
    raw.answer = HINTS
    got = ask(served.port, b"/marks/")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"X-Marked: yes" in got
    assert b"Link" not in got


@pytest.mark.parametrize("api", [b"/plain/", b"/marks/"])
@pytest.mark.parametrize("status", [b"000", b"099"])
def test_a_status_that_http_does_not_have_is_a_bad_gateway(
    served: Gateway, raw: RawUpstream, status: bytes, api: bytes
) -> None:
    """Go's server refuses to write it."""
    raw.answer = b"HTTP/1.1 " + status + b" Odd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert ask(served.port, api).startswith(b"HTTP/1.1 502 ")


def test_no_content_type_is_guessed(served: Gateway, raw: RawUpstream) -> None:
    """What looks like HTML is not served as HTML if the upstream does not say so."""
    body = b"<html><script>alert(1)</script>"
    raw.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    for api in (b"/plain/", b"/marks/", b"/prefixes/"):
        got = ask(served.port, api)
        assert got.endswith(body)
        assert b"content-type" not in got.lower()


@pytest.mark.parametrize("api", [b"plain", b"marks", b"prefixes"])
def test_an_answer_does_not_wait_for_the_rest_of_the_request(
    served: Gateway, raw: RawUpstream, api: bytes
) -> None:
    """A client may wait for it before it sends more; so the hooks do not wait for that."""
    raw.answer = OK
    served.http.get("/prefixes/")  # from now on the hook is known to read bodies
    with connect(served.port, timeout=10) as connection:
        connection.sendall(
            b"POST /" + api + b"/ HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhi"
        )
        assert read_head(connection).startswith(b"HTTP/1.1 200 OK\r\n")
        assert read_all(connection) == (b"hook:ok" if api == b"prefixes" else b"ok")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/nowhere/", b"404"),
        (b"/plain/..;/", b"400"),
        (b"/refuses/", b"403"),
        (b"/tyk/keys/a", b"403"),
        (b"/hello", b"405"),
    ],
)
@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_an_answer_of_the_gateway_does_not_wait_for_the_rest_of_the_request(
    served: Gateway, target: bytes, status: bytes, framing: bytes
) -> None:
    """Go's server would read that first, for as long as a body may take."""
    with connect(served.port, timeout=10) as connection:
        connection.sendall(b"POST " + target + b" HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n\r\n")
        head = read_head(connection)
        assert head.startswith(b"HTTP/1.1 " + status)
        assert b"\r\nConnection: close\r\n" in head


def test_a_whole_body_that_nobody_reads_does_not_close_the_connection(served: Gateway) -> None:
    """Nor is it taken for the next request."""
    inner = b"GET /tyk/inner HTTP/1.1\r\nHost: h\r\n\r\n"
    last = b"GET /plain/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with connect(served.port, timeout=10) as connection:
        for _ in range(3):
            head = b"POST /nowhere/ HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
            connection.sendall(head % len(inner) + inner)
        connection.sendall(last)
        statuses = re.findall(rb"HTTP/1.1 (\d+) ", read_all(connection))
        assert statuses == [b"404", b"404", b"404", b"200"]
