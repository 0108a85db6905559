"""A suppression lifted: what the lead asked for goes to sales, once, with the reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leads import lifecycle
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Handoff, Lead, Notification, TriageItem
from tests.acting import assert_sound
from tests.conftest import NOW, Cast
from tests.factories import event, make_handoff, make_lead, open_handoff, route_to

ASKED = NOW + timedelta(hours=2)
LATER = NOW + timedelta(days=1)
WHY = "They left the competitor"


@pytest.fixture
def shut(cast: Cast) -> Handoff:
    """Rejected by Femke as a competitor, which suppresses the lead; then the lead asks for a demo."""
    route_to(cast.femke, cast.jonas)
    [answer] = receive([event(1)], None, NOW)
    pk = int(answer["handoff"]["id"])
    holder = Handoff.objects.get(pk=pk).assignee
    if holder != cast.femke:
        lifecycle.reassign(pk, Act(NOW, cast.mia), to=cast.femke.email, reason="Yours")
    done = lifecycle.reject(pk, Act(NOW + timedelta(minutes=1), cast.femke), reason="competitor")
    [again] = receive([event(1, id="again", at=ASKED)], None, ASKED)
    assert (again["status"], again["reason"]) == ("ignored", "suppressed")
    return done


def test_what_they_asked_for_goes_to_sales_as_of_when_they_asked(cast: Cast, shut: Handoff) -> None:
    item = TriageItem.objects.get()
    before = shut.events.count()
    opened = lifecycle.lift(item.pk, Act(LATER, cast.otto), reason=WHY)
    assert opened is not None and opened.pk != shut.pk
    # Femke's no still holds, so it is not hers again.
    assert (opened.state, opened.assignee, opened.lead_type) == ("assigned", cast.jonas, "demo")
    assert (opened.trigger, opened.mql_at, opened.received_at) == ("demo_request", ASKED, LATER)
    assert opened.trigger_activity is None or opened.trigger_activity.kind == "demo_request"
    assert (opened.notes.get().text, opened.notes.get().by) == (WHY, cast.otto)
    lead = Lead.objects.get()
    assert (lead.suppressed_at, lead.suppressed_reason) == (None, "")
    shut.refresh_from_db()
    last = shut.events.last()
    assert (shut.state, shut.next_step, shut.rejections.get().next_step) == (
        "rejected",
        "recycled",
        "recycled",
    )
    assert (shut.events.count(), last.kind, last.user) == (before + 1, "followed_up", cast.otto)
    item.refresh_from_db()
    assert (item.settled_at, item.settled_by) == (LATER, cast.otto)
    assert [row.kind for row in Notification.objects.filter(user=cast.jonas, handoff=opened)] == ["assigned"]
    assert_sound()


def test_lifted_once(cast: Cast, shut: Handoff) -> None:
    item = TriageItem.objects.get()
    lifecycle.lift(item.pk, Act(LATER, cast.otto), reason=WHY)
    with pytest.raises(Refused, match="Otto Maier settled this already"):
        lifecycle.lift(item.pk, Act(LATER, cast.ada), reason=WHY)
    assert Handoff.objects.count() == 2


def test_all_that_waits_of_the_lead_is_settled_with_it(cast: Cast, shut: Handoff) -> None:
    other = TriageItem.objects.create(lead=make_lead(), kind="suppressed", at=NOW)
    receive([event(1, id="third", at=ASKED + timedelta(hours=1))], None, ASKED + timedelta(hours=1))
    first = TriageItem.objects.filter(lead=shut.lead).order_by("at").first()
    assert first is not None
    lifecycle.lift(first.pk, Act(LATER, cast.otto), reason=WHY)
    assert list(TriageItem.objects.filter(settled_at__isnull=True)) == [other]
    assert Handoff.objects.filter(lead=shut.lead).count() == 2


def test_a_lead_that_is_open_already_gets_no_second_handoff(cast: Cast) -> None:
    lead = make_lead(suppressed_at=NOW, suppressed_reason="competitor")
    item = TriageItem.objects.create(
        lead=lead, kind="suppressed", at=ASKED, data={"trigger": "pricing_inquiry", "at": ASKED.isoformat()}
    )
    route_to(cast.femke)
    now_open = open_handoff(lead)
    done = lifecycle.lift(item.pk, Act(LATER, cast.otto), reason=WHY)
    assert done is not None and (done.pk, done.raised_at) == (now_open.pk, ASKED)
    assert (Handoff.objects.count(), done.notes.get().text) == (1, WHY)


@pytest.mark.parametrize("data", [{}, {"trigger": "<i>"}, {"trigger": "score", "at": 7}, []])
def test_an_item_that_names_nothing_only_lifts(cast: Cast, data: object) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, Act(NOW, cast.femke), reason="competitor")
    item = TriageItem.objects.create(lead=handoff.lead, kind="suppressed", at=ASKED, data=data)
    assert lifecycle.lift(item.pk, Act(LATER, cast.otto), reason=WHY) is None
    assert (Lead.objects.get().suppressed_at, Handoff.objects.count()) == (None, 1)
    # The reason stands where the suppression came from.
    assert handoff.notes.get().text == WHY
    assert_sound()


def test_why_has_to_be_said_and_something_has_to_be_suppressed(cast: Cast, shut: Handoff) -> None:
    item = TriageItem.objects.get()
    for reason in (" ", "x" * 2001, "a\x00b"):
        with pytest.raises(Invalid) as wrong:
            lifecycle.lift(item.pk, Act(LATER, cast.otto), reason=reason)
        assert list(wrong.value.errors) == ["reason"]
    won = TriageItem.objects.create(lead=shut.lead, kind="won_anyway", at=NOW)
    with pytest.raises(Refused, match="Nothing is suppressed here"):
        lifecycle.lift(won.pk, Act(LATER, cast.otto), reason=WHY)
    assert Lead.objects.get().suppressed_at is not None
    assert Handoff.objects.count() == 1
