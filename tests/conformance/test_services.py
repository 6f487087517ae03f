"""What hooks ask of the store: section 5 of the contract."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.gateway import Gateway
from support.services import call, with_services


@pytest.mark.stock_fails("its TykGateway has no such calls")
def test_keys_are_deleted_and_asked_for(gateway: Gateway) -> None:
    """A key without a time to live has -1 left; one that is not there -2."""
    key = uuid.uuid4().hex  # the store outlives the test where it is Tyk's
    with_services(gateway)
    look = (("exists", key), ("ttl", key))
    assert call(gateway, *look) == [False, -2]
    _, there, left = call(gateway, ("store_data", key, "", 60), *look)
    assert there is True
    assert 50 < left <= 60
    assert call(gateway, ("store_data", key, "value", 0), *look)[1:] == [True, -1]
    assert call(gateway, ("get_data", key), ("get_data", key + "-")) == ["value", ""]
    deletes = (("delete_data", key), ("delete_data", key))
    assert call(gateway, *deletes, *look) == [True, False, False, -2]


@pytest.mark.stock_fails("its TykGateway has no such calls")
def test_no_increment_is_lost(gateway: Gateway) -> None:
    """400 at once; the time to live is set with the first."""
    key = uuid.uuid4().hex
    with_services(gateway)
    with ThreadPoolExecutor(20) as clients:
        sums = clients.map(lambda _: call(gateway, ("increment_data", key, 1, 60)), range(400))
        assert sorted(n for (n,) in sums) == list(range(1, 401))
    value, left = call(gateway, ("get_data", key), ("ttl", key))
    assert value == "400"
    assert 0 < left <= 60


@pytest.mark.stock_fails("its TykGateway has no such calls")
def test_an_increment_is_exact_or_refused(gateway: Gateway) -> None:
    """All of 64 bits count; text and a sum beyond are an error, and stay as they were."""
    key, most = uuid.uuid4().hex, 2**63 - 1
    with_services(gateway)
    calls = [
        ("increment_data", key, most - 1, 60),
        ("increment_data", key),
        ("increment_data", key),
        ("get_data", key),
        ("increment_data", key, -most),
        ("store_data", key, "text", 60),
        ("increment_data", key),
        ("get_data", key),
    ]
    results = call(gateway, *calls)
    assert (results[:2], results[3:6], results[7]) == (
        [most - 1, most],
        [str(most), 0, None],
        "text",
    )
    assert results[2].startswith("StoreError:")
    assert results[6].startswith("StoreError:")
