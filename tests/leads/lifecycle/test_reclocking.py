"""Deadlines that stay where they are when a calendar is edited, and move when somebody asks for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import invariants, lifecycle, projection
from leads.choices import EventKind, State
from leads.lifecycle import Act, affected, move_deadlines
from leads.models import Event, FiredStep, Handoff
from routing.models import Calendar, ClosedDay, Queue, SlaPolicy, User
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead, open_handoff, route_to

# NOW is Tuesday, 10 March 2026, 10:00 UTC; the default calendar is Mon to Fri, 9 to 18, in UTC here.
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def office(cast: Cast) -> Calendar:
    return Calendar.objects.get(is_default=True)


def calendar(name: str, zone: str, *hours: tuple[int, int]) -> Calendar:
    row = Calendar.objects.create(name=name, time_zone=zone)
    for weekday in range(5):
        for start, end in hours or ((540, 1080),):
            row.intervals.create(weekday=weekday, start_minute=start, end_minute=end)
    return row


def edited(row: Calendar) -> None:
    """What every edit of a calendar does besides."""
    row.revision += 1
    row.save()


def close(row: Calendar, *days: date) -> None:
    ClosedDay.objects.bulk_create(ClosedDay(calendar=row, day=day, name="Closed") for day in days)
    edited(row)


def shifts(found: lifecycle.reclocking.Preview) -> dict[int, dict[str, datetime]]:
    return {row.handoff_id: {s.column: s.after for s in row.shifts} for row in found.rows}


def later(hours: float = 1) -> Act:
    return Act(NOW + hours * HOUR)


def test_a_holiday_added_later_moves_nothing_until_somebody_asks(cast: Cast, office: Calendar) -> None:
    at = datetime(2026, 3, 10, 17, tzinfo=UTC)
    handoff = make_handoff("assigned", cast.femke, at=at)
    due = datetime(2026, 3, 11, 10, tzinfo=UTC)  # one hour today, one tomorrow
    contact = datetime(2026, 3, 10, 18, tzinfo=UTC)
    assert (handoff.accept_due_at, handoff.contact_due_at) == (due, contact)
    close(office, date(2026, 3, 11))
    handoff.refresh_from_db()
    assert handoff.accept_due_at == due
    lifecycle.note(handoff.pk, Act(at + HOUR, cast.otto), text="Any other event")
    handoff.refresh_from_db()
    assert handoff.accept_due_at == due
    found = affected(Act(at), calendar=office)
    assert shifts(found) == {handoff.pk: {"accept_due_at": due + DAY}}
    moved = move_deadlines(handoff.pk, Act(at + HOUR, cast.otto), "calendar:1")
    assert (moved.accept_due_at, moved.contact_due_at) == (due + DAY, contact)
    event = Event.objects.get(handoff=handoff, kind=EventKind.RECLOCKED)
    assert (event.user, event.data["why"]) == (cast.otto, "calendar:1")
    assert set(event.data["set"]) == {"accept_due_at", "next_step_at"}
    assert event.data["was"]["accept_due_at"] == due.isoformat()


def test_asked_again_it_changes_nothing(cast: Cast, office: Calendar) -> None:
    handoff = make_handoff("assigned", cast.femke, at=datetime(2026, 3, 10, 17, tzinfo=UTC))
    close(office, date(2026, 3, 11))
    revision = move_deadlines(handoff.pk, later(9), "calendar:1").revision
    assert move_deadlines(handoff.pk, later(9), "calendar:1").revision == revision
    assert affected(later(9), calendar=office).rows == ()
    assert Event.objects.filter(kind=EventKind.RECLOCKED).count() == 1


def test_without_an_edit_nothing_would_move(cast: Cast, office: Calendar) -> None:
    for state in ("incomplete", "queued"):
        make_handoff(state)
    for state in ("assigned", "accepted", "deferred", "working", "rejected"):
        make_handoff(state, cast.femke)
    found = affected(later(), calendar=office)
    assert found.rows == () and not found.is_cut
    # Working, rejected and closed ones have no deadline to look at.
    assert found.looked_at == 5


def test_steps_that_fired_stay_fired_and_the_next_one_follows(cast: Cast, office: Calendar) -> None:
    handoff = make_handoff("assigned", cast.femke)  # accept by 12:00
    half = NOW + HOUR
    fired = [item["step"] for item in lifecycle.fire(handoff.pk, half + timedelta(minutes=1))]
    assert "accept_50" in fired
    before = set(FiredStep.objects.values_list("code", "window"))
    # The afternoon is taken off: 10 to 11 today is all there is.
    office.intervals.update(end_minute=660)
    edited(office)
    moved = move_deadlines(handoff.pk, Act(half + timedelta(minutes=2)), "calendar:1")
    assert moved.accept_due_at == datetime(2026, 3, 11, 10, tzinfo=UTC)
    # 80 % of two hours are 96 minutes: an hour today and 36 minutes from nine.
    assert moved.next_step_at == datetime(2026, 3, 11, 9, 36, tzinfo=UTC)
    assert set(FiredStep.objects.values_list("code", "window")) == before
    assert "accept_50" not in {item["step"] for item in lifecycle.fire(handoff.pk, moved.next_step_at)}


def test_a_deadline_that_moves_earlier_is_late_at_once(cast: Cast) -> None:
    late = calendar("Late shift", "UTC", (780, 1320))
    cast.femke.calendar = late
    cast.femke.save()
    handoff = make_handoff("assigned", cast.femke)  # from 13:00: accept by 15:00, contact by 14:00
    late.intervals.update(start_minute=480)
    edited(late)
    moved = move_deadlines(handoff.pk, later(3), "calendar:2")
    assert (moved.accept_due_at, moved.contact_due_at) == (NOW + 2 * HOUR, NOW + HOUR)
    assert moved.next_due_at == NOW + HOUR < NOW + 3 * HOUR
    assert {"accept_breach", "contact_breach"} <= {
        item["step"] for item in lifecycle.fire(handoff.pk, NOW + 3 * HOUR)
    }


def test_only_what_uses_the_calendar_moves(cast: Cast, office: Calendar) -> None:
    """Somebody's own calendar, their team's, a queue's, and the default for all others."""
    own, of_team = calendar("Own", "UTC"), calendar("Team", "UTC")
    of_queue = calendar("Queue", "UTC")
    cast.femke.calendar = own
    cast.femke.save()
    cast.femke.team.calendar = of_team
    cast.femke.team.save()
    queue = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    queue.calendar = of_queue
    queue.save()
    at = datetime(2026, 3, 10, 17, tzinfo=UTC)
    held = {
        own: make_handoff("assigned", cast.femke, at=at),
        of_team: make_handoff("assigned", User.objects.get(pk=cast.jonas.pk), at=at),
        of_queue: make_handoff("queued", at=at),
        office: make_handoff("assigned", cast.rosa, at=at),
    }
    incomplete = make_handoff("incomplete", at=at)
    for row, handoff in held.items():
        close(row, date(2026, 3, 11))
        expected = {handoff.pk} | ({incomplete.pk} if row == office else set())
        found = affected(later(8), calendar=row)
        assert set(shifts(found)) == expected, row
        for pk in expected:
            move_deadlines(pk, later(8), f"calendar:{row.pk}")
    incomplete.refresh_from_db()
    assert incomplete.completion_due_at == datetime(2026, 3, 12, 12, tzinfo=UTC)
    assert list(invariants.violations()) == []


def test_where_no_deadline_moves_the_next_step_of_the_ladder_still_may(cast: Cast, office: Calendar) -> None:
    """Accepted at 10:01 and never called: next comes "no activity", which is stored as no deadline."""
    handoff = make_handoff("accepted", cast.femke)
    lifecycle.fire(handoff.pk, NOW + 2 * HOUR)
    handoff.refresh_from_db()
    assert handoff.next_step_at == (silent := NOW + timedelta(hours=4, minutes=1))
    # From noon to one the office is shut now: nothing that is past, and no stored deadline, follows from it.
    office.intervals.update(end_minute=720)
    for weekday in range(5):
        office.intervals.create(weekday=weekday, start_minute=780, end_minute=1080)
    edited(office)
    assert shifts(affected(later(2), calendar=office)) == {handoff.pk: {"next_step_at": silent + HOUR}}
    moved = move_deadlines(handoff.pk, later(2), "calendar:1")
    assert moved.next_step_at == silent + HOUR
    event = Event.objects.get(handoff=handoff, kind=EventKind.RECLOCKED)
    assert set(event.data["set"]) == {"next_step_at"}
    assert affected(later(2), calendar=office).rows == ()
    assert move_deadlines(handoff.pk, later(2), "calendar:1").revision == moved.revision
    assert projection.differences(moved) == []


def test_elapsed_targets_do_not_move(cast: Cast, office: Calendar) -> None:
    handoff = make_handoff("assigned", cast.femke, kind="demo_request")
    close(office, NOW.date(), NOW.date() + DAY)
    assert affected(later(), calendar=office).rows == ()
    assert move_deadlines(handoff.pk, later(), "calendar:1").revision == handoff.revision


def test_the_first_contact_keeps_the_calendar_it_was_set_by(cast: Cast, office: Calendar) -> None:
    """Reassigning moves no first contact, and neither does an edit of the new holder's calendar."""
    own = calendar("New York", "America/New_York")
    cast.jonas.calendar = own
    cast.jonas.save()
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reassign(handoff.pk, Act(NOW, cast.mia), to=cast.jonas.email, reason="Knows them")
    handoff.refresh_from_db()
    contact = handoff.contact_due_at
    # 9:00 in New York is 13:00 UTC, so the acceptance window ends at 15:00.
    assert handoff.accept_due_at == datetime(2026, 3, 10, 15, tzinfo=UTC)
    assert affected(later(), calendar=own).rows == ()
    own.intervals.update(start_minute=600)
    edited(own)
    assert shifts(affected(later(), calendar=own)) == {
        handoff.pk: {"accept_due_at": datetime(2026, 3, 10, 16, tzinfo=UTC)}
    }
    # The calendar that the first contact was set by is found by whoever held it first.
    office.intervals.update(start_minute=630)
    edited(office)
    moved = shifts(affected(later(), calendar=office))[handoff.pk]
    assert moved["contact_due_at"] == contact + timedelta(minutes=30)


def test_deferral_raising_and_a_later_stay_in_completion_are_told_again(cast: Cast, office: Calendar) -> None:
    deferred = make_handoff("deferred", cast.femke)  # until Tuesday 17 March, 10:00
    assert deferred.contact_due_at == datetime(2026, 3, 17, 11, tzinfo=UTC)
    raised = make_handoff("assigned", cast.femke)
    raised_to = _raised(raised, NOW + timedelta(minutes=40))
    back = make_handoff("assigned", cast.femke)
    lifecycle.reject(
        back.pk, Act(NOW + timedelta(minutes=20), cast.femke), reason="bad_data", note="Left", field="email"
    )
    back.refresh_from_db()
    assert back.state == State.INCOMPLETE
    assert affected(later(), calendar=office).rows == ()
    close(office, date(2026, 3, 17))
    assert shifts(affected(later(), calendar=office)) == {
        deferred.pk: {"contact_due_at": datetime(2026, 3, 18, 10, tzinfo=UTC)}
    }
    office.closed_days.all().delete()
    office.intervals.update(start_minute=630)
    edited(office)
    moved = shifts(affected(later(), calendar=office))
    # What demo targets ask is elapsed and sooner than the old target: nothing of it moves.
    assert raised.pk not in moved and raised_to.contact_due_at == NOW + timedelta(minutes=45)
    assert moved[back.pk] == {
        "completion_due_at": NOW + timedelta(hours=4, minutes=30),
        "contact_due_at": NOW + timedelta(hours=1, minutes=30),
    }
    for complaint in back.complaints.all():
        lifecycle.clear_complaint(complaint.pk, Act(NOW + 2 * HOUR, cast.otto))
    back.refresh_from_db()
    assert back.state == State.ASSIGNED
    # By the hours of now, 30 minutes of its window were left when the data was asked for, and still are.
    assert back.contact_due_at == NOW + timedelta(hours=2, minutes=30)
    close(office, date(2026, 3, 10))
    again = shifts(affected(later(3), calendar=office))[back.pk]
    assert again["accept_due_at"] == datetime(2026, 3, 11, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("by", "closed", "due"),
    [
        ("deferral", NOW + 7 * DAY, datetime(2026, 3, 18, 10, tzinfo=UTC)),
        # No later than what it was before it was raised.
        ("raise", NOW, NOW + HOUR),
    ],
)
def test_what_was_set_in_between_is_found_by_whose_hours_it_was(
    cast: Cast, office: Calendar, by: str, closed: datetime, due: datetime
) -> None:
    """Femke, then Jonas, who works by hours of his own and sets the first contact by them, then Femke."""
    SlaPolicy.objects.filter(slug="demo").update(contact_business=True)
    own = calendar("Jonas", "UTC")
    User.objects.filter(pk=cast.jonas.pk).update(calendar=own)
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reassign(handoff.pk, Act(NOW, cast.mia), to=cast.jonas.email, reason="Knows them")
    at = NOW + timedelta(minutes=1)
    if by == "deferral":
        lifecycle.defer(handoff.pk, Act(at, cast.jonas), until=closed, explanation="No budget yet")
    else:
        _raised(handoff, at)
    lifecycle.reassign(handoff.pk, Act(at, cast.mia), to=cast.femke.email, reason="Hers after all")
    assert affected(later(), calendar=own).rows == ()
    close(own, closed.date())
    assert shifts(affected(later(), calendar=own)) == {handoff.pk: {"contact_due_at": due}}
    assert move_deadlines(handoff.pk, later(), "calendar:2").contact_due_at == due
    assert affected(later(), calendar=own).rows == ()


def _raised(handoff: Handoff, at: datetime) -> Handoff:
    from django.db import transaction

    from leads.lifecycle.book import Book
    from leads.lifecycle.opening import raise_to_demo

    with transaction.atomic():
        row = lifecycle.guard.locked(handoff.pk)
        book = Book(Act(at))
        raise_to_demo(book, row, at)
        book.save()
    return row


def test_what_was_undone_is_as_before(cast: Cast, office: Calendar) -> None:
    handoff = make_handoff("assigned", cast.femke)
    at = NOW + timedelta(minutes=5)
    lifecycle.defer(handoff.pk, Act(at, cast.femke), until=NOW + 9 * DAY, explanation="Later")
    lifecycle.undo(handoff.pk, Act(at + timedelta(seconds=3), cast.femke))
    assert affected(later(), calendar=office).rows == ()
    office.intervals.update(start_minute=660)
    edited(office)
    assert shifts(affected(later(), calendar=office)) == {
        handoff.pk: {"accept_due_at": NOW + 3 * HOUR, "contact_due_at": NOW + 2 * HOUR}
    }


def test_closed_and_contacted_ones_stay(cast: Cast, office: Calendar) -> None:
    rows = [make_handoff(state, cast.femke) for state in ("working", "rejected", "converted")]
    close(office, NOW.date())
    for row in rows:
        assert move_deadlines(row.pk, later(), "calendar:1").revision == row.revision
    assert affected(later(), calendar=office).looked_at == 0


def test_moving_is_no_act_of_the_rep_and_no_conflict_with_their_page(cast: Cast, office: Calendar) -> None:
    handoff = make_handoff("assigned", cast.femke)
    seen = handoff.revision
    close(office, NOW.date())
    soon = NOW + HOUR / 2  # before any step of the ladder is due
    moved = move_deadlines(handoff.pk, Act(soon, cast.otto), "calendar:1")
    assert moved.revision == seen + 1 and moved.last_activity_at is None
    accepted = lifecycle.accept(handoff.pk, Act(soon, cast.femke), revision=seen)
    assert accepted.state == State.ACCEPTED
    assert list(invariants.violations()) == []
    assert list(projection.all_differences()) == []


# Policies


def successor(slug: str, **fields: Any) -> SlaPolicy:
    live = SlaPolicy.objects.get(slug=slug, is_live=True)
    steps = list(live.steps.all())
    SlaPolicy.objects.filter(pk=live.pk).update(is_live=False)
    live.pk, live.version, live.is_live = None, live.version + 1, True
    for name, value in fields.items():
        setattr(live, name, value)
    live._state.adding = True
    live.save()
    for step in steps:
        step.pk, step.policy = None, live
        step._state.adding = True
        step.save()
    return live


def test_a_policy_edited_later_serves_those_that_are_moved_to_it(cast: Cast, office: Calendar) -> None:
    handoff = make_handoff("assigned", cast.femke)
    demo = make_handoff("assigned", cast.femke, kind="demo_request")
    before = handoff.policy
    new = successor("standard", accept_minutes=60, contact_minutes=90)
    found = affected(later(), policy=new)
    assert shifts(found) == {
        handoff.pk: {
            "accept_due_at": NOW + HOUR,
            "contact_due_at": NOW + timedelta(minutes=90),
        }
    }
    # Without a policy it is told by the one it keeps.
    assert move_deadlines(handoff.pk, later(), "calendar:1").policy == before
    moved = move_deadlines(handoff.pk, later(), "policy:standard:2", policy=new)
    assert (moved.policy_id, moved.accept_due_at) == (new.pk, NOW + HOUR)
    assert move_deadlines(demo.pk, later(), "policy:standard:2", policy=new).revision == demo.revision
    assert affected(later(), policy=new).rows == ()
    # From now on its whole story is told by the new version, and a third one follows on.
    assert affected(later(), calendar=office).rows == ()
    third = successor("standard", accept_minutes=30)
    assert shifts(affected(later(), policy=third))[handoff.pk] == {
        "accept_due_at": NOW + timedelta(minutes=30)
    }
    assert list(projection.all_differences()) == []


def test_a_version_with_other_steps_only_is_listed_too(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    new = successor("standard")
    [row] = affected(later(), policy=new).rows
    assert (row.handoff_id, row.shifts) == (handoff.pk, ())
    assert move_deadlines(handoff.pk, later(), "policy:standard:2", policy=new).policy == new


def test_something_must_have_been_edited(cast: Cast) -> None:
    with pytest.raises(ValueError, match="neither"):
        affected(later())


# What it costs


def test_a_constant_number_of_queries(cast: Cast, office: Calendar) -> None:
    make_handoff("assigned", cast.femke)
    close(office, NOW.date())

    def count() -> int:
        affected(later(), calendar=office)
        with CaptureQueriesContext(connection) as found:
            affected(later(), calendar=office)
        return len(found)

    one = count()
    people = [cast.femke, cast.jonas, cast.rosa]
    route_to(*people)
    for _ in range(6):
        open_handoff(make_lead())
    make_handoff("queued")
    deferred = make_handoff("deferred", cast.femke)
    assert deferred.state == State.DEFERRED
    assert count() == one


def test_no_more_than_the_bound_are_looked_at(cast: Cast, office: Calendar) -> None:
    handoffs = [make_handoff("assigned", cast.femke, at=NOW + n * HOUR) for n in range(3)]
    close(office, NOW.date())
    found = affected(later(), calendar=office, most=2)
    assert (found.looked_at, found.is_cut) == (2, True)
    assert set(shifts(found)) == {handoff.pk for handoff in handoffs[:2]}
    assert not affected(later(), calendar=office, most=3).is_cut


def test_a_handoff_of_thirty_days_ago_costs_no_more_to_save_than_a_fresh_one(
    cast: Cast, office: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its deadlines are stored, and no day between is stepped through: what is worked out for a save is the
    same days for both, but those that its own clocks ask for."""
    from routing import hours

    worked_out: list[int] = []
    real = hours._work_out

    def counted(*args: Any) -> Any:
        worked_out.append(args[2])
        return real(*args)

    monkeypatch.setattr(hours, "_work_out", counted)

    def cost(at: datetime) -> tuple[int, int]:
        handoff = make_handoff("accepted", cast.femke, at=at)
        lifecycle.fire(handoff.pk, NOW + HOUR / 4)
        hours._days.cache_clear()
        worked_out.clear()
        with CaptureQueriesContext(connection) as found:
            lifecycle.note(handoff.pk, Act(NOW + HOUR / 2, cast.femke), text="Called their office")
        return len(found), len(worked_out)

    cost(NOW)  # so that both find kept what is kept
    fresh, old = cost(NOW), cost(NOW - 30 * DAY)
    assert old[0] == fresh[0]
    # A day each for the ends of its own windows; thirty days would be at least thirty.
    assert fresh[1] <= 8 and old[1] <= 8
