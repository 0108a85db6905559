"""A merge taken back: both leads and what was theirs are as before, or it is refused in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads import choosing, identity, lifecycle
from leads.intake import receive
from leads.lifecycle import Act, Refused
from leads.models import (
    Activity,
    Complaint,
    DuplicatePair,
    ExternalId,
    Handoff,
    Lead,
    LeadAlias,
    Merge,
    Notification,
    Score,
)
from routing.models import Turn, User
from tests.acting import assert_sound, at
from tests.conftest import NOW, Cast, forget_kept
from tests.factories import (
    event,
    make_activity,
    make_company,
    make_handoff,
    make_lead,
    make_score,
    open_handoff,
    route_to,
)

_SKIPPED = {"revision", "updated_at"}


def picture() -> dict[str, Any]:
    """Everything about leads and handoffs that an undo has to put back."""
    return {
        "leads": [_row(lead) for lead in Lead.objects.order_by("pk")],
        "handoffs": [_row(handoff) for handoff in Handoff.objects.order_by("pk")],
        "turns": sorted(Turn.objects.filter(released_at=None).values_list("ref", "user_id")),
        "pairs": list(
            DuplicatePair.objects.order_by("pk").values_list("first", "second", "status", "decided_by")
        ),
        "aliases": sorted(LeadAlias.objects.values_list("lead_id", "email_key", "added_at")),
        "reports": list(Complaint.objects.order_by("pk").values_list("pk", "lead_id", "cleared_at")),
        **{
            model.__name__: list(model._default_manager.order_by("pk").values_list("pk", "lead_id"))
            for model in (Activity, Score, ExternalId)
        },
    }


def _row(row: Any) -> dict[str, Any]:
    fields = (field.attname for field in row._meta.concrete_fields)
    return {name: getattr(row, name) for name in fields if name not in _SKIPPED}


def undo(user: User, moment: Any = None) -> Merge:
    return lifecycle.unmerge(Merge.objects.latest("pk").pk, Act(moment or at(hours=1, minutes=5), user))


def person(number: int, state: str, assignee: User, kind: str, of: Any) -> Lead:
    lead = make_lead(
        first_name="Christina", last_name=("Schmidt", "Schmitt")[number], company=of,
        email=f"person{number}@acme.example.com", job_title=("CFO", "Chief Financial Officer")[number],
        phone=("", "+4930123456")[number],
        field_times={"job_title": at(days=-number).isoformat()},
    )  # fmt: skip
    make_activity(lead, external_id="same")
    ExternalId.objects.create(lead=lead, system="map", object="contact", value=str(number))
    LeadAlias.objects.create(lead=lead, email_key=f"old{number}@acme.example.com", added_at=NOW)
    if state != "none":
        make_handoff(state, assignee, lead=lead, kind=kind, at=at(minutes=number))
    return lead


STATES = (
    "none", "incomplete", "queued", "assigned", "accepted", "deferred", "working", "rejected", "converted"
)  # fmt: skip


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    states=st.tuples(st.sampled_from(STATES), st.sampled_from(STATES)),
    kinds=st.tuples(*[st.sampled_from(("score_threshold", "demo_request"))] * 2),
    keeps_first=st.booleans(),
    take=st.sets(st.sampled_from(sorted(choosing.GROUPS))),
)
def test_merge_then_undo_is_as_before(
    cast: Cast, states: tuple[str, str], kinds: tuple[str, str], keeps_first: bool, take: set[str]
) -> None:
    """Whatever state both were in and whatever was chosen."""
    # Each example rolls its ruleset back under the number of the next one's.
    forget_kept()
    with transaction.atomic():
        company = make_company()
        people = (cast.femke, cast.jonas)
        leads = [person(n, states[n], people[n], kinds[n], company) for n in (0, 1)]
        identity.find_duplicates(leads, NOW)
        before = picture()
        keep, gone = leads if keeps_first else reversed(leads)
        lifecycle.merge(keep, gone, Act(at(minutes=3), cast.otto), take)
        assert_sound()
        assert picture() != before
        undo(cast.ada, at(minutes=4))
        assert_sound()
        assert picture() == before
        transaction.set_rollback(True)


def two_open(cast: Cast) -> tuple[Handoff, Handoff]:
    """Femke has accepted the first, Jonas has not answered the second; they are merged."""
    first, second = make_handoff("accepted", cast.femke), make_handoff("assigned", cast.jonas)
    lifecycle.merge(first.lead, second.lead, Act(at(minutes=10), cast.otto))
    return first, second


def test_who_had_lost_it_gets_it_back_and_is_told(cast: Cast) -> None:
    first, second = two_open(cast)
    undo(cast.otto, at(minutes=20))
    for handoff in (first, second):
        handoff.refresh_from_db()
    assert (first.state, second.state, second.assignee, second.lead) == (
        "accepted",
        "assigned",
        cast.jonas,
        Lead.objects.get(pk=second.lead_id),
    )
    assert second.events.last().kind == "undone"
    assert second.accept_due_at == at(hours=2)
    assert list(Notification.objects.filter(kind="parted").values_list("user", flat=True)) == [cast.jonas.pk]


def test_a_window_that_is_over_starts_anew(cast: Cast) -> None:
    _, second = two_open(cast)
    undo(cast.otto, at(hours=5))
    second.refresh_from_db()
    assert (second.held_since, second.window, second.accept_due_at) == (at(hours=5), 2, at(hours=7))
    # The lead's own clock ran on.
    assert second.contact_due_at == at(hours=1)
    assert_sound()


def test_what_goes_on_with_the_one_that_went_on_does_not_matter(cast: Cast) -> None:
    first, second = two_open(cast)
    lifecycle.contact(first.pk, Act(at(minutes=15), cast.femke), channel="phone", outcome="reached")
    undo(cast.otto)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("working", "assigned")
    assert_sound()


def test_a_second_undo_does_nothing(cast: Cast) -> None:
    _, second = two_open(cast)
    done = undo(cast.otto)
    events = second.events.count()
    again = undo(cast.ada, at(hours=2))
    assert (again.undone_at, again.undone_by) == (done.undone_at, cast.otto)
    assert second.events.count() == events


def test_the_two_can_be_merged_again(cast: Cast) -> None:
    first, second = two_open(cast)
    undo(cast.otto)
    lifecycle.merge(
        Lead.objects.get(pk=second.lead_id), Lead.objects.get(pk=first.lead_id), Act(at(hours=2), cast.otto)
    )
    undo(cast.otto, at(hours=3))
    assert_sound()


def refused(words: str) -> None:
    merge = Merge.objects.select_related("keep", "gone").filter(undone_at__isnull=True).earliest("pk")
    before = picture()
    with pytest.raises(Refused, match=words):
        lifecycle.unmerge(merge.pk, Act(at(days=2), None))
    assert words in lifecycle.stands_on(merge)
    assert picture() == before


def test_not_under_a_handoff_that_was_opened_since(cast: Cast) -> None:
    keep, gone = make_lead(), make_lead()
    lifecycle.merge(keep, gone, Act(NOW, cast.otto))
    make_handoff("assigned", cast.femke, lead=Lead.objects.get(pk=keep.pk), at=at(hours=1))
    refused("a handoff was opened since")


def test_not_when_people_went_on_with_what_the_merge_set_off(cast: Cast) -> None:
    waiting = make_lead()
    route_to(cast.femke)
    make_activity(waiting)
    handoff = open_handoff(waiting, complete=False)
    other = make_lead()
    make_score(other)
    lifecycle.merge(waiting, other, Act(at(hours=1), cast.otto))
    lifecycle.accept(handoff.pk, Act(at(hours=1, minutes=1), cast.femke))
    refused("what it set off went on: accepted by femke@handoff.example.com")


def test_not_before_a_later_merge_is_undone(cast: Cast) -> None:
    keep, gone, third = make_lead(), make_lead(), make_lead(first_name="Third", last_name="Person")
    lifecycle.merge(keep, gone, Act(NOW, cast.otto))
    lifecycle.merge(keep, third, Act(at(hours=1), cast.otto))
    refused("Third Person was merged into this lead on")
    undo(cast.otto)
    undo_first = Merge.objects.earliest("pk")
    assert lifecycle.unmerge(undo_first.pk, Act(at(hours=2), cast.otto)).undone_at == at(hours=2)


def test_not_while_the_kept_one_is_part_of_another(cast: Cast) -> None:
    keep, gone, third = make_lead(), make_lead(), make_lead()
    lifecycle.merge(keep, gone, Act(NOW, cast.otto))
    lifecycle.merge(third, keep, Act(at(hours=1), cast.otto))
    refused("was itself merged into another one since")


def test_not_when_nothing_is_remembered(cast: Cast) -> None:
    lifecycle.merge(make_lead(), make_lead(), Act(NOW, cast.otto))
    Merge.objects.update(memory={})
    refused("no longer known")


def test_what_was_set_since_stays(cast: Cast) -> None:
    keep = make_lead(job_title="CFO", phone="")
    gone = make_lead(job_title="Chief", phone="+4930123456", email="gone@acme.example.com")
    lifecycle.merge(keep, gone, Act(NOW, cast.otto), ["job_title"])
    keep.refresh_from_db()
    assert (keep.job_title, keep.phone) == ("Chief", "+4930123456")
    Lead.objects.filter(pk=keep.pk).update(job_title="Chief of all")
    undo(cast.otto)
    keep.refresh_from_db()
    gone.refresh_from_db()
    assert (keep.job_title, keep.phone) == ("Chief of all", "")
    assert (gone.job_title, gone.phone, gone.email_key) == ("Chief", "+4930123456", "gone@acme.example.com")


def test_what_comes_for_each_after_it_is_its_own(cast: Cast) -> None:
    route_to(cast.femke, cast.jonas)
    first, second = (receive([event(n)], None, NOW)[0]["lead"]["id"] for n in (1, 2))
    leads = [Lead.objects.get(pk=pk) for pk in (first, second)]
    lifecycle.merge(*leads, Act(at(minutes=1), cast.otto))
    undo(cast.otto, at(minutes=2))
    later = [event(n, at=at(hours=1), id=f"later-{n}", type="lead.updated", trigger=None) for n in (1, 2)]
    assert [answer["lead"]["id"] for answer in receive(later, None, at(hours=1))] == [first, second]
