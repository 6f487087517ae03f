"""store_data and get_data in hooks, on both stores."""

from __future__ import annotations

import textwrap
import time

from support.gateway import Gateway
from support.processes import Redis, free_port
from support.upstream import Upstream

STORE = textwrap.dedent("""
    from tyk.decorators import *
    from gateway import TykGateway as tyk

    @Pre
    def write(request, session, spec):
        tyk.store_data("my_key", request.object.body, int(request.get_header("Ttl")))
        return request, session

    @Pre
    def read(request, session, spec):
        value = tyk.get_data("my_key")
        request.add_header("X-Value", value.decode() or "nothing")
        return request, session
""")


def with_store(gateway: Gateway) -> Gateway:
    gateway.plugin(STORE)
    gateway.define("write", {"pre": [{"name": "write"}]})
    gateway.define("read", {"pre": [{"name": "read"}]})
    return gateway


def test_values_expire(stored: Gateway, upstream: Upstream) -> None:
    """A value exists until its ttl ends."""
    gateway = with_store(stored).start()

    def value() -> str | None:
        assert gateway.http.get("/read/").status_code == 200
        return upstream.last.header("X-Value")

    assert value() == "nothing"
    gateway.http.post("/write/", content="soon gone", headers={"Ttl": "1"})
    assert value() == "soon gone"
    time.sleep(1.2)
    assert value() == "nothing"
    gateway.http.post("/write/", content="stays", headers={"Ttl": "0"})
    time.sleep(1.2)
    assert value() == "stays"


def test_a_store_that_is_down_raises_and_recovers(
    gateway: Gateway, redis: Redis, upstream: Upstream
) -> None:
    """It never returns an empty value; the hook fails, and works again when Redis is back."""
    gateway.settings["storage"] = {"type": "redis", "host": "127.0.0.1", "port": redis.port}
    with_store(gateway).start()
    assert gateway.http.get("/read/").status_code == 200
    redis.stop()
    assert gateway.http.get("/read/").status_code == 500
    gateway.wait_for_log("StoreError")
    redis.start()
    assert gateway.http.get("/read/").status_code == 200


def test_hello_says_that_the_store_takes_no_writes(gateway: Gateway, redis: Redis) -> None:
    """A Redis without memory, and a replica, answer PING, but requests with sessions fail."""
    gateway.settings["storage"] = {"type": "redis", "host": "127.0.0.1", "port": redis.port}
    with_store(gateway).start()

    def status() -> str:
        answer: str = gateway.http.get("/hello").json()["details"]["store"]["status"]
        return answer

    assert status() == "pass"
    for refuses, allows in (
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        (f"REPLICAOF 127.0.0.1 {free_port()}", "REPLICAOF NO ONE"),
    ):
        redis.command(refuses)
        assert status() == "fail"
        redis.command(allows)
        assert status() == "pass"
