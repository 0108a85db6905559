"""What can wait, and when a message leaves: against a clock on the wall that is read minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leads.choices import CLOSED, State
from leads.models import Handoff, Preference
from leads.notifications import WORDINGS, is_urgent, leaves_at
from leads.notifications.urgency import ASKS_IN, CAN_WAIT, has_changed_hands, is_overtaken
from leads.notifications.wordings import Todo
from leads.notifications.words import AGREEMENT

NOW = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=10)
URGENT, WAITS = "accept_50", "triggered_again"
MINUTE = timedelta(minutes=1)


# Urgency


def test_every_kind_that_can_wait_has_words() -> None:
    assert set(WORDINGS) | {"rule_review"} | set(AGREEMENT) >= CAN_WAIT


@pytest.mark.parametrize(
    "kind",
    ["assigned", "raised", "accept_50", "accept_80", "accept_breach", "resumed", "released", "queue_given"],
)
def test_what_somebody_has_to_act_on_is_urgent(kind: str) -> None:
    assert is_urgent(kind, False)


@pytest.mark.parametrize("kind", ["triggered_again", "converted_elsewhere", "rule_review"])
def test_what_can_wait_cannot_about_a_demo_lead(kind: str) -> None:
    assert not is_urgent(kind, False)
    assert is_urgent(kind, True)


def test_a_step_that_somebody_added_to_the_ladder_is_urgent() -> None:
    assert is_urgent("call_the_boss", False)


@pytest.mark.parametrize(
    ("kind", "state", "holds", "overtaken"),
    [
        ("assigned", State.ASSIGNED, True, False),
        ("assigned", State.ASSIGNED, False, True),
        ("assigned", State.ACCEPTED, True, True),
        ("released", State.WORKING, True, False),
        ("released", State.WORKING, False, True),
        ("queued", State.QUEUED, False, False),
        ("queued", State.ACCEPTED, False, True),
        ("accept_breach", State.ASSIGNED, False, False),
        ("accept_breach", State.QUEUED, False, False),
        ("accept_breach", State.WORKING, False, True),
        ("contact_breach", State.ACCEPTED, True, False),
        ("contact_breach", State.WORKING, True, True),
        ("contact_breach", State.DEFERRED, False, True),
        ("raised", State.INCOMPLETE, False, False),
        ("raised", State.WORKING, True, True),
        ("incomplete", State.INCOMPLETE, False, False),
        ("incomplete", State.DISCARDED, False, True),
        ("completion_breach", State.QUEUED, False, True),
        ("converted_elsewhere", State.CONVERTED, False, False),
        ("out_of_territory", State.REJECTED, False, False),
        ("something_new", State.CONVERTED, False, False),
    ],
)
def test_what_asks_for_something_is_overtaken_by_its_being_done(
    kind: str, state: State, holds: bool, overtaken: bool
) -> None:
    assert is_overtaken(kind, Handoff(state=state, held_since=NOW), holds, NOW) is overtaken


def test_every_kind_that_asks_for_something_of_the_lead_says_how_long() -> None:
    news = {Todo.KNOW, Todo.TALK, Todo.REVIEW}
    assert {kind for kind, wording in WORDINGS.items() if wording.todo not in news} == set(ASKS_IN)


@pytest.mark.parametrize("kind", sorted(ASKS_IN))
@pytest.mark.parametrize("state", CLOSED)
def test_of_a_closed_lead_nothing_is_asked(kind: str, state: State) -> None:
    assert is_overtaken(kind, Handoff(state=state), True, NOW)


@pytest.mark.parametrize(
    ("kind", "field", "overtaken"),
    [
        # The holder's own window, and what the next holder is spared.
        ("assigned", "held_since", True),
        ("accept_80", "held_since", True),
        ("accept_breach", "held_since", True),
        ("no_activity", "held_since", True),
        # The lead's clock goes on whoever holds it.
        ("unacknowledged", "held_since", False),
        ("contact_breach", "held_since", False),
        ("black_hole", "held_since", False),
        # What somebody did.
        ("unacknowledged", "acknowledged_at", True),
        ("no_activity", "last_activity_at", True),
        ("black_hole", "first_activity_at", True),
        ("contact_breach", "last_activity_at", False),
        # Put off since.
        ("contact_breach", "contact_due_at", True),
    ],
)
def test_what_came_since_overtakes_it(kind: str, field: str, overtaken: bool) -> None:
    handoff = Handoff(state=State.ASSIGNED, held_since=NOW - MINUTE)
    assert not is_overtaken(kind, handoff, True, NOW)
    setattr(handoff, field, NOW + MINUTE)
    assert is_overtaken(kind, handoff, True, NOW) is overtaken


def test_a_breach_at_which_the_ladder_moves_the_lead_is_told_all_the_same() -> None:
    moved = Handoff(state=State.ASSIGNED, held_since=NOW)
    assert not is_overtaken("accept_breach", moved, False, NOW)
    assert has_changed_hands("accept_breach", moved, NOW)
    assert not has_changed_hands("queued", moved, NOW) and not has_changed_hands("stale", moved, NOW)


# Leaving


@pytest.mark.parametrize("mail", ["all", "urgent", "none"])
@pytest.mark.parametrize("digest", [None, 960])
@pytest.mark.parametrize("kind", [URGENT, WAITS])
@pytest.mark.parametrize("is_demo", [False, True])
def test_the_table(mail: str, digest: int | None, kind: str, is_demo: bool) -> None:
    """Every combination of wish and urgency, without quiet hours."""
    wish = Preference(mail=mail, digest_minute=digest)
    expected: tuple[str, datetime | None]
    if mail == "none":
        expected = ("none", None)
    elif is_demo or kind == URGENT or (mail == "all" and digest is None):
        expected = ("pending", SOON)
    elif mail == "urgent":
        expected = ("none", None)
    else:
        expected = ("digest", datetime(2026, 3, 10, 16, 0, tzinfo=UTC))
    assert leaves_at(kind, is_demo, wish, "UTC", NOW) == expected


@pytest.mark.parametrize(
    ("local", "wish", "leaves"),
    [
        # Over midnight: 20:00 until 07:00.
        ("2026-03-10 19:59", (1200, 420, False), "2026-03-10 19:59"),
        ("2026-03-10 20:00", (1200, 420, False), "2026-03-11 07:00"),
        ("2026-03-11 03:00", (1200, 420, False), "2026-03-11 07:00"),
        ("2026-03-11 07:00", (1200, 420, False), "2026-03-11 07:00"),
        # Within a day.
        ("2026-03-10 12:30", (720, 780, False), "2026-03-10 13:00"),
        # A weekend, alone and with the nights; the night before Monday belongs to the hours.
        ("2026-03-14 00:00", (None, None, True), "2026-03-16 00:00"),
        ("2026-03-13 21:00", (1200, 420, True), "2026-03-16 07:00"),
        ("2026-03-15 23:59", (720, 780, True), "2026-03-16 00:00"),
        # The clocks go forward at 02:00 and back at 03:00.
        ("2026-03-28 23:00", (1200, 420, False), "2026-03-29 07:00"),
        ("2026-10-24 23:00", (1200, 420, False), "2026-10-25 07:00"),
        ("2026-03-29 01:30", (0, 150, False), "2026-03-29 03:00"),
        # Hours that begin when they end are none.
        ("2026-03-10 12:30", (720, 720, False), "2026-03-10 12:30"),
    ],
)
def test_quiet_hours_by_the_readers_clock(
    local: str, wish: tuple[int | None, int | None, bool], leaves: str
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    quiet_from, quiet_until, weekends = wish
    preference = Preference(quiet_from=quiet_from, quiet_until=quiet_until, quiet_weekends=weekends)
    told = datetime.fromisoformat(local).replace(tzinfo=berlin)
    state, at = leaves_at(URGENT, False, preference, "Europe/Berlin", told - timedelta(seconds=10))
    assert at is not None
    assert (state, f"{at.astimezone(berlin):%Y-%m-%d %H:%M}") == ("pending", leaves)


# Around a change of the clocks (or none), in zones that change by an hour, by half of one, and at midnight.
CHANGES = {
    "Europe/Berlin": (datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1)),
    "America/New_York": (datetime(2026, 3, 8, 7), datetime(2026, 11, 1, 6)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15), datetime(2026, 10, 3, 15, 30)),
    "America/Santiago": (datetime(2026, 4, 5, 3), datetime(2026, 9, 6, 4)),
    "Asia/Kathmandu": (datetime(2026, 6, 1), datetime(2026, 12, 1)),
}
MOMENTS = st.sampled_from([(zone, at) for zone, moments in CHANGES.items() for at in moments])
MINUTES = st.integers(0, 1439)
WISHES = st.builds(
    lambda hours, weekends, digest: Preference(
        quiet_from=hours and hours[0],
        quiet_until=hours and hours[1],
        quiet_weekends=weekends,
        digest_minute=digest,
    ),
    st.none() | st.tuples(MINUTES, MINUTES),
    st.booleans(),
    st.none() | MINUTES,
)


def is_quiet(wish: Preference, local: datetime) -> bool:
    """The definition, read off the clock on the wall."""
    minute, begins, ends = local.hour * 60 + local.minute, wish.quiet_from, wish.quiet_until
    if wish.quiet_weekends and local.weekday() >= 5:
        return True
    if begins is None or ends is None:
        return False
    return begins <= minute < ends if begins <= ends else minute >= begins or minute < ends


def first_loud(wish: Preference, at: datetime, place: ZoneInfo) -> datetime:
    while is_quiet(wish, at.astimezone(place)):
        at = at.replace(second=0, microsecond=0) + MINUTE
    return at


def first_digest(minute: int, ready: datetime, place: ZoneInfo) -> datetime:
    """On each day the first minute that is not before the digest's; of those the first that is to come."""
    found: dict[date, datetime] = {}
    at = ready.replace(second=0, microsecond=0) - timedelta(hours=30)
    for _ in range(84 * 60):
        local = at.astimezone(place)
        if local.hour * 60 + local.minute >= minute:
            found.setdefault(local.date(), at)
        at += MINUTE
    # The first day may have been cut.
    return next(at for _, at in sorted(found.items())[1:] if at >= ready)


@settings(max_examples=150)
@given(MOMENTS, st.integers(-3 * 86400, 3 * 86400), WISHES, st.sampled_from([URGENT, WAITS]))
@example(("Europe/Berlin", CHANGES["Europe/Berlin"][0]), -3600, Preference(digest_minute=150), WAITS)
@example(("Europe/Berlin", CHANGES["Europe/Berlin"][1]), 1800, Preference(digest_minute=150), WAITS)
@example(("America/Santiago", CHANGES["America/Santiago"][1]), -7200, Preference(digest_minute=10), WAITS)
def test_it_leaves_at_the_first_moment_that_the_wishes_allow(
    place: tuple[str, datetime], seconds: int, wish: Preference, kind: str
) -> None:
    zone, around = place
    now = around.replace(tzinfo=UTC) + timedelta(seconds=seconds)
    ready = now + timedelta(seconds=10)
    state, at = leaves_at(kind, False, wish, zone, now)
    if kind == WAITS and wish.digest_minute is not None:
        expected = (
            "digest",
            first_loud(wish, first_digest(wish.digest_minute, ready, ZoneInfo(zone)), ZoneInfo(zone)),
        )
    else:
        expected = "pending", first_loud(wish, ready, ZoneInfo(zone))
    assert (state, at) == expected
    assert leaves_at(kind, True, wish, zone, now) == ("pending", ready)
