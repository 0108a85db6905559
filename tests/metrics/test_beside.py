"""What stands beside the five metrics: each definition by what people did."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leads import agreeing, agreement, history, lifecycle
from leads.models import Activity, Handoff
from metrics import query
from metrics.measures import BESIDE
from tests.conftest import NOW, Cast
from tests.factories import agree, make_handoff

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def act(user: Any, after: timedelta) -> lifecycle.Act:
    return lifecycle.Act(NOW + after, user)


def shares(after: timedelta = 60 * DAY) -> dict[str, tuple[int, int]]:
    """Hits and counted of each measure in which anything counts, so long after NOW."""
    found = query.Asked.of(query.Question(NOW + after)).total().beside
    return {name: (rate.numerator, rate.denominator) for name, rate in found.items() if rate.denominator}


def of(name: str, after: timedelta = 60 * DAY) -> tuple[int, int] | None:
    return shares(after).get(name)


@pytest.mark.parametrize(
    ("answered", "elapsed", "by_deadline"),
    [
        # A standard lead at 10:00 of a working day: two hours of staffed time, so 12:00.
        (2 * HOUR, (1, 1), (1, 1)),
        (2 * HOUR + MINUTE, (0, 1), (0, 1)),
    ],
)
def test_acknowledged_in_its_window(
    cast: Cast, answered: timedelta, elapsed: tuple[int, int], by_deadline: tuple[int, int]
) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, act(cast.femke, answered))
    assert of("acknowledged_in_time") == elapsed
    assert of("acknowledged_by_deadline") == by_deadline


def test_staffed_hours_do_not_run_at_night(cast: Cast) -> None:
    """Friday evening to Monday morning: late by the clock on the wall, in time by the hours of work."""
    friday = datetime(2026, 3, 13, 17, 30, tzinfo=UTC)
    handoff = make_handoff("assigned", cast.femke, at=friday)
    assert handoff.accept_due_at is not None and handoff.accept_due_at > friday + 2 * DAY
    lifecycle.accept(handoff.pk, lifecycle.Act(handoff.accept_due_at, cast.femke))
    assert of("acknowledged_in_time") == (0, 1)
    assert of("acknowledged_by_deadline") == (1, 1)


def test_what_nobody_answered_is_missed_once_its_deadline_has_passed(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    assert handoff.accept_due_at == NOW + 2 * HOUR
    assert of("acknowledged_by_deadline", 2 * HOUR) is None
    assert of("acknowledged_by_deadline", 2 * HOUR + MINUTE) == (0, 1)
    assert of("acknowledged_in_time", DAY) is None
    assert of("contacted_by_deadline", DAY) == (0, 1)
    assert of("disposed_by_deadline", DAY) == (0, 1)


def test_a_deadline_that_was_met_stays_met(cast: Cast) -> None:
    """A deferral moves the clocks; the answer was in time all the same, and the contact has a new day."""
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.defer(handoff.pk, act(cast.femke, HOUR), until=NOW + 10 * DAY, explanation="after the fair")
    kept = Handoff.objects.get(pk=handoff.pk)
    assert (kept.accept_due_at, kept.acknowledged_due_at) == (None, NOW + 2 * HOUR)
    assert (kept.disposed_at, kept.disposed_due_at) == (NOW + HOUR, NOW + HOUR)
    lifecycle.contact(handoff.pk, act(cast.femke, 9 * DAY), channel="phone", outcome="reached")
    kept.refresh_from_db()
    assert kept.contacted_due_at is not None and kept.contacted_due_at > NOW + 10 * DAY
    assert kept.disposed_at == NOW + HOUR
    assert of("acknowledged_by_deadline") == of("disposed_by_deadline") == (1, 1)
    assert of("contacted_by_deadline") == (1, 1)
    assert of("contacted_in_time") == (0, 1)


def test_what_was_taken_back_met_nothing(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, act(cast.femke, HOUR))
    lifecycle.undo(handoff.pk, act(cast.femke, HOUR + timedelta(seconds=5)))
    assert Handoff.objects.get(pk=handoff.pk).acknowledged_due_at is None
    assert of("acknowledged_by_deadline", DAY) == (0, 1)


def test_a_rejection_owes_no_contact(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, act(cast.femke, HOUR), reason="not_icp")
    assert of("contacted_by_deadline") is None
    assert of("disposed_by_deadline") == (1, 1)
    assert of("disposed_in_time") == (1, 1)


def test_personalised_and_logged_late(cast: Cast) -> None:
    first, second = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.femke)
    signal = Activity.objects.filter(lead=first.lead).get()
    lifecycle.contact(
        first.pk,
        act(cast.femke, 3 * HOUR),
        channel="phone",
        outcome="reached",
        at=NOW + 10 * MINUTE,
        activity_id=signal.pk,
    )
    lifecycle.contact(second.pk, act(cast.femke, 20 * MINUTE), channel="email", outcome="no_answer")
    found = shares()
    assert found["personalised"] == (1, 2)
    assert found["logged_late"] == (1, 2)
    assert found["contacted_in_time"] == (2, 2)


def test_rejected_after_acceptance(cast: Cast) -> None:
    handoff = make_handoff("accepted", cast.femke)
    make_handoff("accepted", cast.femke)
    lifecycle.reject(handoff.pk, act(cast.femke, HOUR), reason="wrong_title")
    assert of("rejected_after_acceptance") == (1, 2)
    assert of("rejected_after_acceptance", HOUR - MINUTE) == (0, 2)


def test_complete_at_once_and_discarded(cast: Cast) -> None:
    make_handoff("assigned", cast.femke)
    held = make_handoff("incomplete")
    lifecycle.discard(held.pk, act(cast.otto, HOUR), reason="a test entry")
    assert of("complete_at_once") == (1, 2)
    assert of("discarded") == (1, 2)
    assert of("discarded", HOUR - MINUTE) == (0, 2)


def test_silence(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    make_handoff("accepted", cast.femke)
    lifecycle.fire(handoff.pk, NOW + 5 * HOUR)
    assert of("went_silent") == (1, 2)


def test_imported_history_is_judged_by_no_deadline_and_no_checklist(cast: Cast) -> None:
    moments = [at.isoformat() for at in (NOW, NOW, NOW + HOUR, NOW + 2 * HOUR)]
    head = "external_id,mql_at,assigned_at,accepted_at,first_contact_at"
    history.import_history(io.StringIO(f"{head}\nh-1,{','.join(moments)}\n"), NOW)
    found = shares()
    assert found["acknowledged_in_time"] == (1, 1)
    assert found["contacted_in_time"] == (0, 1)
    absent = {"acknowledged_by_deadline", "contacted_by_deadline", "complete_at_once", "logged_late"}
    assert absent.isdisjoint(found) and "went_silent" not in found


def test_each_is_judged_by_what_was_agreed_at_its_time(cast: Cast) -> None:
    """The agreement changes between two leads that wait equally long; one agreed for later judges nobody
    yet."""
    change = NOW + DAY
    promises = agreement.Terms.of(agreeing.newest()).targets
    strict = promises | {"standard": replace(promises["standard"], figure=10)}
    agree(cast.otto, cast.mia, change, targets=strict)
    for at in (NOW, change, change + HOUR):
        handoff = make_handoff("assigned", cast.femke, at=at)
        lifecycle.contact(
            handoff.pk, lifecycle.Act(at + HOUR / 2, cast.femke), channel="phone", outcome="reached"
        )
    asked = query.Asked.of(query.Question(NOW + 60 * DAY))
    assert [target.version for target in asked.terms.targets] == [1, 2]
    assert asked.total().contact["standard"].within.numerator == 1
    assert [handoff.mql_at for handoff in asked.listed("contacted_in_time", "hits")] == [NOW]
    assert of("contacted_in_time") == (1, 3)


def test_every_one_of_them_was_looked_at() -> None:
    """A new measure needs its example here."""
    assert set(BESIDE) == {
        "acknowledged_in_time",
        "acknowledged_by_deadline",
        "contacted_in_time",
        "contacted_by_deadline",
        "disposed_in_time",
        "disposed_by_deadline",
        "personalised",
        "rejected_after_acceptance",
        "logged_late",
        "complete_at_once",
        "discarded",
        "went_silent",
    }
