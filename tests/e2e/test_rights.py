"""Policies and access rights of all sessions, however they were created."""

from __future__ import annotations

import json
import textwrap
import time
from typing import Any

import pytest
from support.gateway import Gateway

CHECK = textwrap.dedent("""
    import json, time
    from tyk.decorators import *

    @CustomKeyCheck
    def check(request, session, metadata, spec):
        wanted = json.loads(request.get_header("Session"))
        session.apply_policies.extend(wanted.get("apply_policies", []))
        for api, right in wanted.get("access_rights", {}).items():
            session.access_rights[api].api_id = api
            for allowed in right.get("allowed_urls", []):
                session.access_rights[api].allowed_urls.add(**allowed)
        session.id_extractor_deadline = int(time.time()) + 60
        metadata["token"] = request.get_header("Authorization")
""")
EXTRACTOR = {
    "extract_from": "header",
    "extract_with": "value",
    "extractor_config": {"header_name": "Id"},
}
MAKERS = ["keys API", "hook", "id_extractor"]


def served(gateway: Gateway, policies: dict[str, Any] | None = None) -> Gateway:
    gateway.plugin(CHECK)
    hook: dict[str, Any] = {"use_keyless": False, "enable_coprocess_auth": True}
    for name in ("one", "two"):
        gateway.define(name, use_keyless=False)
    gateway.define("hook", {"auth_check": {"name": "check"}}, **hook)
    gateway.define(
        "extractor", {"auth_check": {"name": "check"}, "id_extractor": EXTRACTOR}, **hook
    )
    gateway.settings["policies"] = {"policy_source": "file", "policy_record_name": "p.json"}
    write(gateway, policies or {})
    return gateway.start()


def write(gateway: Gateway, policies: dict[str, Any]) -> None:
    (gateway.folder / "p.json").write_text(json.dumps(policies))


class Maker:
    """Creates a session in one of three ways, and sends requests with it."""

    def __init__(self, gateway: Gateway, how: str) -> None:
        self.gateway, self.how, self.session = gateway, how, "{}"
        self.api = {"keys API": "one", "hook": "hook", "id_extractor": "extractor"}[how]

    def make(self, session: dict[str, Any]) -> None:
        self.session = json.dumps(session)
        if self.how == "keys API":
            self.gateway.key("POST", "k", session)

    def ask(self, path: str = "", method: str = "GET") -> int:
        headers = {"Authorization": "k", "Session": self.session, "Id": "i"}
        url = f"/{self.api}/{path}"
        return self.gateway.http.request(method, url, headers=headers).status_code


@pytest.mark.parametrize("how", MAKERS)
def test_policies_apply_to_every_session_as_they_are_now(gateway: Gateway, how: str) -> None:
    """A reload applies changed, inactive and removed policies to existing sessions."""
    maker = Maker(served(gateway, {"p": {"rate": 100, "per": 60}}), how)
    maker.make({"apply_policies": ["p"]})
    assert maker.ask() == 200
    for policies, statuses in (
        ({"p": {"rate": 100, "per": 60, "is_inactive": True}}, [403]),
        ({"p": {"quota_max": 2, "quota_renewal_rate": 60}}, [200, 200, 403]),
        ({"p": {"access_rights": {"another": {"api_id": "another"}}}}, [403]),
        ({"p": {"access_rights": {maker.api: {"api_id": maker.api}}}}, [200, 200]),
        ({"q": {}}, [403]),
        ({"p": {"rate": 5, "smoothing": {"enabled": True}}}, [403]),
    ):
        write(gateway, policies)
        assert gateway.reload().status_code == 200
        assert [maker.ask() for _ in statuses] == statuses, policies


@pytest.mark.parametrize("how", MAKERS)
def test_allowed_urls_are_enforced(gateway: Gateway, how: str) -> None:
    """By method and path, for every session."""
    maker = Maker(served(gateway), how)
    allowed = [{"url": "/only", "methods": ["GET", "POST"]}]
    maker.make({"access_rights": {maker.api: {"allowed_urls": allowed}}})
    asked = [("only", "GET"), ("only", "POST"), ("other", "GET"), ("only", "DELETE")]
    assert [maker.ask(*a) for a in asked] == [200, 200, 403, 403]


def test_a_limit_of_an_api_counts_for_itself(stored: Gateway) -> None:
    """Rate and quota of one API do not affect those of another."""
    gateway = served(stored)
    gateway.key(
        "POST",
        "k",
        {
            "rate": 1000,
            "per": 1,
            "quota_max": 3,
            "quota_renewal_rate": 60,
            "access_rights": {
                "one": {"api_id": "one", "limit": {"quota_max": 2, "quota_renewal_rate": 60}},
                "two": {"api_id": "two", "limit": {"rate": 1, "per": 60}},
            },
        },
    )

    def ask(api: str) -> int:
        return gateway.http.get(f"/{api}/", headers={"Authorization": "k"}).status_code

    assert [ask("one") for _ in range(3)] == [200, 200, 403]
    assert [ask("two") for _ in range(2)] == [200, 429]
    shown = gateway.key("GET", "k").json()
    assert (
        shown["quota_remaining"],
        shown["access_rights"]["one"]["limit"]["quota_remaining"],
    ) == (2, 0)


def test_what_hooks_cannot_see_of_a_session_is_kept(stored: Gateway) -> None:
    """A hook that creates the session again does not remove the limit of an API."""
    maker = Maker(served(stored), "hook")
    right = {"api_id": "hook", "limit": {"quota_max": 2, "quota_renewal_rate": 60}}
    stored.key("POST", "k", {"access_rights": {"hook": right}})
    maker.make({"access_rights": {"hook": {}}})
    assert [maker.ask() for _ in range(3)] == [200, 200, 403]
    restricted = {"access_rights": {"hook": {"disable_introspection": True}}}
    stored.key("PUT", "k", restricted)
    assert [maker.ask() for _ in range(2)] == [403, 403]


def test_a_policy_may_limit_each_api(stored: Gateway) -> None:
    """With ``per_api``; otherwise its limits apply to all its APIs together."""
    rights = {name: {"api_id": name} for name in ("one", "two")}
    policy = {"quota_max": 2, "quota_renewal_rate": 60, "access_rights": rights}
    gateway = served(stored, {"all": policy, "each": {**policy, "partitions": {"per_api": True}}})
    for name, statuses in (("all", [200, 200, 403, 403]), ("each", [200, 200, 403, 403])):
        gateway.key("POST", name, {"apply_policies": [name]})
        got = [
            gateway.http.get(f"/{api}/", headers={"Authorization": name}).status_code
            for api in ("one", "two", "one", "two")
        ]
        assert got == statuses, name


@pytest.mark.parametrize(
    "field",
    [
        {"access_rights": {"one": {"api_id": "one", "restricted_types": [{"name": "Query"}]}}},
        {"access_rights": {"one": {"api_id": "one", "endpoints": [{"path": "/x"}]}}},
        {"access_rights": {"one": {"api_id": "one", "disable_introspection": True}}},
        {"smoothing": {"enabled": True}},
    ],
)
def test_what_cannot_be_enforced_refuses(gateway: Gateway, field: dict[str, Any]) -> None:
    """A session with a restriction that this gateway does not support is refused."""
    served(gateway).key("POST", "k", field)
    assert gateway.http.get("/one/", headers={"Authorization": "k"}).status_code == 403
    gateway.wait_for_log("this gateway cannot enforce")


def test_a_definition_that_cannot_be_enforced_is_not_served(gateway: Gateway) -> None:
    """The log names it, and others are served; fields that grant nothing are one warning."""
    gateway.define("locked", enable_jwt=True, use_keyless=False)
    gateway.define("open", enable_batch_request_support=True, CORS={"enable": True})
    gateway.start()
    assert gateway.http.get("/locked/").status_code == 500
    assert gateway.http.get("/open/").status_code == 200
    gateway.wait_for_log("enable_jwt")
    warnings = [line for line in gateway.log().splitlines() if "does not support" in line]
    assert len(warnings) == 1
    assert "CORS.enable, enable_batch_request_support" in warnings[0]


BODIES = [
    ("xpath", {"xpath_expression": "//key"}, b"<key>k</key>", 403),
    ("xpath", {"xpath_expression": "//key"}, b"<a>" * 300_000, 400),
    ("xpath", {"xpath_expression": "//key"}, b"<r>" + b"<a/>" * 300_000 + b"</r>", 400),
    ("xpath", {"xpath_expression": "//key"}, b"<key>" + b"x" * (9 << 20) + b"</key>", 413),
    ("regex", {"regex_expression": "."}, b"k", 403),
    ("regex", {"regex_expression": "."}, b"x" * (9 << 20), 413),
    ("value", {}, b"x" * (9 << 20), 403),
]


@pytest.mark.parametrize(
    ("kind", "config", "body", "status"), BODIES, ids=[f"{b[0]}-{len(b[2])}" for b in BODIES]
)
def test_what_an_id_is_taken_from_is_bounded(
    gateway: Gateway, kind: str, config: dict[str, Any], body: bytes, status: int
) -> None:
    """In bytes, depth and nodes; the gateway keeps answering."""
    gateway.plugin("from tyk.decorators import *\n@CustomKeyCheck\ndef no(r, s, m, spec): pass\n")
    extractor = {"extract_from": "body", "extract_with": kind, "extractor_config": config}
    gateway.define(
        "api",
        {"auth_check": {"name": "no"}, "id_extractor": extractor},
        use_keyless=False,
        enable_coprocess_auth=True,
    )
    gateway.start()
    began = time.monotonic()
    assert gateway.http.post("/api/", content=body).status_code == status
    assert time.monotonic() - began < 20
    assert gateway.http.post("/api/", content=b"<key>k</key>").status_code == 403
