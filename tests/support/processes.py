"""Starts and stops real programs for tests."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """Return a free port on loopback."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait until ``ready()`` is true; raise ``TimeoutError`` with ``what`` otherwise."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.02)
    raise TimeoutError(f"{what} did not happen within {seconds} seconds")


def answers(port: int) -> bool:
    """Whether something accepts connections on that port on loopback."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Redis:
    """A ``redis-server`` of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_here() -> bool:
        """Whether redis-server is installed."""
        return shutil.which("redis-server") is not None

    def start(self) -> None:
        """Start, or start again on the same port."""
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: answers(self.port), "redis-server's start")

    def stop(self) -> None:
        """Stop the server if it is running."""
        if self._process:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def command(self, text: str) -> None:
        """Run a command that answers OK."""
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(text.encode() + b"\r\n")
            assert s.recv(1000).startswith(b"+OK")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the server for a while."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let the server accept connections and not answer, for a while."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)
