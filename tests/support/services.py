"""A hook that calls ``TykGateway`` as the test says."""

from __future__ import annotations

import json
from typing import Any

from support.gateway import Gateway

PLUGIN = """
import json

from gateway import TykGateway as tyk
from tyk.decorators import *

def result(name, *arguments):
    try:
        value = getattr(tyk, name)(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return value.decode() if isinstance(value, bytes) else value

@Pre
def services(request, session, spec):
    calls = json.loads(request.object.body)
    request.object.return_overrides.response_code = 200
    request.object.return_overrides.response_body = json.dumps([result(*c) for c in calls])
    return request, session
"""


def with_services(gateway: Gateway) -> Gateway:
    """Start a gateway with that hook."""
    gateway.plugin(PLUGIN)
    gateway.define("services", {"pre": [{"name": "services"}]})
    return gateway.start()


def call(gateway: Gateway, *calls: tuple[Any, ...]) -> list[Any]:
    """Make the calls, each a name and its arguments, in one hook; errors come back as text."""
    answer = gateway.http.post("/services/", content=json.dumps(calls))
    assert answer.status_code == 200, answer.text
    results: list[Any] = answer.json()
    return results
