"""``make docs-check`` finds each kind of fault."""

from __future__ import annotations

from pathlib import Path

import docs_check
import pytest

GOOD = """# A page

Run `make test` or `tyk-cffi bundle build --skip-signing`, see [above](#a-page).

```python
request.add_header("a", "b")
```
"""


def faults(folder: Path, text: str) -> list[str]:
    """Return the faults that the tool reports for a page."""
    page = folder / "page.md"
    page.write_text(text)
    return docs_check.check(docs_check.Document(page, text, folder))


def test_a_good_page_has_no_faults(tmp_path: Path) -> None:
    assert faults(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a](missing.md)", "names no file"),
        ("[a](#no-such-heading)", "names no heading"),
        ("`docs/no-such-page.md`", "does not exist"),
        ("`make no-such-target`", "no target no-such-target"),
        ("```\nmake run no-such-target\n```", "no target no-such-target"),
        ("`tyk-cffi brew`", "there is no command brew"),
        ("`tyk-cffi info --xml`", "there is no option --xml"),
        ("```python\ndef f(:\n```", "invalid syntax"),
        ("```sh\nif true; then\n```", "Syntax error"),
        ('```json\n{"a": }\n```', "Expecting value"),
        ("The gatewya starts.", "unknown word gatewya"),
        ("Definitions stay as\nthey are.", "work unchanged"),
    ],
)
def test_each_fault_is_found(tmp_path: Path, text: str, fault: str) -> None:
    """The tool reports exactly this fault."""
    found = faults(tmp_path, f"{GOOD}\n{text}\n")
    assert len(found) == 1, found
    assert fault in found[0]


def test_a_comment_cites_a_section_that_exists() -> None:
    """For instance ``(contract 3 and 6)``, or a section of ``docs/contract.md``."""
    contract = "# The contract\n\n## 3. Order\n"
    assert list(docs_check.citations("# (contract 3)", "a.py", contract)) == []
    found = list(docs_check.citations("# (contract 3 and 6)", "a.py", contract))
    assert found == ["a.py: docs/contract.md has no section 6"]
    cited = docs_check.citations("See section 9 of docs/contract.md.", "a.py", contract)
    assert list(cited) == ["a.py: docs/contract.md has no section 9"]
