"""Services for plugin code reach the host, and what it answers reaches plugin code."""

from __future__ import annotations

import logging
import threading

import pytest
from conftest import FakeHost

from tyk_cffi import gateway, guard
from tyk_cffi.errors import NoGatewayError, StoreError
from tyk_cffi.gateway import TykGateway as tyk
from tyk_cffi.logs import GatewayHandler, LogStream
from tyk_cffi.running import NOTHING, Running, running


def test_values_are_stored_under_the_prefix_for_seconds(host: FakeHost) -> None:
    """Text as UTF-8, bytes as they are; absent is empty."""
    tyk.store_data("a", "ä", 15)
    tyk.store_data("b", b"\xff", 0)
    assert host.values == {"coprocess-data:a": "ä".encode(), "coprocess-data:b": b"\xff"}
    assert host.ttls == {"coprocess-data:a": 15000, "coprocess-data:b": 0}
    assert (tyk.get_data("b"), tyk.get_data("c")) == (b"\xff", b"")


def test_a_failing_store_raises(host: FakeHost) -> None:
    """Never an empty value."""
    host.failure = StoreError("down")
    with pytest.raises(StoreError, match="down"):
        tyk.get_data("a")


def test_events_and_logs_name_the_running_hook(host: FakeHost) -> None:
    """Any other level is info."""
    running.set(Running("api", "hook"))
    try:
        tyk.trigger_event("Happened", "payload")
        for level in ("debug", "info", "warning", "error", "loud"):
            tyk.log(level, level)
        tyk.log_error("wrong")
    finally:
        running.set(NOTHING)
    assert host.events == [("api", "Happened", "payload")]
    levels = ["debug", "info", "warning", "error", "info", "error"]
    assert [log[:3] for log in host.logs] == [(level, "api", "hook") for level in levels]


def test_without_a_gateway_it_says_so() -> None:
    """In a plugin author's own tests."""
    gateway.connect(None)
    with pytest.raises(NoGatewayError, match="no gateway runs here"):
        tyk.get_data("a")


def test_printed_lines_become_records_of_their_thread(host: FakeHost) -> None:
    """Lines of threads that print at once do not mix; an unfinished one waits for its end."""
    stream = LogStream("info")
    begun, go_on = threading.Event(), threading.Event()

    def other() -> None:
        stream.write("other ")
        begun.set()
        go_on.wait()
        stream.write("thread\n")

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    print("one\n\ntwo", file=stream)
    go_on.set()
    thread.join()
    stream.write("rest")
    stream.flush()
    assert [log[3] for log in host.logs] == ["one", "two", "other thread", "rest"]


def test_logging_records_are_one_each_with_their_traceback(host: FakeHost) -> None:
    """And keep their level."""
    logger = logging.getLogger("a-plugin")
    handler = GatewayHandler()
    logger.addHandler(handler)
    try:
        1 / 0  # noqa: B018  # raises
    except ZeroDivisionError:
        logger.exception("failed for %s", "a reason")
    logger.warning("careful")
    logger.removeHandler(handler)
    (level, _, _, message), second = host.logs
    assert level == "error"
    assert message.startswith("failed for a reason\nTraceback")
    assert message.endswith("ZeroDivisionError: division by zero")
    assert second == ("warning", "", "", "careful")


def test_fork_and_signal_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do instead; subprocess goes on working."""
    import os
    import signal
    import subprocess
    import sys

    for module, name in ((os, "fork"), (os, "forkpty"), (signal, "signal")):
        monkeypatch.setattr(module, name, getattr(module, name))
    guard.install()
    with pytest.raises(RuntimeError, match="subprocess"):
        os.fork()
    with pytest.raises(RuntimeError, match="signals belong to the gateway"):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout == b"1\n"
