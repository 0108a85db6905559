"""Where the time went: every instant in one part, in whose hands it really was, and the sum exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads import lifecycle, time_spent, timing
from leads.choices import EventKind, State
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Event, Handoff
from leads.timing import Kind, Part
from routing import hours
from routing.models import Calendar, Queue
from tests.conftest import NOW, Cast
from tests.factories import event, make_handoff, make_lead, open_handoff, route_to
from tests.leads.test_lifecycle_properties import do, step

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OFFICE = hours.Calendar("UTC", (((9 * 60, 17 * 60),),) * 5 + ((), ()))
NIGHT = hours.Calendar("UTC", (((20 * 60, 24 * 60),),) * 7)


def spent(handoff: Handoff, now: datetime) -> list[Part]:
    return list(time_spent.of_handoff(Handoff.objects.get(pk=handoff.pk), now).parts)


def told(found: list[Part]) -> list[tuple[str, int | None, timedelta]]:
    return [(str(part.kind), part.holder, part.elapsed) for part in found]


def test_the_parts_of_a_handoff_that_went_well(cast: Cast) -> None:
    route_to(cast.femke)
    handoff = open_handoff(at=NOW, now=NOW + 3 * MINUTE)
    lifecycle.accept(handoff.pk, Act(NOW + 10 * MINUTE, cast.femke))
    lifecycle.contact(handoff.pk, Act(NOW + 30 * MINUTE, cast.femke), channel="phone", outcome="reached")
    found = spent(handoff, NOW + 9 * HOUR)
    assert told(found) == [
        ("intake", None, 3 * MINUTE),
        ("acknowledgment", cast.femke.pk, 7 * MINUTE),
        ("contact", cast.femke.pk, 20 * MINUTE),
    ]
    assert timing.total(found)[0] == 30 * MINUTE
    assert [part.party for part in found] == ["marketing", "sales", "sales"]


def test_each_holder_has_their_own_part_and_a_queue_is_sales(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    manager = cast.mia
    lifecycle.reassign(handoff.pk, Act(NOW + 5 * MINUTE, manager), to="queue:overflow", reason="busy")
    lifecycle.reassign(handoff.pk, Act(NOW + 8 * MINUTE, manager), to=cast.jonas.email, reason="free now")
    found = spent(handoff, NOW + 20 * MINUTE)
    assert told(found) == [
        ("acknowledgment", cast.femke.pk, 5 * MINUTE),
        ("routing", None, 3 * MINUTE),
        ("acknowledgment", cast.jonas.pk, 12 * MINUTE),
    ]
    assert found[1].queue == overflow.pk and found[1].party == "sales"


def test_completion_is_marketings_also_the_later_stay(cast: Cast) -> None:
    route_to(cast.femke)
    handoff = open_handoff(make_lead(first_name="-"), at=NOW)
    lifecycle.waive(handoff.pk, Act(NOW + 2 * HOUR, cast.otto), check="full_name", reason="known by phone")
    lifecycle.reject(handoff.pk, Act(NOW + 3 * HOUR, cast.femke), reason="bad_data", note="wrong number")
    found = spent(handoff, NOW + 7 * HOUR)
    assert told(found) == [
        ("completion", None, 2 * HOUR),
        ("acknowledgment", cast.femke.pk, HOUR),
        ("completion", None, 4 * HOUR),
    ]
    assert [part.party for part in found] == ["marketing", "sales", "marketing"]


def test_the_wait_for_the_undo_of_a_rejection_is_nobodys_answer(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    act = Act(NOW + MINUTE, cast.femke)
    lifecycle.reject(handoff.pk, act, reason="out_of_territory", undoable=True)
    route_to(cast.jonas)
    lifecycle.fire(handoff.pk, NOW + MINUTE + timedelta(seconds=30))
    assert told(spent(handoff, NOW + 2 * MINUTE)) == [
        ("acknowledgment", cast.femke.pk, MINUTE),
        ("routing", None, timedelta(seconds=30)),
        ("acknowledgment", cast.jonas.pk, timedelta(seconds=30)),
    ]


def test_a_deferral_and_the_return_from_it(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    until = NOW + timedelta(days=2)
    act = Act(NOW + HOUR, cast.femke)
    lifecycle.defer(handoff.pk, act, until=until, explanation="after the fair")
    lifecycle.fire(handoff.pk, until)
    assert told(spent(handoff, until + HOUR)) == [
        ("acknowledgment", cast.femke.pk, HOUR),
        ("deferral", cast.femke.pk, 47 * HOUR),
        ("acknowledgment", cast.femke.pk, HOUR),
    ]


def test_an_undone_act_is_as_if_it_had_never_been(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, Act(NOW + MINUTE, cast.femke))
    lifecycle.undo(handoff.pk, Act(NOW + MINUTE + timedelta(seconds=9), cast.femke))
    assert told(spent(handoff, NOW + HOUR)) == [("acknowledgment", cast.femke.pk, HOUR)]
    act = Act(NOW + HOUR, cast.femke)
    lifecycle.contact(handoff.pk, act, channel="phone", outcome="reached")
    lifecycle.undo(handoff.pk, Act(NOW + HOUR + timedelta(seconds=9), cast.femke))
    assert told(spent(handoff, NOW + 2 * HOUR)) == [("acknowledgment", cast.femke.pk, 2 * HOUR)]


def test_a_contact_logged_late_counts_from_its_own_time(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    manager = Act(NOW + HOUR, cast.mia)
    lifecycle.reassign(handoff.pk, manager, to=cast.jonas.email, reason="femke is ill")
    act = Act(NOW + 3 * HOUR, cast.jonas)
    earlier = NOW + 20 * MINUTE
    lifecycle.contact(handoff.pk, act, channel="phone", outcome="reached", at=earlier)
    # He had called before it was his; the clock of the lead ends there.
    assert told(spent(handoff, NOW + 9 * HOUR)) == [("acknowledgment", cast.femke.pk, 20 * MINUTE)]


def test_what_was_closed_without_a_contact_ends_there(cast: Cast) -> None:
    handoff = make_handoff("rejected", cast.femke)
    found = spent(handoff, NOW + timedelta(days=9))
    assert told(found) == [("acknowledgment", cast.femke.pk, MINUTE)]


def test_nothing_is_counted_before_the_conversion_or_after_the_moment_asked_for(cast: Cast) -> None:
    handoff = make_handoff("working", cast.femke)
    assert spent(handoff, NOW) == []
    assert told(spent(handoff, NOW + timedelta(seconds=7))) == [
        ("acknowledgment", cast.femke.pk, timedelta(seconds=7))
    ]


def test_business_time_is_that_of_whoever_held_it() -> None:
    """Monday 16:00 to Tuesday 10:00: marketing keeps office hours, the rep works in the evening."""
    monday = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
    log = [
        an_event(1, EventKind.OPENED, monday, state="incomplete", mql_at=monday, received_at=monday),
        an_event(2, EventKind.HELD, monday, completion_since=monday),
        an_event(3, EventKind.ASSIGNED, monday + 3 * HOUR, state="assigned", assignee_id=7),
    ]

    def calendar(person: int | None, queue: int | None) -> hours.Hours | None:
        return NIGHT if person == 7 else OFFICE

    found = timing.parts(log, calendar, monday + 18 * HOUR)
    assert [(str(part.kind), part.elapsed, part.business) for part in found] == [
        ("completion", 3 * HOUR, HOUR),
        ("acknowledgment", 15 * HOUR, 4 * HOUR),
    ]
    assert timing.total(found) == (18 * HOUR, 5 * HOUR)


def test_an_imported_handoff_has_its_parts_by_when_it_occurred() -> None:
    """Its events were all recorded at the import; when they occurred is what the file says."""
    log = [
        an_event(1, EventKind.OPENED, NOW, state="incomplete", mql_at=NOW, received_at=NOW),
        an_event(2, EventKind.ASSIGNED, NOW + HOUR, state="assigned", assignee_id=7),
        an_event(3, EventKind.ACCEPTED, NOW + 2 * HOUR, state="accepted"),
        an_event(4, EventKind.CONTACTED, NOW + 5 * HOUR, state="working", first_contact_at=NOW + 5 * HOUR),
    ]
    assert told(timing.parts(log, no_hours, NOW + timedelta(days=400))) == [
        ("routing", None, HOUR),
        ("acknowledgment", 7, HOUR),
        ("contact", 7, 3 * HOUR),
    ]


def test_a_log_that_says_nothing_has_no_parts() -> None:
    assert timing.parts([], no_hours, NOW) == []
    assert timing.parts([an_event(1, EventKind.NOTED, NOW)], no_hours, NOW) == []


def test_it_costs_the_same_queries_for_a_short_life_and_a_long_one(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    Calendar.objects.filter(is_default=True).first().hours()
    handoff = make_handoff("assigned", cast.femke)
    with django_assert_num_queries(3):
        time_spent.of_handoff(handoff, NOW + HOUR)
    for number, user in enumerate((cast.jonas, cast.rosa, cast.femke), start=1):
        act = Act(NOW + number * MINUTE, cast.ada)
        lifecycle.reassign(handoff.pk, act, to=user.email, reason="balance")
    with django_assert_num_queries(3):
        time_spent.of_handoff(handoff, NOW + HOUR)


@pytest.mark.parametrize("complete", [True, False])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=st.lists(step, min_size=1, max_size=14), delay=st.integers(0, 5_000_000))
def test_whatever_happens_the_parts_are_what_was_seen_and_add_up(
    cast: Cast, complete: bool, moves: list, delay: int
) -> None:
    """Whoever looked after every move saw a state and a holder: what was seen until the next is the part."""
    people = [cast.femke, cast.jonas, cast.rosa]
    with transaction.atomic():
        route_to(*people)
        names = {} if complete else {"first_name": "-"}
        now = NOW + timedelta(microseconds=delay)
        sent = event(1, id="first", lead=names, trigger={"kind": "score_threshold"})
        [answer] = receive([sent], None, now)
        pk = int(answer["handoff"]["id"])
        seen = [(now, place_of(pk))]
        for number, (move, who, seconds) in enumerate(moves):
            now += timedelta(seconds=seconds, microseconds=7919 * number + 1)
            before = Handoff.objects.get(pk=pk)
            holder = before.assignee if who == 3 else people[who]
            try:
                with transaction.atomic():
                    do(move, pk, Act(now, holder or people[0]), people, cast, number)
            except (Refused, Invalid):
                continue
            undoing = Event.objects.filter(handoff=pk, kind=EventKind.UNDONE, recorded_at=now).first()
            if undoing is not None:
                undone = Event.objects.get(handoff=pk, number=min(undoing.data["undid"]))
                seen = [(at, place) for at, place in seen if at < undone.recorded_at]
            else:
                seen.append((now, place_of(pk)))
        until = now + HOUR
        handoff = Handoff.objects.get(pk=pk)
        found = spent(handoff, until)
        transaction.set_rollback(True)
    stop = handoff.first_contact_at or handoff.closed_at or until
    assert timing.total(found)[0] == max(stop - handoff.mql_at, timedelta(0))
    assert all(part.elapsed == part.ends_at - part.starts_at > timedelta(0) for part in found)
    assert all(one.ends_at == other.starts_at for one, other in pairwise(found))
    if found:
        assert (found[0].starts_at, found[-1].ends_at) == (handoff.mql_at, stop)
    for (at, place), after in zip(seen, [*(at for at, _ in seen[1:]), until], strict=True):
        middle = at + (after - at) / 2
        if middle < stop:
            [part] = [part for part in found if part.starts_at <= middle < part.ends_at]
            assert (part.kind, part.holder) == place


def place_of(pk: int) -> tuple[Kind, int | None]:
    """What somebody who looked at the row would have said."""
    handoff = Handoff.objects.get(pk=pk)
    if handoff.state == State.INCOMPLETE:
        return Kind.COMPLETION, None
    kinds = {"assigned": Kind.ACKNOWLEDGMENT, "accepted": Kind.CONTACT, "working": Kind.CONTACT}
    if handoff.state == "deferred":
        return Kind.DEFERRAL, handoff.assignee_id
    if handoff.state in kinds:
        return kinds[handoff.state], handoff.assignee_id
    return Kind.ROUTING, None


def an_event(number: int, kind: EventKind, at: datetime, **columns: Any) -> Event:
    told = {name: v.isoformat() if isinstance(v, datetime) else v for name, v in columns.items()}
    return Event(number=number, kind=str(kind), occurred_at=at, recorded_at=NOW, data={"set": told})


def no_hours(person: int | None, queue: int | None) -> None:
    return None
