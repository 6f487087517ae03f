"""Missing prerequisites are reported in one line, with how to get them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NEED = Path(__file__).resolve().parents[1] / "tools" / "need"


def need(python: str = sys.executable, go: str = "true", **environment: str) -> str:
    """Run ``tools/need`` and return its output, empty if nothing is missing."""
    run = subprocess.run(
        [NEED, python, go], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert (run.returncode == 0) == (run.stderr == "")
    assert run.stderr.count("\n") <= 1
    return run.stderr


def test_nothing_is_missing_here() -> None:
    """The tests run on an interpreter that the library was built for."""
    assert need() == ""


def test_missing_programs_are_named() -> None:
    """Go, Python, and a C compiler."""
    assert "missing: Go" in need(go="no-such-go")
    assert "missing: Python (no-such-python)" in need(python="no-such-python")
    assert "missing: a C compiler" in need(PATH="/nowhere", go="/bin/true")


def test_a_go_that_is_too_old_is_missing(tmp_path: Path) -> None:
    """Debian 12's is 1.19, which cannot fetch a newer one."""
    go = tmp_path / "go"
    for version, old in (("go1.19.8", True), ("go1.20.1", True), ("go1.22.0", False)):
        go.write_text(f"#!/bin/sh\necho {version}\n")
        go.chmod(0o755)
        assert ("missing: Go" in need(go=str(go))) == old, version


@pytest.mark.parametrize(
    ("lie", "line"),
    [
        ("import sys; sys.version_info = (3, 9, 1)", "missing: Python 3.10 to 3.15"),
        ("import sys; sys.version_info = (3, 16, 0)", "missing: Python 3.10 to 3.15"),
        (
            "import sysconfig as s; was = s.get_config_var\n"
            "s.get_config_var = lambda n: 1 if n == 'Py_GIL_DISABLED' else was(n)",
            "missing: a Python with the GIL",
        ),
        ("import sysconfig; sysconfig.get_path = lambda name: '/nowhere'", "missing: the headers"),
        (
            "import sysconfig; sysconfig.get_config_var = lambda name: 'libpython.a'",
            "missing: a shared libpython",
        ),
        (
            "import importlib.util as u; was = u.find_spec\n"
            "u.find_spec = lambda name: None if name == 'ensurepip' else was(name)",
            "missing: the venv module",
        ),
    ],
)
def test_what_an_interpreter_lacks_is_named(tmp_path: Path, lie: str, line: str) -> None:
    """Version, headers, libpython or venv, each with the package to install."""
    (tmp_path / "sitecustomize.py").write_text(lie)
    assert line in need(PYTHONPATH=str(tmp_path))
