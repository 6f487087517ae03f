"""The tyk-cffi command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tyk_cffi
from tyk_cffi.cli import main


def test_info_shows_paths_and_versions() -> None:
    """Library, header, libpython and interpreter exist; the gateway reads the JSON."""
    run = subprocess.run(
        [sys.executable, "-m", "tyk_cffi", "info", "--json"],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    info = json.loads(run.stdout)
    assert info["version"] == tyk_cffi.__version__
    assert info["abi"] >= 1
    for name in ("library", "header", "libpython", "executable"):
        assert Path(info[name]).exists(), name
    tag = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
    assert tag in Path(info["library"]).name


def test_info_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each."""
    assert main(["info"]) == 0
    assert "libpython" in capsys.readouterr().out


def test_a_free_threaded_build_is_refused(tmp_path: Path) -> None:
    """The error is one line, which the gateway repeats when it starts."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sysconfig; was = sysconfig.get_config_var\n"
        "sysconfig.get_config_var = lambda n: 1 if n == 'Py_GIL_DISABLED' else was(n)\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "tyk_cffi", "info", "--json"],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert "is a free-threaded build of Python" in run.stderr
