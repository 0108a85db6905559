"""Calls: versioned paths, the session, the org's limit, pages, and what each refusal means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from leads.connectors.base import Denied
from leads.connectors.client import Answer
from leads.connectors.salesforce.calling import LIMIT_WAIT, Refusal, item_refused, refused
from leads.outbox import Result
from tests.leads.connectors.salesforce.conftest import Side


def refusal(side: Side, path: str = "/limits") -> Refusal:
    with pytest.raises(Refusal) as found:
        side.it.api.get(path)
    return found.value


def test_the_version_stands_in_every_path(side: Side, settings: LazySettings) -> None:
    settings.SALESFORCE_API_VERSION = "70.0"
    side.it.api.get("/limits")
    [entry] = side.outer.log.of("salesforce", "/services/data")
    assert entry.path == "/salesforce/services/data/v70.0/limits"


def test_the_orgs_own_rules_never_hand_a_lead_on(side: Side) -> None:
    side.it.api.get("/limits")
    [entry] = side.outer.log.of("salesforce", "/services/data")
    assert entry.headers["sforce-auto-assign"] == "FALSE"


def test_a_session_is_opened_once_and_kept(side: Side) -> None:
    side.it.api.get("/limits")
    type(side.it)(side.connection, side.it.http).api.get("/limits")
    assert len(side.outer.log.of("salesforce", "/oauth2/token")) == 1


def test_a_session_that_ended_is_opened_anew_and_the_call_is_made(side: Side) -> None:
    side.it.api.get("/limits")
    side.outer.clock.advance(7201)
    assert side.it.api.get("/limits")["DailyApiRequests"]["Max"] == 100_000
    assert [entry.status for entry in side.outer.log.of("salesforce")] == [200, 200, 401, 200, 200]


def test_a_session_that_is_refused_twice_stops_everything(side: Side) -> None:
    side.outer.fault(system="salesforce", match="/services/data", kind="bad_session", times=-1)
    found = refusal(side)
    assert (found.outcome.result, isinstance(found, Denied)) == (Result.UNAUTHORISED, True)
    assert len(side.paths()) == 2


def test_past_the_limit_it_waits_though_nobody_says_how_long(side: Side) -> None:
    side.there.configure(enforce_limits=True, daily_limit=0)
    found = refusal(side)
    assert (found.outcome.result, found.outcome.retry_after) == (Result.THROTTLED, timedelta(minutes=15))


def test_the_last_calls_are_left_to_others(side: Side) -> None:
    """Of twenty calls five in a hundred are one: it is not made."""
    side.there.configure(daily_limit=20)
    for _ in range(19):
        side.it.api.get("/limits")
    assert side.it.api.usage == (19, 20)
    found = refusal(side)
    assert (found.outcome.result, found.outcome.retry_after) == (Result.THROTTLED, LIMIT_WAIT)
    assert found.outcome.error == "Of the 20 calls that the org may make in 24 hours 19 are used."
    assert len(side.paths()) == 19


@pytest.mark.parametrize(("spare", "made"), [(0, 20), ("50", 10), (100, 1), ("x", 19), (None, 19), (-1, 19)])
def test_how_many_are_left_can_be_chosen(connect: Any, spare: Any, made: int) -> None:
    side: Side = connect(spare=spare)
    side.there.configure(daily_limit=20)
    for _ in range(made):
        side.it.api.get("/limits")
    refusal(side)
    assert len(side.paths()) == made


def answer(status: int, *errors: dict[str, Any], **headers: str) -> Answer:
    return Answer(status, headers, repr(list(errors)).replace("'", '"').encode(), 5)


def error(code: str, message: str = "") -> dict[str, Any]:
    return {"errorCode": code, "message": message}


@pytest.mark.parametrize(
    ("status", "code", "result"),
    [
        (400, "INVALID_FIELD", Result.PERMANENT),
        (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", Result.PERMANENT),
        (400, "DUPLICATES_DETECTED", Result.PERMANENT),
        (400, "UNABLE_TO_LOCK_ROW", Result.TRANSIENT),
        (403, "INSUFFICIENT_ACCESS_OR_READONLY", Result.PERMANENT),
        (403, "REQUEST_LIMIT_EXCEEDED", Result.THROTTLED),
        (403, "API_DISABLED_FOR_ORG", Result.UNAUTHORISED),
        (401, "INVALID_SESSION_ID", Result.UNAUTHORISED),
        (404, "NOT_FOUND", Result.PERMANENT),
        (404, "ENTITY_IS_DELETED", Result.PERMANENT),
        (429, "", Result.THROTTLED),
        (500, "UNKNOWN_EXCEPTION", Result.TRANSIENT),
        (503, "SERVER_UNAVAILABLE", Result.TRANSIENT),
    ],
)
def test_what_a_refusal_means(status: int, code: str, result: Result) -> None:
    outcome = refused(answer(status, error(code, "Because.")), "GET /x")
    assert (outcome.result, outcome.status, outcome.answer) == (result, status, code)
    assert outcome.error == ("it answers 401 to what we sign in with." if status == 401 else "Because.")


def test_too_many_at_once_is_over_sooner_than_too_many_a_day() -> None:
    at_once = refused(answer(403, error("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.")), "")
    a_day = refused(answer(403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")), "")
    assert (at_once.retry_after, a_day.retry_after) == (timedelta(seconds=10), timedelta(minutes=15))


def test_several_of_one_number_are_said_in_words() -> None:
    outcome = refused(Answer(300, {}, b'["/services/data/v68.0/sobjects/Lead/00Q1"]', 5), "PATCH /x")
    assert (outcome.result, outcome.error) == (
        Result.PERMANENT,
        "Several Leads there have the number of ours. Leave it to one of them.",
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b"[]", b"[1]", b'["x"]', b'[{"message":null}]', b"null"]
)
def test_a_refusal_that_says_nothing_is_one_all_the_same(body: bytes) -> None:
    outcome = refused(Answer(400, {}, body, 5), "GET /x")
    assert (outcome.result, outcome.error) == (Result.PERMANENT, "The other side answered 400.")


@pytest.mark.parametrize("errors", [None, [], [1], {}, [{}], "x"])
def test_an_item_that_fails_without_a_reason_is_refused(errors: Any) -> None:
    outcome, code = item_refused(errors, "PATCH /x")
    assert (outcome.result, code) == (Result.PERMANENT, "")
    assert outcome.error == "Salesforce refused it (no reason given)."


def test_pages_are_followed_where_the_instance_says(side: Side) -> None:
    for number in range(5):
        side.lead(Email=f"p{number}@acme.example")
    side.there.configure(page_size=2)
    found = list(side.it.api.query("SELECT Email FROM Lead ORDER BY Email"))
    assert [one["Email"] for one in found] == [f"p{number}@acme.example" for number in range(5)]
    assert len(side.paths()) == 3


@pytest.mark.parametrize("following", ["https://evil.example/services/data/x", "/other", "//evil.example/x"])
def test_a_next_page_elsewhere_is_not_asked_for(side: Side, following: str) -> None:
    body = {"done": False, "records": [], "nextRecordsUrl": following}
    side.outer.fault(system="salesforce", match="/query", status=200, body=body)
    with pytest.raises(Refusal) as found:
        list(side.it.api.query("SELECT Id FROM Lead"))
    assert found.value.outcome.result == Result.TRANSIENT
    assert len(side.paths()) == 1


def test_no_answer_is_worth_another_try(side: Side) -> None:
    side.it.api.get("/limits")
    side.outer.fault(system="salesforce", match="/limits", drop="before")
    assert refusal(side).outcome.result == Result.TRANSIENT
