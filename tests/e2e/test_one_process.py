"""Plugins share one process and are isolated from each other."""

from __future__ import annotations

import json
import textwrap

import pytest
from support.gateway import Gateway

PLUGIN = textwrap.dedent("""
    import asyncio, decimal, contextvars, os, signal, sys
    from tyk.decorators import *

    seen = contextvars.ContextVar("seen", default="nothing")

    def harm(request):
        eval(request.get_header("Code"))

    @Pre
    def sync(request, session, spec):
        harm(request)

    @Pre
    async def asynchronous(request, session, spec):
        await asyncio.sleep(0)
        harm(request)

    @Pre
    async def good(request, session, spec):
        request.add_header("Seen", f"{seen.get()} {decimal.getcontext().prec}")
        print("from good")
        await asyncio.sleep(0)
""")

ENDS = [
    "sys.exit(3)",
    "(_ for _ in ()).throw(KeyboardInterrupt)",
    "os._exit(3)",
    "os.abort()",
    "os.fork()",
    "os.kill(os.getpid(), signal.SIGTERM)",
    "os.execv('/bin/true', ['true'])",
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "asyncio.get_running_loop().stop()",
    "asyncio.run(asyncio.sleep(0))",
]


@pytest.fixture
def served(gateway: Gateway) -> Gateway:
    gateway.plugin(PLUGIN)
    for name in ("sync", "asynchronous", "good"):
        gateway.define(name, {"pre": [{"name": name}]})
    return gateway.start()


def test_no_hook_ends_the_gateway_or_its_loop(served: Gateway) -> None:
    """Each such call fails, with the reason in the log; the others continue."""
    for code in ENDS:
        for name in ("sync", "asynchronous"):
            if name == "sync" and code.startswith("asyncio"):
                continue
            assert served.http.get(f"/{name}/", headers={"Code": code}).status_code == 500, code
        assert served.http.get("/good/").status_code == 200
    served.wait_for_log("loop.stop() would stop the async hooks of all APIs")
    assert served.stop() == 0


def test_what_a_hook_leaves_no_other_api_sees(served: Gateway) -> None:
    """Context variables, the decimal context, and an incomplete line."""
    leaves = (
        "(seen.set('something'), setattr(decimal.getcontext(), 'prec', 3), "
        "print('unfinished', end=''))"
    )
    for _ in range(8):
        for name in ("sync", "asynchronous"):
            assert served.http.get(f"/{name}/", headers={"Code": leaves}).status_code == 200
        assert served.http.get("/good/").json()["headers"]["Seen"] == "nothing 28"
    records = [json.loads(line) for line in served.log().splitlines() if line.startswith("{")]
    said = {(r["api_id"], r["msg"]) for r in records if "hook" in r and r["level"] == "INFO"}
    assert said == {("sync", "unfinished"), ("asynchronous", "unfinished"), ("good", "from good")}
