"""Errors are reported and do not affect anything else."""

from __future__ import annotations

import socket
import textwrap
from collections.abc import Callable

import pytest
from support.gateway import ROOT, Gateway
from support.processes import free_port
from support.upstream import Upstream

BAD = textwrap.dedent("""
    import sys
    from tyk.decorators import *

    @Hook
    def exits(request, session, spec):
        sys.exit(1)

    @Hook
    def interrupts(request, session, spec):
        raise KeyboardInterrupt

    @Hook
    def recurses(request, session, spec):
        return recurses(request, session, spec)

    @Hook
    def wrong_tuple(request, session, spec):
        return request, session, spec, 4

    @Hook
    def number_header(request, session, spec):
        request.add_header("X-Number", 5)

    @Hook
    def split_header(request, session, spec):
        request.add_header("X-Split", "one\\r\\nX-Second: two")

    @Hook
    def surrogate(request, session, spec):
        request.add_header("X-Half", "\\ud800")

    @Hook
    def nothing(request, session, spec):
        request.add_header("X-Nothing", "in place")
""")

FAILING = {
    "exits": "SystemExit",
    "interrupts": "KeyboardInterrupt",
    "recurses": "RecursionError",
    "wrong_tuple": "must return request, session",
    "number_header": "TypeError",
    "split_header": "control character",
    "surrogate": "UnicodeEncodeError",
}


def test_the_gateway_survives_whatever_a_hook_does(gateway: Gateway, upstream: Upstream) -> None:
    """500 and a log record with API, hook type, hook and reason; None keeps in-place changes."""
    gateway.plugin(BAD)
    for name in [*FAILING, "nothing"]:
        gateway.define(f"api-{name}", {"pre": [{"name": name}]})
    gateway.start()
    for name, reason in FAILING.items():
        answer = gateway.http.get(f"/api-{name}/")
        assert (answer.status_code, answer.json()) == (500, {"error": "Middleware error"}), name
        gateway.wait_for_log(reason)
        record = next(line for line in gateway.log().splitlines() if reason in line)
        assert f"api-{name}" in record
        assert "Pre" in record
        assert f"'{name}'" in record or f'"{name}"' in record
    assert upstream.received == []
    assert gateway.http.get("/api-nothing/").status_code == 200
    assert upstream.last.header("X-Nothing") == "in place"


def test_an_unknown_hook_affects_its_own_api_only(gateway: Gateway) -> None:
    """That API answers 500; the log names API, hook and the nearest name."""
    gateway.plugin(BAD)
    gateway.define("good", {"pre": [{"name": "nothing"}]})
    gateway.define("bad", {"pre": [{"name": "noting"}]})
    gateway.start()
    assert gateway.http.get("/good/").status_code == 200
    assert gateway.http.get("/bad/").status_code == 500
    record = next(line for line in gateway.log().splitlines() if "noting" in line)
    assert "'nothing'" in record
    assert "bad" in record


def test_a_wrong_number_of_arguments_is_reported_at_load(gateway: Gateway) -> None:
    """With file and line; other modules load."""
    gateway.plugin(BAD)
    gateway.plugin(
        "from tyk.decorators import *\n\n@Pre\ndef two(request, session):\n    pass\n", "two.py"
    )
    gateway.define("good", {"pre": [{"name": "nothing"}]})
    gateway.start()
    gateway.wait_for_log("two.py:3")
    assert gateway.http.get("/good/").status_code == 200


def test_malformed_definitions_are_named_and_others_served(gateway: Gateway) -> None:
    """One line each with the file."""
    gateway.define("good")
    (gateway.folder / "apps" / "broken.json").write_text('{"name": "x",\n "api_id": }')
    gateway.start()
    assert gateway.http.get("/good/").status_code == 200
    assert "broken.json" in gateway.log()


def fails_to_start(gateway: Gateway) -> str:
    """Run the gateway until it exits, and return its one-line error."""
    process = gateway.launch()
    assert process.wait(timeout=20) != 0
    lines = [line for line in gateway.log().splitlines() if not line.startswith(("{", "time="))]
    assert len(lines) == 1, gateway.log()
    return lines[0]


def test_start_errors_are_one_line(new_gateway: Callable[[], Gateway]) -> None:
    """Port taken, Redis down, no Python, no package."""
    taken = new_gateway()
    with socket.create_server(("127.0.0.1", taken.port)):
        assert str(taken.port) in fails_to_start(taken)

    no_redis = new_gateway()
    port = free_port()
    no_redis.settings["storage"] = {"type": "redis", "host": "127.0.0.1", "port": port}
    assert str(port) in fails_to_start(no_redis)

    no_python = new_gateway()
    no_python.environment["TYK_CFFI_PYTHON"] = "/nowhere/python3"
    assert "/nowhere/python3" in fails_to_start(no_python)

    no_package = new_gateway()
    fake = no_package.folder / "python"
    fake.write_text("#!/bin/sh\necho 'No module named tyk_cffi' >&2\nexit 1\n")
    fake.chmod(0o755)
    no_package.environment["TYK_CFFI_PYTHON"] = str(fake)
    assert "pip install" in fails_to_start(no_package)


def test_malformed_settings_are_one_line(gateway: Gateway) -> None:
    """The line names the file."""
    import subprocess

    (gateway.folder / "bad.conf").write_text('{"listen_port": ')
    for name in ("bad.conf", "absent.conf"):
        run = subprocess.run(
            [str(ROOT / "bin" / "gateway"), "--conf", name],
            cwd=gateway.folder,
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert run.returncode != 0
        assert name in run.stderr
        assert run.stderr.count("\n") == 1


def test_without_the_tags_a_python_api_answers_500(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway serves other APIs, and the log names the build tags."""
    binary = ROOT / "bin" / "gateway-without-python"
    if not binary.exists():
        pytest.skip("bin/gateway-without-python is made by `make test-go`")
    monkeypatch.setattr(gateway, "_binary", binary)
    gateway.plugin(BAD)
    gateway.define("plain")
    gateway.define("hooked", {"pre": [{"name": "nothing"}]})
    gateway.start()
    assert gateway.http.get("/plain/").status_code == 200
    assert gateway.http.get("/hooked/").status_code == 500
    assert "coprocess python" in gateway.log()
