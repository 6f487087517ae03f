"""The bytes that the upstream receives, which are the same with every gateway."""

from __future__ import annotations

import socket
import textwrap

import pytest
from support.gateway import Gateway
from support.upstream import Upstream

PLUGIN = textwrap.dedent("""
    from tyk.decorators import *

    @Hook
    def nothing(request, session, spec):
        return request, session

    @Hook
    def change(request, session, spec):
        request.delete_header("X-Gone")
        request.add_header("x-lower-case", "kept?")
        request.add_header("X-Twice", "one")
        request.delete_param("gone")
        request.add_param("added", "a b&c")
        request.object.url = "/api/other%20path?ignored=1"
        request.object.method = "PUT"
        request.object.raw_body = request.object.raw_body[::-1]
        return request, session
""")

# For each case, the client's request and the bytes that must reach the upstream.
# {port} is the gateway's, {upstream} the upstream's.
CASES = {
    "no hook": (
        "GET /plain/get?b=2&a=1&a=%20 HTTP/1.1\nHost: client.example:{port}\n"
        "User-Agent: test\nAccept: */*\nX-Twice: 1\nX-Twice: 2\n\n",
        "GET /get?b=2&a=1&a=%20 HTTP/1.1\nHost: {upstream}\nUser-Agent: test\n"
        "Accept: */*\nX-Forwarded-For: 127.0.0.1\nX-Twice: 1\nX-Twice: 2\nAccept-Encoding: gzip\n\n",
    ),
    "a hook that changes nothing": (
        "POST /nothing/a%2Fb/c?q=%C3%A4&empty=&flag HTTP/1.1\nHost: h\nUser-Agent: test\n"
        "Accept-Encoding: gzip\nContent-Type: text/plain\nContent-Length: 5\n\nhello",
        "POST /a%2Fb/c?q=%C3%A4&empty=&flag HTTP/1.1\nHost: {upstream}\nUser-Agent: test\n"
        "Content-Length: 5\nAccept-Encoding: gzip\nContent-Type: text/plain\n"
        "X-Forwarded-For: 127.0.0.1\n\nhello",
    ),
    "a hook that changes everything": (
        "POST /change/path?gone=1&kept=2 HTTP/1.1\nHost: h\nUser-Agent: test\n"
        "Accept-Encoding: identity\nX-Gone: 1\nX-Twice: 1\nX-Twice: 2\n"
        "X-Forwarded-For: 10.0.0.1\nContent-Length: 5\n\nhello",
        "PUT /api/other%20path?added=a+b%26c&kept=2 HTTP/1.1\nHost: {upstream}\nUser-Agent: test\n"
        "Content-Length: 5\nAccept-Encoding: identity\nX-Forwarded-For: 10.0.0.1, 127.0.0.1\n"
        "X-Lower-Case: kept?\nX-Twice: one\n\nolleh",
    ),
    "a chunked body": (
        "POST /nothing/ HTTP/1.1\nHost: h\nUser-Agent: test\nAccept-Encoding: gzip\n"
        "Transfer-Encoding: chunked\n\n5\nhello\n0\n\n",
        "POST / HTTP/1.1\nHost: {upstream}\nUser-Agent: test\nTransfer-Encoding: chunked\n"
        "Accept-Encoding: gzip\nX-Forwarded-For: 127.0.0.1\n\nhello",
    ),
    "no user agent, a connection to close": (
        "GET /nothing/ HTTP/1.1\nHost: h\nAccept-Encoding: gzip\nConnection: close\nTe: trailers\n\n",
        "GET / HTTP/1.1\nHost: {upstream}\nAccept-Encoding: gzip\nTe: trailers\n"
        "X-Forwarded-For: 127.0.0.1\n\n",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_upstream_receives_these_bytes(gateway: Gateway, upstream: Upstream, case: str) -> None:
    """Line by line, in this order."""
    sent, wanted = CASES[case]
    gateway.plugin(PLUGIN)
    gateway.define("plain")
    for name in ("nothing", "change"):
        gateway.define(name, {"pre": [{"name": name}]})
    gateway.start()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as client:
        client.sendall(sent.format(port=gateway.port).replace("\n", "\r\n").encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200"), case
    seen = upstream.last
    head = [f"{seen.method} {seen.target} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in seen.headers]
    # The only difference: without a User-Agent from the client, Tyk sends its own.
    head = [line for line in head if not line.startswith("User-Agent: Tyk/")]
    got = "\n".join(head) + "\n\n" + seen.body.decode()
    address = upstream.url.removeprefix("http://")
    assert got.splitlines() == wanted.format(upstream=address).splitlines()
