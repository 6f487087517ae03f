"""Hop-by-hop headers and protocol upgrades."""

from __future__ import annotations

import socket
import textwrap
from collections.abc import Iterator

import pytest
from support.gateway import Gateway
from support.raw import OK, RawUpstream, ask, connect, read_head

PLUGIN = textwrap.dedent("""
    from tyk.decorators import *

    @Pre
    def user(request, session, spec):
        request.add_header("X-User", "alice")
        request.add_header("X-Saw", request.get_header("X-Own") or "")

    @Pre
    def upgrades(request, session, spec):
        request.add_header("Connection", "upgrade")
        request.add_header("Upgrade", "h2c")

    @Pre
    def refuses(request, session, spec):
        request.delete_header("Upgrade")
""")


def switch(connection: socket.socket, head: bytes) -> None:
    """Switch to the requested protocol, and echo."""
    asked = [h for h in head.split(b"\r\n") if h.lower().startswith(b"upgrade:")]
    if not asked:
        connection.sendall(OK)
        return
    answer = [b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", asked[0]]
    connection.sendall(b"\r\n".join(answer) + b"\r\n\r\n")
    while data := connection.recv(65536):
        connection.sendall(b"echo:" + data)


@pytest.fixture
def raw() -> Iterator[RawUpstream]:
    with RawUpstream(switch) as upstream:
        yield upstream


@pytest.fixture
def upgrading(gateway: Gateway, raw: RawUpstream) -> Gateway:
    gateway.plugin(PLUGIN)
    for name in ("plain", "user", "upgrades", "refuses"):
        hooks = None if name == "plain" else {"pre": [{"name": name}]}
        proxy = {"listen_path": f"/{name}/", "target_url": raw.url, "strip_listen_path": True}
        gateway.define(name, hooks, proxy=proxy)
    return gateway


def upgrade(gateway: Gateway, path: bytes, *headers: bytes) -> tuple[bytes, bytes]:
    """Return the status, and the echo of two bytes after a switch."""
    with connect(gateway.port) as connection:
        connection.sendall(
            b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: h", *headers, b"", b""])
        )
        status = read_head(connection)[9:12]
        if status != b"101":
            return status, b""
        connection.sendall(b"hi")
        return status, connection.recv(100)


WEBSOCKET = (b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket")


@pytest.mark.parametrize("api", [b"plain", b"user"])
def test_websockets_pass_in_both_directions(
    upgrading: Gateway, raw: RawUpstream, api: bytes
) -> None:
    """On APIs with and without hooks."""
    upgrading.start()
    assert upgrade(upgrading, b"/" + api + b"/", *WEBSOCKET) == (b"101", b"echo:hi")
    assert b"\r\nUpgrade: websocket\r\n" in raw.heads[-1]


@pytest.mark.parametrize(
    "headers",
    [
        (
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        ),
        (b"Connection: Upgrade", b"Upgrade: h2c"),
        (b"Connection: Upgrade", b"Upgrade: websocket, h2c"),
        (b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c"),
        (b"Connection: Upgrade", b"Upgrade: TLS/1.0"),
        (b"Upgrade: websocket",),
        (b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",),
    ],
)
def test_other_protocols_are_not_upgraded_to(
    upgrading: Gateway, raw: RawUpstream, headers: tuple[bytes, ...]
) -> None:
    """The request is forwarded without the upgrade."""
    upgrading.start()
    assert upgrade(upgrading, b"/plain/", *headers)[0] == b"200"
    sent = raw.heads[-1].lower()
    assert b"\r\nupgrade:" not in sent
    assert b"\r\nhttp2-settings:" not in sent


def test_no_hook_upgrades_to_anything_else(upgrading: Gateway, raw: RawUpstream) -> None:
    """A hook that removes the header refuses the upgrade."""
    upgrading.start()
    assert upgrade(upgrading, b"/upgrades/")[0] == b"200"
    assert upgrade(upgrading, b"/refuses/", *WEBSOCKET)[0] == b"200"
    assert all(b"\r\nupgrade:" not in head.lower() for head in raw.heads)


def test_the_settings_turn_websockets_off(upgrading: Gateway) -> None:
    """The setting has Tyk's name."""
    upgrading.settings["http_server_options"] = {"enable_websockets": False}
    upgrading.start()
    assert upgrade(upgrading, b"/plain/", *WEBSOCKET)[0] == b"200"


@pytest.mark.parametrize("connection", [b"X-User", b"close, x-user", b"keep-alive,X-Own , X-USER"])
def test_connection_options_do_not_remove_headers_of_hooks(
    upgrading: Gateway, raw: RawUpstream, connection: bytes
) -> None:
    """The hook's header is forwarded, the client's is not."""
    upgrading.start()
    headers = [b"X-User: root", b"X-Own: seen", b"Connection: " + connection, b"Connection: close"]
    ask(upgrading.port, b"/user/", *headers)
    lines = raw.heads[-1].split(b"\r\n")
    assert [h for h in lines if h.startswith(b"X-User")] == [b"X-User: alice"]
    assert b"X-Saw: seen" in lines
    assert (b"X-Own: seen" in lines) == (b"X-Own" not in connection)
    ask(upgrading.port, b"/plain/", *headers)
    lines = raw.heads[-1].split(b"\r\n")
    assert b"X-User: root" not in lines
    assert not [h for h in lines if h.startswith(b"Connection")]
