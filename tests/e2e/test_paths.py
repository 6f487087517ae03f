"""The normal form of a path selects the API, and hooks and upstream get this form."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pytest
from support.gateway import Gateway
from support.raw import RawUpstream, ask

PLUGIN = textwrap.dedent("""
    from tyk.decorators import *

    @CustomKeyCheck
    def check(request, session, metadata, spec):
        if request.get_header("Authorization") == "good":
            metadata["token"] = "good"
        return request, session, metadata

    @Pre
    def tell(request, session, spec):
        request.add_header("X-Url", request.object.url)
        request.add_header("X-Request-Uri", request.object.request_uri)

    @Pre
    def edit(request, session, spec):
        request.object.url = request.get_header("X-Edit")
""")


@pytest.fixture
def raw() -> Iterator[RawUpstream]:
    with RawUpstream() as upstream:
        yield upstream


@pytest.fixture
def routed(gateway: Gateway, raw: RawUpstream) -> Gateway:
    """A public API at the root, a protected one below it, one with a path in its target."""
    proxy = {"target_url": raw.url, "strip_listen_path": False}
    gateway.plugin(PLUGIN)
    gateway.define("open", {"pre": [{"name": "tell"}]}, proxy={**proxy, "listen_path": "/"})
    gateway.define(
        "admin",
        {"auth_check": {"name": "check"}},
        use_keyless=False,
        enable_coprocess_auth=True,
        proxy={**proxy, "listen_path": "/admin/"},
    )
    inside = {"target_url": raw.url + "/inside/", "strip_listen_path": True}
    for name in ("tell", "edit"):
        hooks = {"pre": [{"name": name}]}
        gateway.define(name, hooks, proxy={**inside, "listen_path": f"/{name}/"})
    return gateway.start()


def line(head: bytes) -> bytes:
    return head.split(b" ")[1]


@pytest.mark.parametrize(
    "path",
    [
        b"/admin",
        b"/admin/s",
        b"//admin/s",
        b"/./admin/s",
        b"/x/../admin/s",
        b"/x/%2e%2E/admin/s",
        b"/%61dmin/s",
        b"/%2Fadmin/s",
        b"/admin%2fs",
        b"/admin;a/s",
        b"/;/admin/s",
        b"/x/..;/admin/s",
        b"/\\admin/s",
        b"/admin./s",
        b"/tell/..%2fadmin/s",
        b"/tell/%2e%2e%5cadmin/s",
        b"/tell/..;/admin/s",
        b"/tell/%c0%ae%c0%ae/admin/s",
        b"/admin%00/s",
        b"http://other//admin/s",
    ],
)
def test_no_spelling_of_a_protected_path_passes(
    routed: Gateway, raw: RawUpstream, path: bytes
) -> None:
    """It is denied like that path, or it has no normal form."""
    status = ask(routed.port, path).split()[1]
    assert status in (b"403", b"400")
    assert raw.heads == []
    assert ask(routed.port, path, b"Authorization: good").split()[1] in (b"200", b"400")


@pytest.mark.parametrize("method", [b"CONNECT", b"OPTIONS"])
@pytest.mark.parametrize("target", [b"*", b"h:80", b"mailto:x", b"ftp://h/x", b"http:/x"])
def test_targets_other_than_paths_do_not_reach_the_upstream(
    routed: Gateway, raw: RawUpstream, target: bytes, method: bytes
) -> None:
    """Neither does a CONNECT."""
    ask(routed.port, target, method=method)
    assert raw.heads == []


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (b"/tell/a..b/.c?d=../e", b"/inside/a..b/.c?d=../e"),
        (
            b"/tell/%20/%E9/%e9/%2B/a%2Fb/!$&'()*+,;=:@[]?",
            b"/inside/%20/%E9/%e9/%2B/a%2Fb/!$&'()*+,;=:@[]?",
        ),
        (b"/tell", b"/inside/"),
        (b"/tell/%7Ea//b/./c/../d", b"/inside/~a/b/d"),
        (b"/tell/%252e%252e/", b"/inside/%252e%252e/"),
        (b"/tell/caf\xc3\xa9|", b"/inside/caf%C3%A9%7C"),
    ],
)
def test_the_upstream_gets_the_normal_form_inside_its_target(
    routed: Gateway, raw: RawUpstream, path: bytes, sent: bytes
) -> None:
    """Normal paths are forwarded byte for byte; hooks see the same."""
    assert ask(routed.port, path).startswith(b"HTTP/1.1 200")
    head = raw.heads[-1]
    assert line(head) == sent
    assert b"\r\nX-Url: /tell/" + sent.removeprefix(b"/inside/") in head or path == b"/tell"


def test_hooks_see_the_path_as_received(routed: Gateway, raw: RawUpstream) -> None:
    """``request_uri`` is as received; ``url`` is the normal form."""
    ask(routed.port, b"//x/../tell/%61")
    assert b"\r\nX-Url: /tell/a\r\nX-Request-Uri: //x/../tell/%61\r\n" in swap(raw.heads[-1])


def swap(head: bytes) -> bytes:
    """The upstream's headers come in alphabetical order: X-Request-Uri, X-Url."""
    lines = head.split(b"\r\n")
    uri = next(h for h in lines if h.startswith(b"X-Request-Uri"))
    url = next(h for h in lines if h.startswith(b"X-Url"))
    return b"\r\n" + url + b"\r\n" + uri + b"\r\n"


@pytest.mark.parametrize(
    ("edited", "sent"),
    [
        (b"/edit/a/../b c", b"/inside/b%20c"),
        (b"/../../x", b"/inside/x"),
        (b"/%2e%2e/%61", b"/inside/a"),
        (b"//other/x", b"/inside/other/x"),
        (b"http://other/x?y", b"/inside/x"),
    ],
)
def test_an_edited_url_has_a_normal_form_too(
    routed: Gateway, raw: RawUpstream, edited: bytes, sent: bytes
) -> None:
    """It stays inside the target's path."""
    assert ask(routed.port, b"/edit/", b"X-Edit: " + edited).startswith(b"HTTP/1.1 200")
    assert line(raw.heads[-1]) == sent


@pytest.mark.parametrize("edited", [b"/..%2fx", b"/..;/x", b"/%zz", b"x", b"/a%00"])
def test_an_edited_url_without_one_is_an_error_that_names_the_hook(
    routed: Gateway, raw: RawUpstream, edited: bytes
) -> None:
    """500 and a log record."""
    assert ask(routed.port, b"/edit/", b"X-Edit: " + edited).startswith(b"HTTP/1.1 500")
    assert raw.heads == []
    routed.wait_for_log("hook set an invalid URL")
    record = next(r for r in routed.log().splitlines() if "hook set an invalid URL" in r)
    assert '"hook":"edit"' in record
