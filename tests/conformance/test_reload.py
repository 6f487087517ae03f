"""Code is replaced while requests run."""

from __future__ import annotations

import threading
from collections import Counter

import httpx
import pytest
from support.gateway import IS_BUNDLED, Gateway
from support.processes import wait_until

VERSION = """
from tyk.decorators import *

@Pre
def version(request, session, spec):
    request.object.return_overrides.response_code = 200
    request.object.return_overrides.response_body = "{}"
    return request, session
"""


def answer(gateway: Gateway) -> str:
    return gateway.http.get("/api/").text


@pytest.mark.stock_fails("its Reload is empty: changed code needs a restart")
def test_new_code_answers_after_a_reload_under_load(gateway: Gateway) -> None:
    """With 16 clients, no request fails, and only the new code answers after each reload."""
    gateway.plugin(VERSION.format("one"))
    gateway.define("api", {"pre": [{"name": "version"}]})
    gateway.start()
    stop = threading.Event()
    seen: Counter[tuple[int, str]] = Counter()

    def request_repeatedly() -> None:
        with httpx.Client(base_url=gateway.url) as client:
            while not stop.is_set():
                response = client.get("/api/")
                seen[response.status_code, response.text] += 1

    clients = [threading.Thread(target=request_repeatedly) for _ in range(16)]
    for client in clients:
        client.start()
    try:
        for version in ("two", "333", "444", "five"):
            gateway.plugin(VERSION.format(version))
            assert gateway.reload().json()["status"] == "ok"
            assert answer(gateway) == version
            wait_until(lambda: (200, version) in seen, f"version {version} for the clients")  # noqa: B023  # called at once
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert {status for status, _ in seen} == {200}


@pytest.mark.stock_fails("its Reload is empty: nothing is loaded, and nothing said")
def test_broken_code_leaves_the_old_answering(gateway: Gateway) -> None:
    """After a syntax error the old code stays in use and the log has the traceback; the fixed code is loaded."""
    gateway.plugin(VERSION.format("old"))
    gateway.define("api", {"pre": [{"name": "version"}]})
    gateway.start()
    assert answer(gateway) == "old"
    gateway.plugin("def broken(:\n")
    answered = gateway.reload().json()["status"]
    assert answered == "error" or not IS_BUNDLED  # Tyk only logs it
    assert answer(gateway) == "old"
    gateway.wait_for_log("SyntaxError")
    assert "plugin.py" in gateway.log()
    gateway.plugin(VERSION.format("new"))
    assert gateway.reload().json()["status"] == "ok"
    assert answer(gateway) == "new"


@pytest.mark.stock_fails("its Reload is empty: nothing is loaded, and nothing said")
def test_a_configured_hook_stays_whether_or_not_it_was_called(gateway: Gateway) -> None:
    """Code without it does not replace code that has it, at any number of reloads."""
    gateway.plugin(VERSION.format("old"))
    gateway.define("api", {"pre": [{"name": "version"}]})
    gateway.start()
    gateway.plugin("# nothing")
    for _ in range(2):
        answered = gateway.reload().json()["status"]
        assert answered == "error" or not IS_BUNDLED  # Tyk only logs it
    assert answer(gateway) == "old"
    gateway.plugin(VERSION.format("new"))
    assert gateway.reload().json()["status"] == "ok"
    assert answer(gateway) == "new"


@pytest.mark.bundled_only("Tyk drops an API whose definition became malformed")
def test_definitions_come_and_go(gateway: Gateway) -> None:
    """A reload adds new definitions, removes deleted ones, and keeps the old version of malformed ones."""
    gateway.define("stays")
    gateway.define("goes")
    gateway.start()
    (gateway.folder / "apps" / "goes.json").unlink()
    (gateway.folder / "apps" / "stays.json").write_text("{ not json")
    gateway.define("comes")
    gateway.reload()
    assert gateway.http.get("/stays/").status_code == 200
    assert gateway.http.get("/comes/").status_code == 200
    assert gateway.http.get("/goes/").status_code == 404
    gateway.wait_for_log("stays.json")
