"""The ``tyk-cffi`` command."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from tyk_cffi.info import collect


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tyk-cffi", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    info = commands.add_parser("info", help="where library, libpython and interpreter are")
    info.add_argument("--json", action="store_true", help="as JSON, for programs")
    options = parser.parse_args(arguments)
    return _info(options.json)


def _info(as_json: bool) -> int:
    facts = asdict(collect())
    if as_json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(f"{name:<10} {value or '(none)'}")
    return 0
