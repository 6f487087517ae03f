"""Check the documentation: links, commands, snippets, spelling, wording, citations.

usage: python tools/docs_check.py

Reads every Markdown file of the project. ``tools/words.txt`` lists the words that are correct
though the English dictionary lacks them, ``tools/phrases.txt`` the phrases that are not to
come back.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spellchecker import SpellChecker

from tyk_cffi.cli import _parser

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FOLDERS = "bench|docs|driver|host|integrations|middleware|shims|tests|tools|tyk_cffi"
PATH = re.compile(rf"(?:{FOLDERS})/[\w./-]+\.(?:py|go|md|json|svg|c|h|proto)")


@dataclass(frozen=True)
class Document:
    """A Markdown file."""

    path: Path
    text: str
    root: Path = ROOT

    def fault(self, what: str) -> str:
        return f"{self.path.relative_to(self.root)}: {what}"

    @property
    def prose(self) -> str:
        """The text without code and link targets."""
        return LINK.sub(lambda m: m.group(0).partition("](")[0], CODE.sub(" ", self.outside))

    @property
    def outside(self) -> str:
        """The text without code blocks."""
        return BLOCK.sub("", self.text)

    @property
    def code(self) -> str:
        """Code blocks and inline code."""
        blocks = [block for _, block in BLOCK.findall(self.text)]
        return "\n".join([*blocks, *CODE.findall(self.outside)])


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub generates from the headings."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def links(document: Document) -> Iterator[str]:
    """Yield links to missing files and headings."""
    for target in LINK.findall(document.outside):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = document.path.parent / name if name else document.path
        if not file.exists():
            yield document.fault(f"the link {target} names no file")
        elif anchor and anchor not in anchors(file.read_text()):
            yield document.fault(f"the link {target} names no heading")


def paths(document: Document) -> Iterator[str]:
    """Yield files in inline code that do not exist."""
    for code in CODE.findall(document.outside):
        name = code.partition("::")[0]
        if PATH.fullmatch(name) and not (document.root / name).exists():
            yield document.fault(f"`{name}` does not exist")


def commands(document: Document) -> Iterator[str]:
    """Yield unknown Makefile targets, and unknown commands and options of tyk-cffi."""
    makefile = (ROOT / "Makefile").read_text()
    for words in re.findall(r"(?:^|[`$&] ?)make((?: [a-z][a-z-]+)+)", document.code, re.M):
        for target in words.split():
            if not re.search(rf"^{target}:", makefile, re.M):
                yield document.fault(f"the Makefile has no target {target}")
    for line in re.findall(r"\btyk-cffi ([a-z].*)", document.code):
        parser = _parser()
        for word in line.split():
            parser, fault = follow(parser, word.strip("\"')"))
            if fault:
                yield document.fault(f"tyk-cffi {line}: {fault}")
                break


def follow(parser: argparse.ArgumentParser, word: str) -> tuple[argparse.ArgumentParser, str]:
    """Return the parser after one more word, and the fault of that word, if any."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            if word in action.choices:
                return action.choices[word], ""
            return parser, f"there is no command {word}"
    if word.startswith("--") and word not in parser._option_string_actions:
        return parser, f"there is no option {word}"
    return parser, ""


def snippets(document: Document) -> Iterator[str]:
    """Yield Python, shell and JSON snippets with syntax errors."""
    for language, code in BLOCK.findall(document.text):
        try:
            if language == "python":
                compile(code, "snippet", "exec")
            elif language == "sh":
                done = subprocess.run(["sh", "-n"], input=code, text=True, capture_output=True)
                if done.returncode:
                    raise ValueError(done.stderr.strip())
            elif language == "json":
                json.loads(code if code.lstrip().startswith(("{", "[")) else f"{{{code}}}")
        except (SyntaxError, ValueError) as error:
            yield document.fault(f"{code.splitlines()[0]} …: {error}")


def spelling(document: Document) -> Iterator[str]:
    """Yield words that are in neither the dictionary nor the project's list."""
    known = {word.lower() for word in lines(TOOLS / "words.txt")}
    words = set(
        re.findall(r"[A-Za-z]+(?:'[a-z]+)?", re.sub(r"\S*[/_@.]\w\S*", " ", document.prose))
    )
    words = {word.removesuffix("'s") for word in words if not word.isupper()}
    candidates = {w for w in words if len(w) > 2 and w.lower() not in known}
    for word in sorted(CHECKER.unknown(candidates)):
        yield document.fault(f"unknown word {word} (if it is right, add it to tools/words.txt)")


def wording(document: Document) -> Iterator[str]:
    """Yield unwanted phrases."""
    text = " ".join(document.text.split()).lower()
    for line in lines(TOOLS / "phrases.txt"):
        phrase, _, better = (part.strip() for part in line.partition("|"))
        if phrase.lower() in text:
            yield document.fault(f'"{phrase}": say "{better}"')


def citations(code: str, name: str, contract: str) -> Iterator[str]:
    """Yield citations like "contract 5" of sections that docs/contract.md does not have."""
    sections = set(re.findall(r"^## (\d+)\.", contract, re.M))
    numbers = r"(\d+(?:(?:, | and )\d+)*)"
    short = re.findall(rf"\(contract {numbers}\)", code)
    for cited in short + re.findall(rf"sections? {numbers} of docs/contract\.md", code):
        for number in re.findall(r"\d+", cited):
            if number not in sections:
                yield f"{name}: docs/contract.md has no section {number}"


def lines(file: Path) -> list[str]:
    """Return the lines of a list without comments."""
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


CHECKER = SpellChecker(distance=1)
CHECKS = (links, paths, commands, snippets, spelling, wording)


def check(document: Document) -> list[str]:
    """Return all faults of a document."""
    return [fault for one in CHECKS for fault in one(document)]


def main() -> int:
    """Check all documents; return 1 if there are faults."""
    files = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("**/*.md"),
        *(ROOT / ".github").glob("**/*.md"),
    ]
    faults = [fault for f in sorted(files) for fault in check(Document(f, f.read_text()))]
    contract = (ROOT / "docs" / "contract.md").read_text()
    for folder in ("tyk_cffi", "driver", "host", "integrations", "tests"):
        for file in sorted((ROOT / folder).rglob("*.*")):
            if file.suffix in (".py", ".go"):
                faults += citations(file.read_text(), str(file.relative_to(ROOT)), contract)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"docs-check: {len(files)} documents, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
