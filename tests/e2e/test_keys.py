"""The keys API, and the effect of requests on sessions."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from support.gateway import SECRET, Gateway
from support.processes import Redis, wait_until

# Hooks that create one file when they start and wait for another one.
HOOKS = textwrap.dedent("""
    import json, os, time
    from tyk.decorators import *

    def stand_still():
        open("entered", "w").close()
        while not os.path.exists("go on"):
            time.sleep(0.01)

    @PostKeyAuth
    def wait(request, session, spec):
        stand_still()

    @CustomKeyCheck
    def check(request, session, metadata, spec):
        if request.get_header("Wait"):
            stand_still()
        metadata["token"] = request.get_header("Authorization")
        session.quota_max, session.quota_renewal_rate = 100, 3600
        session.alias = "made by the hook"

    @Post
    def show(request, session, metadata, spec):
        request.object.return_overrides.response_code = 200
        request.object.return_overrides.response_body = json.dumps(
            {"alias": session.alias, "remaining": session.quota_remaining,
             "rights": sorted(session.access_rights), "metadata": dict(metadata)})
""")
SESSION: dict[str, Any] = {"quota_max": 100, "quota_renewal_rate": 3600, "rate": 1000, "per": 1}


def served(gateway: Gateway) -> Gateway:
    gateway.plugin(HOOKS)
    gateway.define("plain", {"post": [{"name": "show"}]}, use_keyless=False)
    gateway.define("slow", {"post_key_auth": [{"name": "wait"}]}, use_keyless=False)
    gateway.define(
        "custom",
        {"auth_check": {"name": "check"}, "post": [{"name": "show"}]},
        use_keyless=False,
        enable_coprocess_auth=True,
    )
    return gateway.start()


def ask(gateway: Gateway, path: str, key: str, **headers: str) -> httpx.Response:
    return gateway.http.get(path, headers={"Authorization": key, **headers})


@contextmanager
def running(gateway: Gateway, path: str, key: str) -> Iterator[list[int]]:
    """Run a request whose hook lasts as long as the block; yields a list for its status."""
    status: list[int] = []
    for file in ("entered", "go on"):
        (gateway.folder / file).unlink(missing_ok=True)
    request = threading.Thread(
        target=lambda: status.append(ask(gateway, path, key, Wait="yes").status_code)
    )
    request.start()
    try:
        wait_until((gateway.folder / "entered").exists, "the hook's start")
        yield status
    finally:
        (gateway.folder / "go on").touch()
        request.join()


@pytest.mark.parametrize("change", ["deleted", "disabled", "changed"])
def test_a_running_request_does_not_undo_a_change(stored: Gateway, change: str) -> None:
    """The quota is counted, and the session is the keys API's."""
    gateway = served(stored)
    gateway.key("POST", "k", SESSION)
    with running(gateway, "/slow/", "k"):
        if change == "deleted":
            gateway.key("DELETE", "k")
        elif change == "disabled":
            gateway.key("PUT", "k", {**SESSION, "is_inactive": True})
        else:
            gateway.key("PUT", "k", {**SESSION, "quota_max": 7})
    shown = gateway.key("GET", "k")
    if change == "deleted":
        assert shown.status_code == 404
    else:
        assert shown.json()["is_inactive"] == (change == "disabled")
        assert shown.json()["quota_max"] == (7 if change == "changed" else 100)
    assert ask(gateway, "/plain/", "k").status_code == (200 if change == "changed" else 403)


@pytest.mark.parametrize(("change", "status"), [("DELETE", 403), ("PUT", 403)])
def test_a_session_that_a_hook_makes_does_not_undo_a_change(
    stored: Gateway, change: str, status: int
) -> None:
    """Changes by the keys API while the hook runs persist, and apply to the request."""
    gateway = served(stored)
    assert ask(gateway, "/custom/", "k").status_code == 200
    with running(gateway, "/custom/", "k") as ended:
        gateway.key(change, "k", {"is_inactive": True} if change == "PUT" else None)
    assert ended == [status]
    shown = gateway.key("GET", "k")
    assert shown.status_code == (200 if change == "PUT" else 404)
    assert shown.json().get("alias", "") == ""
    # The next request begins after it: its hook decides again.
    assert ask(gateway, "/custom/", "k").json()["alias"] == "made by the hook"


def test_two_gateways_on_one_redis_agree(new_gateway: Callable[[], Gateway], redis: Redis) -> None:
    """A key deleted in one stays deleted although a request is running in the other."""
    gateways = [new_gateway(), new_gateway()]
    for gateway in gateways:
        gateway.settings["storage"] = {"type": "redis", "host": "127.0.0.1", "port": redis.port}
        served(gateway)
    first, second = gateways
    first.key("POST", "k", {**SESSION, "quota_max": 3})
    assert [ask(g, "/plain/", "k").status_code for g in [*gateways, *gateways]] == [200] * 3 + [403]
    for path in ("/slow/", "/custom/"):
        first.key("POST", "k", SESSION)
        with running(second, path, "k"):
            first.key("DELETE", "k")
        assert first.key("GET", "k").status_code == 404


def test_what_remains_of_a_quota_is_shown(stored: Gateway) -> None:
    """In the keys API and to hooks, although the session is not written; a PUT resets it."""
    gateway = served(stored)
    gateway.key("POST", "k", SESSION)
    assert [ask(gateway, "/plain/", "k").json()["remaining"] for _ in range(3)] == [99, 98, 97]
    shown = gateway.key("GET", "k").json()
    assert shown["quota_remaining"] == 97
    assert shown["quota_renews"] > 0
    gateway.key("PUT", "k", SESSION)
    assert gateway.key("GET", "k").json()["quota_remaining"] == 100
    assert ask(gateway, "/plain/", "k").status_code == 200
    gateway.key("PUT", "k?suppress_reset=1", SESSION)
    assert gateway.key("GET", "k").json()["quota_remaining"] == 99
    gateway.key("DELETE", "k")
    gateway.key("POST", "k", SESSION)
    assert ask(gateway, "/plain/", "k").json()["remaining"] == 99


def test_metadata_may_be_any_json(stored: Gateway) -> None:
    """Hooks see it as text, the keys API returns it as sent."""
    gateway = served(stored)
    metadata = {"text": "a", "number": 5, "object": {"b": [1, None]}, "on": True}
    assert gateway.key("POST", "k", {"meta_data": metadata}).status_code == 200
    seen = ask(gateway, "/plain/", "k").json()["metadata"]
    assert seen["text"] == "a"
    assert {n: json.loads(seen[n]) for n in metadata if n != "text"} == {
        n: v for n, v in metadata.items() if n != "text"
    }
    assert gateway.key("GET", "k").json()["meta_data"] == metadata


def test_a_session_is_bounded_and_must_be_json(gateway: Gateway) -> None:
    """Too large, too deep, wrong types or trailing data: refused and not stored."""
    served(gateway)
    headers = {"x-tyk-authorization": SECRET}
    for content, status in (
        (b'{"alias": "' + b"x" * (1 << 20) + b'"}', 413),
        (b'{"meta_data": {"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}", 400),
        (b'{"rate": "5"}', 400),
        (b'{"rate": 1e999}', 400),
        (b'{"quota_max": 9223372036854775808}', 400),
        (b'{"rate": 5} {"rate": 6}', 400),
        (b"", 400),
        (b" null", 400),
        (b"[]", 400),
    ):
        answer = gateway.http.post("/tyk/keys/k", headers=headers, content=content)
        assert answer.status_code == status, content[:40]
        assert gateway.key("GET", "k").status_code == 404
    assert gateway.http.get("/tyk/keys/" + "k" * 5000, headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("auth", "how"),
    [
        ({}, {"headers": {"Authorization": "bearer k"}}),
        ({}, {"headers": {"Authorization": "BEARER k"}}),
        ({"auth_header_name": "X-Key"}, {"headers": {"X-Key": "k"}}),
        ({"use_param": True}, {"params": {"Authorization": "k"}}),
        ({"use_param": True, "param_name": "key"}, {"params": {"key": "k"}}),
        ({"use_cookie": True, "cookie_name": "key"}, {"cookies": {"key": "k"}}),
        (
            {"use_cookie": True, "disable_header": True, "cookie_name": "key"},
            {"cookies": {"key": "k"}, "headers": {"Authorization": "other"}},
        ),
    ],
)
def test_a_key_comes_where_the_definition_says(
    gateway: Gateway, auth: dict[str, Any], how: dict[str, Any]
) -> None:
    """In a header, a parameter or a cookie; elsewhere it is ignored."""
    gateway.define("api", use_keyless=False, auth=auth)
    gateway.start()
    gateway.key("POST", "k", {})
    assert httpx.get(gateway.url + "/api/", **how).status_code == 200
    elsewhere = {"headers": {"X-Else": "k"}, "params": {"else": "k"}, "cookies": {"else": "k"}}
    assert httpx.get(gateway.url + "/api/", **elsewhere).status_code == 401  # type: ignore[arg-type]


def test_keys_are_not_in_the_log(gateway: Gateway) -> None:
    """Whatever the reason of the refusal."""
    served(gateway)
    secret = "a-key-that-nobody-may-see"
    gateway.key("POST", secret, {"apply_policies": ["missing"]})
    assert ask(gateway, "/plain/", secret).status_code == 403
    gateway.key("PUT", secret, {"smoothing": {"enabled": True}})
    assert ask(gateway, "/plain/", secret).status_code == 403
    gateway.wait_for_log("cannot enforce smoothing")
    assert "sha256:" in gateway.log()
    assert secret not in gateway.log()
