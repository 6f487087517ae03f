"""Memory is bounded and the gateway stops in time, whatever plugins and clients do."""

from __future__ import annotations

import signal
import socket
import time

import pytest
from support.gateway import IS_BUNDLED, SECRET, Gateway
from support.processes import wait_until

pytestmark = pytest.mark.skipif(not IS_BUNDLED, reason="limits of the bundled gateway")

CONTROL = {"x-tyk-authorization": SECRET}

HOOKS = """
import ctypes, threading, time
from gateway import TykGateway as tyk
from tyk.decorators import *

@Pre
def reads(request, session, spec):
    request.object.return_overrides.response_code = 200
    request.object.return_overrides.response_body = str(len(request.object.raw_body))

@Pre
def holds_the_interpreter(request, session, spec):
    ctypes.PyDLL(None).sleep(1000)

@Pre
def fires(request, session, spec):
    tyk.trigger_event("E", "payload")

@Pre
def sends_two_gib(request, session, spec):
    tyk.log("x" * 2**31)
"""

ON_E = {
    "events": {"E": [{"handler_name": "cp_dynamic_handler", "handler_meta": {"name": "stuck"}}]}
}
STUCK = """
import threading
from tyk.decorators import *

@Event
def stuck(event, spec):
    print("stuck now")
    threading.Event().wait()
"""


def ends_within(gateway: Gateway, seconds: float) -> None:
    """SIGTERM ends the gateway."""
    process = gateway._process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=seconds)


def metric(gateway: Gateway, name: str) -> float:
    """The value of a gauge or counter."""
    lines = gateway.http.get("/metrics", headers=CONTROL).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))


class TestTheGatewayEndsWithinItsLimit:
    """``shutdown_timeout``, and the log names what was left behind."""

    @pytest.mark.parametrize("name", ["shutdown_timeout", "graceful_shutdown_timeout_duration"])
    def test_while_an_event_handler_waits_for_ever(self, gateway: Gateway, name: str) -> None:
        """With this gateway's setting and with Tyk's."""
        gateway.settings[name] = 2
        gateway.plugin(HOOKS)
        gateway.event_handler(STUCK)
        gateway.define("a", {"pre": [{"name": "fires"}]}, event_handlers=ON_E)
        gateway.start()
        assert gateway.http.get("/a/").status_code == 200
        gateway.wait_for_log("stuck now")
        ends_within(gateway, 8)
        gateway.wait_for_log("map[stuck:1] did not end")

    def test_while_c_code_holds_the_interpreter(self, gateway: Gateway) -> None:
        """No Python code can run any more."""
        gateway.settings["shutdown_timeout"] = 2
        gateway.plugin(HOOKS)
        gateway.define("a", {"pre": [{"name": "holds_the_interpreter"}]})
        gateway.start()
        with socket.create_connection(("127.0.0.1", gateway.port)) as client:
            client.sendall(b"GET /a/ HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until(lambda: metric(gateway, "gateway_python_running") == 1, "the call")
            ends_within(gateway, 8)
        gateway.wait_for_log("map[a:1] by API")

    def test_while_it_still_imports(self, gateway: Gateway) -> None:
        """It can be stopped before it serves."""
        gateway.plugin("import time\nprint('importing now')\ntime.sleep(1000)\n")
        gateway.define("a")
        gateway.launch()
        gateway.wait_for_log("importing now", 60)
        ends_within(gateway, 8)


def test_a_reload_gives_up_a_module_that_imports_for_ever(gateway: Gateway) -> None:
    """The old code stays in use; the next reload reports at once that the first still hangs."""
    gateway.settings["coprocess_options"]["import_timeout_ms"] = 1000
    gateway.plugin(HOOKS)
    gateway.define("a", {"pre": [{"name": "reads"}]})
    gateway.start()
    gateway.plugin("import time\ntime.sleep(1000)\n", "slow.py")
    for text in ("did not finish within 1s", "has been hanging since"):
        begin = time.monotonic()
        assert gateway.reload().status_code == 500
        assert time.monotonic() - begin < 15
        gateway.wait_for_log(text)
    assert gateway.http.post("/a/", content=b"abc").text == "3"


def test_bodies_wait_for_memory_and_are_refused_when_it_does_not_come(gateway: Gateway) -> None:
    """Two fit; a third is refused until those have been freed."""
    gateway.settings["coprocess_options"] |= {
        "max_body_bytes": 1 << 20,
        "max_bodies_bytes": (2 << 20) + 4096,
    }
    gateway.plugin(HOOKS)
    gateway.define("a", {"pre": [{"name": "reads"}]})
    gateway.start()
    size = (1 << 20) - 10
    head = f"POST /a/ HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
    holders = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(2)]
    for holder in holders:
        holder.sendall(head + b"x" * (size - 1))  # the last byte never comes
    wait_until(lambda: metric(gateway, "gateway_bodies_bytes") >= 2 << 20, "two bodies")
    refused = gateway.http.post("/a/", content=b"x" * size)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert metric(gateway, "gateway_bodies_refused_total") == 1
    for holder in holders:
        holder.close()
    assert gateway.http.post("/a/", content=b"x" * size).text == str(size)
    wait_until(lambda: metric(gateway, "gateway_bodies_bytes") == 0, "all memory back")


def test_a_text_of_two_gib_is_cut(gateway: Gateway) -> None:
    """The hook that logs it may fail, but the gateway survives."""
    gateway.plugin(HOOKS)
    gateway.define("big", {"pre": [{"name": "sends_two_gib"}]})
    gateway.define("small", {"pre": [{"name": "reads"}]})
    gateway.start()
    assert gateway.http.get("/big/").status_code in (200, 500)
    assert gateway.http.post("/small/", content=b"abc").text == "3"
    wait_until(lambda: (gateway.folder / "gateway.log").stat().st_size < 1 << 20, "a small log")
