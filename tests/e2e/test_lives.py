"""Whole request life cycles, compared with a simple model of section 6 of the contract."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.gateway import Gateway
from support.upstream import Answer, Upstream

PLUGIN = """
import json
from tyk.decorators import *

def do(request, response, where):
    for hook, name, *arguments in json.loads(request.get_header("Ops")):
        if hook != where:
            continue
        if name in ("add_header", "delete_header", "add_param", "delete_param"):
            getattr(request, name)(*arguments)
        elif name in ("url", "method", "body"):
            setattr(request.object, name, arguments[0])
        elif name == "raw_body":
            request.object.raw_body = bytes.fromhex(arguments[0])
        elif name == "set":
            response.headers[arguments[0]] = arguments[1]
        elif name == "remove":
            if arguments[0] in response.headers:
                del response.headers[arguments[0]]
        elif name == "status":
            response.status_code = arguments[0]
        elif name == "response":
            response.raw_body = bytes.fromhex(arguments[0])

@Pre
def one(request, session, spec):
    do(request, None, 0)
    return request, session

@Pre
def two(request, session, spec):
    do(request, None, 1)
    return request, session

@Post
def three(request, session, spec):
    do(request, None, 2)
    return request, session

@Hook
def four(request, response, session, metadata, spec):
    do(request, response, 3)
    return response

@Hook
def five(request, response, session, metadata, spec):
    do(request, response, 4)
    return response
"""

HOOKS = {
    "pre": [{"name": "one"}, {"name": "two"}],
    "post": [{"name": "three"}],
    "response": [{"name": "four"}, {"name": "five"}],
}
NAMES = st.sampled_from(["X-A", "X-B", "X-C"])
PARAMS = st.sampled_from(["p", "q", "r s", "ä&="])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
BYTES = st.binary(max_size=30)
REQUEST_HOOK, RESPONSE_HOOK = st.integers(0, 2), st.integers(3, 4)


class Lives(RuleBasedStateMachine):
    """Collects the changes of five hooks; each ``send`` compares the gateway with the model."""

    gateway: Gateway
    upstream: Upstream

    @initialize()
    def begin(self) -> None:
        self.operations: list[list[Any]] = []

    @rule(hook=REQUEST_HOOK, name=NAMES, value=VALUES)
    def add_header(self, hook: int, name: str, value: str) -> None:
        self.operations.append([hook, "add_header", name, value])

    @rule(hook=REQUEST_HOOK, name=NAMES)
    def delete_header(self, hook: int, name: str) -> None:
        self.operations.append([hook, "delete_header", name])

    @rule(hook=REQUEST_HOOK, name=PARAMS, value=TEXTS)
    def add_param(self, hook: int, name: str, value: str) -> None:
        self.operations.append([hook, "add_param", name, value])

    @rule(hook=REQUEST_HOOK, name=PARAMS)
    def delete_param(self, hook: int, name: str) -> None:
        self.operations.append([hook, "delete_param", name])

    @rule(hook=REQUEST_HOOK, path=st.sampled_from(["/x", "/api/y", "/z/?lost=1"]))
    def edit_url(self, hook: int, path: str) -> None:
        self.operations.append([hook, "url", path])

    @rule(hook=REQUEST_HOOK, method=st.sampled_from(["POST", "PUT", "DELETE"]))
    def edit_method(self, hook: int, method: str) -> None:
        self.operations.append([hook, "method", method])

    @rule(hook=REQUEST_HOOK, body=BYTES)
    def edit_body(self, hook: int, body: bytes) -> None:
        self.operations.append([hook, "raw_body", body.hex()])

    @rule(hook=REQUEST_HOOK, body=TEXTS)
    def edit_text(self, hook: int, body: str) -> None:
        self.operations.append([hook, "body", body])

    @rule(hook=RESPONSE_HOOK, name=NAMES, value=VALUES)
    def set_response_header(self, hook: int, name: str, value: str) -> None:
        self.operations.append([hook, "set", name, value])

    @rule(hook=RESPONSE_HOOK, name=NAMES)
    def remove_response_header(self, hook: int, name: str) -> None:
        self.operations.append([hook, "remove", name])

    @rule(hook=RESPONSE_HOOK, status=st.sampled_from([200, 201, 404, 503]))
    def edit_status(self, hook: int, status: int) -> None:
        self.operations.append([hook, "status", status])

    @rule(hook=RESPONSE_HOOK, body=BYTES)
    def edit_response(self, hook: int, body: bytes) -> None:
        self.operations.append([hook, "response", body.hex()])

    @rule(
        headers=st.dictionaries(NAMES, VALUES),
        params=st.dictionaries(PARAMS, TEXTS),
        body=BYTES,
        answer=st.lists(st.tuples(NAMES, VALUES), max_size=4),
    )
    def send(
        self,
        headers: dict[str, str],
        params: dict[str, str],
        body: bytes,
        answer: list[tuple[str, str]],
    ) -> None:
        """Upstream and client receive what the model predicts."""
        self.upstream.answer = Answer(200, answer, b"answer")
        got = self.gateway.http.post(
            "/api/path",
            params=params,
            content=body,
            headers={**headers, "Ops": json.dumps(self.operations)},
        )
        seen, target = self.upstream.last, urlsplit(self.upstream.last.target)
        wanted = self.model(headers, params, body)
        assert wanted["method"] == seen.method
        assert wanted["path"] == target.path
        assert wanted["params"] == dict(parse_qsl(target.query, keep_blank_values=True))
        assert wanted["body"] == seen.body
        for name in ("X-A", "X-B", "X-C"):
            assert wanted["headers"].get(name) == seen.header(name)
        status, response_headers, response = self.response_model(answer)
        assert (got.status_code, got.content) == (status, response)
        for name in ("X-A", "X-B", "X-C"):
            assert got.headers.get_list(name) == response_headers.get(name, [])
        self.operations = []

    def model(self, headers: dict[str, str], params: dict[str, str], body: bytes) -> dict[str, Any]:
        """Apply section 6 in order, hook by hook."""
        request: dict[str, Any] = {
            "method": "POST",
            "path": "/path",
            "params": dict(params),
            "headers": dict(headers),
            "body": body,
        }
        for hook in range(3):
            mine = [o[1:] for o in self.operations if o[0] == hook]
            for field in ("header", "param"):
                values = request[field + "s"]
                for name, *arguments in mine:
                    if name == f"delete_{field}":
                        values.pop(arguments[0], None)
                for name, *arguments in mine:
                    if name == f"add_{field}":
                        values[arguments[0]] = arguments[1]
            raw = [o[1] for o in mine if o[0] == "raw_body"]
            text = [o[1] for o in mine if o[0] == "body"]
            if raw:
                request["body"] = bytes.fromhex(raw[-1])
            elif text:
                request["body"] = text[-1].encode()
            for name, *arguments in mine:
                if name == "url":
                    path = urlsplit(arguments[0]).path
                    request["path"] = path.removeprefix("/api") if "/api/" in path else path
                elif name == "method":
                    request["method"] = arguments[0]
        return request

    def response_model(
        self, answer: list[tuple[str, str]]
    ) -> tuple[int, dict[str, list[str]], bytes]:
        """A change of a first value keeps the others; a removed name is gone."""
        status, body = 200, b"answer"
        headers: dict[str, list[str]] = {}
        for name, value in answer:
            headers.setdefault(name, []).append(value)
        for hook in (3, 4):
            first = {name: values[0] for name, values in headers.items()}
            for name, *arguments in [o[1:] for o in self.operations if o[0] == hook]:
                if name == "set":
                    first[arguments[0]] = arguments[1]
                elif name == "remove":
                    first.pop(arguments[0], None)
                elif name == "status":
                    status = arguments[0]
                elif name == "response":
                    body = bytes.fromhex(arguments[0])
            headers = {name: [value, *headers.get(name, [])[1:]] for name, value in first.items()}
        return status, headers, body

    @invariant()
    def the_gateway_lives(self) -> None:
        assert self.gateway._process is None or self.gateway._process.poll() is None


def test_requests_and_responses_follow_the_model() -> None:
    """Any sequence of changes in five hooks, on the real gateway."""
    with Upstream() as upstream, tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder) / "gateway", upstream.url)
        gateway.settings["log_level"] = "error"
        gateway.plugin(PLUGIN)
        gateway.define("api", HOOKS)
        gateway.start()
        Lives.gateway, Lives.upstream = gateway, upstream
        try:
            machine: Any = Lives.TestCase
            machine.settings = settings(stateful_step_count=20)
            machine("runTest").runTest()
        finally:
            gateway.stop()
