"""Calls: versioned paths, credentials, rate headers, and what each refusal means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from leads.connectors.client import Answer
from leads.connectors.hubspot.calling import Refusal, crm, objects, refused, until_midnight, words
from leads.outbox import Result
from tests.conftest import NOW
from tests.leads.connectors.hubspot.conftest import APP, Side


def refusal(side: Side) -> Refusal:
    with pytest.raises(Refusal) as found:
        side.it.api.get(objects("contacts"))
    return found.value


def test_the_version_stands_in_every_path(settings: LazySettings) -> None:
    settings.HUBSPOT_API_VERSION = "2027-03"
    assert objects("contacts", "batch", "read") == "/crm/objects/2027-03/contacts/batch/read"
    assert crm("owners") == "/crm/owners/2027-03"


def test_a_service_key_is_sent_and_no_token_is_asked_for(side: Side) -> None:
    assert side.it.api.get(objects("contacts"))["results"] == []
    [entry] = side.outer.log.of("hubspot")
    assert entry.headers["authorization"] == "Bearer pat-eu1-double"


def test_without_a_base_address_the_vendors_is_called(connect: Any) -> None:
    side = connect()
    assert side.it.api._base == ""
    side.connection.base_url = ""
    assert type(side.it)(side.connection, side.it.http).api._base == "https://api.hubapi.com"


def test_an_access_token_is_fetched_once_and_kept(connect: Any) -> None:
    first, second = connect(secrets=APP), None
    first.it.api.get(objects("contacts"))
    second = type(first.it)(first.connection, first.it.http)
    second.api.get(objects("contacts"))
    assert len(first.outer.log.of("hubspot", "/oauth/")) == 1


def test_a_token_that_ended_is_fetched_anew_and_the_call_is_made(connect: Any) -> None:
    side = connect(secrets=APP)
    side.it.api.get(objects("contacts"))
    side.outer.clock.advance(1801)
    assert side.it.api.get(objects("contacts"))["results"] == []
    assert [entry.status for entry in side.outer.log.of("hubspot")] == [200, 200, 401, 200, 200]


def test_credentials_that_are_refused_twice_stop_everything(connect: Any) -> None:
    side = connect(secrets=APP)
    side.outer.fault(system="hubspot", match="/crm/", kind="unauthenticated", times=-1)
    found = refusal(side)
    assert found.outcome.result == Result.UNAUTHORISED
    assert len(side.outer.log.of("hubspot", "/crm/")) == 2
    assert len(side.outer.log.of("hubspot", "/oauth/")) == 2


@pytest.mark.parametrize("changed", [{"client_secret": "no"}, {"refresh_token": "no"}])
def test_a_refresh_that_is_refused_stops_everything(connect: Any, changed: dict[str, str]) -> None:
    side = connect(secrets=APP | changed)
    assert refusal(side).outcome.result == Result.UNAUTHORISED


def test_a_refresh_that_fails_is_tried_again_later(connect: Any) -> None:
    side = connect(secrets=APP)
    side.outer.fault(system="hubspot", match="/oauth/", kind="unavailable")
    assert refusal(side).outcome.result == Result.TRANSIENT


def test_a_wrong_service_key_is_not_tried_twice(connect: Any) -> None:
    side = connect(secrets={"service_key": "pat-wrong"})
    assert refusal(side).outcome.result == Result.UNAUTHORISED
    assert len(side.outer.log.of("hubspot")) == 1


def test_without_credentials_nobody_is_called(connect: Any) -> None:
    side = connect(secrets={"client_id": "x"})
    assert refusal(side).outcome.result == Result.UNAUTHORISED
    assert side.outer.log.of("hubspot") == []


@pytest.mark.parametrize(
    ("kind", "result", "wait"),
    [
        ("ten_secondly", Result.THROTTLED, 10),
        ("secondly", Result.THROTTLED, 1),
        ("locked", Result.TRANSIENT, 2),
        ("migration", Result.TRANSIENT, 3),
        ("bad_gateway", Result.TRANSIENT, None),
        ("unavailable", Result.TRANSIENT, None),
        ("gateway_timeout", Result.TRANSIENT, None),
        ("edge_timeout", Result.TRANSIENT, None),
        ("server_error", Result.TRANSIENT, None),
        ("validation", Result.PERMANENT, None),
        ("not_found", Result.PERMANENT, None),
        ("scopes", Result.PERMANENT, None),
    ],
)
def test_what_a_refusal_means(side: Side, kind: str, result: Result, wait: int | None) -> None:
    side.outer.fault(system="hubspot", kind=kind)
    outcome = refusal(side).outcome
    assert (outcome.result, outcome.retry_after) == (result, timedelta(seconds=wait) if wait else None)


@pytest.mark.parametrize("drop", ["before", "after"])
def test_no_answer_is_worth_another_try(side: Side, drop: str) -> None:
    side.outer.fault(system="hubspot", drop=drop)
    assert refusal(side).outcome.result == Result.TRANSIENT


def test_the_daily_limit_lasts_until_midnight_there() -> None:
    body = b'{"policyName":"DAILY","message":"You have reached your daily limit."}'
    answer = Answer(429, {}, body, 1)
    outcome = refused(answer, "GET /x", "America/New_York", NOW)
    # 10:00 in UTC is 6:00 there, in summer time since two days.
    assert (outcome.result, outcome.retry_after) == (Result.THROTTLED, timedelta(hours=18))


@pytest.mark.parametrize(
    ("now", "zone", "hours"),
    [
        ("2026-03-10T10:00:00", "UTC", 14),
        ("2026-03-10T10:00:00", "nonsense/../zone", 14),
        # The day on which clocks go forward has 23 hours, the one on which they go back 25.
        ("2026-03-28T23:00:00", "Europe/Berlin", 23),
        ("2026-10-24T22:00:00", "Europe/Berlin", 25),
    ],
)
def test_a_day_is_as_long_as_it_is_there(now: str, zone: str, hours: int) -> None:
    assert until_midnight(datetime.fromisoformat(now).replace(tzinfo=UTC), zone) == timedelta(hours=hours)


def test_a_longer_retry_after_is_honoured() -> None:
    answer = Answer(429, {"retry-after": "77"}, b'{"policyName":"SECONDLY"}', 1)
    assert refused(answer, "", "UTC", NOW).retry_after == timedelta(seconds=77)


def test_where_no_call_is_left_the_next_one_is_not_made(side: Side) -> None:
    side.there.configure(limit=1)
    side.it.api.get(objects("contacts"))
    outcome = refusal(side).outcome
    assert outcome.result == Result.THROTTLED
    assert timedelta(seconds=9) < (outcome.retry_after or timedelta(0)) <= timedelta(seconds=10)
    assert len(side.outer.log.of("hubspot")) == 1


def test_an_account_that_enforces_its_limit_never_refuses_us_for_it(side: Side) -> None:
    side.there.configure(limit=3, enforce_limits=True)
    for _ in range(3):
        side.it.api.get(objects("contacts"))
    assert refusal(side).outcome.result == Result.THROTTLED
    assert [entry.status for entry in side.outer.log.of("hubspot")] == [200, 200, 200]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, ""),
        ({"message": "No."}, "No."),
        ({"message": "Long", "errors": [{"message": "a"}, {"message": "b"}, "odd", {}]}, "a; b"),
        ({"message": "No.", "errors": None}, "No."),
        ({"message": "x" * 999}, "x" * 250),
    ],
)
def test_errors_are_read_whatever_they_lack(told: dict[str, Any], said: str) -> None:
    assert words(told) == said


def test_a_body_that_is_no_json_says_nothing(side: Side) -> None:
    side.outer.fault(system="hubspot", status=400, body="<html>")
    outcome = refusal(side).outcome
    assert (outcome.result, outcome.error) == (Result.PERMANENT, "The other side answered 400.")
