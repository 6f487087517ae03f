"""Response hooks, bodies of all sizes, and responses instead of the upstream's."""

from __future__ import annotations

import os
import textwrap
from typing import Any

import pytest
from support.gateway import Gateway
from support.upstream import Answer, Upstream

RESPOND = textwrap.dedent("""
    from tyk.decorators import *

    @Hook
    def respond(request, response, session, metadata, spec):
        response.headers["X-New"] = "new"
        response.headers["X-Changed"] = "changed"
        del response.headers["X-Gone"]
        response.status_code = 207
        response.raw_body = response.raw_body + b"!"
        return response

    @Hook
    def second(request, response, session, metadata, spec):
        response.headers["X-Seen"] = response.headers["X-New"] + str(response.status_code)
        return response

    @Hook
    def fails(request, response, session, metadata, spec):
        raise ValueError
""")


def test_response_hooks_change_status_headers_and_body(
    gateway: Gateway, upstream: Upstream
) -> None:
    """Two Set-Cookie headers stay two; a changed first value keeps the others; hooks chain."""
    gateway.plugin(RESPOND)
    gateway.define("api", {"response": [{"name": "respond"}, {"name": "second"}]})
    upstream.answer = Answer(
        200,
        [
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Changed", "first"),
            ("X-Changed", "second"),
            ("X-Gone", "x"),
        ],
        b"\xff\x00body",
    )
    answer = gateway.start().http.get("/api/")
    assert answer.status_code == 207
    assert answer.content == b"\xff\x00body!"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers.get_list("x-changed") == ["changed", "second"]
    assert "x-gone" not in answer.headers
    assert answer.headers["x-seen"] == "new207"


@pytest.mark.bundled_only("Tyk 5.11 panics in its own error handler: the connection is closed")
def test_a_failing_response_hook_answers_500(gateway: Gateway, upstream: Upstream) -> None:
    """Nothing of the upstream's response reaches the client."""
    gateway.plugin(RESPOND)
    gateway.define("api", {"response": [{"name": "fails"}]})
    upstream.answer = Answer(200, [("X-Secret", "x")], b"secret")
    answer = gateway.start().http.get("/api/")
    assert (answer.status_code, answer.json()) == (500, {"error": "Middleware error"})
    assert "x-secret" not in answer.headers


BODIES = textwrap.dedent("""
    from tyk.decorators import *

    @Pre
    def tell(request, session, spec):
        o = request.object
        request.add_header("X-Text", str(len(o.body)))
        request.add_header("X-Raw", str(len(o.raw_body)))
        return request, session

    @Pre
    def swap(request, session, spec):
        request.object.raw_body = request.object.raw_body[::-1]
        return request, session

    @Pre
    def text(request, session, spec):
        request.object.body = "text: " + request.object.body
        return request, session
""")


@pytest.mark.stock_fails("an edit of body alone is lost")
def test_bodies_reach_hooks_and_the_upstream_whole(gateway: Gateway, upstream: Upstream) -> None:
    """From empty to megabytes, binary or text, chunked or not, with raw_body_only."""
    gateway.plugin(BODIES)
    gateway.define("tell", {"pre": [{"name": "tell"}]})
    gateway.define("raw", {"pre": [{"name": "tell", "raw_body_only": True}]})
    gateway.define("swap", {"pre": [{"name": "swap"}]})
    gateway.define("text", {"pre": [{"name": "text"}]})
    gateway.start()
    for body, text in ((b"", 0), (b"hello", 5), (b"\xff\x00", 0), (os.urandom(3 << 20), 0)):
        gateway.http.post("/tell/", content=body)
        assert upstream.last.body == body
        assert upstream.last.header("X-Raw") == str(len(body))
        assert upstream.last.header("X-Text") == str(text)
        gateway.http.post("/swap/", content=iter([body]))
        assert upstream.last.body == body[::-1]
    gateway.http.post("/raw/", content=b"hello")
    assert (upstream.last.header("X-Raw"), upstream.last.header("X-Text")) == ("5", "0")
    gateway.http.post("/text/", content=b"hello")
    assert upstream.last.body == b"text: hello"


OVERRIDE = textwrap.dedent("""
    import json
    from tyk.decorators import *

    @Pre
    def override(request, session, spec):
        o = request.object.return_overrides
        for name, value in json.loads(request.object.body).items():
            if name == "headers":
                o.headers.update(value)
            else:
                setattr(o, name, value)
        return request, session
""")


@pytest.mark.parametrize(
    ("overrides", "status", "body"),
    [
        ({"response_code": 403}, 403, {"error": "Key not authorised"}),
        ({"response_code": 403, "response_error": "no"}, 403, {"error": "no"}),
        ({"response_code": 403, "response_body": "no"}, 403, {"error": "no"}),
        ({"response_code": 418, "response_error": "e", "response_body": "b"}, 418, {"error": "e"}),
        ({"response_code": 500, "override_error": True, "response_body": "b"}, 500, "b"),
        ({"response_code": 200, "response_body": "b"}, 200, "b"),
        ({"response_code": 200, "response_error": "e", "response_body": "b"}, 200, "e"),
        ({"response_code": 302, "headers": {"Location": "/x"}}, 302, ""),
    ],
)
def test_return_overrides_answer_in_the_upstreams_place(
    gateway: Gateway, upstream: Upstream, overrides: dict[str, Any], status: int, body: Any
) -> None:
    """All forms of section 6, with the override headers."""
    gateway.plugin(OVERRIDE)
    gateway.define("api", {"pre": [{"name": "override"}]})
    asked = {"headers": {"X-Override": "set"}, **overrides}
    answer = gateway.start().http.post("/api/", json=asked)
    assert answer.status_code == status
    assert (answer.json() if isinstance(body, dict) else answer.text) == body
    for name, value in asked["headers"].items():
        assert answer.headers[name] == value
    assert upstream.received == []
