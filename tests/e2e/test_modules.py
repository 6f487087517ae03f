"""Plugin modules in a running gateway: child processes, reloads and shutdown."""

from __future__ import annotations

import textwrap
from pathlib import Path

from support.gateway import Gateway

POOL = textwrap.dedent("""
    import concurrent.futures, multiprocessing
    from tyk.decorators import *
    import factors

    CONTEXT = multiprocessing.get_context("spawn")

    def work(x):
        return x * factors.FACTOR

    @Pre
    def pool(request, session, spec):
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:
            request.add_header("X-Results", str(list(pool.map(work, [2, 3]))))
""")

LIFE = textwrap.dedent("""
    import atexit, pathlib
    from tyk.decorators import *
    from tyk_cffi import on_unload

    NOTES = pathlib.Path(__file__).parents[2] / "notes"

    def note(word):
        with NOTES.open("a") as file:
            file.write(f"{word} of {VERSION}\\n")

    VERSION = "one"
    atexit.register(note, "atexit")
    on_unload(lambda: note("unload"))

    @Pre
    def version(request, session, spec):
        request.add_header("X-Version", VERSION)
""")


def sent(gateway: Gateway, path: str, name: str) -> str:
    """Return a header that reached the upstream."""
    answer = gateway.http.get(path)
    assert answer.status_code == 200, gateway.log()
    return str(answer.json()["headers"][name])


def test_a_hook_may_use_a_pool_of_processes(gateway: Gateway) -> None:
    """They import its module and siblings, and after a reload the new ones."""
    gateway.plugin("FACTOR = 3\n", "factors.py")
    gateway.plugin(POOL)
    gateway.define("pool", {"pre": [{"name": "pool"}]})
    gateway.start()
    assert sent(gateway, "/pool/", "X-Results") == "[6, 9]"
    gateway.plugin("FACTOR = 5 # edited\n", "factors.py")
    assert gateway.reload().status_code == 200
    assert sent(gateway, "/pool/", "X-Results") == "[10, 15]"


def notes(gateway: Gateway) -> Path:
    return gateway.folder / "notes"


def test_code_is_unloaded_when_it_is_replaced_and_when_the_gateway_stops(gateway: Gateway) -> None:
    """With on_unload and atexit, in reverse order."""
    gateway.plugin(LIFE)
    gateway.define("version", {"pre": [{"name": "version"}]})
    gateway.start()
    assert sent(gateway, "/version/", "X-Version") == "one"
    gateway.plugin(LIFE.replace('"one"', '"second"'))
    assert gateway.reload().status_code == 200
    assert sent(gateway, "/version/", "X-Version") == "second"
    gateway.stop()
    said = notes(gateway).read_text().splitlines()
    assert sorted(said[:2]) == ["atexit of one", "unload of one"]
    assert said == ["unload of one", "atexit of one", "unload of second", "atexit of second"]
