"""Bodies are streamed unless a hook reads them, and bounded if one does."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator

import pytest
from support.gateway import Gateway
from support.upstream import Answer, Upstream

PLUGIN = textwrap.dedent("""
    from tyk.decorators import *

    @Pre
    def blind(request, session, spec):
        request.add_header("X-Blind", "yes")

    @Pre
    def reads(request, session, spec):
        request.add_header("X-Size", str(len(request.object.raw_body)))

    @Pre
    async def reads_later(request, session, spec):
        request.add_header("X-Size", str(len(request.object.raw_body)))

    @CustomKeyCheck
    def check(request, session, metadata, spec):
        metadata["token"] = request.object.body

    @Hook
    def blind_response(request, response, session, metadata, spec):
        response.headers["X-Blind"] = "yes"
        return response

    @Hook
    def reads_both(request, response, session, metadata, spec):
        response.headers["X-Sizes"] = f"{len(request.object.raw_body)} {len(response.raw_body)}"
        return response
""")

LIMIT = 1000


@pytest.fixture
def limited(gateway: Gateway) -> Gateway:
    """A gateway whose hooks get bodies of at most 1000 bytes."""
    gateway.settings["coprocess_options"]["max_body_bytes"] = LIMIT
    gateway.plugin(PLUGIN)
    gateway.define("blind", {"pre": [{"name": "blind"}]})
    gateway.define("reads", {"pre": [{"name": "blind"}, {"name": "reads"}]})
    gateway.define("later", {"pre": [{"name": "reads_later"}]})
    gateway.define("plain")
    gateway.define("response", {"response": [{"name": "blind_response"}]})
    gateway.define("both", {"response": [{"name": "reads_both"}]})
    gateway.define(
        "auth", {"auth_check": {"name": "check"}}, use_keyless=False, enable_coprocess_auth=True
    )
    return gateway.start()


@pytest.mark.parametrize("attempt", ["first", "then"])
@pytest.mark.parametrize("api", ["reads", "later", "auth"])
def test_a_body_above_the_limit_is_413_for_a_hook_that_reads_it(
    limited: Gateway, upstream: Upstream, api: str, attempt: str
) -> None:
    """At the first call and later ones; a body at the limit passes."""
    for _ in range(1 if attempt == "first" else 3):
        assert limited.http.post(f"/{api}/", content=b"x" * (LIMIT + 1)).status_code == 413
    assert upstream.received == []
    assert limited.http.post(f"/{api}/", content=b"x" * LIMIT).status_code == 200
    assert len(upstream.last.body) == LIMIT


@pytest.mark.parametrize("api", ["plain", "blind", "response"])
def test_a_body_that_no_hook_reads_may_have_any_size(
    limited: Gateway, upstream: Upstream, api: str
) -> None:
    """With a length or chunked."""
    body = b"x" * 300_000
    assert limited.http.post(f"/{api}/", content=body).status_code == 200
    assert upstream.last.body == body
    assert limited.http.post(f"/{api}/", content=iter([body, body])).status_code == 200
    assert upstream.last.body == body * 2


def test_a_request_streams_through_a_hook_that_does_not_read_it(
    limited: Gateway, upstream: Upstream
) -> None:
    """The hook runs, and the upstream gets the request, before the client has sent the end."""
    begun, go_on = upstream.expect_head(), threading.Event()

    def content() -> Iterator[bytes]:
        yield b"first"
        assert begun.wait(10), "the upstream received nothing before the end of the body"
        go_on.set()
        yield b"second"

    assert limited.http.post("/blind/", content=content()).status_code == 200
    assert go_on.is_set()
    assert upstream.last.body == b"firstsecond"
    assert upstream.last.header("X-Blind") == "yes"


def test_a_response_streams_through_a_hook_that_does_not_read_it(
    limited: Gateway, upstream: Upstream
) -> None:
    """The client receives the first part before the upstream has sent the last."""
    seen = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"data: first\n\n"
        assert seen.wait(10), "the client received nothing before the end of the response"
        yield b"data: second\n\n"

    upstream.answer = Answer(200, [("Content-Type", "text/event-stream")], parts=parts())
    with limited.http.stream("GET", "/response/") as answer:
        assert answer.headers["X-Blind"] == "yes"
        received = answer.iter_raw()
        assert b"first" in next(received)
        seen.set()
        assert b"second" in b"".join(received)


def test_a_response_hook_sees_the_request_that_was_streamed(
    limited: Gateway, upstream: Upstream
) -> None:
    """A response above the limit is an error for a hook that reads it, with a log record."""
    upstream.answer = Answer(200, [], b"y" * 20)
    assert limited.http.post("/both/", content=b"x" * 30).headers["X-Sizes"] == "30 20"
    upstream.answer = Answer(200, [], b"y" * (LIMIT + 1))
    answer = limited.http.post("/both/")
    assert (answer.status_code, answer.json()) == (500, {"error": "Middleware error"})
    limited.wait_for_log("max_body_bytes")
    assert limited.http.get("/response/").content == b"y" * (LIMIT + 1)
