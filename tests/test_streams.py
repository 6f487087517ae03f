"""``sys.stdout`` and ``sys.stderr`` are files whose lines become log records."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest
from conftest import FakeHost, event
from hypothesis import given
from hypothesis import strategies as st
from support.installed import run
from support.source import Source

from tyk_cffi import gateway, streams
from tyk_cffi.errors import HookError
from tyk_cffi.streams import LINE_LIMIT, LogStream


@pytest.fixture
def stream(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> LogStream:
    """A stream in place of both standard streams."""
    made = LogStream("<stdout>", 1, "info")
    monkeypatch.setattr(streams, "_streams", [made])
    return made


def messages(host: FakeHost) -> list[str]:
    return [log[3] for log in host.logs]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30)),
    st.lists(st.integers(0, 200)),
    st.booleans(),
)
def test_any_split_of_writes_gives_the_same_records(
    lines: list[str], cuts: list[int], binary: bool
) -> None:
    """One for each line that is not empty, wherever the writes are split."""
    fake = FakeHost()
    gateway.connect(fake)
    stream = LogStream("<stdout>", 1, "info")
    text: Any = "\n".join(lines)
    text = text.encode() if binary else text
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    try:
        for start, end in itertools.pairwise(edges):
            (stream.buffer if binary else stream).write(text[start:end])
        stream.flush()
    finally:
        gateway.connect(None)
    expected = [line.removesuffix("\r") for line in "\n".join(lines).split("\n")]
    assert messages(fake) == [line for line in expected if line]


def test_printed_lines_become_records_of_their_thread(host: FakeHost, stream: LogStream) -> None:
    """Lines of concurrent threads do not mix; an incomplete line waits for its end."""
    begun, go_on = threading.Event(), threading.Event()

    def other() -> None:
        stream.write("other ")
        begun.set()
        go_on.wait()
        stream.write("thread\n")

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    print("one\n\ntwo", file=stream)
    go_on.set()
    thread.join()
    stream.write("rest")
    stream.flush()
    assert messages(host) == ["one", "two", "other thread", "rest"]


PRINTS = """
import asyncio, contextvars, sys, threading
from tyk.decorators import *

def ends():
    print("end", end="", file=OUT)
    {more}

@Pre
{how} hook(request, session, spec):
    ends()

@Event
{how} handler(event, spec):
    ends()

def stop(request, session, spec):
    ends()
    raise ValueError
stop = Pre(stop)
"""


@pytest.mark.parametrize("how", ["def", "async def"])
def test_an_unfinished_line_is_written_at_the_end_of_its_call(
    source: Source, host: FakeHost, stream: LogStream, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With that call's API and hook, even if it failed."""
    monkeypatch.setattr("builtins.OUT", stream, raising=False)
    source.write("hooks.py", PRINTS.format(how=how, more="pass"))
    source.load()
    source.bind().run(b"")
    source.dispatch_event(event("handler", "7"))
    with pytest.raises(HookError, match="ValueError"):
        source.bind("stop", APIID="9").run(b"")
    print("after", file=stream)
    assert host.logs == [
        ("info", "api", "hook", "end"),
        ("info", "7", "handler", "end"),
        ("info", "9", "stop", "end"),
        ("info", "", "", "after"),
    ]
    assert not streams.unfinished


def test_a_module_ends_its_line_when_it_is_imported(
    source: Source, host: FakeHost, stream: LogStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hook continues it."""
    monkeypatch.setattr("builtins.OUT", stream, raising=False)
    source.write("hooks.py", "print('loading ...', end='', file=OUT)\n")
    source.load()
    assert host.logs == [("info", "", "", "loading ...")]


def test_a_line_goes_with_its_context(host: FakeHost, stream: LogStream) -> None:
    """For tasks and threads that are not awaited."""
    thread = threading.Thread(target=lambda: stream.write("of a thread"))
    thread.start()
    thread.join()
    del thread  # from Python 3.14 on it holds its context
    context = Context()
    context.run(stream.write, "of a context")
    del context
    deadline = time.monotonic() + 10
    while len(host.logs) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert set(messages(host)) == {"of a thread", "of a context"}
    assert not streams.unfinished


@pytest.mark.parametrize("write", [lambda stream: stream, lambda stream: stream.buffer])
def test_a_long_line_is_cut_into_records_in_linear_time(
    host: FakeHost, stream: LogStream, write: Callable[[LogStream], Any]
) -> None:
    """In one write or in many; characters are not split."""
    line = "ä" * (5 * LINE_LIMIT)
    data: Any = line if write(stream) is stream else line.encode()
    for size in (len(data), 999):
        host.logs.clear()
        for start in range(0, len(data), size):
            write(stream).write(data[start : start + size])
        stream.flush()
        assert "".join(messages(host)) == line
        assert max(len(message.encode()) for message in messages(host)) <= LINE_LIMIT


def test_the_cost_of_a_long_line_in_pieces_is_linear(host: FakeHost, stream: LogStream) -> None:
    """Four times as many writes take about four times as long, not sixteen."""

    def cost(pieces: int) -> float:
        start = time.thread_time()
        for _ in range(pieces):
            stream.write("x" * 100)
        stream.flush()
        return time.thread_time() - start

    cost(1000)
    assert cost(40_000) < 10 * max(cost(10_000), 0.005)


WAYS: dict[str, Callable[[Any], Any]] = {
    "reconfigure": lambda f: f.reconfigure(encoding="utf-8", line_buffering=True),
    "buffer": lambda f: f.buffer.write(b"x\n"),
    "raw": lambda f: f.buffer.raw.write(b"x\n"),
    "encoding": lambda f: f.encoding.lower() == "utf-8" or 1 / 0,
    "errors": lambda f: f.errors.lower(),
    "newlines": lambda f: f.newlines,
    "name": lambda f: f.name.startswith("<std") or 1 / 0,
    "mode": lambda f: f.mode == "w" or 1 / 0,
    "isatty": lambda f: f.isatty() and 1 / 0,
    "writelines": lambda f: f.writelines(["x\n", "y\n"]),
    "close": lambda f: f.close(),
    "closed": lambda f: f.closed and 1 / 0,
    "close the buffer": lambda f: f.buffer.close(),
    "with": lambda f: f.__exit__(None, None, None),
    "detach": lambda f: io.TextIOWrapper(f.detach(), encoding="latin-1").close(),
    "wrap": lambda f: io.TextIOWrapper(f.buffer).__del__(),
    "readable": lambda f: (f.readable() or f.seekable() or not f.writable()) and 1 / 0,
    "isinstance": lambda f: isinstance(f, io.TextIOWrapper) or 1 / 0,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_is_a_file_and_stays_usable(host: FakeHost, stream: LogStream, way: str) -> None:
    """Whatever a plugin does to it."""
    WAYS[way](stream)
    host.logs.clear()
    print("afterwards ä", file=stream)
    assert messages(host) == ["afterwards ä"]


def test_another_encoding_reaches_the_log_whole(host: FakeHost, stream: LogStream) -> None:
    """Bytes are decoded with the stream's encoding; other characters are escaped."""
    stream.reconfigure(encoding="latin-1", errors="backslashreplace")
    print("ä€", file=stream)
    stream.reconfigure(encoding="utf-8")
    print("\ud800 ä", file=stream)
    stream.buffer.write(b"\xff\n")
    assert messages(host) == ["ä\\u20ac", "\\ud800 ä", "\\xff"]


def test_text_and_bytes_are_told_apart(stream: LogStream) -> None:
    """As for any file."""
    with pytest.raises(TypeError):
        stream.write(b"bytes")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        stream.buffer.write("text")  # type: ignore[arg-type]


def test_children_and_faulthandler_are_given_the_process_own_output() -> None:
    """They need a file descriptor."""
    records = run("""
        import faulthandler, subprocess, sys
        faulthandler.enable()
        faulthandler.enable(sys.__stderr__)
        line = '["info", "api", "hook", "from a child"]'
        subprocess.run(["echo", line], stdout=sys.stdout, stderr=sys.stderr, check=True)
        print(sys.stdout.fileno(), sys.stderr.fileno(), sys.__stdout__ is sys.stdout)
    """)
    assert records == [("info", "from a child"), ("info", "1 2 True")]


def test_input_without_an_end_to_read_from_is_a_clear_error() -> None:
    """``pdb`` ends instead of waiting."""
    records = run(
        """
        import pdb, sys
        try:
            input()
        except EOFError:
            print("nothing to read")
        try:
            pdb.Pdb().set_trace()
            int()
        except BaseException as error:
            print(type(error).__name__)
        """,
        stdin=-3,  # subprocess.DEVNULL
    )
    assert records[0] == ("info", "nothing to read")
    assert records[-1] == ("info", "BdbQuit")


@pytest.mark.parametrize("closes", ["quit()", "sys.stdin.close()", "sys.stdin.__exit__()"])
def test_no_plugin_closes_the_input_of_another(closes: str) -> None:
    """The next one still reads."""
    records = run(
        f"""
        import sys
        try:
            {closes}
        except SystemExit:
            pass
        print(input(), sys.stdin is sys.__stdin__)
        """,
        input="a line\n",
    )
    assert records == [("info", "a line True")]


def test_the_debugger_goes_on() -> None:
    """``continue`` sets a signal handler, which is refused, and continues anyway."""
    records = run(
        """
        import pdb
        def hook():
            pdb.Pdb().set_trace()
            return "went on"
        print(hook())
        """,
        input="continue\n",
    )
    assert records[-1] == ("info", "went on")


def test_what_is_assigned_to_sys_stdout_counts_for_one_call() -> None:
    """Two nested calls that capture their output do not see each other's."""
    assert run("""
        import contextlib, io, sys
        from contextvars import Context
        first, second = Context(), Context()
        one, two = io.StringIO(), io.StringIO()
        both = contextlib.redirect_stdout(one), contextlib.redirect_stdout(two)
        first.run(both[0].__enter__)
        second.run(both[1].__enter__)
        first.run(print, "of the first")
        second.run(print, "of the second")
        print("of the log")
        first.run(both[0].__exit__, None, None, None)
        first.run(print, "afterwards")
        second.run(print, "of the second")
        second.run(both[1].__exit__, None, None, None)
        second.run(print, "at last")
        print(repr(one.getvalue()), repr(two.getvalue()))
    """) == [
        ("info", "of the log"),
        ("info", "afterwards"),
        ("info", "at last"),
        ("info", r"'of the first\n' 'of the second\nof the second\n'"),
    ]


def test_code_that_runs_often_reads_the_same_stream() -> None:
    """Specialized code of Python does not bypass the property."""
    assert run("""
        import sys
        def read():
            return sys.stdout
        print({type(read()).__name__ for _ in range(5000)}, hasattr(sys, "missing"))
    """) == [("info", "{'LogStream'} False")]


def test_sys_stdout_is_assigned_as_in_any_program() -> None:
    """With a wrapper, None, a mock or an error stream, and for the call's threads too."""
    assert run("""
        import contextlib, io, sys, unittest.mock
        class Loud:
            def __init__(self, stream):
                self.stream = stream
            def write(self, text):
                return self.stream.write(text.upper())
            def flush(self):
                self.stream.flush()
        original = sys.stdout
        sys.stdout = Loud(original)
        print("loud")
        print("also", file=sys.stdout)
        sys.stdout.write("written\\n")
        sys.stdout = None
        print("nowhere")
        sys.stdout = original
        print("back", sys.stdout is original)
        with unittest.mock.patch("sys.stdout", new_callable=io.StringIO) as fake:
            print("faked")
        print(fake.getvalue() == "faked\\n", sys.stdout is original)
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            print("captured", file=sys.stderr)
        print(errors.getvalue() == "captured\\n")
        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, write_through=True)
        print("wrapped")
        sys.stdout = sys.__stdout__
        print("from sys:", __import__("sys").stdout is original)
    """) == [
        ("info", text)
        for text in (
            "LOUD",
            "ALSO",
            "WRITTEN",
            "back True",
            "True True",
            "True",
            "wrapped",
            "from sys: True",
        )
    ]


def test_a_traceback_is_one_record() -> None:
    """Printed by the traceback module, by a handler of logging on the stream, or by hand."""
    records = run("""
        import logging, sys, traceback
        def fails():
            1 / 0
        try:
            fails()
        except ZeroDivisionError as error:
            traceback.print_exc()
            traceback.print_exception(error)
            traceback.print_tb(error.__traceback__)
            if hasattr(traceback.TracebackException, "print"):  # from Python 3.11 on
                traceback.TracebackException.from_exception(error).print()
            else:
                traceback.print_exception(error)
            logger = logging.getLogger("own")
            logger.propagate = False
            logger.addHandler(logging.StreamHandler())
            logger.exception("it failed")
            sys.stderr.write("before\\n")
            sys.stderr.write(traceback.format_exc())
        traceback.print_stack()
    """)
    texts = [text for _, text in records]
    assert {level for level, _ in records} == {"error"}
    for i in (0, 1, 3, 6):
        assert texts[i].startswith("Traceback")
        assert texts[i].endswith("ZeroDivisionError: division by zero")
    assert texts[2].startswith("  File")
    assert texts[4].startswith("it failed\nTraceback")
    assert texts[5] == "before"
    assert len(texts) == 8
