"""The README's commands give the output that it shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gateway import BINARY, ROOT
from support.processes import answers, free_port, wait_until

UPSTREAM_PORT = 8090  # that of the samples in apps/, which the README shows


def examples() -> list[tuple[str, str]]:
    """Return each curl command of the README with its output."""
    blocks = re.findall(r"```\n(\$ curl .*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    return [tuple(block.removeprefix("$ ").split("\n", 1)) for block in blocks]


def two_ports() -> int:
    """Return a free port for the gateway; the upstream's, which is 10 higher, is free too."""
    while True:
        port = free_port()
        if port <= 65525 and not answers(port + 10):
            return port


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Run the same as ``make run`` on another port; yields its URL and output file."""
    port = two_ports()
    output = tmp_path_factory.mktemp("run") / "output"
    environment = {**os.environ, "PORT": str(port), "GATEWAY": str(BINARY)}
    environment["TYK_CFFI_PYTHON"] = sys.executable
    with output.open("wb") as log:
        process = subprocess.Popen(
            [str(ROOT / "tools" / "run")],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            # A shell cannot trap signals that were ignored when it started, as in script jobs.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    wait_until(lambda: "Try:" in output.read_text() or process.poll() is not None, "the start", 60)
    yield f"http://127.0.0.1:{port}", output
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=30) == 0, output.read_text()
    finally:
        process.kill()
    assert not answers(port + 10), "the upstream outlived Ctrl-C"
    assert "Traceback" not in output.read_text()


def curl(command: str, url: str) -> str:
    """Run a curl of the README against another port."""
    words = [word.replace("http://127.0.0.1:8080", url) for word in shlex.split(command)]
    assert words[0] == "curl"
    return subprocess.run([*words, "-sS"], capture_output=True, text=True, check=True).stdout


def comparable(text: str) -> str:
    """Remove curl's version and the upstream's port, which vary."""
    text = re.sub(r"curl/[0-9.]+", "curl/x", text)
    return re.sub(r'"Host": "127.0.0.1:\d+"', '"Host": upstream', text).strip()


@pytest.mark.parametrize(("command", "output"), examples(), ids=lambda text: text[:40])
def test_a_command_of_the_readme_gives_its_output(
    run: tuple[str, Path], command: str, output: str
) -> None:
    """Exactly."""
    assert comparable(curl(command, run[0])) == comparable(output)


def test_a_refused_key_is_an_event_for_my_handler(run: tuple[str, Path]) -> None:
    """The event has all fields of section 7 of the contract."""
    url, output = run
    curl(f"curl {url}/coprocess-auth-tyk-api-test/ -H 'Authorization: invalidtoken'", url)
    wait_until(lambda: "my_handler:" in output.read_text(), "the event")
    line = next(line for line in output.read_text().splitlines() if "my_handler:" in line)
    event, _ = json.JSONDecoder().raw_decode(json.loads(line)["msg"].removeprefix("my_handler: "))
    assert event["Type"] == "AuthFailure"
    assert event["TimeStamp"]
    assert set(event["Meta"]) == {"Path", "Origin", "Message", "OriginatingRequest", "Key"}


def test_what_the_run_says_to_try_works(run: tuple[str, Path]) -> None:
    """Three curls: a hooked request, a good key, a bad one."""
    url, output = run
    commands = [line.strip() for line in output.read_text().splitlines() if "  curl " in line]
    assert len(commands) == 3
    answers = [curl(f"{command} -o /dev/null -w '%{{http_code}}'", url) for command in commands]
    assert answers == ["200", "200", "403"]


def test_the_samples_are_tyks_but_for_the_upstream() -> None:
    """Tyk loads them unchanged."""
    shared = ROOT.parent / "shared" / "samples"
    if not shared.exists():
        pytest.skip("Tyk's own samples are not beside this checkout")
    for file in sorted(shared.glob("*.json")):
        theirs = json.loads(file.read_text())
        theirs["proxy"]["target_url"] = f"http://127.0.0.1:{UPSTREAM_PORT}/"
        assert json.loads((ROOT / "apps" / file.name).read_text()) == theirs
