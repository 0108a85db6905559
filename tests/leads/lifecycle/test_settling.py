"""What marketing makes of a rejection: recycle, suppress, send back for data, hand on to another rep."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leads import lifecycle
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Complaint, Handoff, Lead, Notification, Rejection
from routing.models import Absence
from tests.acting import assert_sound
from tests.conftest import NOW, Cast
from tests.factories import event, make_handoff, make_lead, open_handoff, route_to

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def rejected(cast: Cast) -> Handoff:
    handoff = make_handoff("assigned", cast.femke)
    act = Act(NOW + timedelta(minutes=5), cast.femke)
    return lifecycle.reject(handoff.pk, act, reason="existing_customer", note="Since spring")


def events(handoff: Handoff) -> int:
    return handoff.events.count()


def test_a_recycled_lead_is_held_back_until_its_date(cast: Cast, rejected: Handoff) -> None:
    until = NOW + timedelta(days=40)
    Lead.objects.update(suppressed_at=NOW, suppressed_reason="other")
    done = lifecycle.recycle(rejected.pk, Act(LATER, cast.otto), until=until)
    lead, act = Lead.objects.get(), Rejection.objects.get()
    assert (done.state, done.next_step, act.next_step, act.until) == (
        "rejected",
        "recycled",
        "recycled",
        until,
    )
    assert (lead.cool_off_until, lead.suppressed_at, lead.suppressed_reason) == (until, None, "")
    last = rejected.events.last()
    assert (last.kind, last.user, last.data["next_step"], last.data["until"]) == (
        "followed_up",
        cast.otto,
        "recycled",
        until.isoformat(),
    )
    count = events(rejected)
    lifecycle.recycle(rejected.pk, Act(LATER, cast.ada), until=until)
    assert events(rejected) == count
    # Another date is another decision.
    lifecycle.recycle(rejected.pk, Act(LATER, cast.otto), until=until + timedelta(days=1))
    assert events(rejected) == count + 1


@pytest.mark.parametrize("days", [-1, 731])
def test_not_for_ever_and_not_into_the_past(cast: Cast, rejected: Handoff, days: int) -> None:
    count = events(rejected)
    with pytest.raises(Invalid, match="within the next two years"):
        lifecycle.recycle(rejected.pk, Act(LATER, cast.otto), until=LATER + timedelta(days=days))
    assert events(rejected) == count


def test_a_suppressed_lead_comes_to_triage_and_not_to_sales(cast: Cast) -> None:
    route_to(cast.femke)
    [answer] = receive([event(1)], None, NOW)
    pk = int(answer["handoff"]["id"])
    lifecycle.reject(pk, Act(NOW, cast.femke), reason="existing_customer")
    done = lifecycle.suppress(pk, Act(LATER, cast.otto))
    assert (done.next_step, done.lead.suppressed_reason) == ("suppressed", "existing_customer")
    count = done.events.count()
    lifecycle.suppress(pk, Act(LATER, cast.otto))
    assert done.events.count() == count
    [again] = receive([event(1, id="again", at=LATER)], None, LATER)
    assert (again["status"], again["reason"]) == ("ignored", "suppressed")
    assert done.lead.triage_items.get().kind == "suppressed"


def test_sent_back_it_waits_for_data_and_then_goes_on(cast: Cast, rejected: Handoff) -> None:
    act = Act(LATER, cast.otto)
    back = lifecycle.send_back(rejected.pk, act, text="The title is old", field="job_title")
    assert (back.state, back.missing, back.closed_at) == ("incomplete", ["bad_data"], None)
    complaint = Complaint.objects.get()
    assert (complaint.field, complaint.text, complaint.by) == ("job_title", "The title is old", cast.otto)
    count = events(rejected)
    lifecycle.send_back(rejected.pk, act, text="The title is old")
    assert (events(rejected), Complaint.objects.count()) == (count, 1)
    assert_sound()
    lifecycle.clear_complaint(complaint.pk, Act(LATER + timedelta(minutes=5), cast.otto))
    # What had been wrong was the data, so the same rep may have it.
    again = Handoff.objects.get(pk=rejected.pk)
    assert (again.state, again.assignee) == ("assigned", cast.femke)
    assert_sound()


@pytest.mark.parametrize(
    ("given", "field"), [({"text": " "}, "text"), ({"text": "No", "field": "password"}, "field")]
)
def test_it_says_what_is_wrong(cast: Cast, rejected: Handoff, given: dict[str, str], field: str) -> None:
    count = events(rejected)
    with pytest.raises(Invalid) as wrong:
        lifecycle.send_back(rejected.pk, Act(LATER, cast.otto), **given)
    assert list(wrong.value.errors) == [field]
    assert (events(rejected), Complaint.objects.count()) == (count, 0)


def test_not_beside_an_open_handoff(cast: Cast, rejected: Handoff) -> None:
    open_handoff(rejected.lead, kind="demo_request", at=LATER)
    act = Act(LATER, cast.otto)
    for move in (
        lambda: lifecycle.send_back(rejected.pk, act, text="Wrong"),
        lambda: lifecycle.hand_on(rejected.pk, act, to=cast.rosa.email, reason="Yours"),
    ):
        with pytest.raises(Refused, match="There is an open handoff of this lead already"):
            move()


def test_handed_on_it_is_another_reps_with_the_reason(cast: Cast, rejected: Handoff) -> None:
    Lead.objects.update(
        cool_off_until=LATER + timedelta(days=9), suppressed_at=NOW, suppressed_reason="other"
    )
    due, window = rejected.contact_due_at, rejected.window
    act = Act(LATER, cast.otto)
    done = lifecycle.hand_on(rejected.pk, act, to=cast.rosa.email, reason="Another branch of theirs")
    assert (done.state, done.assignee, done.window) == ("assigned", cast.rosa, window + 1)
    # The lead's own clock runs on.
    assert (done.contact_due_at, done.closed_at, done.held_since) == (due, None, LATER)
    lead, said = Lead.objects.get(), Rejection.objects.get()
    assert (lead.cool_off_until, lead.suppressed_at, said.next_step) == (None, None, "rerouted")
    assert (done.notes.get().text, done.notes.get().by) == ("Another branch of theirs", cast.otto)
    *_, followed, given = done.events.all()
    assert (followed.kind, followed.user, followed.data["next_step"]) == (
        "followed_up",
        cast.otto,
        "rerouted",
    )
    assert (given.kind, given.user, given.data["set"]["assignee_id"]) == (
        "reassigned",
        cast.otto,
        cast.rosa.pk,
    )
    told = Notification.objects.get(user=cast.rosa)
    assert (told.kind, told.handoff_id) == ("reassigned", done.pk)
    count = events(done)
    lifecycle.hand_on(rejected.pk, act, to=cast.rosa.email, reason="Again")
    assert (events(done), done.notes.count()) == (count, 1)
    assert_sound()


def test_not_to_whom_whose_no_still_holds(cast: Cast, rejected: Handoff) -> None:
    def hand_on() -> Handoff:
        return lifecycle.hand_on(rejected.pk, Act(LATER, cast.otto), to=cast.femke.email, reason="You do it")

    count = events(rejected)
    with pytest.raises(Invalid) as wrong:
        hand_on()
    assert wrong.value.errors == {
        "to": "Femke de Boer rejected this lead: already a customer, and the company is the same."
        " Choose somebody else."
    }
    assert events(rejected) == count
    Lead.objects.update(company=make_lead().company)
    assert hand_on().assignee == cast.femke


@pytest.mark.parametrize(
    ("to", "reason", "field"),
    [
        ("", "Yours", "to"),
        ("nobody@handoff.example.com", "Yours", "to"),
        ("queue:overflow", "Yours", "to"),
        ("rosa@handoff.example.com", " ", "reason"),
        ("rosa@handoff.example.com", "x" * 2001, "reason"),
    ],
)
def test_whom_and_why_have_to_be_said(
    cast: Cast, rejected: Handoff, to: str, reason: str, field: str
) -> None:
    count = events(rejected)
    with pytest.raises(Invalid) as wrong:
        lifecycle.hand_on(rejected.pk, Act(LATER, cast.otto), to=to, reason=reason)
    assert list(wrong.value.errors) == [field]
    assert (events(rejected), rejected.notes.count()) == (count, 0)


def test_not_to_somebody_who_is_away_or_sells_nothing(cast: Cast, rejected: Handoff) -> None:
    Absence.objects.create(user=cast.rosa, starts_at=NOW, ends_at=LATER + timedelta(days=1))
    for person, words in ((cast.rosa, "is away until"), (cast.vera, "cannot take leads")):
        with pytest.raises(Refused, match=words):
            lifecycle.hand_on(rejected.pk, Act(LATER, cast.otto), to=person.email, reason="Yours")


def moves(handoff: Handoff, act: Act, **more: Any) -> list[Any]:
    pk = handoff.pk
    return [
        lambda: lifecycle.recycle(pk, act, until=LATER + timedelta(days=9), **more),
        lambda: lifecycle.suppress(pk, act, **more),
        lambda: lifecycle.send_back(pk, act, text="Wrong", **more),
        lambda: lifecycle.hand_on(pk, act, to="rosa@handoff.example.com", reason="Yours", **more),
    ]


def test_only_what_is_rejected_and_no_longer_undoable(cast: Cast) -> None:
    working = make_handoff("working", cast.femke)
    fresh = make_handoff("assigned", cast.femke, lead=make_lead())
    lifecycle.reject(fresh.pk, Act(LATER, cast.femke), reason="other", note="No", undoable=True)
    for handoff in (working, Handoff.objects.get(pk=fresh.pk)):
        count = events(handoff)
        for move in moves(handoff, Act(LATER, cast.otto)):
            with pytest.raises(Refused):
                move()
        assert events(handoff) == count


def test_who_was_faster_is_said(cast: Cast, rejected: Handoff) -> None:
    seen = Handoff.objects.get(pk=rejected.pk).revision
    lifecycle.recycle(rejected.pk, Act(LATER, cast.ada), until=LATER + timedelta(days=5))
    for move in moves(rejected, Act(LATER, cast.otto), revision=seen):
        with pytest.raises(Refused) as refused:
            move()
        assert refused.value.code == "stale"
