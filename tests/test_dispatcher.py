"""Hooks are called in their form, whatever decorator they have, and failures are reported."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from conftest import FakeHost, event
from support.source import Source
from support.transports import Transport

from tyk_cffi.answer import Limits
from tyk_cffi.body import Lendable
from tyk_cffi.envelope import Envelope
from tyk_cffi.errors import HookError, UnknownError
from tyk_cffi.handler import HOOK_TYPES
from tyk_cffi.proto.coprocess_object_pb2 import Object
from tyk_cffi.proto.coprocess_response_object_pb2 import ResponseObject
from tyk_cffi.proto.coprocess_session_state_pb2 import SessionState

AUTH = "request, session, metadata, spec"
RESPONSE = "request, response, session, metadata, spec"
TYPED = ["Pre", "Post", "PostKeyAuth", "CustomKeyCheck"]


@pytest.mark.parametrize("decorator", ["Hook", *TYPED])
@pytest.mark.parametrize("arguments", ["request, session, spec", AUTH, RESPONSE])
def test_every_decorator_takes_every_form(source: Source, decorator: str, arguments: str) -> None:
    """With Tyk's own driver, the typed ones fail when called."""
    returned = "response" if arguments == RESPONSE else arguments.removesuffix(", spec")
    body = f"request.add_header('org', spec['OrgID'])\nreturn {returned}"
    kind = "Pre" if decorator == "Hook" else decorator
    out = source.run(body, kind=kind, decorator=decorator, arguments=arguments)
    assert out.request.set_headers["org"] == "org"


@pytest.mark.parametrize("arguments", ["request, session, spec", AUTH, RESPONSE])
def test_nothing_returned_means_changed_in_place(source: Source, arguments: str) -> None:
    """Also an explicit None for the session."""
    out = source.run("session.alias = 'changed'", arguments=arguments)
    assert out.session.alias == "changed"


def test_metadata_is_the_sessions(source: Source) -> None:
    """For reading and writing."""
    out = source.run(
        "session.alias = metadata['was']\nmetadata['token'] = 't'\nreturn request, session, metadata",
        Object(session=SessionState(metadata={"was": "before"})),
        arguments=AUTH,
    )
    assert (out.session.alias, out.session.metadata["token"]) == ("before", "t")


def test_metadata_stays_the_sessions_whatever_becomes_of_the_session(source: Source) -> None:
    """Writes count even after the session was cleared, parsed or copied into."""
    out = source.run(
        "assert 'was' in metadata and metadata.get('absent') is None\n"
        "session.ParseFromString(type(session)(alias='parsed').SerializeToString())\n"
        "assert len(metadata) == 0\n"
        "metadata['token'] = 't'\n"
        "metadata['gone'] = 'x'\n"
        "del metadata['gone']\n"
        "assert dict(metadata) == {'token': 't'} == metadata\n"
        "return request, session, metadata",
        Object(session=SessionState(metadata={"was": "before"})),
        arguments=AUTH,
    )
    assert out.session == SessionState(alias="parsed", metadata={"token": "t"})


def test_a_session_and_metadata_of_the_hooks_own_are_taken_over(source: Source) -> None:
    """If the hook returns them instead of its arguments."""
    out = source.run(
        "from tyk.session import SessionState\n"
        "return request, SessionState(alias='own'), {'token': 't'}",
        Object(session=SessionState(alias="before", org_id="gone")),
        arguments=AUTH,
    )
    assert out.session == SessionState(alias="own", metadata={"token": "t"})


def test_a_response_of_the_hooks_own_is_taken_over(source: Source) -> None:
    """Including its body."""
    source.hook(
        "from coprocess_response_object_pb2 import ResponseObject\n"
        "return ResponseObject(status_code=201, raw_body=response.raw_body + b'!')",
        arguments=RESPONSE,
    )
    source.load()
    data = Object(response=ResponseObject(status_code=200)).SerializeToString()
    out, body = source.bind(kind="Response").run(data, None, b"hello")
    assert body == b"hello!"
    assert Object.FromString(out).response == ResponseObject(status_code=201)


@pytest.mark.parametrize(
    ("returned", "arguments"),
    [
        ("1", "request, session, spec"),
        ("request", "request, session, spec"),
        ("(request, session, spec)", "request, session, spec"),
        ("(session, request)", "request, session, spec"),
        ("(request, 'session')", "request, session, spec"),
        ("(request, session)", AUTH),
        ("(request, session, 5)", AUTH),
        ("(request, session)", RESPONSE),
        ("'response'", RESPONSE),
    ],
)
def test_a_wrong_return_value_is_reported_with_file_and_line(
    source: Source, returned: str, arguments: str
) -> None:
    """The error says what the hook must return."""
    with pytest.raises(HookError, match=r"module\.py:3: hook returned .*must return re"):
        source.run(f"return {returned}", arguments=arguments)


@pytest.mark.parametrize(
    "code",
    [
        "1 / 0",
        "raise SystemExit(1)",
        "raise KeyboardInterrupt",
        "raise MemoryError",
        "hook(1, 2, 3)",
    ],
)
def test_failures_are_explained_from_the_hook_on(source: Source, code: str) -> None:
    """A summary line with hook, type, API, file and line; then the plugin's traceback."""
    with pytest.raises(HookError) as caught:
        source.run(code)
    summary, _, traceback = str(caught.value).partition("\n")
    assert summary.startswith("hook 'hook' (Pre) of API 'api' failed: ")
    assert f"{source.path / 'module.py'}:5" in summary
    assert traceback.startswith("Traceback")
    assert "tyk_cffi" not in traceback


def test_an_unknown_hook_names_the_nearest(source: Source) -> None:
    """The error has the decorator of that name, the nearest name, or modules that failed to load."""
    source.hook("pass", decorator="Post")
    source.load()
    with pytest.raises(UnknownError, match="'hook' is an @Post"):
        source.bind("hook", "Pre")
    with pytest.raises(UnknownError, match="nearest name is 'hook'"):
        source.bind("hok", "Post")
    source.write("bad.py", "1 / 0")
    source.dispatcher.loader.sources.clear()
    source.load()
    with pytest.raises(UnknownError, match="did not load: bad"):
        source.bind("other", "Pre")


def test_hooks_of_one_name_are_kept_apart_by_type(source: Source) -> None:
    """A typed hook takes precedence over ``@Hook``."""
    source.write(
        "hooks.py",
        """
        from tyk.decorators import *

        @Hook
        def same(request, session, spec):
            request.add_header("result", "Hook")

        @Pre
        def same(request, session, spec):
            request.add_header("result", "Pre")

        @Post
        def same(request, session, spec):
            request.add_header("result", "Post")
        """,
    )
    source.load()
    for kind, expected in (("Pre", "Pre"), ("Post", "Post"), ("PostKeyAuth", "Hook")):
        out, _ = source.bind("same", kind).run(b"")
        assert Object.FromString(out).request.set_headers["result"] == expected


def test_async_hooks_and_handlers_are_awaited(source: Source, host: FakeHost) -> None:
    """Their log records have API and hook."""
    source.write(
        "hooks.py",
        """
        import asyncio
        from gateway import TykGateway as tyk
        from tyk.decorators import *

        @Pre
        async def hook(request, session, spec):
            await asyncio.sleep(0.01)
            tyk.log("in the hook")
            request.add_header("result", "async")
            return request, session

        @Event
        async def handler(event, spec):
            await asyncio.sleep(0)
            tyk.log("in the handler")
        """,
    )
    source.load()
    hook = source.bind()
    assert hook.binding.is_async
    assert b"async" in hook.run(b"")[0]
    source.dispatch_event(event("handler", "7"))
    assert host.logs == [
        ("info", "api", "hook", "in the hook"),
        ("info", "7", "handler", "in the handler"),
    ]


def test_event_handlers_are_looked_up_in_the_contracts_order(
    new_source: Callable[[str], Source], host: FakeHost
) -> None:
    """event_handlers, then the API's own source, then the only one that has it."""
    mine = new_source("mine")
    theirs, folder = new_source("theirs"), new_source("event_handlers")
    theirs.transport = folder.transport = mine.transport
    for each in (mine, theirs):
        each.hook("pass")
    handler = "from gateway import TykGateway\nfrom tyk.decorators import *\n@Event\n"
    handler += "def {}(event, spec):\n    TykGateway.log('{}')\n"
    mine.write("h.py", handler.format("shared", "mine") + handler.format("only", "only"))
    theirs.write("h.py", handler.format("shared", "theirs") + handler.format("both", "theirs"))
    folder.write("h.py", handler.format("both", "folder"))
    for each in (mine, theirs, folder):
        each.load()
    mine.bind(APIID="1")
    theirs.bind(APIID="2")

    def heard(name: str, api: str) -> str:
        host.logs.clear()
        mine.dispatch_event(event(name, api))
        return host.logs[0][3]

    assert heard("both", "2") == "folder"
    assert (heard("shared", "1"), heard("shared", "2")) == ("mine", "theirs")
    assert heard("only", "2") == "only"
    with pytest.raises(UnknownError, match="2 bundles define it"):
        heard("shared", "3")
    with pytest.raises(UnknownError, match="nothing defines event handler 'nobody'"):
        heard("nobody", "1")


def test_a_missing_name_of_the_spec_reads_as_empty(source: Source) -> None:
    """As in a protobuf map; a hook's changes are limited to its call."""
    code = (
        "request.add_header('x', spec['config_data'] + spec.get('mine', '-'))\nspec['mine'] = '+'"
    )
    source.hook(code)
    source.load()
    hook = source.bind()
    for _ in range(2):
        out, _ = hook.run(b"")
        assert Object.FromString(out).request.set_headers["x"] == "-"


def test_hook_types_have_the_wires_numbers() -> None:
    """enum HookType."""
    from tyk_cffi.proto.coprocess_common_pb2 import HookType

    assert list(HOOK_TYPES) == [HookType.Name(i) for i in range(6)]


@pytest.mark.parametrize("unread", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_bodies_are_released_when_the_call_ends(source: Source, unread: bool, fails: bool) -> None:
    """Both of them, after a failure too: their memory belongs to the host again."""
    import sys

    kept: list[Envelope] = []
    source.hook(f"KEPT.append(request._envelope)\n{'1 / 0' if fails else ''}")
    source.load()
    hook = source.bind()
    handler = hook.binding.handler
    assert handler is not None
    handler.function.__globals__["KEPT"] = kept
    bodies = [b"request", b"response"]
    before = [sys.getrefcount(body) for body in bodies]
    lent: list[Lendable] = [(lambda: bodies[0]), (lambda: bodies[1])] if unread else [*bodies]
    with pytest.raises(HookError, match="ZeroDivisionError") if fails else nullcontext():
        hook.run(b"", *lent)
    for body in (kept[0].body, kept[0].response_body):
        with pytest.raises(ValueError, match="released"):
            bytes(body or b"")
    del lent
    assert [sys.getrefcount(body) for body in bodies] == before


@pytest.mark.parametrize("unread", [False, True])
def test_a_hook_reads_and_replaces_bodies(source: Source, unread: bool) -> None:
    """Whether the host has read them before or not."""
    source.hook("request.object.raw_body += b'!'")
    source.load()
    body: Lendable = (lambda: b"body") if unread else b"body"
    assert source.bind().run(b"", body)[1] == b"body!"
    source.hook(
        "response.raw_body = request.object.raw_body + response.raw_body", arguments=RESPONSE
    )
    source.load()
    answer: Lendable = (lambda: b"answer") if unread else b"answer"
    assert source.bind(kind="Response").run(b"", body, answer)[1] == b"bodyanswer"


@pytest.mark.parametrize(
    ("code", "sizes"),
    [
        ("request.object.raw_body = bytes(100)", "of message and 100 of body"),
        ("request.add_header('a', 'b' * 200)", "212 bytes of message and 0 of body"),
    ],
)
def test_a_reply_above_the_hosts_limits_is_a_failure(
    tmp_path: Path, new_transport: Callable[[Limits], Transport], code: str, sizes: str
) -> None:
    """The error names the hook and both limits; a reply at the limit is fine."""
    limits = Limits(reply_message=200, reply_body=99)
    source = Source(tmp_path, transport=new_transport(limits))
    text = rf"hook 'hook' \(Pre\) of API 'api' failed: .*too large: .*{sizes}.* are 200 and 99"
    with pytest.raises(HookError, match=text):
        source.run(code)
    source.run(code.replace("100", "99").replace("200", "188"))


def test_the_text_of_a_failure_is_cut_at_the_hosts_limit(
    tmp_path: Path, new_transport: Callable[[Limits], Transport]
) -> None:
    """It begins with the hook's name as always."""
    source = Source(tmp_path, transport=new_transport(Limits(log_message=100)))
    with pytest.raises(HookError, match=r"^hook 'hook' .*\[cut: \d+ characters\]$") as caught:
        source.run("raise ValueError('x' * 500)")
    assert len(str(caught.value)) < 150


def test_a_call_of_an_unknown_handle_is_refused(source: Source) -> None:
    """Also of one that was unbound."""
    source.hook("pass")
    source.load()
    hook = source.bind()
    source.dispatcher.unbind(hook.handle)
    with pytest.raises(UnknownError, match=f"no hook with handle {hook.handle}"):
        hook.run(b"", b"a body")


@pytest.mark.parametrize(
    "body",
    [
        "status = 5",
        "status = 'GATEWAY_OK'",
        "status = property(lambda self: 1 / 0)",
        "__class__ = property(lambda self: 1 / 0)",
    ],
)
def test_no_exception_of_a_hook_is_taken_for_success(source: Source, body: str) -> None:
    """Whatever attributes its class has."""
    code = f"from tyk_cffi.errors import GatewayError\nclass E(GatewayError):\n    {body}\nraise E('mine')"
    with pytest.raises(HookError, match="mine"):
        source.run(code)
