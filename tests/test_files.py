"""Only files that Python would import count, and a bad file does not affect others."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from importlib.machinery import FileFinder
from pathlib import Path
from typing import Any

import pytest
from support.source import Source

from tyk_cffi import loaders
from tyk_cffi.errors import HookError, LoadError
from tyk_cffi.proto.coprocess_object_pb2 import Object

HOOK = "from tyk.decorators import *\n@Pre\ndef hook(request, session, spec):\n    {}\n"


def hook_source(expression: str) -> str:
    return HOOK.format(f"request.add_header('result', {expression})")


def run_hook(source: Source) -> str:
    out, _ = source.bind().run(b"")
    return Object.FromString(out).request.set_headers["result"]


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(here)


STRANGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "dangling link": (".#plugin.py", lambda p: p.symlink_to("someone@host.1:2")),
    "dangling module": ("gone.py", lambda p: p.symlink_to("nowhere.py")),
    "link to itself": ("self.py", lambda p: p.symlink_to(p.name)),
    "socket": ("socket.py", _socket),
    "pipe": ("pipe.py", lambda p: os.mkfifo(p)),
    "folder": ("folder.py", lambda p: p.mkdir()),
    "loop of folders": ("loop", lambda p: p.symlink_to(".")),
    "hidden": (".hidden.py", lambda p: p.write_text("raise AssertionError")),
    "backup": ("plugin.py~", lambda p: p.write_text("raise AssertionError")),
    "no identifier": ("a-b.py", lambda p: p.write_text("raise AssertionError")),
    "program of a package": ("__main__.py", lambda p: p.write_text("raise AssertionError")),
    "bytes in the name": ("a\udcffb.py", lambda p: p.write_text("raise AssertionError")),
}


@pytest.mark.parametrize("what", STRANGE)
def test_files_that_are_not_modules_are_ignored(source: Source, what: str) -> None:
    """At the first load and at reloads."""
    name, make = STRANGE[what]
    source.write("plugin.py", hook_source("'one'"))
    make(source.path / name)
    assert source.load()["failures"] == {}
    assert run_hook(source) == "one"
    source.write("plugin.py", hook_source("'two'"))
    assert source.load()["failures"] == {}
    assert run_hook(source) == "two"


BAD: dict[str, bytes] = {
    "half written": b"def f(:\n",
    "NUL bytes": b"x = 1\0\n",
    "no UTF-8": b"x = '\xff'\n",
    "unknown encoding": b"# -*- coding: nonsense -*-\n",
}


@pytest.mark.parametrize("what", [*BAD, "unreadable", "huge"])
def test_a_bad_file_does_not_affect_others(
    source: Source, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first load and at reloads."""
    monkeypatch.setattr(loaders, "MAX_SOURCE_BYTES", 4096)
    file = source.path / "bad.py"
    for number in (1, 2, 3):
        if number != 2:
            file.write_bytes(BAD.get(what, b"#" * 5000))
            if what == "unreadable":
                if os.getuid() == 0:
                    pytest.skip("root reads everything")
                file.chmod(0)
        else:
            file.unlink()
        source.write("plugin.py", hook_source(f"'{number}'"))
        assert list(source.load()["failures"]) == (["bad"] if number != 2 else [])
        assert run_hook(source) == str(number)


@pytest.mark.parametrize(
    "data",
    [
        "# -*- coding: latin-1 -*-\nVALUE = 'é'\n".encode("latin-1"),
        "\ufeffVALUE = 'é'\n".encode(),
        "VALUE = 'é'\r\n".encode(),
    ],
)
def test_sources_are_read_in_their_encoding(source: Source, data: bytes) -> None:
    """As Python reads them."""
    (source.path / "sibling.py").write_bytes(data)
    source.write("plugin.py", "import sibling\n" + hook_source("ascii(sibling.VALUE)"))
    assert source.load()["failures"] == {}
    assert run_hook(source) == r"'\xe9'"


def test_files_that_a_plugin_writes_do_not_reload_it(source: Source) -> None:
    """Caches, databases, bytecode, logs."""
    source.write("plugin.py", hook_source("'same'"))
    source.load()
    for name in ("cache.db", "data.json", "log.txt", "__pycache__/plugin.cpython-311.pyc"):
        source.write(name, "data")
        assert not source.load()["changed"]


@pytest.mark.parametrize("name", ["other.py", "pkg/inner.py", "vendor-libs/x.py", "manifest.json"])
def test_files_that_count_reload_it(source: Source, name: str) -> None:
    """New files, edited files, and files replaced by others of the same size and time."""
    source.write("plugin.py", hook_source("'same'"))
    source.load()
    source.write(name, "{}")
    assert source.load()["changed"]
    assert not source.load()["changed"]
    status = (source.path / name).stat()
    source.write("new", "[]")
    os.utime(source.path / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    (source.path / "new").rename(source.path / name)
    assert source.load()["changed"]


def test_links_to_files_and_folders_are_followed(source: Source, tmp_path: Path) -> None:
    """As in mounted configurations, where all names are links into a folder that is replaced."""
    for version in ("one", "two"):
        folder = source.path / f"..{version}"
        (folder / "pkg").mkdir(parents=True)
        (folder / "plugin.py").write_text("import pkg\n" + hook_source("pkg.VALUE"))
        (folder / "pkg" / "__init__.py").write_text(f"VALUE = {version!r}\n")
    (source.path / "..data").symlink_to("..one")
    (source.path / "plugin.py").symlink_to("..data/plugin.py")
    (source.path / "pkg").symlink_to("..data/pkg")
    source.load()
    assert run_hook(source) == "one"
    (source.path / "..new").symlink_to("..two")
    (source.path / "..new").rename(source.path / "..data")
    assert source.load()["changed"]
    assert run_hook(source) == "two"


def test_tracebacks_show_the_code_that_runs(source: Source) -> None:
    """The old lines after a refused reload; the new ones in the traceback of the new code."""
    source.write("plugin.py", HOOK.format("1 / 0 # the old line"))
    source.load()
    hook = source.bind()
    source.write("plugin.py", "'''\n\n'''\n1 / 0 # the new line\n" + HOOK.format("pass"))
    with pytest.raises(LoadError, match="the new line") as caught:
        source.load()
    assert "the old line" not in str(caught.value)
    with pytest.raises(HookError, match="ZeroDivisionError") as error:
        hook.run(b"")
    assert "the old line" in str(error.value)
    assert "the new line" not in str(error.value)


def test_logging_and_inspect_show_the_code_that_runs_too(source: Source) -> None:
    """They read lines through linecache."""
    source.write(
        "plugin.py",
        "import inspect, traceback\n"
        + HOOK.format(
            "request.add_header('result', inspect.getsource(hook) + traceback.format_stack()[-1])"
            " # the old line"
        ),
    )
    source.load()
    source.write("plugin.py", "# the new line\n" * 9 + "1 / 0\n")
    with pytest.raises(LoadError):
        source.load()
    assert run_hook(source).count("# the old line") == 2


def test_an_old_call_that_fails_after_a_reload_shows_its_own_lines(source: Source) -> None:
    """It keeps the lines of the new code."""
    import linecache

    from tyk_cffi.tracebacks import format_error

    source.write("plugin.py", HOOK.format("1 / 0 # the old line"))
    source.load()
    handler = source.bind().binding.handler
    assert handler is not None
    source.write("plugin.py", "# the new line\n" * 9)
    source.load()
    with pytest.raises(ZeroDivisionError) as error:
        handler.function(None, None, None)
    assert "the old line" in format_error(error.value, error.tb)
    assert "new" in linecache.getline(str(source.path / "plugin.py"), 4)


def test_a_folder_is_not_listed_once_for_each_of_its_modules(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three thousand modules took 20 seconds."""
    listed: list[str] = []
    fill: Any = FileFinder._fill_cache  # type: ignore[attr-defined]

    def counted(finder: FileFinder) -> None:
        listed.append(finder.path)
        fill(finder)

    monkeypatch.setattr(FileFinder, "_fill_cache", counted)
    for number in range(30):
        source.write(f"module_{number}.py", "")
    assert source.load()["failures"] == {}
    assert listed.count(str(source.path)) < 5


def test_a_module_that_was_just_written_is_imported(source: Source) -> None:
    """Faster than the folder's time of change advances; and one that was just removed is not."""
    source.write(
        "middleware.py",
        "import importlib.util, os\n"
        "for n in range(50):\n"
        "    path = os.path.join(os.path.dirname(__file__), f'made_{n}.py')\n"
        "    with open(path, 'w') as file: file.write(f'N = {n}')\n"
        "    assert importlib.import_module(f'made_{n}').N == n\n"
        "    os.remove(path)\n"
        "    assert importlib.util.find_spec(f'gone_{n}') is None\n",
    )
    assert source.load(entry="middleware")["failures"] == {}
