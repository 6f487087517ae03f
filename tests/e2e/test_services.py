"""The other calls of the store, on both stores: delete_data, increment_data, exists, ttl."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gateway import Gateway
from support.processes import Redis
from support.services import call, with_services

INT64 = 2**63
KEYS = st.sampled_from(["a", "b"])
TTLS = st.sampled_from([0, -1, 1000])
BIG = st.sampled_from([-INT64, 1 - INT64, INT64 - 2, INT64 - 1])
NUMBERS = st.integers(-3, 3) | BIG
NOT_NUMBERS = ["", "x", "01", "+1", "-0", " 1", "1 ", "1_0", "1.0", "\u0661", str(INT64), "9" * 30]
VALUES = NUMBERS.map(str) | st.sampled_from(NOT_NUMBERS)
CALLS = st.lists(
    st.tuples(st.just("store_data"), KEYS, VALUES, TTLS)
    | st.tuples(st.just("increment_data"), KEYS, NUMBERS, TTLS)
    | st.tuples(st.sampled_from(["get_data", "delete_data", "exists", "ttl"]), KEYS),
    max_size=30,
)


class Model:
    """What the store is to do, as a dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[str, int]] = {}

    def store_data(self, key: str, value: str, ttl: int) -> None:
        self.values[key] = value, max(ttl, 0)

    def increment_data(self, key: str, by: int, ttl: int) -> int | str:
        value, ttl = self.values.get(key, ("0", max(ttl, 0)))
        number = re.fullmatch(r"0|-?[1-9][0-9]*", value, re.ASCII)
        if not number or not -INT64 <= int(value) < INT64:
            return "StoreError"
        if not -INT64 <= int(value) + by < INT64:
            return "StoreError"
        self.values[key] = str(int(value) + by), ttl
        return int(value) + by

    def get_data(self, key: str) -> str:
        return self.values.get(key, ("", 0))[0]

    def delete_data(self, key: str) -> bool:
        return self.values.pop(key, None) is not None

    def exists(self, key: str) -> bool:
        return key in self.values

    def ttl(self, key: str) -> int:
        return (self.values[key][1] or -1) if key in self.values else -2


@pytest.fixture(scope="module", params=["embedded", "redis"])
def either(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway on each of the two stores, for all tests of this module."""
    folder = tmp_path_factory.mktemp("services")
    if request.param == "redis" and not Redis.is_here():
        pytest.skip("redis-server is not on PATH (apt-get install redis-server)")
    gateway, redis = Gateway(folder / "gateway", "http://127.0.0.1:9"), Redis(folder)
    try:
        if request.param == "redis":
            redis.start()
            gateway.settings["storage"] = {
                "type": "redis",
                "host": "127.0.0.1",
                "port": redis.port,
            }
        yield with_services(gateway)
    finally:
        gateway.stop()
        redis.stop()


def comparable(call: tuple[Any, ...], result: Any) -> Any:
    """A result as the model gives it: errors by name, a time to live without what has passed."""
    if call[0] == "increment_data" and isinstance(result, str):
        assert f"'coprocess-data:{call[1]}'" in result
        return result.split(":")[0]
    return 1000 if call[0] == "ttl" and 900 < result <= 1000 else result


run = count()


@given(CALLS)
def test_the_store_follows_the_model(either: Gateway, calls: list[tuple[Any, ...]]) -> None:
    """Any calls on two keys have the results of a dictionary; a refused increment changes nothing."""
    prefix, model = f"{next(run)}-", Model()
    named = [(name, prefix + key, *rest) for name, key, *rest in calls]
    wanted = [getattr(model, name)(*arguments) for name, *arguments in named]
    got = call(either, *named) if named else []
    assert [comparable(*pair) for pair in zip(named, got, strict=True)] == wanted


def test_increments_from_many_hooks_are_all_counted(either: Gateway) -> None:
    """400 at once, from 20 clients: each has a sum of its own, and the time to live is the first one's."""
    with ThreadPoolExecutor(20) as clients:
        sums = list(
            clients.map(lambda n: call(either, ("increment_data", "many", 1, 100 + n)), range(400))
        )
    assert sorted(n for (n,) in sums) == list(range(1, 401))
    value, left = call(either, ("get_data", "many"), ("ttl", "many"))
    assert value == "400"
    assert 0 < left < 500


def test_a_counter_expires_and_starts_again(either: Gateway) -> None:
    """Increments do not prolong it."""
    assert call(either, ("increment_data", "short", 5, 1), ("ttl", "short")) == [5, 1]
    end = time.monotonic() + 10
    while call(either, ("increment_data", "short", 1, 1)) != [1]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_error_of_an_increment_says_what_is_wrong(either: Gateway) -> None:
    """It names the key and the reason."""
    results = call(
        either,
        ("store_data", "word", "seven", 60),
        ("increment_data", "word"),
        ("store_data", "full", str(INT64 - 1), 60),
        ("increment_data", "full"),
        ("increment_data", "full", INT64),
    )
    assert results[1::2] == [
        "StoreError: the store failed for 'coprocess-data:word': "
        "its value is not a decimal integer of 64 bits",
        "StoreError: the store failed for 'coprocess-data:full': the sum does not fit into 64 bits",
    ]
    assert results[4] == "ValueError: the increment must fit into 64 bits"


SERVICES = {
    "get_data": (),
    "store_data": ("x", 1),
    "delete_data": (),
    "increment_data": (),
    "exists": (),
    "ttl": (),
}


@pytest.mark.parametrize("failure", ["hangs", "is down"])
def test_a_store_that_does_not_answer_raises_in_time(
    gateway: Gateway, redis: Redis, failure: str
) -> None:
    """Each call ends with an error, never with "absent", and works when Redis is back."""
    gateway.settings["storage"] = {"type": "redis", "host": "127.0.0.1", "port": redis.port}
    with_services(gateway)
    calls = [(name, "key", *more) for name, more in SERVICES.items()]
    call(gateway, *calls)
    with redis.hanging() if failure == "hangs" else redis.stopped():
        begin = time.monotonic()
        with ThreadPoolExecutor(len(calls)) as clients:
            results = [r for (r,) in clients.map(lambda c: call(gateway, c), calls)]
        took = time.monotonic() - begin
    for result in results:
        error, _, text = result.partition(":")
        assert error in ("StoreTimeoutError", "StoreError")[: 1 if failure == "hangs" else 2]
        assert "'coprocess-data:key'" in text
    assert took < 10
    assert call(gateway, ("delete_data", "other"), ("exists", "other")) == [False, False]
