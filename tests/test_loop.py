"""An async call that harms the event loop fails alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from conftest import FakeHost, event
from support.installed import run
from support.source import Hook, Source

from tyk_cffi.errors import HookError

pytestmark = pytest.mark.timeout(60)

HOOKS = """
import asyncio, sys, threading
from gateway import TykGateway as tyk
from tyk.decorators import *

go_on = threading.Event()
begun = threading.Event()

@Pre
async def waits(request, session, spec):
    begun.set()
    while not go_on.is_set():
        await asyncio.sleep(0.001)
    request.add_header("it", "waited")

@Pre
async def good(request, session, spec):
    await asyncio.sleep(0)
    request.add_header("it", "ran")

async def exits():
    sys.exit(1)

async def generates():
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0)
        sys.exit(1)

@Pre
async def harms(request, session, spec):
    loop = asyncio.get_running_loop()
{code}

@Event
async def handler(event, spec):
    loop = asyncio.get_running_loop()
{code}
"""

FAILS = {
    "sys.exit": "sys.exit(1)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "BaseException": "raise BaseException('base')",
    "GeneratorExit": "raise GeneratorExit",
    "after a wait": "await asyncio.sleep(0.01); sys.exit(1)",
    "in a task": "await asyncio.create_task(exits())",
    "in a gathered task": "await asyncio.gather(exits(), exits())",
    "in a task with a time limit": "await asyncio.wait_for(exits(), 10)",
    "in a thread": "await asyncio.to_thread(sys.exit, 1)",
    "stop": "loop.stop()",
    "close": "loop.close()",
    "run": "asyncio.run(None)",
    "run_until_complete": "loop.run_until_complete(loop.create_future())",
    "run_until_complete of a coroutine": "loop.run_until_complete(exits())",
    "run_until_complete from a thread": "await asyncio.to_thread(loop.run_until_complete, None)",
    "run_forever from a thread": "await asyncio.to_thread(loop.run_forever)",
    "run_forever": "loop.run_forever()",
    "shutdown of the executor": "await loop.shutdown_default_executor()",
    "its own pipe taken off": "loop.remove_reader(loop._ssock)",
    "shutdown of generators": "await loop.shutdown_asyncgens()",
    "cancelled": "asyncio.current_task().cancel(); await asyncio.sleep(0)",
    "a signal handler": "loop.add_signal_handler(15, print)",
}
HARMS_NOBODY = {
    "a callback": "loop.call_soon(sys.exit); await asyncio.sleep(0.01)",
    "a callback later": "loop.call_later(0.001, sys.exit); await asyncio.sleep(0.02)",
    "a callback from a thread": "threading.Thread(target=loop.call_soon_threadsafe, "
    "args=(sys.exit,)).start(); await asyncio.sleep(0.02)",
    "a done callback": "asyncio.create_task(asyncio.sleep(0)).add_done_callback(sys.exit); "
    "await asyncio.sleep(0.01)",
    "a task of its own": "task = asyncio.create_task(exits()); await asyncio.sleep(0.01)",
    "a generator's end": "g = generates(); await g.__anext__(); del g; await asyncio.sleep(0.02)",
    "all tasks cancelled": "[t.cancel() for t in asyncio.all_tasks() - {asyncio.current_task()}]; "
    "await asyncio.sleep(0.01)",
    "stopped past its own stop": "asyncio.SelectorEventLoop.stop(loop); await asyncio.sleep(0.01)",
    "a task factory": "loop.set_task_factory(lambda *a, **k: 1 / 0)",
    "an exception handler": "loop.set_exception_handler(lambda *a: sys.exit())",
    "an executor": "loop.set_default_executor(None); await asyncio.to_thread(print, end='')",
}


@pytest.fixture
def calls() -> Iterator[ThreadPoolExecutor]:
    """Threads for calls that wait."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def load(source: Source, code: str) -> dict[str, Any]:
    source.write("hooks.py", HOOKS.format(code=f"    {code}"))
    source.load()
    return source.bind("waits", APIID="other").binding.handler.function.__wrapped__.__globals__  # type: ignore[union-attr, no-any-return]


def answer(hook: Hook) -> bytes:
    return hook.run(b"")[0]


def begin(source: Source, names: dict[str, Any], calls: ThreadPoolExecutor) -> Future[bytes]:
    """Start a call of another API that waits."""
    waiting = calls.submit(answer, source.bind("waits", APIID="other"))
    assert names["begun"].wait(10)
    return waiting


@pytest.mark.parametrize("how", FAILS)
def test_a_call_that_would_end_the_loop_fails_alone(
    source: Source, host: FakeHost, calls: ThreadPoolExecutor, how: str
) -> None:
    """Hook or handler; waiting calls continue, and new ones start."""
    names = load(source, FAILS[how])
    waiting = begin(source, names, calls)
    for _ in range(2):
        with pytest.raises(HookError):
            answer(source.bind("harms"))
        assert b"ran" in answer(source.bind("good"))
        with pytest.raises(HookError):
            source.dispatch_event(event("handler", "7"))
    names["go_on"].set()
    assert b"waited" in waiting.result(10)


@pytest.mark.parametrize("how", HARMS_NOBODY)
def test_what_runs_beside_a_call_harms_no_other(
    source: Source, host: FakeHost, calls: ThreadPoolExecutor, how: str
) -> None:
    """Nor the call itself, which returns its result."""
    names = load(source, HARMS_NOBODY[how])
    waiting = begin(source, names, calls)
    for _ in range(2):
        answer(source.bind("harms"))
        assert b"ran" in answer(source.bind("good"))
        source.dispatch_event(event("handler", "7"))
    names["go_on"].set()
    assert b"waited" in waiting.result(10)


def test_a_call_sees_its_own_tasks_only(
    source: Source, host: FakeHost, calls: ThreadPoolExecutor
) -> None:
    """In ``asyncio.all_tasks()``; a plugin's own loop is not affected."""
    names = load(
        source,
        "t = asyncio.create_task(asyncio.sleep(1)); seen = asyncio.all_tasks()\n"
        "    assert seen == {t, asyncio.current_task()}, seen\n"
        "    t.cancel()\n"
        "    async def alone(): return len(asyncio.all_tasks())\n"
        "    assert await asyncio.to_thread(asyncio.run, alone()) == 1",
    )
    waiting = begin(source, names, calls)
    answer(source.bind("harms"))
    names["go_on"].set()
    waiting.result(10)


def test_when_the_loop_breaks_its_calls_fail_at_once_and_another_begins(
    source: Source, host: FakeHost, calls: ThreadPoolExecutor
) -> None:
    """No call waits forever."""
    names = load(
        source,
        "loop._selector.unregister(loop._ssock); loop._selector.select = None\n"
        "    await asyncio.sleep(60)",
    )
    for _ in range(2):
        names["begun"].clear()
        waiting = begin(source, names, calls)
        start = time.monotonic()
        for failing in (calls.submit(answer, source.bind("harms")), waiting):
            with pytest.raises(HookError, match="the event loop of async hooks ended"):
                failing.result(20)
        assert time.monotonic() - start < 10
        assert b"ran" in answer(source.bind("good"))


@pytest.mark.parametrize("error", ["SystemExit(1)", "KeyboardInterrupt", "BaseException"])
def test_sync_hooks_and_handlers_fail_whatever_they_raise(source: Source, error: str) -> None:
    """The caller of the dispatcher gets a failure, and no exception."""
    source.write(
        "hooks.py",
        f"from tyk.decorators import *\n@Event\ndef handler(event, spec): raise {error}\n"
        f"@Pre\ndef hook(request, session, spec): raise {error}\n",
    )
    source.load()
    with pytest.raises(HookError):
        answer(source.bind())
    with pytest.raises(HookError):
        source.dispatch_event(event("handler"))


def test_many_threads_begin_the_first_loop_at_once(source: Source, host: FakeHost) -> None:
    """One thread runs it."""
    load(source, "pass")
    hook = source.bind("good")
    with ThreadPoolExecutor(32) as pool:
        assert all(b"ran" in out for out in pool.map(lambda _: answer(hook), range(500)))
    assert sum(t.name == "tyk-cffi-loop" for t in threading.enumerate()) == 1


def test_an_error_on_the_loop_is_one_record() -> None:
    """From a task that is not awaited, a callback, and a broken object in asyncio's report."""
    records = run("""
        import asyncio, gc, sys
        from tyk_cffi.loop import blocking

        async def fails():
            1 / 0

        class Broken:
            def __repr__(self):
                sys.exit()

        async def hook():
            loop = asyncio.get_running_loop()
            task = asyncio.create_task(fails())
            loop.call_soon(fails.nothing)  # raises here
        async def other():
            loop = asyncio.get_running_loop()
            task = asyncio.create_task(fails())
            loop.call_soon(lambda: {}["key"])
            loop.call_exception_handler({"message": "broken", "what": Broken()})
            await asyncio.sleep(0.01)
            del task
            gc.collect()
        try:
            blocking(hook)()
        except AttributeError as error:
            print(error)
        blocking(other)()
    """)
    texts = [text for level, text in records if level == "error"]
    assert len(texts) == 4
    assert sum("ZeroDivisionError" in text for text in texts) == 2
    assert sum("KeyError: 'key'" in text for text in texts) == 1
    assert sum(text.startswith("broken: ") for text in texts) == 1
