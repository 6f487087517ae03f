"""Services call the host and return its results to plugin code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from conftest import FakeHost
from hypothesis import given
from hypothesis import strategies as st

from tyk_cffi import gateway
from tyk_cffi.errors import NoGatewayError, StoreError
from tyk_cffi.gateway import TykGateway as tyk
from tyk_cffi.running import NOTHING, Running, running


def test_values_are_stored_under_the_prefix_for_seconds(host: FakeHost) -> None:
    """Text as UTF-8, bytes unchanged; a missing value is empty."""
    tyk.store_data("a", "ä", 15)
    tyk.store_data("b", b"\xff", 0)
    assert host.values == {"coprocess-data:a": "ä".encode(), "coprocess-data:b": b"\xff"}
    assert host.ttls == {"coprocess-data:a": 15000, "coprocess-data:b": 0}
    assert (tyk.get_data("b"), tyk.get_data("c")) == (b"\xff", b"")


@pytest.mark.parametrize("value", [5, None, True, 1.5, ["a"], {}, object()])
def test_a_value_is_text_or_bytes(host: FakeHost, value: Any) -> None:
    """A number does not become that many zero bytes."""
    with pytest.raises(TypeError, match=f"must be str or bytes, got {type(value).__name__}"):
        tyk.store_data("a", value, 60)
    assert not host.values


@pytest.mark.parametrize("value", [b"x", bytearray(b"x"), memoryview(b"x"), "x"])
def test_any_kind_of_bytes_is_stored(host: FakeHost, value: Any) -> None:
    """As they are."""
    tyk.store_data("a", value, 60)
    assert host.values == {"coprocess-data:a": b"x"}


@pytest.mark.parametrize(
    ("ttl", "milliseconds"),
    [
        (1, 1000),
        (1.5, 1500),
        (0.0001, 1),
        (0, 0),
        (-1, 0),
        (-(10**30), 0),
        (gateway.MAX_TTL, 9 * 10**12),
    ],
)
def test_a_time_to_live_is_in_seconds(host: FakeHost, ttl: float, milliseconds: int) -> None:
    """A tiny value is not "forever"; zero or less is."""
    tyk.store_data("a", "x", ttl)  # type: ignore[arg-type]
    assert host.ttls == {"coprocess-data:a": milliseconds}


@pytest.mark.parametrize(
    ("ttl", "error"),
    [
        (None, TypeError),
        ("60", TypeError),
        (True, TypeError),
        (Decimal(5), TypeError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (float("-inf"), ValueError),
        (gateway.MAX_TTL + 1, ValueError),
        (2**63, ValueError),
        (10**400, ValueError),
    ],
)
def test_any_other_time_to_live_is_refused(
    host: FakeHost, ttl: Any, error: type[Exception]
) -> None:
    """Before anything is stored."""
    with pytest.raises(error, match="the time to live must be"):
        tyk.store_data("a", "x", ttl)
    assert not host.values


def test_a_counter_is_decimal_text_under_the_prefix(host: FakeHost) -> None:
    """It starts at 0; get_data reads it, store_data may have written it."""
    assert [tyk.increment_data("a"), tyk.increment_data("a", 5), tyk.increment_data("a", -8)] == [
        1,
        6,
        -2,
    ]
    assert tyk.get_data("a") == b"-2"
    tyk.store_data("b", "41", 60)
    assert tyk.increment_data("b", by=1, ttl=5) == 42
    assert tyk.increment_data("c", ttl=0.5) == 1  # type: ignore[arg-type]
    assert host.ttls == {
        "coprocess-data:a": 0,
        "coprocess-data:b": 60000,
        "coprocess-data:c": 500,
    }


@given(st.integers())
def test_an_increment_fits_into_64_bits_or_is_refused(by: int) -> None:
    """Before anything is counted."""
    fake = FakeHost()
    gateway.connect(fake)
    try:
        if -(2**63) <= by < 2**63:
            assert tyk.increment_data("a", by) == by
        else:
            with pytest.raises(ValueError, match="the increment must fit into 64 bits"):
                tyk.increment_data("a", by)
            assert not fake.values
    finally:
        gateway.connect(None)


@pytest.mark.parametrize("by", [True, 1.0, "1", None, b"1", Decimal(1), float("nan")])
def test_an_increment_is_an_integer(host: FakeHost, by: Any) -> None:
    """A bool is none."""
    with pytest.raises(TypeError, match=f"must be an integer, got {type(by).__name__}"):
        tyk.increment_data("a", by)
    assert not host.values


def test_an_increment_checks_its_time_to_live_as_store_data_does(host: FakeHost) -> None:
    """With the same limits, before anything is counted."""
    for ttl, error in ((None, TypeError), (True, TypeError), (float("nan"), ValueError)):
        with pytest.raises(error, match="the time to live must be"):
            tyk.increment_data("a", 1, ttl)  # type: ignore[arg-type]
    assert not host.values


@given(st.integers(1, gateway.MAX_TTL * 1000))
def test_the_seconds_left_are_rounded_up(milliseconds: int) -> None:
    """A key that is there has no 0 seconds left."""
    fake = FakeHost()
    fake.values["coprocess-data:a"], fake.ttls["coprocess-data:a"] = b"", milliseconds
    gateway.connect(fake)
    try:
        assert 0 < tyk.ttl("a") == -(-milliseconds // 1000)
    finally:
        gateway.connect(None)


def test_a_key_is_there_until_it_is_deleted(host: FakeHost) -> None:
    """Without a time to live it has -1 left, absent -2; an empty value is there."""
    assert (tyk.exists("a"), tyk.ttl("a"), tyk.delete_data("a")) == (False, -2, False)
    tyk.store_data("a", "", 0)
    assert (tyk.exists("a"), tyk.ttl("a")) == (True, -1)
    assert (tyk.delete_data("a"), tyk.delete_data("a"), tyk.exists("a")) == (True, False, False)


@pytest.mark.parametrize("wrong", [b"bytes", 5, None])
def test_names_and_payloads_are_text(host: FakeHost, wrong: Any) -> None:
    """The error names the argument."""
    for what, call in (
        ("the key", lambda: tyk.get_data(wrong)),
        ("the key", lambda: tyk.store_data(wrong, "x", 1)),
        ("the key", lambda: tyk.delete_data(wrong)),
        ("the key", lambda: tyk.increment_data(wrong)),
        ("the key", lambda: tyk.exists(wrong)),
        ("the key", lambda: tyk.ttl(wrong)),
        ("the event's name", lambda: tyk.trigger_event(wrong, "")),
        ("the payload", lambda: tyk.trigger_event("Happened", wrong)),
    ):
        with pytest.raises(TypeError, match=f"{what} must be str, got {type(wrong).__name__}"):
            call()
    assert not host.events


def test_lone_surrogates_are_refused_but_logged(host: FakeHost) -> None:
    """The store and events cannot encode them; log records escape them."""
    for call in (
        lambda: tyk.get_data("\ud800"),
        lambda: tyk.store_data("a", "\ud800", 1),
        lambda: tyk.delete_data("\ud800"),
        lambda: tyk.increment_data("\ud800"),
        lambda: tyk.ttl("\ud800"),
        lambda: tyk.exists("\ud800"),
        lambda: tyk.trigger_event("\ud800", ""),
        lambda: tyk.trigger_event("Happened", "\ud800"),
    ):
        with pytest.raises(ValueError, match="has no UTF-8 form"):
            call()
    with pytest.raises(ValueError, match="name is empty"):
        tyk.trigger_event("", "payload")
    tyk.log("\ud800", ["no level"])  # type: ignore[arg-type]
    assert (host.events, host.logs) == ([], [("info", "", "", "\ud800")])


def test_a_failing_store_raises(host: FakeHost) -> None:
    """It never returns an empty value."""
    host.failure = StoreError("down")
    for call in (tyk.get_data, tyk.delete_data, tyk.increment_data, tyk.exists, tyk.ttl):
        with pytest.raises(StoreError, match="down"):
            call("a")


def test_events_and_logs_name_the_running_hook(host: FakeHost) -> None:
    """Unknown levels are ``info``."""
    running.set(Running("api", "hook"))
    try:
        tyk.trigger_event("Happened", "payload")
        for level in ("debug", "info", "warning", "error", "loud"):
            tyk.log(level, level)
        tyk.log_error("wrong")
    finally:
        running.set(NOTHING)
    assert host.events == [("api", "Happened", "payload")]
    levels = ["debug", "info", "warning", "error", "info", "error"]
    assert [log[:3] for log in host.logs] == [(level, "api", "hook") for level in levels]


def test_services_raise_outside_a_gateway() -> None:
    """In a plugin author's own tests."""
    gateway.connect(None)
    with pytest.raises(NoGatewayError, match="no gateway runs here"):
        tyk.get_data("a")
