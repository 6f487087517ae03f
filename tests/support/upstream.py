"""An upstream that returns the request it received, and records it."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as received, without any normalization."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of a header, ignoring case."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


@dataclass
class Answer:
    """The upstream's next response, instead of the echo."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    # The body as chunks, sent one by one, instead of ``body``.
    parts: Iterable[bytes] | None = None


class Upstream:
    """``with Upstream() as upstream``: serves on a free port of loopback."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Answer | None = None
        self._head = threading.Event()
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                upstream._serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Upstream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def last(self) -> Received:
        """The last request."""
        return self.received[-1]

    def expect_head(self) -> threading.Event:
        """Return an event that is set when the head of the next request arrives."""
        self._head = threading.Event()
        return self._head

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        self._head.set()
        received = Received(
            handler.command, handler.path, list(handler.headers.items()), _body(handler)
        )
        self.received.append(received)
        answer = self.answer or _echo(received)
        handler.send_response(answer.status)
        for name, value in answer.headers:
            handler.send_header(name, value)
        if answer.parts is None:
            handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)
            return
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in itertools.chain(answer.parts, [b""]):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding") == "chunked":
        parts = []
        while size := int(handler.rfile.readline(), 16):
            parts.append(handler.rfile.read(size))
            handler.rfile.readline()
        handler.rfile.readline()
        return b"".join(parts)
    return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))


def _echo(received: Received) -> Answer:
    seen = {
        "method": received.method,
        "url": received.target,
        "headers": dict(received.headers),
        "body": received.body.decode("latin-1"),
    }
    return Answer(200, [("Content-Type", "application/json")], json.dumps(seen).encode())
