"""docs/compatibility.md and docs/security.md name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("compatibility.md", "security.md")


def rows(section: str) -> list[list[str]]:
    """Return the cells of each row of a section's table."""
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[1:]]


def sections(page: str) -> list[list[list[str]]]:
    """Return the tables of a page."""
    return [rows(part) for part in (ROOT / "docs" / page).read_text().split("\n## ")[1:]]


def go_tests() -> set[str]:
    files = [
        f for d in ("driver", "host", "integrations/tyk") for f in (ROOT / d).rglob("*_test.go")
    ]
    return {
        name for f in files for name in re.findall(r"^func ((?:Test|Fuzz)\w+)", f.read_text(), re.M)
    }


CELLS = [(row[0], row[-1]) for page in PAGES for table in sections(page) for row in table]


@pytest.mark.parametrize(("row", "tests"), CELLS, ids=[row for row, _ in CELLS])
def test_a_row_names_tests_that_exist(row: str, tests: str) -> None:
    """A pytest function or class, a Go test, or a target of the Makefile."""
    names = re.findall(r"`([^`]+)`", tests)
    assert names, row
    for name in names:
        if name.startswith("make "):
            target = name.removeprefix("make ")
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), name
        elif name.startswith(("Test", "Fuzz")):
            assert name in go_tests(), name
        else:
            file, function = name.split("::")
            code = (ROOT / "tests" / file).read_text()
            assert re.search(rf"^(?:def|class) {function}\b", code, re.M), name
