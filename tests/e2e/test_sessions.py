"""Limits and rights of sessions: rate, quota, expiry, rights, policies; id extractors."""

from __future__ import annotations

import json
import textwrap
import time
from typing import Any

import pytest
from support.gateway import Gateway

CHECK = textwrap.dedent("""
    import json
    from tyk.decorators import *
    from tyk.session import *

    calls = 0

    @CustomKeyCheck
    def check(request, session, metadata, spec):
        global calls
        calls += 1
        wanted = json.loads(request.get_header("Session") or "{}")
        for name, value in wanted.items():
            if isinstance(value, list):
                getattr(session, name).extend(value)
            else:
                setattr(session, name, value)
        metadata["token"] = request.get_header("Authorization")
        metadata["calls"] = str(calls)
        return request, session, metadata

    @Post
    def show(request, session, metadata, spec):
        request.object.return_overrides.response_code = 200
        request.object.return_overrides.response_body = json.dumps(
            {"calls": metadata["calls"], "quota": session.quota_remaining,
             "rate": session.rate, "tags": list(session.tags)})
        return request, session, metadata

    @Event
    def heard(event, spec):
        print("HEARD", event["Type"], event["Meta"].get("Message"), event["Meta"].get("Key"))
""")

HEARD = [{"handler_name": "cp_dynamic_handler", "handler_meta": {"name": "heard"}}]
EVENTS = ["KeyExpired", "RatelimitExceeded", "QuotaExceeded", "AuthFailure"]


def authenticated(gateway: Gateway, **hooks: Any) -> Gateway:
    gateway.plugin(CHECK)
    gateway.define(
        "api",
        {"auth_check": {"name": "check"}, "post": [{"name": "show"}], **hooks},
        use_keyless=False,
        enable_coprocess_auth=True,
        event_handlers={"events": dict.fromkeys(EVENTS, HEARD)},
    )
    return gateway


def ask(gateway: Gateway, token: str = "t", **session: Any) -> tuple[int, Any]:
    headers = {"Authorization": token, "Session": json.dumps(session)}
    answer = gateway.http.get("/api/", headers=headers)
    return answer.status_code, answer.json()


def test_the_rate_is_limited(stored: Gateway) -> None:
    """``rate`` requests in ``per`` seconds, then 429 and an event; other tokens are unaffected."""
    authenticated(stored).start()
    statuses = [ask(stored, rate=3, per=60)[0] for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert ask(stored, rate=3, per=60)[1] == {"error": "Rate limit exceeded"}
    assert ask(stored, "other", rate=3, per=60)[0] == 200
    stored.wait_for_log("HEARD RatelimitExceeded Key Rate Limit Exceeded t")


def test_the_quota_runs_on_in_a_new_session_and_renews(stored: Gateway) -> None:
    """403 and an event when it is used up; it renews after quota_renewal_rate seconds."""
    authenticated(stored).start()
    quota: dict[str, Any] = {"quota_max": 3, "quota_renewal_rate": 2}
    assert [ask(stored, **quota)[1]["quota"] for _ in range(3)] == [2, 1, 0]
    assert ask(stored, **quota) == (403, {"error": "Quota exceeded"})
    stored.wait_for_log("HEARD QuotaExceeded Key Quota Limit Exceeded t")
    time.sleep(2.2)
    assert ask(stored, **quota)[1]["quota"] == 2


@pytest.mark.parametrize(
    ("session", "status", "error", "event"),
    [
        ({"expires": 1000}, 401, "Key has expired, please renew", "KeyExpired"),
        ({"is_inactive": True}, 403, "Key is inactive, please renew", "AuthFailure"),
        ({"apply_policies": ["unknown"]}, 403, "Forbidden", "AuthFailure"),
    ],
)
def test_what_a_session_forbids_is_refused(
    gateway: Gateway, session: dict[str, Any], status: int, error: str, event: str
) -> None:
    """With Tyk's status and text, and an event."""
    authenticated(gateway).start()
    assert ask(gateway, **session) == (status, {"error": error})
    gateway.wait_for_log(f"HEARD {event}")


def test_access_rights_name_the_apis(gateway: Gateway) -> None:
    """A key for another API is refused."""
    gateway.define("api", use_keyless=False)
    gateway.start()
    for key, api in (("mine", "api"), ("theirs", "other")):
        rights = {api: {"api_id": api, "api_name": api, "versions": ["Default"]}}
        gateway.key("POST", key, {"access_rights": rights})
    assert gateway.http.get("/api/", headers={"Authorization": "mine"}).status_code == 200
    assert gateway.http.get("/api/", headers={"Authorization": "theirs"}).status_code == 403


def test_policies_decide_for_their_sessions(gateway: Gateway) -> None:
    """Policies from a file set rate, quota and tags."""
    policy = {"rate": 2, "per": 60, "quota_max": 10, "quota_renewal_rate": 60, "tags": ["gold"]}
    gateway.settings["policies"] = {"policy_source": "file", "policy_record_name": "p.json"}
    (gateway.folder / "p.json").write_text(json.dumps({"gold": policy}))
    authenticated(gateway).start()
    status, seen = ask(gateway, apply_policies=["gold"], rate=100)
    assert (status, seen["rate"], seen["quota"], seen["tags"]) == (200, 2, 9, ["gold"])
    assert [ask(gateway, apply_policies=["gold"])[0] for _ in range(2)] == [200, 429]


EXTRACTORS = [
    ("header", "value", {"header_name": "Id"}, {"headers": {"Id": "{}"}}),
    ("form", "value", {"param_name": "id"}, {"data": {"id": "{}"}}),
    (
        "header",
        "regex",
        {"header_name": "Id", "regex_expression": "[^-]+", "regex_match_index": 1},
        {"headers": {"Id": "x-{}-y"}},
    ),
    ("body", "regex", {"regex_expression": "id=([a-z]+)"}, {"content": "id={}"}),
    ("body", "xpath", {"xpath_expression": "//user/@id"}, {"content": "<user id='{}'/>"}),
]


@pytest.mark.parametrize(("source", "kind", "config", "how"), EXTRACTORS)
def test_an_extracted_id_spares_the_hook_until_its_deadline(
    gateway: Gateway, source: str, kind: str, config: dict[str, Any], how: dict[str, Any]
) -> None:
    """The hook is called once for each id until id_extractor_deadline."""
    extractor = {"extract_from": source, "extract_with": kind, "extractor_config": config}
    authenticated(gateway, id_extractor=extractor).start()

    def calls(user: str, seconds: int = 60) -> str:
        session = {"id_extractor_deadline": int(time.time()) + seconds}
        filled = json.loads(json.dumps(how).replace("{}", user))
        headers = {"Authorization": "t", "Session": json.dumps(session)}
        headers.update(filled.pop("headers", {}))
        answer = gateway.http.post("/api/", headers=headers, **filled)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["calls"])

    assert [calls("one"), calls("one"), calls("two"), calls("one")] == ["1", "1", "2", "1"]
    assert [calls("late", -5), calls("late", -5)] == ["3", "4"]
    assert gateway.http.post("/api/").status_code == 400


def test_keys_made_changed_and_removed_are_events(stored: Gateway) -> None:
    """They belong to no API: the gateway-wide handlers receive them."""
    events = ("TokenCreated", "TokenUpdated", "TokenDeleted")
    stored.settings["event_handlers"] = {"events": dict.fromkeys(events, HEARD)}
    authenticated(stored).start()
    stored.key("POST", "k", {"org_id": "default"})
    stored.wait_for_log("HEARD TokenCreated TokenCreated k")
    stored.key("PUT", "k", {"org_id": "default", "rate": 5})
    stored.wait_for_log("HEARD TokenUpdated TokenUpdated k")
    stored.key("DELETE", "k")
    stored.wait_for_log("HEARD TokenDeleted TokenDeleted k")


def test_an_event_that_nothing_handles_is_one_clear_line(gateway: Gateway) -> None:
    """With the handler's name and the API."""
    nobody = [{"handler_name": "cp_dynamic_handler", "handler_meta": {"name": "nobody"}}]
    gateway.plugin(CHECK)
    gateway.define(
        "api",
        {"auth_check": {"name": "check"}},
        use_keyless=False,
        enable_coprocess_auth=True,
        event_handlers={"events": {"AuthFailure": nobody}},
    )
    gateway.start()
    ask(gateway, "", is_inactive=True)
    gateway.wait_for_log("nothing defines event handler")
    lines = [line for line in gateway.log().splitlines() if "nobody" in line]
    assert len(lines) == 1
    assert "'nobody'" in lines[0]
    assert "'api'" in lines[0]


def test_every_field_of_a_session_comes_through_store_and_hooks(stored: Gateway) -> None:
    """All 34 fields, and unknown fields of later versions."""
    from tyk_cffi.proto.coprocess_session_state_pb2 import SessionState

    stored.plugin(
        textwrap.dedent("""
        from tyk.decorators import *

        @CustomKeyCheck
        def check(request, session, metadata, spec):
            session.ParseFromString(bytes.fromhex(request.get_header("Session")))
            metadata["token"] = "t"

        @Post
        def show(request, session, metadata, spec):
            request.object.return_overrides.response_code = 200
            request.object.return_overrides.response_body = session.SerializeToString().hex()
        """)
    )
    stored.define(
        "api",
        {
            "auth_check": {"name": "check"},
            "post": [{"name": "show"}],
            "id_extractor": {
                "extract_from": "header",
                "extract_with": "value",
                "extractor_config": {"header_name": "Id"},
            },
        },
        use_keyless=False,
        enable_coprocess_auth=True,
    )
    sent = SessionState()
    for field in SessionState.DESCRIPTOR.fields:
        if field.message_type is None and not field.is_repeated:
            values = {"int64": 7, "double": 2.5, "string": field.name}
            kind = {3: "int64", 1: "double", 9: "string"}.get(field.type)
            setattr(sent, field.name, values[kind] if kind else field.name != "is_inactive")
    sent.expires = sent.id_extractor_deadline = int(time.time()) + 60
    sent.rate, sent.per, sent.quota_max = 100, 1, 100
    sent.apply_policy_id = ""
    sent.access_rights["api"].api_id = "api"
    sent.access_rights["api"].allowed_urls.add(url="/", methods=["GET"])
    sent.oauth_keys["a"] = "b"
    sent.basic_auth_data.password = sent.jwt_data.secret = "s"
    sent.monitor.trigger_limits.extend([80.0, 90.0])
    sent.metadata["mine"] = "yes"
    sent.tags.extend(["x", "y"])
    unknown = b"\xda\x05\x05later"  # field 91
    headers = {"Session": (sent.SerializeToString() + unknown).hex(), "Id": "id"}
    stored.start()
    for where in ("from the hook", "from the store"):
        answer = stored.http.get("/api/", headers=headers)
        assert answer.status_code == 200, answer.text
        data = bytes.fromhex(answer.text)
        got = SessionState.FromString(data)
        assert unknown in data, where
        for field in SessionState.DESCRIPTOR.fields:
            if field.name not in CHANGED_BY_THE_GATEWAY:
                assert getattr(got, field.name) == getattr(sent, field.name), (where, field.name)
        assert got.metadata["mine"] == "yes"


# Set by the gateway: organization, key, running quota and token.
CHANGED_BY_THE_GATEWAY = {"org_id", "key_id", "quota_renews", "quota_remaining", "metadata"}
