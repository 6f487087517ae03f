"""Modules are found, isolated and replaced; they stay in use if the new ones are broken."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.source import Source

from tyk_cffi.errors import LoadError
from tyk_cffi.importing import INNER_PREFIX

HOOK = "from tyk.decorators import *\n@Pre\ndef hook(request, session, spec):\n    {}\n"


def run_hook(source: Source, name: str = "hook") -> str:
    """Run the hook and return the one header that it adds."""
    from tyk_cffi.proto.coprocess_object_pb2 import Object

    out, _ = source.bind(name).run(b"")
    return Object.FromString(out).request.set_headers["result"]


def hook_source(expression: str) -> str:
    return HOOK.format(f"request.add_header('result', {expression})")


def test_modules_import_each_other_in_every_way(source: Source) -> None:
    """Absolute, relative, dotted, circular, inside functions, and in namespace packages."""
    source.write("a.py", "import b\nVALUE = 'a'\n")
    source.write("b.py", "import a\nVALUE = 'b'\n")
    source.write("package/__init__.py", "from .inner import VALUE\n")
    source.write("package/inner.py", "import a\nVALUE = 'inner'\n")
    source.write("bare/module.py", "VALUE = 'bare'\n")
    source.write(
        "hooks.py",
        """
        import a, package.inner, json
        import bare.module as other
        from b import VALUE as b
        from package import inner
        from tyk.decorators import *

        @Pre
        def hook(request, session, spec):
            import b as late
            from package.inner import VALUE as lazy
            seen = [a.VALUE, b, package.VALUE, inner.VALUE, other.VALUE, late.VALUE, lazy]
            request.add_header("result", json.dumps(seen))
        """,
    )
    loaded = source.load()
    assert loaded["failures"] == {}
    assert run_hook(source) == '["a", "b", "inner", "inner", "bare", "b", "inner"]'


def test_two_sources_with_the_same_names_are_isolated(
    source: Source, new_source: Callable[[str], Source]
) -> None:
    """Modules, hooks, and imports inside functions."""
    other = new_source("other")
    other.transport = source.transport
    for each, value in ((source, "one"), (other, "two")):
        each.write("helper.py", f"VALUE = {value!r}\n")
        each.write("late.py", f"VALUE = 'late {value}'\n")
        each.write(
            "middleware.py",
            "import helper\n" + hook_source("helper.VALUE + ', ' + __import__('late').VALUE"),
        )
        each.load(entry="middleware")
    assert run_hook(source) == "one, late one"
    assert run_hook(other) == "two, late two"


def test_the_runtimes_names_are_not_shadowed(source: Source) -> None:
    """A copy of the stock package in a plugin's folder is ignored."""
    source.write("tyk/__init__.py", "")
    source.write("tyk/decorators.py", "def Pre(f): raise AssertionError\n")
    source.write("coprocess_object_pb2.py", "raise AssertionError\n")
    source.write("hooks.py", "from coprocess_object_pb2 import Object\n" + hook_source("'fine'"))
    source.load(entry="hooks")
    assert run_hook(source) == "fine"


def test_a_new_version_takes_the_place_of_the_old(source: Source) -> None:
    """Bindings follow, even after an edit of the same size in the same second."""
    for value in ("one", "two", "six"):
        source.write("hooks.py", hook_source(repr(value)))
        assert source.load()["changed"]
        binding = source.bind()
        assert run_hook(source) == value
    source.write("hooks.py", hook_source("'ten'"))
    source.load()
    assert b"ten" in binding.run(b"")[0]


def test_an_unchanged_folder_is_not_loaded_again(source: Source) -> None:
    """Its modules keep their state, for instance connections."""
    source.write("hooks.py", hook_source("'same'"))
    assert source.load()["changed"]
    assert not source.load()["changed"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import nothing_of_that_name\n", "ModuleNotFoundError"),
        ("import sys; sys.exit(1)\n", "SystemExit"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        (
            "from tyk.decorators import *\n@Pre\ndef hook(request):\n    pass\n",
            "hooks.py:2: @Pre hook takes 1 arguments",
        ),
    ],
)
def test_broken_code_keeps_the_old_version_in_use(source: Source, code: str, reason: str) -> None:
    """The error has file and traceback; the fixed code is loaded."""
    source.write("hooks.py", hook_source("'old'"))
    source.load()
    source.write("hooks.py", code)
    with pytest.raises(LoadError, match="hooks does not load") as caught:
        source.load()
    assert reason in str(caught.value)
    assert "hooks.py" in str(caught.value)
    assert run_hook(source) == "old"
    source.write("hooks.py", hook_source("'fixed'"))
    source.load()
    assert run_hook(source) == "fixed"


def test_a_broken_module_does_not_affect_others_at_the_first_load(source: Source) -> None:
    """The failure is reported; the module may keep failing while others change."""
    source.write("good.py", hook_source("'good'"))
    source.write("bad.py", "1 / 0\n")
    loaded = source.load()
    assert "ZeroDivisionError" in loaded["failures"]["bad"]
    assert run_hook(source) == "good"
    source.write("good.py", hook_source("'better'"))
    source.load()
    assert run_hook(source) == "better"


def test_a_configured_hook_is_not_lost(source: Source) -> None:
    """Code without it does not replace code that has it."""
    source.write("hooks.py", hook_source("'here'"))
    source.load()
    source.write("hooks.py", hook_source("'here'").replace("def hook", "def other"))
    with pytest.raises(LoadError, match=r"'hook' \(Pre\) is configured"):
        source.load(keep=[("Pre", "hook")])
    assert run_hook(source) == "here"
    source.load(keep=[("Pre", "other")])
    assert run_hook(source, "other") == "here"


def test_a_hook_defined_twice_is_reported(source: Source) -> None:
    """With both places; the later definition is used."""
    source.write("a.py", hook_source("'a'"))
    source.write("b.py", hook_source("'b'"))
    [warning] = source.load()["warnings"]
    assert "a.py:2" in warning
    assert "b.py:2" in warning
    assert run_hook(source) == "b"


def test_reloads_leave_nothing_behind(source: Source) -> None:
    """No modules and no objects, after any number of reloads."""

    def sizes() -> tuple[int, int]:
        gc.collect()
        return len([m for m in sys.modules if m.startswith(INNER_PREFIX)]), len(gc.get_objects())

    def reload(number: int) -> None:
        source.write("hooks.py", hook_source(str(number)))
        source.load()

    for number in range(10):
        reload(number)
    modules, objects = sizes()
    for number in range(60):
        reload(number)
    assert sizes()[0] == modules
    assert sizes()[1] < objects + 200


@pytest.mark.parametrize("file", ["auth_v1.2.py", "src/mw.py", "my-src/auth_v1.2.py", "mw.py"])
def test_an_entry_file_is_loaded_by_its_path(source: Source, file: str) -> None:
    """Even if its name is not an identifier; nothing else in the folder is loaded."""
    source.write(file, hook_source("'by path'"))
    source.write("other.py", "raise AssertionError\n")
    assert source.load(entry=file)["failures"] == {}
    assert run_hook(source) == "by path"
    source.write(file, hook_source("'again'"))
    source.load(entry=file)
    assert run_hook(source) == "again"


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """That is not an error."""
    source = Source(tmp_path / "gone")
    source.path.rmdir()
    assert source.load()["hooks"] == []


def test_a_relative_path_is_refused(source: Source) -> None:
    """It would depend on the working directory."""
    source.path = Path()
    with pytest.raises(LoadError, match="not an absolute path"):
        source.load()
