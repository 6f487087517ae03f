"""Authentication by hooks and by the gateway, and its events."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

import pytest
from support.gateway import IS_BUNDLED, Gateway
from support.upstream import Upstream

CHECK = textwrap.dedent("""
    from tyk.decorators import *

    @CustomKeyCheck
    def check(request, session, metadata, spec):
        token = request.get_header("Authorization")
        if token == "valid":
            metadata["token"] = token
            session.rate, session.per = 1000.0, 1.0
            session.alias = "a friend"
        if token == "boom":
            raise ValueError("secret detail")
        return request, session, metadata

    @PostKeyAuth
    def show(request, session, metadata, spec):
        request.add_header("X-Alias", session.alias)
        return request, session, metadata
""")

HANDLER = textwrap.dedent("""
    import json
    from tyk.decorators import Event

    @Event
    def my_handler(event, spec):
        print("HANDLED " + json.dumps([event, dict(spec)]))
""")


def custom_auth(gateway: Gateway, **fields: object) -> Gateway:
    gateway.plugin(CHECK)
    gateway.event_handler(HANDLER)
    gateway.define(
        "api",
        {"auth_check": {"name": "check"}, "post_key_auth": [{"name": "show"}]},
        use_keyless=False,
        enable_coprocess_auth=True,
        **fields,
    )
    return gateway


FAILED = {
    "AuthFailure": [{"handler_name": "cp_dynamic_handler", "handler_meta": {"name": "my_handler"}}]
}


def test_a_valid_token_passes_with_the_session_the_hook_made(
    stored: Gateway, upstream: Upstream
) -> None:
    """The session is stored under the token and passed to later hooks."""
    gateway = custom_auth(stored).start()
    assert gateway.http.get("/api/", headers={"Authorization": "valid"}).status_code == 200
    assert upstream.last.header("X-Alias") == "a friend"
    session = gateway.key("GET", "valid").json()
    assert (session["alias"], session["rate"], session["org_id"]) == ("a friend", 1000.0, "default")


@pytest.mark.stock_fails("its DispatchEvent is empty: event handlers have been dead code for years")
def test_an_invalid_token_is_403_and_its_handler_is_called(gateway: Gateway) -> None:
    """The event has all fields of section 7 of the contract."""
    custom_auth(gateway, event_handlers={"events": FAILED}).start()
    answer = gateway.http.get("/api/", headers={"Authorization": "invalidtoken"})
    assert answer.status_code == 403
    assert answer.json() == {"error": "Forbidden"}
    gateway.wait_for_log("HANDLED ")
    event, spec = handler_call(gateway)
    assert event["Type"] == "AuthFailure"
    assert event["TimeStamp"]
    assert event["Meta"]["Path"] == "/api/"
    assert event["Meta"]["Origin"] == "127.0.0.1"
    assert event["Meta"]["Message"] == "Auth Failure"
    assert event["Meta"]["OriginatingRequest"]
    assert event["Meta"]["Key"] == "invalidtoken"
    assert spec == {"APIID": "api", "OrgID": "default"}


@pytest.mark.bundled_only("Tyk makes no coprocess handler for the events of its own settings")
def test_gateway_wide_event_handlers_are_called_too(gateway: Gateway) -> None:
    """``event_handlers`` in the settings apply to every API."""
    gateway.settings["event_handlers"] = {"events": FAILED}
    custom_auth(gateway).start()
    gateway.http.get("/api/")
    gateway.wait_for_log("HANDLED ")


@pytest.mark.stock_fails("it logs the last line of an exception, no traceback")
def test_a_failing_check_denies_without_details(gateway: Gateway) -> None:
    """403; the traceback is in the log only."""
    custom_auth(gateway).start()
    answer = gateway.http.get("/api/", headers={"Authorization": "boom"})
    assert answer.status_code == 403
    assert answer.json() == {"error": "Key not authorised"}
    gateway.wait_for_log("ValueError: secret detail")
    assert "Traceback (most recent call last)" in gateway.log()


@pytest.mark.bundled_only("Tyk's keys API takes policies or access rights only")
def test_token_auth_follows_the_keys_api(stored: Gateway) -> None:
    """A key is accepted until the control API disables or deletes it."""
    stored.define("api", use_keyless=False, auth={"auth_header_name": "authorization"})
    gateway = stored.start()

    def ask() -> int:
        return gateway.http.get("/api/", headers={"Authorization": "k1"}).status_code

    assert gateway.http.get("/api/").status_code == 401
    assert ask() == 403
    assert gateway.key("POST", "k1", {"org_id": "default"}).json()["action"] == "added"
    assert ask() == 200
    assert gateway.key("PUT", "k1", {"is_inactive": True}).json()["action"] == "modified"
    assert ask() == 403
    assert gateway.key("DELETE", "k1").json()["action"] == "deleted"
    assert ask() == 403


def test_the_control_api_requires_the_secret(gateway: Gateway) -> None:
    """Requests without the secret or with a wrong one have no effect."""
    gateway.define("api")
    gateway.start()
    for headers in ({}, {"x-tyk-authorization": "wrong"}):
        for path in ("/tyk/reload/group", "/tyk/keys/k1"):
            assert gateway.http.get(path, headers=headers).status_code == 403


def handler_call(gateway: Gateway) -> Any:
    """Return the arguments of ``my_handler``'s last call."""
    line = next(line for line in gateway.log().splitlines() if "HANDLED [" in line)
    # Ours logs JSON; Tyk logs text with the message in quotes, since 5.14 as `message`.
    if IS_BUNDLED:
        message = json.loads(line)["msg"]
    else:
        quoted = re.search(r'\b(?:msg|message)="((?:[^"\\]|\\.)*)"', line)
        assert quoted, line
        message = json.loads(f'"{quoted[1]}"')
    return json.loads(message.removeprefix("HANDLED "))
