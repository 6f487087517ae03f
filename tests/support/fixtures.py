"""Fixtures of tests on a running gateway: a real binary, a real upstream, a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gateway import BINARY, Gateway
from support.processes import Redis
from support.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def new_gateway(tmp_path: Path, upstream: Upstream) -> Iterator[Callable[[], Gateway]]:
    """Return a factory of gateways, which are not started, and stopped after the test."""
    made: list[Gateway] = []

    assert BINARY.exists(), f"{BINARY} is not built: run `make gateway`"

    def make() -> Gateway:
        gateway = Gateway(tmp_path / f"gateway{len(made)}", upstream.url)
        made.append(gateway)
        return gateway

    yield make
    for gateway in made:
        gateway.stop()
        assert "DATA RACE" not in gateway.log()


@pytest.fixture
def gateway(new_gateway: Callable[[], Gateway]) -> Gateway:
    return new_gateway()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if not Redis.is_here():
        pytest.skip("redis-server is not on PATH (apt-get install redis-server)")
    server = Redis(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["embedded", "redis"])
def stored(request: pytest.FixtureRequest, gateway: Gateway) -> Gateway:
    """A gateway with each of the two stores."""
    if request.param == "redis":
        redis: Redis = request.getfixturevalue("redis")
        gateway.settings["storage"] = {"type": "redis", "host": "127.0.0.1", "port": redis.port}
    return gateway
