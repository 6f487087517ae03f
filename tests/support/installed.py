"""Runs code in a separate Python process that is prepared as for plugins."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

# Writes each record to the process's stdout, bypassing sys.stdout.
_START = """
import json, os
from tyk_cffi import gateway, guard, logs

class Host:
    def log(self, *record):
        os.write(1, json.dumps(record).encode() + b"\\n")

gateway.connect(Host())
guard.install()
logs.install()
from tyk_cffi.running import Running, running
running.set(Running("api", "hook"))
"""


def run(code: str, **options: Any) -> list[tuple[str, str]]:
    """Run ``code`` in such a process.

    Returns:
        Level and message of each record, in order.
    """
    done = subprocess.run(
        [sys.executable, "-c", _START + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {tuple(record[1:3]) for record in records} <= {("api", "hook"), ("", "")}
    return [(level, message) for level, _, _, message in records]
