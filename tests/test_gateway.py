"""Services call the host and return its results to plugin code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from conftest import FakeHost

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


@pytest.mark.parametrize("wrong", [b"bytes", 5, None])
def test_names_and_payloads_are_text(host: FakeHost, wrong: Any) -> None:
    """The error names the argument."""
    for what, call in (
        ("the key", lambda: tyk.get_data(wrong)),
        ("the key", lambda: tyk.store_data(wrong, "x", 1)),
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
    with pytest.raises(StoreError, match="down"):
        tyk.get_data("a")


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
