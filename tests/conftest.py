"""Hypothesis profiles and shared fixtures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.gateway import IS_BUNDLED, IS_STOCK
from support.source import Source
from support.transports import TRANSPORTS, Transport

import tyk_cffi.gateway

pytest_plugins = ["support.fixtures"]

# Programs that tests start and that are not installed (tools/test-programs).
os.environ["PATH"] = f"{Path(sys.prefix) / 'programs'}:{os.environ['PATH']}"

settings.register_profile(
    "default", max_examples=60, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(params=TRANSPORTS)
def new_transport(request: pytest.FixtureRequest) -> Callable[[], Transport]:
    """Return a factory of dispatchers, each with what brings calls to it."""
    return TRANSPORTS[request.param]


@pytest.fixture
def source(tmp_path: Path, new_transport: Callable[[], Transport]) -> Source:
    """A folder of plugin code and a dispatcher that loads it."""
    return Source(tmp_path / "plugins", transport=new_transport())


@pytest.fixture
def new_source(tmp_path: Path, new_transport: Callable[[], Transport]) -> Callable[[str], Source]:
    """Return a factory of further sources, by key."""
    return lambda key: Source(tmp_path / key, key, new_transport())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip or expect to fail what other gateways do not support."""
    for item in items:
        bundled_only = item.get_closest_marker("bundled_only")
        if bundled_only and not IS_BUNDLED:
            item.add_marker(pytest.mark.skip(reason=bundled_only.args[0]))
        stock_fails = item.get_closest_marker("stock_fails")
        if stock_fails and IS_STOCK:
            item.add_marker(pytest.mark.xfail(reason=stock_fails.args[0], strict=True))


class FakeHost:
    """A host that keeps values in memory and records its calls."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ttls: dict[str, int] = {}
        self.events: list[tuple[str, str, str]] = []
        self.logs: list[tuple[str, str, str, str]] = []
        self.failure: Exception | None = None

    def store_get(self, key: str, timeout_ms: int) -> bytes | None:
        if self.failure:
            raise self.failure
        return self.values.get(key)

    def store_set(self, key: str, value: bytes, ttl_ms: int, timeout_ms: int) -> None:
        self.values[key], self.ttls[key] = value, ttl_ms

    def store_delete(self, key: str, timeout_ms: int) -> bool:
        if self.failure:
            raise self.failure
        self.ttls.pop(key, None)
        return self.values.pop(key, None) is not None

    def store_increment(self, key: str, by: int, ttl_ms: int, timeout_ms: int) -> int:
        if self.failure:
            raise self.failure
        self.ttls.setdefault(key, ttl_ms)
        result = int(self.values.get(key, b"0")) + by
        self.values[key] = b"%d" % result
        return result

    def store_ttl(self, key: str, timeout_ms: int) -> int | None:
        if self.failure:
            raise self.failure
        return self.ttls.get(key)

    def trigger_event(self, api: str, name: str, payload: str) -> None:
        self.events.append((api, name, payload))

    def log(self, level: str, api: str, hook: str, message: str) -> None:
        self.logs.append((level, api, hook, message))


@pytest.fixture
def host() -> Iterator[FakeHost]:
    fake = FakeHost()
    tyk_cffi.gateway.connect(fake)
    yield fake
    tyk_cffi.gateway.connect(None)


def event(name: str, api: str = "") -> bytes:
    """Return the JSON of an event for a handler."""
    return json.dumps(
        {
            "message": {"Type": "T", "Meta": {}, "TimeStamp": "now"},
            "handler_name": name,
            "spec": {"APIID": api, "OrgID": "org"},
        }
    ).encode()
