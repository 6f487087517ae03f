"""C programs use the library as a gateway does; their output is compared exactly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tyk_cffi.info import collect

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "tests" / "embedding"
SANITIZER = ["-fsanitize=address", "-fno-omit-frame-pointer"]
# Writes the C code of the library.
EMIT = "import sys, build_gateway; build_gateway.ffi.emit_c_code(sys.argv[1])"
INFO = collect()

Run = Callable[..., str]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile a program of tests/embedding; warnings are errors."""
    folder = tmp_path_factory.mktemp("embedding")

    def compile(name: str, *more: str) -> Path:
        program = folder / "-".join([name, *(flag.strip("-") for flag in more)])
        if not program.exists():
            flags = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-O1", "-g"]
            flags += ["-D_GNU_SOURCE", f"-I{Path(INFO.header).parent}", "-pthread", *more]
            source = str(HERE / f"{name}.c")
            subprocess.run(["cc", *flags, source, "-o", str(program), "-ldl"], check=True)
        return program

    return compile


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library, built with the address sanitizer."""
    folder = tmp_path_factory.mktemp("sanitized")
    source, library = folder / "libgateway.c", folder / "libgateway.so"
    subprocess.run([sys.executable, "-c", EMIT, str(source)], check=True, cwd=ROOT)
    flags = ["-shared", "-fPIC", "-O1", "-g", *SANITIZER]
    includes = [f"-I{ROOT}", f"-I{sysconfig.get_path('include')}"]
    subprocess.run(["cc", *flags, *includes, str(source), "-o", str(library)], check=True)
    return str(library)


@pytest.fixture
def run(compiled: Callable[..., Path], tmp_path: Path) -> Run:
    """Run a program and return its output."""
    shutil.copy(HERE / "plugins.py", tmp_path)

    def run(name: str, *flags: str, library: str = INFO.library, **environment: str) -> str:
        arguments = [INFO.libpython, library, INFO.executable, str(tmp_path)]
        done = subprocess.run(
            [str(compiled(name, *flags)), *arguments],
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
body 0 of call 5000000005
body: status 1, message 0 bytes, body unreadunreadunread
add: status 1, message 10 bytes
body: status 2, hook 'body' (Pre) of API 'api' failed: HookError: the host could not read the body: \
the client went away ({folder}/plugins.py:22)
exits: status 2, hook 'exits' (Pre) of API 'api' failed: SystemExit: 7 ({folder}/plugins.py:27)
set coprocess-data:key = value for 2000 ms
event api Name payload
log warning [api services] value,b''
services: status 1, message 0 bytes
add -9223372036854775808 to coprocess-data:n for 2000 ms
log warning [api counters] (-9223372036854775808, [True, False], [2, -2], [True, False])
counters: status 1, message 0 bytes
counts_text: status 2, hook 'counts_text' (Pre) of API 'api' failed: StoreError: the store failed \
for 'coprocess-data:there': its value is not a number ({folder}/plugins.py:48)
slow: status 2, hook 'slow' (Pre) of API 'api' failed: StoreTimeoutError: the store did not \
answer in time for 'coprocess-data:slow' ({folder}/plugins.py:53)
down: status 2, hook 'down' (Pre) of API 'api' failed: StoreError: the store failed for \
'coprocess-data:down': the store is down ({folder}/plugins.py:58)
long_value: status 2, hook 'long_value' (Pre) of API 'api' failed: ValueError: store_data: key \
and value of 10018 bytes: the gateway's limit is 1000 ({folder}/plugins.py:63)
long_event: status 2, hook 'long_event' (Pre) of API 'api' failed: ValueError: trigger_event: \
name and payload of 10004 bytes: the gateway's limit is 1000 ({folder}/plugins.py:68)
log info [api long_log] {cut_log} ... [cut: 600 characters]
long_log: status 1, message 0 bytes
long_header: status 2, hook 'long_header' (Pre) of API 'api' failed: its reply is too \
large: 10012 bytes of message and 0 of body; the gateway's limits are 2000 and 1000
long_body: status 2, hook 'long_body' (Pre) of API 'api' failed: its reply is too \
large: 0 bytes of message and 1001 of body; the gateway's limits are 2000 and 1000
long_error: status 2, {cut_error}
debugs: status 1, message 0 bytes
log level: 1
log info [api debugs] formatted
log debug [api debugs] record
log debug [api debugs] debug
debugs: status 1, message 0 bytes
log info [ handler] handled T
event: 1
no event: 4, the event is not the expected JSON: Expecting property name enclosed in double \
quotes: line 1 column 2 (char 1)
unbound: 3, there is no hook with handle {handle}
stats: 1
stop: 1
"""


def comparable(output: str) -> list[str]:
    """Return the lines of the output without protobuf's own texts, which vary."""
    lines = output.splitlines()
    lines[2] = lines[2].partition(": Wire")[0].partition(" (/")[0]
    return lines


def test_every_function_does_what_the_header_says(run: Run, tmp_path: Path) -> None:
    """Statuses, texts, callbacks, bodies: line for line."""
    error = "hook 'long_error' (Pre) of API 'api' failed: ValueError: " + "e" * 1000
    wanted = WHOLE.format(
        folder=tmp_path, handle=21, cut_log="\u00e9" * 500, cut_error=error[:511]
    ).splitlines()
    assert comparable(run("whole")) == wanted


def test_the_address_sanitizer_finds_nothing(run: Run, sanitized: str) -> None:
    """In the library and the program, for all functions; the output is the same."""
    # Python is never finalized and so does not free its memory.
    options = {"ASAN_OPTIONS": "detect_leaks=0"}
    clean = run("whole", *SANITIZER, library=sanitized, **options)
    assert comparable(clean) == comparable(run("whole"))


@pytest.mark.parametrize("attempt", range(10))
def test_first_calls_race_from_many_threads(run: Run, attempt: int) -> None:
    """Each thread runs its hook."""
    assert run("race") == "8000 of 8000\n"


def test_memory_does_not_grow(run: Run) -> None:
    """After the first tenth of 420,000 calls, failures included; 62 bytes a call were 26 MB."""
    assert int(run("memory")) < 4096  # KiB


def test_a_runtime_that_does_not_import_is_a_failed_start(run: Run, tmp_path: Path) -> None:
    """Start returns a status and a text, and the process continues."""
    broken = tmp_path / "broken" / "tyk_cffi"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('broken on purpose')\n")
    out = run("start", PYTHONPATH=str(broken.parent))
    assert out.startswith("start: 6 the runtime did not start")


def test_protobuf_without_its_c_implementation_is_a_failed_start(run: Run) -> None:
    """It is 20 times slower."""
    out = run("start", PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION="python")
    assert out.startswith("start: 6")
