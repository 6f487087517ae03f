"""Type checkers accept annotated plugin code and find mistakes in it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HEAD = """\
from gateway import TykGateway as tyk
from tyk.decorators import *
from tyk.types import Event as EventMessage, Metadata, Request, Response, Session, Spec
"""

GOOD = """
@Pre
def pre(request: Request, session: Session, spec: Spec) -> tuple[Request, Session]:
    request.add_header("a", spec["APIID"])
    request.object.raw_body = request.object.raw_body + b"x"
    request.object.return_overrides.response_code = 403
    session.rate = 1000.0
    tyk.store_data("key", tyk.get_data("key"), 5)
    if tyk.exists("key") and tyk.ttl("key") > 5 and tyk.delete_data("key"):
        session.rate = tyk.increment_data("key", by=-1, ttl=60) / 2
    return request, session

@CustomKeyCheck
def check(request: Request, session: Session, metadata: Metadata, spec: Spec) -> None:
    metadata["token"] = request.get_header("Authorization") or ""

@Hook
async def respond(
    request: Request, response: Response, session: Session, metadata: Metadata, spec: Spec
) -> Response:
    response.headers["a"] = "b"
    return response

@Event
def handler(event: EventMessage, spec: Spec) -> None:
    print(event["Type"])
"""


def check(tmp_path: Path, code: str) -> str:
    """Run mypy --strict on plugin code and return its errors."""
    file = tmp_path / "plugin.py"
    file.write_text(HEAD + textwrap.dedent(code))
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    return run.stdout + run.stderr


def test_annotated_plugins_are_fully_typed(tmp_path: Path) -> None:
    """Request, session, metadata, response, spec, event and services pass mypy --strict."""
    assert check(tmp_path, GOOD) == ""


@pytest.mark.parametrize(
    "mistake",
    [
        "@Pre\ndef f(request: Request, session: Session) -> None: ...",
        "@Event\ndef f(event: EventMessage, spec: Spec, more: int) -> None: ...",
        "@Pre\ndef f(request: Request, session: Session, spec: Spec) -> None:\n"
        "    request.add_header('a', 5)",
        "@Pre\ndef f(request: Request, session: Session, spec: Spec) -> None:\n"
        "    request.object.urll = 'a'",
        "@Pre\ndef f(request: Request, session: Session, spec: Spec) -> None:\n"
        "    session.rate = 'much'",
        "tyk.store_data('key', 'value')",
        "tyk.increment_data('key', 1.5)",
        "tyk.delete_data(b'key')",
    ],
)
def test_mistakes_are_seen_before_they_run(tmp_path: Path, mistake: str) -> None:
    """Wrong signatures, fields and values."""
    assert "error:" in check(tmp_path, mistake)


def test_the_samples_are_fully_typed(tmp_path: Path) -> None:
    """They pass mypy --strict."""
    root = Path(__file__).resolve().parents[1]
    files = [
        str(f) for f in [*root.glob("middleware/python/*.py"), *root.glob("event_handlers/*.py")]
    ]
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *files]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout + run.stderr == ""
