"""Calls do not see each other's state; copies that a plugin makes stay valid."""

from __future__ import annotations

import pytest
from conftest import FakeHost, event
from support.source import Hook, Source

from tyk_cffi.body import Lendable
from tyk_cffi.errors import HookError
from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.proto.coprocess_object_pb2 import Object
from tyk_cffi.proto.coprocess_response_object_pb2 import ResponseObject
from tyk_cffi.proto.coprocess_session_state_pb2 import SessionState

REQUEST = "request, session, spec"
AUTH = "request, session, metadata, spec"
RESPONSE = "request, response, session, metadata, spec"

# A hook that keeps objects of alice's call and uses them in bob's.
TWO_CALLS = """
import copy, pickle
from coprocess_mini_request_object_pb2 import MiniRequestObject
from coprocess_response_object_pb2 import ResponseObject
from coprocess_session_state_pb2 import SessionState
from tyk.decorators import *

KEPT = {{}}

def made(message, original):
    "What CopyFrom and MergeFrom give, which is the same."
    copied, merged = message(), message()
    copied.CopyFrom(original), merged.MergeFrom(original)
    assert copied == merged
    return copied

@Hook
def hook({arguments}):
    if request.get_header("User") == "alice":
        KEPT["it"] = {kept}
        return
    it = KEPT["it"]
    try:
        got = {used}
    except Exception as error:
        got = f"{{type(error).__name__}}: {{error}}"
    request.add_header("got", str(got))
"""


def message(user: str) -> bytes:
    return Object(
        request=MiniRequestObject(headers={"User": user}, params={"of": user}, url=f"/{user}"),
        session=SessionState(alias=user, metadata={"user": user}),
        response=ResponseObject(status_code=200, headers={"User": user}),
    ).SerializeToString()


def call(hook: Hook, user: str, unread: bool = False) -> str:
    """Run the hook on a call of that user; return what it set in header ``got``."""
    body, answer = f"{user}'s body".encode(), f"{user}'s answer".encode()
    bodies: list[Lendable] = [(lambda: body), (lambda: answer)] if unread else [body, answer]
    out, _ = hook.run(message(user), *bodies)
    return Object.FromString(out).request.set_headers["got"]


@pytest.mark.parametrize("unread", [False, True])
@pytest.mark.parametrize(
    ("arguments", "kept", "used"),
    [
        (REQUEST, "request", "it.get_header('User')"),
        (REQUEST, "request", "it.add_header('a', 'b')"),
        (REQUEST, "request", "it.delete_header('a')"),
        (REQUEST, "request", "it.add_param('a', 'b')"),
        (REQUEST, "request", "it.delete_param('a')"),
        (REQUEST, "request", "it.object"),
        (REQUEST, "copy.copy(request)", "it.get_header('User')"),
        (REQUEST, "request.object", "it.url"),
        (REQUEST, "request.object", "setattr(it, 'url', '/')"),
        (REQUEST, "request.object", "it.raw_body"),
        (REQUEST, "(request.object.raw_body, request.object)[1]", "it.raw_body"),
        (REQUEST, "(request.object.body, request.object)[1]", "it.body"),
        (REQUEST, "request.object", "setattr(it, 'body', '')"),
        (REQUEST, "request.object", "it.SerializeToString()"),
        (REQUEST, "(str(request.object), request.object)[1]", "str(it)"),
        (REQUEST, "request.object.headers", "it['User']"),
        (REQUEST, "request.object.headers", "it.get('User')"),
        (REQUEST, "request.object.headers", "dict(it)"),
        (REQUEST, "iter(request.object.headers)", "list(it)"),
        (REQUEST, "(lambda i: (next(i), i)[1])(iter(request.object.headers))", "next(it, None)"),
        (REQUEST, "iter(request.object.headers.items())", "next(it)"),
        (REQUEST, "request.object.headers", "'User' in it"),
        (REQUEST, "request.object.params", "len(it)"),
        (REQUEST, "request.object.set_headers", "it.update(a='b')"),
        (REQUEST, "session", "it.alias"),
        (REQUEST, "session", "setattr(it, 'alias', '')"),
        (REQUEST, "session", "it == session"),
        (REQUEST, "session", "copy.copy(it)"),
        (REQUEST, "session", "pickle.dumps(it)"),
        (REQUEST, "session", "repr(it)"),
        (REQUEST, "session", "vars(it)"),
        (REQUEST, "session", "it.ListFields()"),
        (REQUEST, "session", "made(SessionState, it)"),
        (REQUEST, "session", "type(it).CopyFrom(it, session)"),
        (REQUEST, "session", "it.metadata['user']"),
        (REQUEST, "session.metadata", "it['user']"),
        (REQUEST, "session.metadata", "it.pop('user')"),
        (REQUEST, "session.metadata", "it.setdefault('user')"),
        (REQUEST, "session.metadata", "it.MergeFrom({})"),
        (AUTH, "metadata", "it['user']"),
        (AUTH, "metadata", "it.update(user='')"),
        (AUTH, "metadata", "dict(it)"),
        (RESPONSE, "response", "it.status_code"),
        (RESPONSE, "response", "it.raw_body"),
        (RESPONSE, "(response.raw_body, response)[1]", "it.raw_body"),
        (RESPONSE, "response.headers", "it['User']"),
        (RESPONSE, "metadata", "it['user']"),
    ],
)
def test_what_a_hook_keeps_of_a_call_is_closed_when_it_ends(
    source: Source, arguments: str, kept: str, used: str, unread: bool
) -> None:
    """Views raise an error without any data of the other client."""
    source.write("hooks.py", TWO_CALLS.format(arguments=arguments, kept=kept, used=used))
    source.load()
    hook = source.bind(kind="Response" if arguments == RESPONSE else "Pre")
    for _ in range(2):
        call(hook, "alice", unread)
        got = call(hook, "bob", unread)
        assert got.startswith("HookError: used after its call had ended")
        assert "alice" not in got


@pytest.mark.parametrize(
    ("arguments", "kept", "used", "got"),
    [
        (REQUEST, "copy.deepcopy(request)", "it.get_header('User')", "alice"),
        (REQUEST, "copy.deepcopy(request)", "it.object.raw_body", b"alice's body"),
        (REQUEST, "copy.copy(request.object)", "it.url", "/alice"),
        (REQUEST, "copy.deepcopy(request.object)", "it.raw_body", b"alice's body"),
        (REQUEST, "pickle.loads(pickle.dumps(request.object))", "it.url", "/alice"),
        (REQUEST, "request.object.raw_body", "it", b"alice's body"),
        (REQUEST, "dict(request.object.headers)", "it", {"User": "alice"}),
        (REQUEST, "copy.copy(request.object.headers)", "it", {"User": "alice"}),
        (REQUEST, "copy.copy(session)", "it.alias", "alice"),
        (REQUEST, "copy.deepcopy(session)", "it.alias", "alice"),
        (REQUEST, "pickle.loads(pickle.dumps(session))", "it.metadata['user']", "alice"),
        (REQUEST, "made(SessionState, session)", "it.alias", "alice"),
        (REQUEST, "made(MiniRequestObject, request.object)", "it.raw_body", b"alice's body"),
        (RESPONSE, "made(ResponseObject, response)", "it.raw_body", b"alice's answer"),
        (AUTH, "copy.deepcopy(session)", "it.alias", "alice"),
        (AUTH, "session", "it.alias", "alice"),
        (AUTH, "copy.copy(session)", "it.alias", "alice"),
        (RESPONSE, "session", "it.alias", "alice"),
        (AUTH, "dict(metadata)", "it", {"user": "alice"}),
        (AUTH, "copy.deepcopy(metadata)", "it", {"user": "alice"}),
        (RESPONSE, "copy.deepcopy(response)", "it.raw_body", b"alice's answer"),
        (RESPONSE, "dict(response.headers)", "it", {"User": "alice"}),
    ],
)
def test_what_a_plugin_copied_is_its_own(
    source: Source, arguments: str, kept: str, used: str, got: object
) -> None:
    """For instance a cached session."""
    source.write("hooks.py", TWO_CALLS.format(arguments=arguments, kept=kept, used=used))
    source.load()
    hook = source.bind(kind="Response" if arguments == RESPONSE else "Pre")
    call(hook, "alice")
    assert call(hook, "bob") == str(got)


@pytest.mark.parametrize("how", ["copy.copy(session)", "copy.deepcopy(session)"])
def test_a_cached_session_can_be_returned_at_a_later_call(source: Source, how: str) -> None:
    """As in plugins that look users up once."""
    source.write(
        "hooks.py",
        f"""
        import copy
        from tyk.decorators import *
        CACHE = []

        @Hook
        def hook(request, session, spec):
            if not CACHE:
                session.alias = "cached"
                CACHE.append({how})
            return request, CACHE[0]
        """,
    )
    source.load()
    hook = source.bind()
    for user in ("alice", "bob"):
        out, _ = hook.run(message(user))
        assert Object.FromString(out).session.alias == "cached"


def test_a_failed_call_closes_what_it_had(source: Source) -> None:
    """An exception ends the call too."""
    source.write(
        "hooks.py",
        """
        from tyk.decorators import *
        KEPT = []

        @Hook
        def hook(request, session, spec):
            KEPT.append(request)
            if len(KEPT) == 1:
                raise ValueError("first")
            KEPT[0].get_header("User")
        """,
    )
    source.load()
    hook = source.bind()
    with pytest.raises(HookError, match="ValueError: first"):
        hook.run(message("alice"))
    with pytest.raises(HookError, match="after its call had ended"):
        hook.run(message("bob"))


@pytest.mark.parametrize("kept", ["request.object", "response"])
def test_a_failed_call_closes_what_it_had_read_whole(source: Source, kept: str) -> None:
    """With the body in the message."""
    source.write(
        "hooks.py",
        f"""
        from tyk.decorators import *
        KEPT = []

        @Hook
        def hook(request, response, session, metadata, spec):
            KEPT.append({kept})
            if len(KEPT) == 1:
                raise ValueError(str(KEPT[0]))
            str(KEPT[0])
        """,
    )
    source.load()
    hook = source.bind(kind="Response")
    with pytest.raises(HookError, match=r"ValueError: .*alice"):
        hook.run(message("alice"))
    with pytest.raises(HookError, match="after its call had ended"):
        hook.run(message("bob"))


@pytest.mark.parametrize(
    ("code", "got"),
    [
        ("request.user = 'joe'\nreturn_ = request.user", "joe"),
        ("request.user = 'joe'\ndel request.user\nreturn_ = hasattr(request, 'user')", "False"),
        ("setattr(request, 'a-b', 1)\nreturn_ = vars(request)", "{'a-b': 1}"),
        ("return_ = hasattr(request, 'user')", "False"),
        ("import copy\nrequest.user = 'joe'\nreturn_ = copy.copy(request).user", "joe"),
        ("import copy\nrequest.a = [1]\nreturn_ = copy.deepcopy(request).a is request.a", "False"),
    ],
)
def test_a_hook_sets_attributes_of_its_own_on_request(source: Source, code: str, got: str) -> None:
    """During the call; the next call's request does not have them."""
    for _ in range(2):
        out = source.run(f"{code}\nrequest.add_header('got', str(return_))")
        assert out.request.set_headers["got"] == got


def test_a_copy_of_the_request_stands_for_it(source: Source) -> None:
    """Changes through the copy count, and the hook may return it."""
    out = source.run(
        "import copy\n"
        "twin = copy.copy(request)\n"
        "twin.object.url = '/changed'\n"
        "request.object.method = 'PUT'\n"
        "return twin, session"
    )
    assert (out.request.url, out.request.method) == ("/changed", "PUT")


def test_a_request_is_not_pickled(source: Source) -> None:
    """The error says what to keep instead."""
    with pytest.raises(HookError, match=r"TypeError: .*cannot be pickled.*SerializeToString"):
        source.run("import pickle\npickle.dumps(request)")


LEAVES = """
import asyncio, contextvars, decimal
from gateway import TykGateway as tyk
from tyk.decorators import *

user = contextvars.ContextVar("user", default="nobody")

def leave():
    was = f"{{user.get()}} {{decimal.getcontext().prec}}"
    user.set("somebody")
    decimal.getcontext().prec = 3
    tyk.log(was)

@Pre
{how} hook(request, session, spec):
    leave()

@Event
{how} handler(event, spec):
    leave()
"""


@pytest.mark.parametrize("how", ["def", "async def"])
def test_context_variables_are_those_of_one_call(source: Source, host: FakeHost, how: str) -> None:
    """No other hook or handler of any API sees them."""
    source.write("hooks.py", LEAVES.format(how=how))
    source.load()
    for hook in (source.bind(), source.bind(), source.bind(APIID="other")):
        hook.run(b"")
        source.dispatch_event(event("handler", "7"))
    assert {log[3] for log in host.logs} == {"nobody 28"}
    owners = [log[1:3] for log in host.logs]
    assert owners[:2] == [("api", "hook"), ("7", "handler")]
    assert owners[4] == ("other", "hook")


def test_code_that_is_imported_runs_on_behalf_of_no_hook(source: Source, host: FakeHost) -> None:
    """Whatever ran on its thread before; hooks do not see its variables."""
    source.run("pass")
    source.write("late.py", LEAVES.format(how="def") + "\nleave()\n")
    source.load()
    assert host.logs == [("info", "", "", "nobody 28")]
    source.bind("hook", "Pre").run(b"")
    assert host.logs[-1][3] == "nobody 28"
