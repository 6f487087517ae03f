"""Unload callbacks of plugin code run when it is no longer used, and its memory is freed."""

from __future__ import annotations

import atexit
import gc
import logging
import threading
import weakref
from pathlib import Path

import pytest
from conftest import event
from support.source import Source

from tyk_cffi import on_unload, unload
from tyk_cffi.errors import LoadError

HOOK = "from tyk.decorators import *\n@Pre\ndef hook(request, session, spec):\n    {}\n"


class Notes:
    """A file to which plugin code writes words."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_text("")
        self.code = (
            "import atexit\nfrom tyk_cffi import on_unload\n"
            f"def note(word):\n    with open({str(file)!r}, 'a') as f: f.write(word + ' ')\n"
        )

    def __str__(self) -> str:
        return self.file.read_text()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    """The words that plugin code has written."""
    return Notes(tmp_path / "notes")


def settled(source: Source) -> None:
    """Wait until old versions are unloaded."""
    source.dispatcher.loader.unloader.join()


def test_functions_run_last_one_first_when_the_code_is_replaced(
    source: Source, notes: Notes
) -> None:
    """Functions of atexit, with arguments, and of on_unload, in one order and once."""
    source.write(
        "plugin.py",
        notes.code + "atexit.register(note, 'one')\n@on_unload\ndef two(): note('two')\n"
        "@atexit.register\ndef three(): note('three')\natexit.register(note, word='four')\n"
        "def never(): note('never')\natexit.register(never)\natexit.unregister(never)\n",
    )
    source.load()
    assert str(notes) == ""
    source.write("plugin.py", "")
    source.load()
    settled(source)
    assert str(notes) == "four three two one "
    source.dispatcher.stop(10)
    assert str(notes) == "four three two one "


def test_functions_run_when_the_gateway_stops(source: Source, notes: Notes) -> None:
    """For each source."""
    source.write("plugin.py", notes.code + "atexit.register(note, 'stopped')\n")
    source.load()
    source.dispatcher.stop(10)
    assert str(notes) == "stopped "


def test_a_version_that_is_refused_is_unloaded_and_the_old_one_is_not(
    source: Source, notes: Notes
) -> None:
    """So that it can stop what its modules started, for instance a thread."""
    source.write("plugin.py", notes.code + "atexit.register(note, 'old')\n")
    source.load()
    source.write("plugin.py", notes.code + "atexit.register(note, 'refused')\n1 / 0\n")
    with pytest.raises(LoadError):
        source.load()
    settled(source)
    assert str(notes) == "refused "


def test_an_error_stops_no_other_function_and_is_logged(
    source: Source, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    """Including sys.exit(); the record has the function's file and line."""
    source.write(
        "plugin.py",
        notes.code + "atexit.register(note, 'first')\natexit.register(lambda: 1 / 0)\n"
        "import sys\natexit.register(sys.exit, 3)\natexit.register(note, 'last')\n",
    )
    source.load()
    with caplog.at_level(logging.ERROR):
        source.dispatcher.stop(10)
    assert str(notes) == "last first "
    assert "ZeroDivisionError" in caplog.text
    assert "plugin.py:" in caplog.text
    assert "SystemExit" in caplog.text


def test_a_function_that_does_not_end_is_left_behind(
    source: Source,
    notes: Notes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After its limit, with a log record."""
    monkeypatch.setattr(unload, "FUNCTION_LIMIT", 0.2)
    source.write(
        "plugin.py",
        notes.code + "import threading\nGO = threading.Event()\n"
        "atexit.register(note, 'first')\natexit.register(GO.wait)\n",
    )
    source.load()
    version = source.dispatcher.loader.version("key")
    assert version is not None
    go = version.modules()[f"{version.name}.plugin"].GO
    with caplog.at_level(logging.ERROR):
        source.dispatcher.stop(10)
    go.set()
    assert str(notes) == "first "
    assert "did not return in time" in caplog.text


@pytest.mark.parametrize("kind", ["def", "async def", "event"])
def test_functions_wait_for_running_calls(source: Source, notes: Notes, kind: str) -> None:
    """Hooks, async hooks and event handlers of the old version end first."""
    wait = "await asyncio.to_thread(GO.wait)" if kind == "async def" else "GO.wait()"
    define = "def" if kind == "event" else kind
    arguments = "event, spec" if kind == "event" else "request, session, spec"
    decorator = "Event" if kind == "event" else "Pre"
    source.write(
        "plugin.py",
        notes.code + "import asyncio, threading\nfrom tyk.decorators import *\n"
        "GO, BEGUN = threading.Event(), threading.Event()\natexit.register(note, 'unloaded')\n"
        f"@{decorator}\n{define} hook({arguments}):\n    BEGUN.set()\n    {wait}\n    note('ended')\n",
    )
    source.load()
    version = source.dispatcher.loader.version("key")
    assert version is not None
    module = version.modules()[f"{version.name}.plugin"]
    if kind == "event":
        call = threading.Thread(target=source.dispatch_event, args=(event("hook"),))
    else:
        call = threading.Thread(target=source.bind().run, args=(b"", None, None))
    call.start()
    assert module.BEGUN.wait(10)
    source.write("plugin.py", HOOK.format("pass"))
    source.load()
    source.dispatcher.loader.unloader.join(timeout=0.3)
    assert str(notes) == ""
    module.GO.set()
    call.join(10)
    settled(source)
    assert str(notes) == "ended unloaded "


def test_what_others_register_with_atexit_is_not_the_plugins(
    source: Source, tmp_path: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other plugins use the package too, whichever imports it first."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "shared_lib.py").write_text(
        notes.code + "def end(): note('library')\natexit.register(end)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    source.write("plugin.py", "import shared_lib\n")
    source.load()
    source.write("plugin.py", "import shared_lib # again\n")
    source.load()
    settled(source)
    assert str(notes) == ""
    import shared_lib  # type: ignore[import-not-found]

    atexit.unregister(shared_lib.end)


def test_outside_of_plugin_code_on_unload_does_nothing() -> None:
    """For tests of plugins."""

    def function() -> None:
        raise AssertionError

    assert on_unload(function) is function


def test_the_memory_of_an_old_version_returns_without_another_reload(source: Source) -> None:
    """And without waiting for Python's garbage collector."""
    source.write("plugin.py", "class Big: pass\nBIG = Big()\nBIG.cycle = BIG\n")
    source.load()
    version = source.dispatcher.loader.version("key")
    assert version is not None
    big = weakref.ref(version.modules()[f"{version.name}.plugin"].BIG)
    del version
    gc.disable()
    try:
        source.write("plugin.py", "")
        source.load()
        settled(source)
        assert big() is None
    finally:
        gc.enable()
