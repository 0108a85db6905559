"""Deadlines and ladder steps: the shipped policies on a known week, then properties over many handoffs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.hours import Calendar, add
from routing.sla import (
    DELIVERED_LATE,
    Clocks,
    Due,
    Policy,
    Step,
    Target,
    deadline,
    default_policies,
    default_steps,
    due,
    next_at,
    next_deadline,
    scheduled,
)

OFFICE = Calendar("UTC", (((540, 1080),),) * 5 + ((), ()))
DEMO, STANDARD = default_policies()
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NONE_FIRED: frozenset[tuple[str, str]] = frozenset()
CLOSED = ("converted", "disqualified", "rejected", "discarded", "superseded", "merged", "erased")
OPEN = ("incomplete", "queued", "assigned", "accepted", "deferred", "working")


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """An instant in June 2026; the 5th is a Friday, the 8th a Monday."""
    return datetime(2026, 6, day, hour, minute, second, tzinfo=UTC)


def clocks_for(policy: Policy, state: str, start: datetime, **changes: object) -> Clocks:
    """A handoff whose clocks all started at `start`, with its deadlines stored as the policy sets them."""
    clocks = Clocks(
        state=state,
        clock_started_at=start,
        held_since=start,
        assigned_at=start,
        completion_since=None,
        accept_due_at=deadline(start, policy.accept, OFFICE),
        contact_due_at=deadline(start, policy.contact, OFFICE),
        completion_due_at=None,
        last_activity_at=None,
        first_activity_at=None,
        window=1,
        deferred_until=None,
    )
    return replace(clocks, **changes)  # type: ignore[arg-type]


def codes(items: tuple[Due, ...]) -> list[str]:
    return [item.step.code for item in items]


def times(items: tuple[Due, ...]) -> dict[str, datetime]:
    return {item.step.code: item.at for item in items}


# Deadlines


def test_a_business_target_follows_the_calendar_and_an_elapsed_one_does_not() -> None:
    saturday = at(6, 23)
    assert deadline(saturday, Target(120, business=True), OFFICE) == at(8, 11)
    assert deadline(saturday, Target(120, business=False), OFFICE) == at(7, 1)
    assert deadline(saturday, Target(120, business=True), None) == at(7, 1)


def test_default_targets() -> None:
    assert (DEMO.slug, DEMO.lead_type, DEMO.id, DEMO.version) == ("demo", "demo", 0, 1)
    assert (STANDARD.slug, STANDARD.lead_type, STANDARD.id, STANDARD.version) == (
        "standard",
        "standard",
        0,
        1,
    )
    assert DEMO.accept == DEMO.contact == Target(5, business=False)
    assert STANDARD.accept == Target(120, business=True)
    assert STANDARD.contact == Target(60, business=True)
    assert DEMO.completion == Target(60, business=False)
    assert STANDARD.completion == Target(240, business=True)
    for policy in (DEMO, STANDARD):
        assert policy.unacknowledged == Target(120, business=True)
        assert policy.no_activity == Target(240, business=True)
        assert policy.black_hole == Target(1440, business=False)
        assert policy.steps == default_steps()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("incomplete", at(8, 9)),
        ("queued", at(8, 10)),
        ("assigned", at(8, 10)),
        ("accepted", at(8, 11)),
        ("deferred", at(8, 12)),
        *((state, None) for state in ("working", *CLOSED)),
    ],
)
def test_each_state_has_its_next_deadline(state: str, expected: datetime | None) -> None:
    clocks = clocks_for(
        STANDARD,
        state,
        at(8, 9),
        completion_due_at=at(8, 9),
        accept_due_at=at(8, 10),
        contact_due_at=at(8, 11),
        deferred_until=at(8, 12),
    )
    assert next_deadline(clocks) == expected


def test_the_earlier_of_acceptance_and_contact_counts_and_either_may_be_missing() -> None:
    clocks = clocks_for(STANDARD, "assigned", at(8, 9), accept_due_at=at(8, 12), contact_due_at=at(8, 11))
    assert next_deadline(clocks) == at(8, 11)
    assert next_deadline(replace(clocks, contact_due_at=None)) == at(8, 12)
    assert next_deadline(replace(clocks, contact_due_at=None, accept_due_at=None)) is None


# The ladder as shipped


def test_the_standard_ladder_of_a_lead_assigned_late_on_friday() -> None:
    friday = at(5, 17)
    assert times(scheduled(STANDARD, clocks_for(STANDARD, "assigned", friday), OFFICE)) == {
        "accept_50": at(5, 18),
        "contact_breach": at(5, 18),
        "accept_80": at(8, 9, 36),
        "accept_breach": at(8, 10),
        "unacknowledged": at(8, 10),
        "no_activity": at(8, 12),
        "black_hole": at(6, 17),
    }


def test_the_demo_ladder_runs_by_the_wall_clock() -> None:
    saturday = at(6, 12)
    found = times(scheduled(DEMO, clocks_for(DEMO, "queued", saturday), OFFICE))
    assert found["accept_50"] == at(6, 12, 2, 30)
    assert found["accept_80"] == at(6, 12, 4)
    assert found["accept_breach"] == found["contact_breach"] == at(6, 12, 5)
    assert found["unacknowledged"] == at(8, 11)


def test_who_hears_what() -> None:
    found = {step.code: (step.who, step.what) for step in default_steps()}
    assert found == {
        "accept_50": (("rep",), "tell"),
        "accept_80": (("rep",), "tell"),
        "accept_breach": (("rep", "manager"), "tell"),
        "unacknowledged": (("manager",), "tell"),
        "contact_breach": (("rep", "manager"), "tell"),
        "no_activity": (("manager",), "flag"),
        "black_hole": (("manager",), "mark"),
        "completion_breach": (("queue_owner",), "tell"),
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("incomplete", {"completion_breach"}),
        ("queued", {step.code for step in default_steps()} - {"completion_breach"}),
        ("assigned", {step.code for step in default_steps()} - {"completion_breach"}),
        ("accepted", {"contact_breach", "no_activity", "black_hole"}),
        ("deferred", {"black_hole"}),
        *((state, set()) for state in ("working", *CLOSED)),
    ],
)
def test_which_steps_run_in_which_state(state: str, expected: set[str]) -> None:
    clocks = clocks_for(STANDARD, state, at(8, 9), completion_since=at(8, 9), completion_due_at=at(8, 13))
    assert set(codes(scheduled(STANDARD, clocks, OFFICE))) == expected


def test_steps_are_remembered_under_the_holder_the_stay_or_the_lead() -> None:
    clocks = clocks_for(STANDARD, "assigned", at(8, 9), window=3)
    assert {item.step.code: item.window for item in scheduled(STANDARD, clocks, OFFICE)} == {
        "accept_50": "w3",
        "accept_80": "w3",
        "accept_breach": "w3",
        "no_activity": "w3",
        "contact_breach": "lead",
        "unacknowledged": "lead",
        "black_hole": "lead",
    }
    again = clocks_for(STANDARD, "accepted", at(8, 9), deferrals=2)
    assert ("contact_breach", "d2") in [item.key for item in scheduled(STANDARD, again, OFFICE)]
    stay = clocks_for(
        STANDARD,
        "incomplete",
        at(8, 9),
        completion_since=at(8, 9),
        completion_due_at=at(8, 13),
        window=1,
        visits=2,
    )
    assert [item.key for item in scheduled(STANDARD, stay, OFFICE)] == [("completion_breach", "c2")]


def test_the_next_holder_is_warned_anew_but_the_lead_is_not_reported_again() -> None:
    clocks = clocks_for(STANDARD, "assigned", at(8, 9))
    fired = frozenset(item.key for item in due(STANDARD, clocks, OFFICE, NONE_FIRED, at(8, 17)))
    handed_on = replace(clocks, held_since=at(8, 14), accept_due_at=at(8, 16), window=2)
    again = due(STANDARD, handed_on, OFFICE, fired, at(8, 17))
    assert codes(again) == ["accept_50", "accept_80", "accept_breach"]


def test_a_stored_deadline_is_not_recomputed() -> None:
    clocks = clocks_for(STANDARD, "assigned", at(8, 9), accept_due_at=at(8, 15), contact_due_at=at(8, 16, 30))
    found = times(scheduled(STANDARD, clocks, OFFICE))
    assert found["accept_breach"] == at(8, 15)
    assert found["contact_breach"] == at(8, 16, 30)
    assert found["accept_50"] == at(8, 12)
    stay = clocks_for(
        STANDARD, "incomplete", at(8, 9), completion_since=at(8, 9), completion_due_at=at(9, 10)
    )
    assert times(scheduled(STANDARD, stay, OFFICE)) == {"completion_breach": at(9, 10)}


def test_a_window_without_working_time_warns_at_its_end_at_the_latest() -> None:
    # The deadline was set before the weekend was closed, or lies before the window it belongs to.
    for start, end in ((at(6, 12), at(6, 14)), (at(8, 12), at(8, 11))):
        clocks = clocks_for(STANDARD, "assigned", start, accept_due_at=end)
        found = times(scheduled(STANDARD, clocks, OFFICE))
        assert found["accept_50"] == found["accept_80"] == found["accept_breach"] == end


def test_idle_counts_from_the_later_of_holding_and_the_last_activity() -> None:
    clocks = clocks_for(STANDARD, "accepted", at(8, 9))
    assert times(scheduled(STANDARD, clocks, OFFICE))["no_activity"] == at(8, 13)
    acted = replace(clocks, last_activity_at=at(8, 11), first_activity_at=at(8, 11))
    assert times(scheduled(STANDARD, acted, OFFICE))["no_activity"] == at(8, 15)
    handed_on = replace(acted, held_since=at(8, 12))
    assert times(scheduled(STANDARD, handed_on, OFFICE))["no_activity"] == at(8, 16)


def test_any_activity_of_sales_ends_the_black_hole() -> None:
    clocks = clocks_for(STANDARD, "deferred", at(8, 9))
    assert times(scheduled(STANDARD, clocks, OFFICE)) == {"black_hole": at(9, 9)}
    assert scheduled(STANDARD, replace(clocks, first_activity_at=at(8, 10)), OFFICE) == ()


def test_clocks_that_are_not_set_have_no_steps() -> None:
    clocks = clocks_for(
        STANDARD,
        "assigned",
        at(8, 9),
        clock_started_at=None,
        held_since=None,
        assigned_at=None,
        accept_due_at=None,
        contact_due_at=None,
    )
    assert scheduled(STANDARD, clocks, OFFICE) == ()
    assert next_at(STANDARD, clocks, OFFICE, NONE_FIRED) is None


def test_a_lead_delivered_late_is_one_notice() -> None:
    clocks = clocks_for(
        STANDARD,
        "assigned",
        at(8, 9),
        held_since=at(8, 14),
        assigned_at=at(8, 14),
        accept_due_at=at(8, 16),
        first_assigned_late=True,
    )
    found = scheduled(STANDARD, clocks, OFFICE)
    assert found[0] == Due(DELIVERED_LATE, "lead", at(8, 14))
    assert DELIVERED_LATE.who == ("marketing", "manager")
    assert codes(found) == [
        "delivered_late",
        "accept_50",
        "accept_80",
        "accept_breach",
        "no_activity",
        "black_hole",
    ]
    # What was not yet due at the assignment still comes by itself.
    half_late = replace(clocks, assigned_at=at(8, 10, 30), held_since=at(8, 10, 30))
    assert times(scheduled(STANDARD, half_late, OFFICE))["delivered_late"] == at(8, 10, 30)
    assert times(scheduled(STANDARD, half_late, OFFICE))["unacknowledged"] == at(8, 11)
    assert "contact_breach" not in codes(scheduled(STANDARD, half_late, OFFICE))
    # Due at the very assignment is not before it.
    just_late = replace(clocks, assigned_at=at(8, 11), held_since=at(8, 11))
    assert times(scheduled(STANDARD, just_late, OFFICE))["unacknowledged"] == at(8, 11)


def test_a_step_can_follow_the_end_of_its_window() -> None:
    later = Step("still_waiting", "acceptance", None, Target(60, business=True), ("manager",), "tell")
    policy = replace(STANDARD, steps=(*default_steps(), later))
    clocks = clocks_for(policy, "assigned", at(8, 15, 30))
    assert clocks.accept_due_at == at(8, 17, 30)
    assert times(scheduled(policy, clocks, OFFICE))["still_waiting"] == at(9, 9, 30)


# Firing


def test_a_sweep_fires_what_is_due_and_nothing_twice() -> None:
    clocks = clocks_for(STANDARD, "assigned", at(8, 9))
    assert due(STANDARD, clocks, OFFICE, NONE_FIRED, at(8, 9, 59)) == ()
    first = due(STANDARD, clocks, OFFICE, NONE_FIRED, at(8, 10))
    assert codes(first) == ["accept_50", "contact_breach"]
    fired = frozenset(item.key for item in first)
    assert due(STANDARD, clocks, OFFICE, fired, at(8, 10)) == ()
    assert next_at(STANDARD, clocks, OFFICE, fired) == at(8, 10, 36)


def test_a_late_sweep_fires_what_was_missed_in_order() -> None:
    clocks = clocks_for(STANDARD, "assigned", at(8, 9))
    assert codes(due(STANDARD, clocks, OFFICE, NONE_FIRED, at(10, 9))) == [
        "accept_50",
        "contact_breach",
        "accept_80",
        "accept_breach",
        "unacknowledged",
        "no_activity",
        "black_hole",
    ]


@st.composite
def handoffs(draw: st.DrawFn, states: tuple[str, ...] = OPEN) -> tuple[Policy, Clocks]:
    policy = draw(st.sampled_from((DEMO, STANDARD)))
    start = at(1, 0) + draw(st.integers(0, 14 * 24 * 60)) * MINUTE
    assigned = start + draw(st.integers(0, 600)) * MINUTE
    held = assigned + draw(st.integers(0, 600)) * MINUTE
    activity = draw(st.none() | st.integers(0, 3000).map(lambda minutes: assigned + minutes * MINUTE))
    contact_due = deadline(start, policy.contact, OFFICE)
    clocks = Clocks(
        state=draw(st.sampled_from(states)),
        clock_started_at=start,
        held_since=held,
        assigned_at=assigned,
        completion_since=start,
        accept_due_at=draw(st.none() | st.just(deadline(held, policy.accept, OFFICE))),
        contact_due_at=draw(st.none() | st.just(contact_due)),
        completion_due_at=draw(st.none() | st.just(deadline(start, policy.completion, OFFICE))),
        last_activity_at=activity,
        first_activity_at=activity,
        window=draw(st.integers(1, 4)),
        deferred_until=draw(st.none() | st.just(add(start, 40 * HOUR, None))),
        first_assigned_late=draw(st.booleans()) and contact_due < assigned,
    )
    return policy, clocks


@settings(max_examples=150, deadline=None)
@given(handoffs(), st.lists(st.integers(0, 6 * 24 * 60), min_size=1, max_size=8))
def test_however_often_it_is_swept_each_step_fires_once_and_never_early(
    handoff: tuple[Policy, Clocks], minutes: list[int]
) -> None:
    policy, clocks = handoff
    assert clocks.clock_started_at is not None
    fired: list[Due] = []
    end = clocks.clock_started_at
    for offset in sorted(minutes):
        now = clocks.clock_started_at + offset * MINUTE
        for _ in range(2):
            known = frozenset(item.key for item in fired)
            batch = due(policy, clocks, OFFICE, known, now)
            assert [item.at for item in batch] == sorted(item.at for item in batch)
            assert all(item.at <= now for item in batch)
            fired.extend(batch)
        end = now
    keys = [item.key for item in fired]
    assert len(keys) == len(set(keys))
    # Frequent sweeps fire the same, in the same order, as one sweep after a long silence.
    assert tuple(fired) == due(policy, clocks, OFFICE, NONE_FIRED, end)
    assert set(fired) == {item for item in scheduled(policy, clocks, OFFICE) if item.at <= end}


@settings(max_examples=150, deadline=None)
@given(handoffs(), st.data())
def test_the_next_step_is_the_earliest_that_has_not_fired(
    handoff: tuple[Policy, Clocks], data: st.DataObject
) -> None:
    policy, clocks = handoff
    everything = scheduled(policy, clocks, OFFICE)
    fired = (
        frozenset(data.draw(st.sets(st.sampled_from([item.key for item in everything]))))
        if everything
        else NONE_FIRED
    )
    left = [item.at for item in everything if item.key not in fired]
    following = next_at(policy, clocks, OFFICE, fired)
    assert following == min(left, default=None)
    if following is not None:
        assert due(policy, clocks, OFFICE, fired, following)[0].at == following
        assert due(policy, clocks, OFFICE, fired, following - MINUTE / 60) == ()


@settings(max_examples=100, deadline=None)
@given(handoffs(states=("working", *CLOSED)))
def test_nothing_fires_once_it_is_closed_or_being_worked(handoff: tuple[Policy, Clocks]) -> None:
    policy, clocks = handoff
    assert due(policy, clocks, OFFICE, NONE_FIRED, at(30, 0)) == ()
    assert next_at(policy, clocks, OFFICE, NONE_FIRED) is None
    assert next_deadline(clocks) is None


@settings(max_examples=100, deadline=None)
@given(handoffs(states=("assigned", "queued")))
def test_warnings_come_in_order_and_never_after_the_breach(handoff: tuple[Policy, Clocks]) -> None:
    policy, clocks = handoff
    found = times(scheduled(policy, clocks, OFFICE))
    if clocks.accept_due_at is not None:
        assert found["accept_50"] <= found["accept_80"] <= found["accept_breach"] == clocks.accept_due_at


# Refusals


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clock": "lunch"}, "no clock called 'lunch'"),
        ({"share": None}, "either a share"),
        ({"after": Target(5, business=False)}, "either a share"),
        ({"share": 0}, "1 to 100"),
        ({"share": 101}, "1 to 100"),
        ({"who": ("rep", "ceo")}, "nobody is called ceo"),
        ({"what": "shout"}, "'shout' is not one of"),
    ],
)
def test_malformed_steps_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(default_steps()[0], **change)  # type: ignore[arg-type]


def test_a_policy_with_two_steps_of_one_code_is_refused() -> None:
    with pytest.raises(ValueError, match="appears twice"):
        replace(STANDARD, steps=(*default_steps(), default_steps()[0]))


def test_a_negative_target_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Target(-1, business=True)
