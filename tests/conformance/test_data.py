"""The data that hooks get, by section 3 of the contract."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from support.gateway import Gateway
from support.upstream import Answer, Upstream

# Each hook adds its arguments to a header as JSON; the response hook to a response header.
TELL = textwrap.dedent("""
    import json
    from tyk.decorators import *

    def given(request, session, metadata, spec, response=None):
        o = request.object
        return json.dumps({
            "alias": session.alias, "metadata": dict(metadata), "spec": dict(spec),
            "status": response.status_code if response else 0,
            "headers": dict(o.headers), "params": dict(o.params), "url": o.url, "uri": o.request_uri,
            "scheme": o.scheme, "method": o.method, "code": o.return_overrides.response_code,
            "body": o.body, "raw": o.raw_body.decode("latin-1"),
        })

    @Hook
    def tell(request, session, metadata, spec):
        request.add_header("Given-" + spec["APIID"], given(request, session, metadata, spec))
        return request, session, metadata

    @Pre
    def pre(request, session, metadata, spec):
        request.add_header("Given-Pre", given(request, session, metadata, spec))
        return request, session, metadata

    @CustomKeyCheck
    def check(request, session, metadata, spec):
        request.add_header("Given-CustomKeyCheck", given(request, session, metadata, spec))
        session.alias = "a friend"
        metadata["token"] = "somebody"
        return request, session, metadata

    @PostKeyAuth
    def post_key_auth(request, session, metadata, spec):
        request.add_header("Given-PostKeyAuth", given(request, session, metadata, spec))
        return request, session, metadata

    @Post
    def post(request, session, metadata, spec):
        request.add_header("Given-Post", given(request, session, metadata, spec))
        return request, session, metadata

    @Hook
    def response(request, response, session, metadata, spec):
        response.headers["Given-Response"] = given(request, session, metadata, spec, response)
        response.headers["First"] = response.headers["X-Twice"]
        multi = {header.key: list(header.values) for header in response.multivalue_headers}
        response.headers["All"] = ",".join(multi["X-Twice"])
        return response
""")

HOOKS = {
    "pre": [{"name": "pre"}],
    "auth_check": {"name": "check"},
    "post_key_auth": [{"name": "post_key_auth"}],
    "post": [{"name": "post"}],
    "response": [{"name": "response"}],
}


@pytest.fixture
def given(gateway: Gateway, upstream: Upstream) -> dict[str, Any]:
    """Return the arguments of each type of hook for one request."""
    gateway.plugin(TELL)
    gateway.define("api", HOOKS, use_keyless=False, enable_coprocess_auth=True)
    upstream.answer = Answer(203, [("X-Twice", "1"), ("X-Twice", "2")], b"")
    answer = gateway.start().http.post(
        "/api/get?a=1&a=2&b=%20", content=b"hello", headers=[("X-Twice", "1"), ("X-Twice", "2")]
    )
    assert answer.status_code == 203, answer.text
    assert (answer.headers["First"], answer.headers["All"]) == ("1", "1,2")
    given = {"Response": json.loads(answer.headers["Given-Response"])}
    for kind in ("Pre", "CustomKeyCheck", "PostKeyAuth", "Post"):
        given[kind] = json.loads(upstream.last.header(f"Given-{kind}") or "")
    return given


def test_session_metadata_and_response_are_filled_as_the_table_says(given: dict[str, Any]) -> None:
    """Session and metadata from PostKeyAuth on, the response in Response."""
    for kind in ("Pre", "CustomKeyCheck"):
        assert (given[kind]["alias"], given[kind]["metadata"]) == ("", {})
    for kind in ("PostKeyAuth", "Post", "Response"):
        assert given[kind]["alias"] == "a friend"
        assert given[kind]["metadata"]["token"] == "somebody"
    assert [given[kind]["status"] for kind in given] == [203, 0, 0, 0, 0]


def test_the_request_is_as_it_came(given: dict[str, Any], gateway: Gateway) -> None:
    """First values, the host, the whole URL, and a response code of -1."""
    for kind in ("Pre", "CustomKeyCheck", "PostKeyAuth", "Post"):
        seen = given[kind]
        assert seen["headers"]["X-Twice"] == "1"
        assert seen["headers"]["Host"] == f"127.0.0.1:{gateway.port}"
        assert seen["params"] == {"a": "1", "b": " "}
        assert seen["url"] == seen["uri"] == "/api/get?a=1&a=2&b=%20"
        assert (seen["scheme"], seen["method"], seen["code"]) == ("http", "POST", -1)
        assert (seen["body"], seen["raw"]) == ("hello", "hello")


@pytest.mark.stock_fails("it loads no directory: the API has a bundle, and its hash")
def test_the_spec_names_org_api_and_bundle(given: dict[str, Any]) -> None:
    """Without a bundle the hash is that of the empty name; without config data the key is missing."""
    for kind, seen in given.items():
        assert seen["spec"]["OrgID"] == "default", kind
        assert seen["spec"]["APIID"] == "api"
        assert seen["spec"]["bundle_hash"] == "d41d8cd98f00b204e9800998ecf8427e"
        assert "config_data" not in seen["spec"]


def test_config_data_is_a_json_string_unless_it_is_disabled(
    gateway: Gateway, upstream: Upstream
) -> None:
    """Including nested values."""
    data = {"a": 1, "nested": {"list": [True, None, "ä"]}}
    gateway.plugin(TELL)
    gateway.define("on", {"pre": [{"name": "tell"}]}, config_data=data)
    gateway.define("off", {"pre": [{"name": "tell"}]}, config_data=data, config_data_disabled=True)
    gateway.start()
    for api in ("on", "off"):
        assert gateway.http.get(f"/{api}/").status_code == 200
        spec = json.loads(upstream.last.header(f"Given-{api}") or "")["spec"]
        if api == "on":
            assert json.loads(spec["config_data"]) == data
        else:
            assert "config_data" not in spec
