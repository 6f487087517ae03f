"""The library from C, as any gateway would use it: real programs, exact output."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tyk_cffi.info import collect

HERE = Path(__file__).parent / "embedding"
INFO = collect()

Run = Callable[..., str]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Compile a program of tests/embedding; warnings are errors."""
    folder = tmp_path_factory.mktemp("embedding")

    def compile(name: str) -> Path:
        program = folder / name
        if not program.exists():
            flags = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-O1", "-g"]
            flags += ["-D_GNU_SOURCE", f"-I{Path(INFO.header).parent}", "-pthread"]
            source = str(HERE / f"{name}.c")
            subprocess.run(["cc", *flags, source, "-o", str(program), "-ldl"], check=True)
        return program

    return compile


@pytest.fixture
def run(compiled: Callable[[str], Path], tmp_path: Path) -> Run:
    """Run a program in a process of its own and return what it printed."""
    shutil.copy(HERE / "plugins.py", tmp_path)

    def run(name: str, executable: str = INFO.executable, **environment: str) -> str:
        arguments = [INFO.libpython, INFO.library, executable, str(tmp_path)]
        done = subprocess.run(
            [str(compiled(name)), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    return run


WHOLE = """\
start: 1
add: status 1, message 10 bytes
read: status 4, hook 'read' (Pre) of API 'api' failed: MessageError: the host's message does not \
decode: Error parsing message with type 'coprocess.Object'
body: status 1, message 0 bytes, body abcabcabc
body 0 of call 5
body: status 1, message 0 bytes, body unreadunreadunread
add: status 1, message 10 bytes
body: status 2, hook 'body' (Pre) of API 'api' failed: HookError: the host did not read the body: \
the client went away ({folder}/plugins.py:21)
exits: status 2, hook 'exits' (Pre) of API 'api' failed: SystemExit: 7 ({folder}/plugins.py:26)
set coprocess-data:key = value for 2000 ms
event api Name payload
log warning [api services] value,b''
services: status 1, message 0 bytes
slow: status 2, hook 'slow' (Pre) of API 'api' failed: StoreTimeoutError: the store did not \
answer in time for 'coprocess-data:slow' ({folder}/plugins.py:38)
down: status 2, hook 'down' (Pre) of API 'api' failed: StoreError: the store failed for \
'coprocess-data:down': the store is down ({folder}/plugins.py:43)
log info [ handler] handled T
event: 1
no event: 4, the event is not the JSON expected: Expecting property name enclosed in double \
quotes: line 1 column 2 (char 1)
unbound: 3, there is no hook with handle {handle}
stats: 1
stop: 1
"""


def test_every_function_does_what_the_header_says(run: Run, tmp_path: Path) -> None:
    """Statuses, texts, callbacks, bodies: line for line."""
    lines = run("whole").splitlines()
    wanted = WHOLE.format(folder=tmp_path, handle=11).splitlines()
    lines[2] = lines[2].partition(": Wire")[0].partition(" (/")[0]  # protobuf's words vary
    assert lines == wanted


@pytest.mark.parametrize("attempt", range(10))
def test_first_calls_race_from_many_threads(run: Run, attempt: int) -> None:
    """Each of them runs its hook."""
    assert run("race") == "8000 of 8000\n"


def test_memory_does_not_grow(run: Run) -> None:
    """After the first tenth of 420,000 calls, failures included; 62 bytes a call were 26 MB."""
    assert int(run("memory")) < 4096  # KiB


def test_a_runtime_that_does_not_import_is_a_failed_start(run: Run, tmp_path: Path) -> None:
    """A status and a text, and the process goes on to its end."""
    broken = tmp_path / "broken" / "tyk_cffi"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('broken on purpose')\n")
    out = run("start", PYTHONPATH=str(broken.parent))
    assert out.startswith("start: 6 the runtime did not start")


def test_protobuf_without_its_c_implementation_is_a_failed_start(run: Run) -> None:
    """It is 20 times slower."""
    out = run("start", PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION="python")
    assert out.startswith("start: 6")
