"""Waiting for clients and upstreams is limited; connections with progress continue."""

from __future__ import annotations

import contextlib
import socket
import textwrap
import time
from collections.abc import Iterator

import pytest
from support.gateway import Gateway
from support.processes import wait_until
from support.raw import OK, RawUpstream, ask, connect, read_all, read_head

PLUGIN = textwrap.dedent("""
    from tyk.decorators import *

    @Pre
    def reads_body(request, session, spec):
        request.add_header("X-Size", str(len(request.object.raw_body)))

    @Pre
    def blind(request, session, spec):
        request.add_header("X-Blind", "yes")

    @Hook
    def responds(request, response, session, metadata, spec):
        response.headers["X-Size"] = str(len(response.raw_body))
        return response
""")
APIS = ("plain", "blind", "reads_body")
POST = b"POST /%s/ HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def raw() -> Iterator[RawUpstream]:
    with RawUpstream() as upstream:
        yield upstream


@pytest.fixture
def impatient(gateway: Gateway, raw: RawUpstream) -> Gateway:
    """A gateway with timeouts of one second."""
    gateway.plugin(PLUGIN)
    for name in (*APIS, "responds"):
        kind = "response" if name == "responds" else "pre"
        hooks = None if name == "plain" else {kind: [{"name": name}]}
        proxy = {"listen_path": f"/{name}/", "target_url": raw.url, "strip_listen_path": True}
        gateway.define(name, hooks, proxy=proxy)
    gateway.settings["http_server_options"] = {"read_timeout": 1, "write_timeout": 1}
    gateway.settings["proxy_default_timeout"] = 1
    return gateway.start()


def until_closed(connection: socket.socket) -> None:
    """Wait for the gateway to close the connection, or fail."""
    connection.settimeout(15)
    with contextlib.suppress(ConnectionResetError):
        read_all(connection)


@pytest.mark.parametrize("sent", [b"", b"GET /plain/ HTTP/1.1\r\nHost: h\r\nX-A"])
def test_a_client_that_sends_no_request_is_cut(impatient: Gateway, sent: bytes) -> None:
    """Nothing or half a head."""
    with connect(impatient.port) as connection:
        connection.sendall(sent)
        until_closed(connection)


def test_an_idle_client_is_cut(impatient: Gateway) -> None:
    """After an answered request."""
    with connect(impatient.port) as connection:
        connection.sendall(b"GET /plain/ HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_head(connection).startswith(b"HTTP/1.1 200")
        until_closed(connection)


@pytest.mark.parametrize("api", APIS)
def test_a_body_that_does_not_come_is_408(impatient: Gateway, raw: RawUpstream, api: str) -> None:
    """Whether a hook or the upstream waits for it."""

    def reads(connection: socket.socket, _: bytes) -> None:
        while connection.recv(65536):
            pass

    raw.answer = reads
    impatient.settings["proxy_default_timeout"] = 20
    with connect(impatient.port) as connection:
        connection.sendall(POST % (api.encode(), 10) + b"abc")
        assert read_head(connection).startswith(b"HTTP/1.1 408")
        until_closed(connection)


def test_a_denied_request_does_not_wait_for_its_body(impatient: Gateway) -> None:
    """Longer than the timeout."""
    with connect(impatient.port) as connection:
        connection.sendall(POST % (b"nowhere", 10))
        assert read_head(connection).startswith(b"HTTP/1.1 404")
        until_closed(connection)


@pytest.mark.parametrize("api", APIS)
def test_a_slow_upload_that_goes_on_is_not_cut(
    impatient: Gateway, raw: RawUpstream, api: str
) -> None:
    """In total it takes longer than the timeout."""
    got: list[int] = []

    def counts(connection: socket.socket, head: bytes) -> None:
        got.append(0)
        while got[-1] < 40_000:
            got[-1] += len(connection.recv(65536))
        connection.sendall(OK)

    raw.answer = counts
    begin = time.monotonic()
    with connect(impatient.port) as connection:
        connection.sendall(POST % (api.encode(), 40_000))
        for _ in range(40):
            connection.sendall(b"x" * 1000)
            wait(0.05)
        assert read_head(connection).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - begin > 1.5


def wait(seconds: float) -> None:
    """Pause the client."""
    time.sleep(seconds)


@pytest.mark.parametrize("api", ["plain", "responds"])
def test_an_upstream_that_never_answers_is_504(
    impatient: Gateway, raw: RawUpstream, api: str
) -> None:
    """The connection to the upstream is closed."""
    closed: list[bool] = []

    def never(connection: socket.socket, _: bytes) -> None:
        closed.append(connection.recv(1) == b"")

    raw.answer = never
    assert impatient.http.get(f"/{api}/").status_code == 504
    wait_until(lambda: closed == [True], "the end of the upstream's connection")


def test_an_upstream_that_takes_no_body_is_504(impatient: Gateway, raw: RawUpstream) -> None:
    """However much the client has sent."""

    def takes_nothing(connection: socket.socket, _: bytes) -> None:
        wait(8)

    raw.answer = takes_nothing
    assert impatient.http.post("/plain/", content=b"x" * (64 << 20)).status_code == 504


def stalls(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    connection.recv(1)


def test_an_answer_that_stops_is_cut(impatient: Gateway, raw: RawUpstream) -> None:
    """The client sees an incomplete response; a hook that needs all of it is not called."""
    raw.answer = stalls
    assert not ask(impatient.port, b"/plain/")
    assert ask(impatient.port, b"/responds/").startswith(b"HTTP/1.1 504")


@pytest.mark.parametrize("api", ["plain", "blind"])
def test_a_long_stream_goes_on(impatient: Gateway, raw: RawUpstream, api: str) -> None:
    """Its pauses are shorter than the timeout."""

    def streams(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _pause in range(10):
            wait(0.3)
            connection.sendall(b"1\r\nx\r\n")
        connection.sendall(b"0\r\n\r\n")

    raw.answer = streams
    got = ask(impatient.port, b"/" + api.encode() + b"/")
    assert got.count(b"1\r\nx\r\n") == 10
    assert got.endswith(b"0\r\n\r\n")


def test_a_client_that_takes_nothing_is_cut(impatient: Gateway, raw: RawUpstream) -> None:
    """The connection to the upstream is closed too, however much is left to send."""
    ended: list[bool] = []

    def endless(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        finally:
            ended.append(True)

    raw.answer = endless
    with connect(impatient.port) as connection:
        connection.sendall(b"GET /plain/ HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: ended == [True], "the end of the upstream's connection")


def test_websockets_may_be_idle(impatient: Gateway, raw: RawUpstream) -> None:
    """For longer than any timeout."""

    def echoes(connection: socket.socket, _: bytes) -> None:
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        while data := connection.recv(100):
            connection.sendall(data)

    raw.answer = echoes
    with connect(impatient.port) as connection:
        connection.sendall(
            b"GET /plain/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert read_head(connection).startswith(b"HTTP/1.1 101")
        wait(2.5)
        connection.sendall(b"still there?")
        assert connection.recv(100) == b"still there?"


@pytest.mark.parametrize("api", APIS[:2])
def test_both_directions_stream_at_once(impatient: Gateway, raw: RawUpstream, api: str) -> None:
    """An upstream that responds while it reads gets the whole body, and the client the whole response."""

    def echoes(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data = connection.recv(65536)
            connection.sendall(data)

    raw.answer = echoes
    with connect(impatient.port) as connection:
        head = (
            b"POST /"
            + api.encode()
            + b"/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head)
        assert read_head(connection).startswith(b"HTTP/1.1 200")
        for i in range(5):
            chunk = b"1\r\n%d\r\n" % i
            connection.sendall(chunk)
            assert connection.recv(len(chunk), socket.MSG_WAITALL) == chunk
        connection.sendall(b"0\r\n\r\n")
        assert connection.recv(5, socket.MSG_WAITALL) == b"0\r\n\r\n"


@pytest.mark.parametrize("api", APIS[:2])
def test_the_rest_of_a_body_is_not_a_request(
    impatient: Gateway, raw: RawUpstream, api: str
) -> None:
    """If the upstream responds before it has read the body, the connection ends with the response."""
    raw.answer = OK
    smuggled = b"GET /plain/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    for size in (len(smuggled) + 10, 1 << 20):
        with connect(impatient.port) as connection:
            connection.sendall(POST % (api.encode(), size) + b"0123456789")
            assert read_head(connection).startswith(b"HTTP/1.1 200")
            try:
                connection.sendall(smuggled)
                until_closed(connection)
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert not [head for head in raw.heads if b"smuggled" in head]
