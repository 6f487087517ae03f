"""Raw connections for tests, without the normalization of an HTTP library."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable


def read_head(connection: socket.socket) -> bytes:
    """Read to the end of a message's head or of the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head


def connect(port: int, timeout: float = 20) -> socket.socket:
    """Connect to a port on loopback."""
    return socket.create_connection(("127.0.0.1", port), timeout)


def read_all(connection: socket.socket) -> bytes:
    """Read until the peer closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def ask(port: int, target: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    """Send one request without a body and read the whole response."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: h", *headers]
    if not any(header.lower().startswith(b"connection:") for header in headers):
        lines.append(b"Connection: close")
    with connect(port) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        return read_all(connection)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class RawUpstream:
    """Records the heads that it receives, and answers each with ``answer``."""

    def __init__(self, answer: Callable[[socket.socket, bytes], None] | bytes = OK) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> RawUpstream:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                head = read_head(connection)
                if not head:
                    return
                self.heads.append(head)
                if isinstance(self.answer, bytes):
                    connection.sendall(self.answer)
                else:
                    self.answer(connection, head)
            except OSError:
                pass
