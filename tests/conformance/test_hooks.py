"""Hooks on real requests: order, chaining and changes."""

from __future__ import annotations

import textwrap

import pytest
from support.gateway import Gateway
from support.upstream import Upstream

ORDER = """
from tyk.decorators import *

def trail(request, name):
    request.add_header("X-Trail", (request.get_header("X-Trail") or "") + ">" + name)

@Pre
def first(request, session, spec):
    trail(request, "first")
    return request, session

@Pre
def second(request, session, spec):
    trail(request, "second")
    return request, session

@CustomKeyCheck
def check(request, session, metadata, spec):
    trail(request, "auth")
    metadata["token"] = "somebody"
    return request, session, metadata

@PostKeyAuth
def after_auth(request, session, spec):
    trail(request, "after_auth:" + session.metadata["token"])
    return request, session

@Post
def last(request, session, spec):
    trail(request, "last")
    return request, session

@Hook
def respond(request, response, session, metadata, spec):
    response.headers["X-Response"] = "of " + metadata["token"]
    return response
"""


def test_hooks_run_in_order_and_see_what_earlier_ones_did(
    gateway: Gateway, upstream: Upstream
) -> None:
    """The order is pre, pre, auth, post_key_auth, post, upstream, response."""
    gateway.plugin(ORDER)
    gateway.define(
        "api",
        {
            "pre": [{"name": "first"}, {"name": "second"}],
            "auth_check": {"name": "check"},
            "post_key_auth": [{"name": "after_auth", "require_session": True}],
            "post": [{"name": "last"}],
            "response": [{"name": "respond"}],
        },
        use_keyless=False,
        enable_coprocess_auth=True,
    )
    answer = gateway.start().http.get("/api/get?a=1")
    assert answer.status_code == 200, answer.text
    assert upstream.last.header("X-Trail") == ">first>second>auth>after_auth:somebody>last"
    assert upstream.last.target == "/get?a=1"
    assert answer.headers["X-Response"] == "of somebody"


@pytest.mark.stock_fails("hooks are kept by name alone, and typed decorators fail at call time")
def test_the_readmes_sample_keeps_hooks_of_one_name_apart_by_type(
    gateway: Gateway, upstream: Upstream
) -> None:
    """The sample of the original README: two functions of one name, one @Pre and one @Post."""
    gateway.plugin(
        textwrap.dedent("""
        from tyk.decorators import *

        @Pre
        def MyPreMiddleware(request, session, spec):
            print("my_middleware: MyPreMiddleware")
            request.add_header("X-Pre", "yes")
            return request, session

        @Post
        def MyPreMiddleware(request, session, spec):
            print("my_middleware: MyPreMiddleware")
            request.add_header("X-Post", "yes")
            return request, session
        """)
    )
    hook = {"name": "MyPreMiddleware", "require_session": False}
    gateway.define("api", {"pre": [hook], "post": [hook]})
    gateway.define("pre", {"pre": [hook]})
    gateway.start()
    gateway.http.get("/api/")
    assert (upstream.last.header("X-Pre"), upstream.last.header("X-Post")) == ("yes", "yes")
    gateway.http.get("/pre/")
    assert (upstream.last.header("X-Pre"), upstream.last.header("X-Post")) == ("yes", None)
    gateway.wait_for_log("my_middleware: MyPreMiddleware")


@pytest.mark.stock_fails("it loads no directory, and only middleware.py of a bundle")
def test_sub_packages_siblings_and_packages_with_c_extensions_load(
    gateway: Gateway, upstream: Upstream
) -> None:
    """A plugin imports siblings, the standard library and numpy."""
    gateway.plugin("VALUE = 'sibling'\n", "helper.py")
    gateway.plugin("", "package/__init__.py")
    gateway.plugin(
        "from tyk.decorators import *\n"
        "from .inner import VALUE as inner\n"
        "import helper, hashlib, numpy\n"
        "@Pre\n"
        "def deep(request, session, spec):\n"
        "    import package.inner as again\n"
        "    assert again.VALUE == inner\n"
        "    request.add_header('X-Seen', f'{helper.VALUE} {inner} {numpy.arange(4).sum()}')\n",
        "package/hooks.py",
    )
    gateway.plugin("VALUE = 'inner'\n", "package/inner.py")
    gateway.define("api", {"pre": [{"name": "deep"}]})
    gateway.start().http.get("/api/")
    assert upstream.last.header("X-Seen") == "sibling inner 6"


def test_headers_params_url_method_and_body_change_as_requested(
    gateway: Gateway, upstream: Upstream
) -> None:
    """Section 6: deletions before additions, the path of a changed URL, method and body."""
    gateway.plugin(
        textwrap.dedent("""
        from tyk.decorators import *

        @Pre
        def change(request, session, spec):
            request.delete_header("X-Gone")
            request.delete_header("X-Both")
            request.add_header("X-Both", "set")
            request.delete_param("gone")
            request.add_param("added", "a b&c")
            request.object.url = "/api/other?ignored=1"
            request.object.method = "PUT"
            request.object.raw_body = request.object.raw_body.upper()
            return request, session
        """)
    )
    gateway.define("api", {"pre": [{"name": "change"}]})
    gateway.start().http.post(
        "/api/path?gone=1&kept=2", content=b"hello", headers={"X-Gone": "1", "X-Both": "2"}
    )
    seen = upstream.last
    assert (seen.method, seen.body) == ("PUT", b"HELLO")
    assert seen.header("X-Gone") is None
    assert seen.header("X-Both") == "set"
    assert seen.target == "/other?added=a+b%26c&kept=2"
    assert seen.header("Content-Length") == "5"
