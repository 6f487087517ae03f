"""``tools/in-debian`` reports why it cannot run a command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "tools" / "in-debian"
ROOT_USER = "echo 0"  # what `id -u` prints


@pytest.mark.parametrize(
    ("programs", "reason"),
    [
        ({"id": "echo 1000"}, "it needs root"),
        ({"id": ROOT_USER, "unshare": "exit 1"}, "it needs the right to mount"),
        ({"id": ROOT_USER, "unshare": "exit 0", "apt-get": "exit 0"}, "no Debian mirror"),
        (
            {
                "id": ROOT_USER,
                "unshare": "exit 0",
                "apt-get": '[ "$1" = indextargets ] && echo http://127.0.0.1:1/debian/',
                "debootstrap": "exit 0",
            },
            "http://127.0.0.1:1/debian has no no-such-release",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, programs: dict[str, str], reason: str) -> None:
    """It exits with 0, or with 77 if the run is required."""
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    for required, status in (("", 0), ("required", 77)):
        run = subprocess.run(
            [TOOL, "no-such-release", "false"],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "IN_DEBIAN": required,
            },
        )
        assert run.returncode == status, run.stderr
        assert run.stderr.startswith("skipped in Debian no-such-release: false: ")
        assert reason in run.stderr
        assert run.stderr.count("\n") == 1
