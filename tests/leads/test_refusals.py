"""No lead goes back to somebody who rejected it for a reason that still holds, and the trace says why."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from leads import lifecycle, refusals
from leads.lifecycle import Act
from leads.models import Handoff, Lead, Rejection
from routing.models import Queue, Team, User
from tests.acting import assert_sound
from tests.conftest import NOW, Cast
from tests.factories import make_company, make_handoff, open_handoff, route_to

SOON, LATER = NOW + timedelta(days=1), NOW + timedelta(days=200)


def rejected(cast: Cast, reason: str, **more: object) -> Handoff:
    """One that Femke has rejected."""
    handoff = make_handoff("assigned", cast.femke)
    act = Act(NOW + timedelta(minutes=5), cast.femke)
    return lifecycle.reject(handoff.pk, act, reason=reason, note="No", **more)  # type: ignore[arg-type]


def fresh(lead: Lead) -> Lead:
    return Lead.objects.select_related("company").get(pk=lead.pk)


def holds(handoff: Handoff, at: datetime, lead_type: str = "standard") -> str:
    """Why the first no holds against a later handoff; "" when it does not."""
    rows = Rejection.objects.select_related("reason")
    found = refusals.holding(rows, fresh(handoff.lead), None, lead_type, at)
    return next(iter(found.values()), "")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("wrong_title", "rejected it before: wrong title or role, and the title is the same"),
        ("wrong_person", "rejected it before: wrong person, and the person is the same"),
        ("not_icp", "rejected it before: not our customer profile, and the company is the same"),
        ("existing_customer", "rejected it before: already a customer, and the company is the same"),
        ("competitor", "rejected it before: competitor, and the company is the same"),
    ],
)
def test_it_holds_for_as_long_as_the_facts_are_the_same(cast: Cast, reason: str, words: str) -> None:
    handoff = rejected(cast, reason)
    assert holds(handoff, LATER) == words
    # Another fact than the one that the reason speaks of changes nothing.
    Lead.objects.filter(pk=handoff.lead_id).update(language="fr", phone="+49 30 123456")
    assert holds(handoff, LATER) == words


@pytest.mark.parametrize(
    ("reason", "change", "of_company"),
    [
        ("wrong_title", {"job_title": "Chief Operating Officer"}, False),
        ("wrong_person", {"last_name": "Somebody"}, False),
        ("not_icp", {"size_band": "1001-5000"}, True),
        ("not_icp", {"employee_count": 4000}, True),
        ("existing_customer", {"stage": "prospect"}, True),
        ("out_of_territory", {"region": "Bavaria"}, False),
        ("student_or_jobseeker", {"job_title": "Buyer"}, False),
    ],
)
def test_a_changed_fact_lifts_it(
    cast: Cast, reason: str, change: dict[str, object], of_company: bool
) -> None:
    handoff = make_handoff("assigned", cast.femke)
    if reason == "existing_customer":
        type(handoff.lead.company).objects.update(stage="customer")
    lifecycle.reject(handoff.pk, Act(NOW, cast.femke), reason=reason)
    assert holds(handoff, SOON)
    rows = type(handoff.lead.company).objects if of_company else Lead.objects
    rows.filter(pk=handoff.lead.company_id if of_company else handoff.lead_id).update(**change)
    assert holds(handoff, SOON) == ""


def test_another_company_lifts_what_was_said_of_the_former(cast: Cast) -> None:
    handoff = rejected(cast, "competitor")
    Lead.objects.filter(pk=handoff.lead_id).update(company=make_company())
    assert holds(handoff, SOON) == ""


def test_bad_timing_holds_until_its_date_or_a_demo(cast: Cast) -> None:
    handoff = rejected(cast, "timing", until=NOW + timedelta(days=30))
    assert holds(handoff, NOW + timedelta(days=29)) == "rejected it before: bad timing, until 2026-04-09"
    assert holds(handoff, NOW + timedelta(days=30)) == ""
    # Whoever asks for a conversation has said that the time is right.
    assert holds(handoff, SOON, "demo") == ""


def test_a_no_without_facts_holds_for_ninety_days(cast: Cast) -> None:
    handoff = rejected(cast, "other")
    assert holds(handoff, NOW + timedelta(days=89)) == "rejected it before: other, until 2026-06-08"
    assert holds(handoff, NOW + timedelta(days=91)) == ""
    # Against the very handoff it holds for good.
    rows = list(Rejection.objects.select_related("reason"))
    assert cast.femke.pk in refusals.holding(rows, fresh(handoff.lead), handoff.pk, "standard", LATER)


def test_what_was_undone_or_only_wrong_data_holds_nothing(cast: Cast) -> None:
    handoff = rejected(cast, "bad_data")
    assert holds(handoff, SOON) == ""
    other = rejected(cast, "wrong_title")
    Rejection.objects.filter(handoff=other).update(undone_at=NOW)
    assert holds(other, SOON) == ""


def again(handoff: Handoff, *people: User, kind: str = "demo_request") -> Handoff:
    """The lead converts once more, a day later, with these people in the pool."""
    route_to(*people)
    return open_handoff(fresh(handoff.lead), kind=kind, at=SOON)


def skipped(handoff: Handoff) -> dict[int, str]:
    candidates = handoff.decisions.get().candidates
    return {row["user"]: row["skipped"] for row in candidates if "skipped" in row and "user" in row}


def test_a_later_handoff_passes_over_who_said_no_and_says_why(cast: Cast) -> None:
    handoff = again(rejected(cast, "wrong_title"), cast.femke, cast.jonas)
    assert handoff.assignee == cast.jonas
    assert skipped(handoff) == {
        cast.femke.pk: "rejected it before: wrong title or role, and the title is the same"
    }
    assert handoff.decisions.get().facts["rejected_by"] == [cast.femke.pk]


def test_with_another_title_they_may_have_it_again(cast: Cast) -> None:
    first = rejected(cast, "wrong_title")
    Lead.objects.filter(pk=first.lead_id).update(job_title="CIO")
    assert again(first, cast.femke).assignee == cast.femke


def test_where_nobody_else_can_take_it_it_goes_to_the_manager_and_then_to_a_queue(cast: Cast) -> None:
    assert again(rejected(cast, "wrong_title"), cast.femke).assignee == cast.mia
    Team.objects.update(manager=None)
    left = again(rejected(cast, "wrong_title"), cast.femke)
    assert (left.state, left.queue) == ("queued", Queue.objects.get(kind=Queue.Kind.OVERFLOW))
    assert list(skipped(left)) == [cast.femke.pk]
    assert_sound()
