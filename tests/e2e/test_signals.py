"""Signals, and the end of whatever reads the log."""

from __future__ import annotations

import os
import signal

import pytest
from support.gateway import IS_BUNDLED, Gateway
from support.processes import wait_until

pytestmark = pytest.mark.skipif(not IS_BUNDLED, reason="signals of the bundled gateway")

ANSWERS = """
from tyk.decorators import *

@Pre
def answers(request, session, spec):
    print("called")
    request.object.return_overrides.response_code = 200
    request.object.return_overrides.response_body = "{}"
"""

STOPS_LATE = """
import atexit, time
atexit.register(print, "the exit function ran")
print("importing now")
time.sleep(1000)
"""


def served(gateway: Gateway, text: str = "old") -> Gateway:
    gateway.plugin(ANSWERS.format(text))
    gateway.define("a", {"pre": [{"name": "answers"}]})
    return gateway


def hang_up(gateway: Gateway) -> None:
    process = gateway._process
    assert process is not None
    process.send_signal(signal.SIGHUP)


def test_sighup_reloads(gateway: Gateway) -> None:
    """As in other servers; what is refused is in the log."""
    served(gateway).start()
    gateway.plugin(ANSWERS.format("new"))
    hang_up(gateway)
    wait_until(lambda: gateway.http.get("/a/").text == "new", "the new code")
    gateway.plugin("def broken(\n")
    hang_up(gateway)
    gateway.wait_for_log("SyntaxError")
    assert gateway.http.get("/a/").text == "new"


def test_a_terminal_that_is_closed_ends_the_gateway(gateway: Gateway) -> None:
    """It would otherwise stay behind, with its port."""
    served(gateway)
    terminal, its_end = os.openpty()
    gateway.stdin = its_end
    gateway.start()
    hang_up(gateway)
    process = gateway._process
    assert process is not None
    assert process.wait(timeout=20) == 0
    gateway.wait_for_log("gateway stopped")
    os.close(terminal)
    os.close(its_end)


def test_a_log_whose_reader_ended_does_not_end_the_gateway(gateway: Gateway) -> None:
    """A write to its pipe fails; by default it would be a signal that ends the process."""
    served(gateway)
    reader, gateway.output = os.pipe()
    gateway.start()
    os.close(reader)
    os.close(gateway.output)
    for _ in range(3):
        assert gateway.http.get("/a/").text == "old"
    assert gateway.reload().status_code == 200
    assert gateway.stop() == 0


def test_a_stop_while_loading_runs_exit_functions(gateway: Gateway) -> None:
    """Those of code that was imported so far, and of code whose import has not ended."""
    gateway.plugin(STOPS_LATE)
    gateway.define("a")
    process = gateway.launch()
    gateway.wait_for_log("importing now", 60)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)
    gateway.wait_for_log("the exit function ran")
    gateway.wait_for_log("stopped by a signal while loading")
