"""The token bucket: pure over the clock it is given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.api.limits import Bucket
from tests.conftest import NOW
from tests.factories import event, route_to
from tests.leads.api.conftest import problem


def bucket(rate: float = 10, burst: float = 100) -> Bucket:
    return Bucket(rate, burst, burst, 0.0)


def test_a_full_bucket_gives_its_burst_and_then_its_rate():
    one = bucket()
    assert one.take(100, 0) == 0
    assert one.take(5, 0) == pytest.approx(0.5)
    assert one.take(5, 0.5) == 0
    assert one.take(1, 0.5) == pytest.approx(0.1)


def test_what_is_refused_costs_nothing():
    one = bucket()
    one.take(95, 0)
    for _ in range(5):
        assert one.take(10, 0) == pytest.approx(0.5)
    assert one.take(5, 0) == 0


def test_more_than_the_burst_is_possible_once_it_is_full_and_is_owed_then():
    one = bucket(rate=10, burst=50)
    assert one.take(200, 0) == 0
    assert one.tokens == -150
    assert one.take(1, 0) == pytest.approx(15.1)
    assert one.take(200, 15.1) == pytest.approx(4.9)
    assert one.take(200, 20) == 0


def test_a_clock_set_back_neither_drains_nor_stops_it():
    one = bucket()
    assert one.take(100, 1000) == 0
    assert one.take(10, 0) == pytest.approx(1)
    assert one.take(10, 1) == 0


@given(
    st.lists(
        st.tuples(st.floats(0, 20, allow_nan=False), st.integers(1, 150)),
        min_size=1,
        max_size=60,
    )
)
def test_never_more_than_burst_and_rate_and_one_batch(steps):
    """Over any span: what was given is at most the burst, what flowed in, and the one batch that overdrew."""
    one, at, given_out = bucket(rate=7, burst=100), 0.0, 0
    for wait, cost in steps:
        at += wait
        if one.take(cost, at) == 0:
            given_out += cost
        assert given_out <= 100 + 7 * at + 50 + 1e-3
        assert one.tokens <= 100


@given(st.integers(1, 500), st.integers(0, 99))
def test_the_wait_it_names_is_the_one_it_keeps(cost, left):
    one = bucket()
    one.take(100 - left, 0)
    wait = one.take(cost, 0)
    if wait:
        assert one.take(cost, wait) == 0


def test_429_with_retry_after_and_then_on(cast, keyed, settings, monkeypatch):
    settings.INTAKE_RATE, settings.INTAKE_BURST, settings.WEB_PROCESSES = 4, 8, 2
    route_to(cast.femke)
    clock = [NOW]
    monkeypatch.setattr("leads.api.auth.timezone.now", lambda: clock[0])
    send = keyed("intake")
    assert send.post("/intake", [event(n) for n in range(3)]).status_code == 200
    refused = send.post("/intake", [event(n) for n in range(2)])
    body = problem(refused, 429)
    assert refused["Retry-After"] == "1" and "4 events a second" in body["detail"]
    clock[0] = NOW.replace(second=1)
    assert send.post("/intake", [event(n) for n in range(2)]).status_code == 200
    # A batch larger than the burst of this process waits until the bucket is full, and goes through.
    assert problem(send.post("/intake", [event(n) for n in range(20)]), 429)
    clock[0] = NOW.replace(second=5)
    assert send.post("/intake", [event(n) for n in range(20)]).status_code == 200


def test_each_key_has_its_own_bucket(cast, keyed, settings):
    settings.INTAKE_RATE, settings.INTAKE_BURST = 1, 2
    one, other = keyed("read"), keyed("read")
    assert [one.get("/handoffs").status_code for _ in range(3)] == [200, 200, 429]
    assert other.get("/handoffs").status_code == 200


def test_what_cannot_be_read_costs_too(keyed, settings):
    settings.INTAKE_RATE, settings.INTAKE_BURST = 1, 2
    send = keyed("intake")
    assert [send.post("/intake", raw=b"{").status_code for _ in range(3)] == [400, 400, 429]
