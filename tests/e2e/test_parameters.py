"""Hooks and the upstream find the same parameters in a query, or the request is refused."""

from __future__ import annotations

import json
import random
import textwrap
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.gateway import Gateway
from support.raw import RawUpstream, ask

PLUGIN = textwrap.dedent("""
    import json
    from tyk.decorators import *

    @Pre
    def tell(request, session, spec):
        params = dict(request.object.params)
        if len(params) < 100:
            request.add_header("X-Params", json.dumps(params))
        request.add_header("X-Url", request.object.url)

    @Pre
    def edit(request, session, spec):
        request.delete_param("gone")
        request.add_param("new", "a;b")

    @Pre
    def removes_all(request, session, spec):
        for name in request.object.params:
            request.delete_param(name)
""")


@pytest.fixture
def raw() -> Iterator[RawUpstream]:
    with RawUpstream() as upstream:
        yield upstream


@pytest.fixture
def queried(gateway: Gateway, raw: RawUpstream) -> Gateway:
    gateway.plugin(PLUGIN)
    for name, hooks in {
        "plain": [],
        "tell": ["tell"],
        "edit": ["edit", "tell"],
        "remove": ["removes_all", "tell"],
    }.items():
        proxy = {"listen_path": f"/{name}/", "target_url": raw.url, "strip_listen_path": True}
        section = {"pre": [{"name": hook} for hook in hooks]} if hooks else None
        gateway.define(name, section, proxy=proxy)
    return gateway.start()


def query(head: bytes) -> str:
    return urlsplit(head.split(b" ")[1].decode("latin-1")).query


def header(head: bytes, name: bytes) -> str:
    line = next(h for h in head.split(b"\r\n") if h.startswith(name + b":"))
    return line.partition(b": ")[2].decode()


def views(query: str) -> list[dict[str, str]]:
    """The first values that upstreams find, both if they split at ``;`` and if not."""
    found = []
    for text in (query, query.replace(";", "&")):
        first: dict[str, str] = {}
        for name, value in parse_qsl(text.partition("#")[0], True, errors="replace"):
            first.setdefault(name, value)
        found.append(first)
    return found


QUERIES = [
    b"a=1;b=2",
    b"a=1;b=2&c=%zz",
    b"a=%",
    b"a=%4&b=100%",
    b"a=%u0061&%zz=b",
    b"a=1#&b=2",
    b"&&a&=b&a=2",
    b"a=%3B&b=%26",
]


@pytest.mark.parametrize("sent", QUERIES)
@pytest.mark.parametrize("api", ["tell", "edit"])
def test_hooks_and_upstream_find_the_same(
    queried: Gateway, raw: RawUpstream, api: str, sent: bytes
) -> None:
    """However the upstream parses a query, and also after hooks have changed it."""
    ask(queried.port, b"/" + api.encode() + b"/?" + sent)
    head = raw.heads[-1]
    seen = json.loads(header(head, b"X-Params"))
    assert views(query(head)) == [seen, seen]
    assert urlsplit(header(head, b"X-Url")).query == query(head)
    assert ("new" in seen) == (api == "edit")


def test_any_query_is_read_in_one_way(queried: Gateway, raw: RawUpstream) -> None:
    """Queries made of special characters."""
    pieces = ["a", "b", "%3B", "%26", "%zz", "%", ";", "&", "=", "#", "+", "%3D", "%25", "?", "é"]
    chosen = random.Random(1)
    for _ in range(100):
        sent = "".join(chosen.choice(pieces) for _ in range(8))
        ask(queried.port, b"/tell/?" + sent.encode())
        head = raw.heads[-1]
        seen = json.loads(header(head, b"X-Params"))
        assert views(query(head).encode("latin-1").decode()) == [seen, seen], sent


def test_a_query_that_no_hook_reads_is_forwarded_unchanged(
    queried: Gateway, raw: RawUpstream
) -> None:
    """So is a normal query, and one that no hook changes."""
    for sent in QUERIES:
        ask(queried.port, b"/plain/?" + sent)
        assert raw.heads[-1].split(b" ")[1] == b"/?" + sent
    for sent in (b"b=2&a=1&a=%20+%e9&flag&x=?/:@!$'()*,", b"a=\xe9"):
        ask(queried.port, b"/tell/?" + sent)
        assert raw.heads[-1].split(b" ")[1] == b"/?" + sent


@pytest.mark.parametrize(("count", "status"), [(10_000, b"200"), (10_001, b"400")])
def test_more_parameters_than_hooks_see_are_refused(
    queried: Gateway, raw: RawUpstream, count: int, status: bytes
) -> None:
    """At the limit hooks see all of them."""
    sent = b"&".join(b"p%d=" % i for i in range(count - 1)) + b"&last=1"
    assert ask(queried.port, b"/edit/?gone=1&" + sent.partition(b"&")[2]).split()[1] == status
    assert ask(queried.port, b"/plain/?" + sent).split()[1] == b"200"


def test_a_parameter_that_hooks_delete_is_gone(queried: Gateway, raw: RawUpstream) -> None:
    """Whatever the bytes of its name."""
    ask(queried.port, b"/remove/?a=1&caf%e9=2&caf%e8=3&%ff&;x=1&%zz=2")
    assert query(raw.heads[-1]) == ""


@pytest.mark.parametrize(("lines", "status"), [(900, b"200"), (1001, b"431")])
def test_header_lines_are_bounded(
    queried: Gateway, raw: RawUpstream, lines: int, status: bytes
) -> None:
    """Many names, or one name many times."""
    for name in (b"X-%d", b"X-Same"):
        headers = [(name % i if b"%" in name else name) + b": 1" for i in range(lines)]
        assert ask(queried.port, b"/plain/", *headers).split()[1] == status
