"""Stage 5 and after: contact, next touch, opportunity, disqualify; what a late-logged act withdraws."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads import lifecycle
from leads.lifecycle import Act, Invalid, Refused
from leads.lifecycle.working import business_days_after, exact
from leads.models import Event, Notification, TriageItem
from routing.hours import Calendar
from routing.models import Turn
from tests.acting import assert_sound, at, by, fresh
from tests.conftest import NOW
from tests.factories import make_activity, make_handoff, make_lead, open_handoff, route_to

OFFICE = Calendar("Europe/Berlin", (((540, 1080),),) * 5 + ((), ()), frozenset())


def log(handoff, act, outcome="no_answer", channel="phone", **fields):
    return lifecycle.contact(handoff.pk, act, channel=channel, outcome=outcome, **fields)


def kinds(handoff):
    return list(handoff.events.order_by("number").values_list("kind", flat=True))


def errors(verb, *args, **fields):
    with pytest.raises(Invalid) as caught:
        verb(*args, **fields)
    return caught.value.errors


# Contact


@pytest.mark.parametrize(
    ("outcome", "disposition"),
    [
        ("reached", "accepted_contacted"),
        ("voicemail", "accepted_attempted"),
        ("no_answer", "accepted_attempted"),
        ("auto_reply", "accepted_attempted"),
    ],
)
def test_any_outcome_is_an_attempt(cast, outcome, disposition):
    handoff = make_handoff("accepted", cast.femke)
    done = log(handoff, by(cast.femke, minutes=9), outcome, channel="email", note=" Hello ")
    assert (done.state, done.disposition, done.disposition_at) == ("working", disposition, at(minutes=9))
    assert (done.first_contact_at, done.first_contact_by) == (at(minutes=9), cast.femke)
    assert (done.first_contact_channel, done.first_contact_outcome) == ("email", outcome)
    assert (done.first_contact_personal, done.first_contact_logged_late) == (False, False)
    assert (done.accepted_at, done.is_complete, done.next_due_at) == (at(minutes=1), True, None)
    attempt = done.attempts.get()
    assert (attempt.by, attempt.at, attempt.recorded_at, attempt.note) == (
        cast.femke,
        at(minutes=9),
        at(minutes=9),
        "Hello",
    )
    # Contacted work counts in neither cap nor load.
    assert Turn.objects.filter(released_at=None).count() == 0
    # Sixty days after the last act it is stale.
    assert done.next_step_at == at(minutes=9, days=60)


def test_a_contact_accepts_first(cast):
    handoff = make_handoff("assigned", cast.femke)
    done = log(handoff, by(cast.femke, hours=2), at=at(hours=1, minutes=30))
    assert kinds(done)[-3:] == ["accepted", "contacted", "cancelled"]
    when = at(hours=1, minutes=30)
    assert (done.accepted_at, done.accepted_by, done.acknowledged_at) == (when, cast.femke, when)
    assert (done.first_contact_at, done.first_activity_at) == (when, when)
    accepted, contacted, _ = done.events.order_by("-number")[:3][::-1]
    assert (accepted.occurred_at, accepted.recorded_at) == (when, at(hours=2))
    assert (contacted.occurred_at, contacted.recorded_at) == (when, at(hours=2))


def test_nothing_is_accepted_before_it_was_assigned(cast):
    route_to(cast.femke)
    handoff = open_handoff(at=NOW, now=at(hours=2))
    done = log(handoff, by(cast.femke, hours=3), at=at(hours=1))
    assert (done.first_contact_at, done.accepted_at, done.assigned_at) == (
        at(hours=1),
        at(hours=2),
        at(hours=2),
    )


def test_a_deferred_one_is_accepted_by_the_contact_too(cast):
    handoff = make_handoff("deferred", cast.femke)
    done = log(handoff, by(cast.femke, days=1), "reached")
    assert kinds(done)[-2:] == ["accepted", "contacted"]
    assert (done.state, done.accepted_at, done.acknowledged_at) == ("working", at(days=1), at(minutes=1))


@pytest.mark.parametrize("state", ["incomplete", "queued", "rejected", "converted", "disqualified"])
def test_where_nothing_can_be_logged(cast, state):
    handoff = make_handoff(state, cast.femke)
    events = Event.objects.count()
    with pytest.raises(Refused) as caught:
        log(handoff, by(cast.femke, hours=1))
    assert (caught.value.state, Event.objects.count()) == (state, events)


def test_only_between_the_conversion_and_now(cast):
    handoff = make_handoff("accepted", cast.femke)
    act = by(cast.femke, hours=1)
    early = errors(log, handoff, act, at=at(microseconds=-1))
    assert early == {"at": "This is before the lead qualified (2026-03-10 10:00 UTC)."}
    assert errors(log, handoff, act, at=at(hours=1, microseconds=1)) == {"at": "This is in the future."}
    assert log(handoff, act, at=NOW).first_contact_at == NOW


def test_a_senders_clock_that_is_ahead_stops_nobody_from_logging(cast):
    route_to(cast.femke)
    handoff = open_handoff(at=at(minutes=4), now=NOW)
    assert handoff.mql_at == at(minutes=4)
    done = log(handoff, by(cast.femke, minutes=1))
    assert done.first_contact_at == at(minutes=4)


def test_what_is_wrong_with_an_attempt(cast):
    handoff = make_handoff("accepted", cast.femke)
    foreign = make_activity(make_lead())
    opened = make_activity(handoff.lead, kind="email_open")
    act = by(cast.femke, minutes=5)
    assert sorted(errors(log, handoff, act, outcome="fine", channel="pigeon")) == ["channel", "outcome"]
    for number in (foreign.pk, opened.pk, 0, -1, 10**30):
        words = errors(log, handoff, act, activity_id=number)
        assert words == {"activity_id": "This is not one of the lead's signals."}
    for touch in (at(minutes=5), at(days=366)):
        assert list(errors(log, handoff, act, next_touch_at=touch)) == ["next_touch_at"]
    assert errors(log, handoff, act, note="a\x00b") == {"note": "Control characters are not allowed."}
    assert list(errors(log, handoff, act, note="x" * 2001)) == ["note"]
    assert fresh(handoff).state == "accepted"


def test_what_it_referred_to(cast):
    handoff = make_handoff("accepted", cast.femke)
    signal = handoff.lead.activities.get()
    done = log(handoff, by(cast.femke, minutes=5), activity_id=signal.pk)
    assert (done.first_contact_personal, done.attempts.get().activity) == (True, signal)


@pytest.mark.parametrize(("minutes", "late"), [(0, False), (60, False), (61, True)])
def test_logged_more_than_an_hour_late_is_marked(cast, minutes, late):
    handoff = make_handoff("accepted", cast.femke)
    done = log(handoff, by(cast.femke, hours=3), at=at(hours=3) - timedelta(minutes=minutes))
    assert (done.first_contact_logged_late, done.attempts.get().logged_late) == (late, late)


def test_the_earliest_attempt_is_the_first_contact_even_if_logged_later(cast):
    handoff = make_handoff("accepted", cast.femke)
    log(handoff, by(cast.femke, hours=2), "no_answer", at=at(hours=2))
    done = log(handoff, by(cast.femke, hours=4), "voicemail", channel="email", at=at(minutes=30))
    assert (done.first_contact_at, done.first_contact_channel, done.first_contact_outcome) == (
        at(minutes=30),
        "email",
        "voicemail",
    )
    assert (done.first_contact_logged_late, done.first_activity_at) == (True, at(minutes=1))
    later = log(handoff, by(cast.femke, hours=5), "reached")
    assert (later.first_contact_at, later.last_activity_at) == (at(minutes=30), at(hours=5))


def test_the_disposition_follows_the_best_outcome(cast):
    handoff = make_handoff("accepted", cast.femke)
    assert log(handoff, by(cast.femke, hours=1), "no_answer").disposition == "accepted_attempted"
    assert log(handoff, by(cast.femke, hours=2), "reached").disposition == "accepted_contacted"
    assert log(handoff, by(cast.femke, hours=3), "voicemail").disposition == "accepted_contacted"
    lifecycle.defer(handoff.pk, by(cast.femke, hours=4), until=at(days=3), explanation="later")
    assert log(handoff, by(cast.femke, days=1), "no_answer").disposition == "accepted_contacted"


def test_the_same_attempt_again_is_the_same_attempt(cast):
    handoff = make_handoff("accepted", cast.femke)
    done = log(handoff, by(cast.femke, hours=1), at=at(minutes=50))
    again = log(handoff, by(cast.femke, hours=2), at=at(minutes=50))
    assert (again.revision, again.attempts.count()) == (done.revision, 1)
    log(handoff, by(cast.femke, hours=2), "voicemail", at=at(minutes=50))
    assert handoff.attempts.count() == 2


def test_pressed_twice_is_one_attempt(cast):
    handoff = make_handoff("assigned", cast.femke)
    done = log(handoff, by(cast.femke, hours=1), note="rang")
    again = log(handoff, by(cast.femke, hours=1, seconds=10), note=" rang ", revision=handoff.revision)
    assert (again.revision, again.attempts.count(), again.first_contact_at) == (done.revision, 1, at(hours=1))
    log(handoff, by(cast.femke, hours=1, seconds=10, microseconds=1), note="rang")
    assert handoff.attempts.count() == 2


@pytest.mark.parametrize(
    "other",
    [
        {"channel": "email"},
        {"outcome": "voicemail"},
        {"note": "rang twice"},
        {"next_touch_at": at(days=9)},
        {"at": at(hours=1, seconds=1)},
    ],
)
def test_what_differs_within_ten_seconds_is_another_attempt(cast, other):
    handoff = make_handoff("accepted", cast.femke)
    log(handoff, by(cast.femke, hours=1), note="rang")
    log(handoff, by(cast.femke, hours=1, seconds=1), **{"note": "rang"} | other)
    assert handoff.attempts.count() == 2


def test_another_signal_or_an_undone_attempt_is_another_attempt(cast):
    handoff = make_handoff("accepted", cast.femke)
    log(handoff, by(cast.femke, hours=1))
    log(handoff, by(cast.femke, hours=1, seconds=1), activity_id=handoff.lead.activities.get().pk)
    assert handoff.attempts.count() == 2
    lifecycle.undo(handoff.pk, by(cast.femke, hours=1, seconds=2))
    done = log(handoff, by(cast.femke, hours=1, seconds=3), activity_id=handoff.lead.activities.get().pk)
    assert done.attempts.filter(undone_at=None).count() == 2


def test_a_late_logged_act_withdraws_flag_and_mark_by_event(cast):
    handoff = make_handoff("assigned", cast.femke)
    codes = [step["step"] for step in lifecycle.fire(handoff.pk, at(hours=30))]
    assert codes.count("no_activity") == 1 and codes.count("black_hole") == 1
    flagged = fresh(handoff)
    assert (flagged.no_activity_at, flagged.black_hole_at) == (at(hours=4), at(hours=24))
    done = log(handoff, by(cast.femke, hours=31), at=at(hours=3))
    assert (done.no_activity_at, done.black_hole_at, done.first_activity_at) == (None, None, at(hours=3))
    event = done.events.get(kind="unflagged")
    assert event.data["set"]["black_hole_at"] is None
    assert event.data["was"]["black_hole_at"] == at(hours=24).isoformat()


def test_an_act_between_flag_and_mark_withdraws_the_mark_alone(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.fire(handoff.pk, at(hours=30))
    done = log(handoff, by(cast.femke, hours=31), at=at(hours=24))
    assert (done.no_activity_at, done.black_hole_at) == (at(hours=4), None)


def test_an_act_that_came_too_late_withdraws_nothing(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.fire(handoff.pk, at(hours=30))
    done = log(handoff, by(cast.femke, hours=31), at=at(hours=24, microseconds=1))
    assert (done.no_activity_at, done.black_hole_at) == (at(hours=4), at(hours=24))
    assert "unflagged" not in kinds(done)


def test_an_act_from_before_the_flags_time_leaves_the_flag(cast):
    handoff = make_handoff("accepted", cast.femke)
    # Accepted at minute 1, and nothing since: flagged four hours later.
    lifecycle.fire(handoff.pk, at(hours=5))
    assert fresh(handoff).no_activity_at == at(hours=4, minutes=1)
    done = log(handoff, by(cast.femke, hours=6), at=NOW)
    assert done.no_activity_at == at(hours=4, minutes=1)


def test_a_flag_of_an_earlier_window_is_withdrawn_too(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.fire(handoff.pk, at(hours=5))
    lifecycle.reassign(handoff.pk, by(cast.mia, hours=5), to=cast.jonas.email, reason="silent")
    assert fresh(handoff).no_activity_at == at(hours=4)
    assert log(handoff, by(cast.jonas, hours=6), at=at(hours=2)).no_activity_at is None


@pytest.mark.parametrize("verb", ["accept", "reject", "defer", "contact", "note", "take over"])
def test_too_late_is_a_black_hole_whether_or_not_the_sweep_saw_it(cast, verb):
    handoff = make_handoff("assigned", cast.femke)
    act = by(cast.femke, hours=24, microseconds=1)
    if verb == "accept":
        lifecycle.accept(handoff.pk, act)
    elif verb == "reject":
        lifecycle.reject(handoff.pk, act, reason="not_icp")
    elif verb == "defer":
        lifecycle.defer(handoff.pk, act, until=at(days=9), explanation="x")
    elif verb == "contact":
        log(handoff, act)
    elif verb == "note":
        lifecycle.note(handoff.pk, act, text="x")
    else:
        mine = Act(act.now, cast.mia)
        lifecycle.reassign(handoff.pk, mine, to=cast.mia.email, reason="x")
    assert fresh(handoff).black_hole_at == at(hours=24)
    assert fresh(handoff).first_activity_at == act.now
    punctual = make_handoff("assigned", cast.femke)
    assert lifecycle.accept(punctual.pk, by(cast.femke, hours=24)).black_hole_at is None


# The next touch


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("no_answer", NOW.replace(day=13)), ("reached", NOW.replace(day=30))],
)
def test_the_next_touch_is_three_or_fourteen_working_days_ahead(cast, outcome, expected):
    handoff = make_handoff("accepted", cast.femke)
    assert log(handoff, Act(NOW, cast.femke), outcome).next_touch_at == expected
    asked = log(handoff, by(cast.femke, days=1), outcome, next_touch_at=at(days=9))
    assert asked.next_touch_at == at(days=9)


def test_working_days_keep_the_time_of_day_over_the_change_of_clocks():
    friday = NOW.replace(day=27).astimezone(ZoneInfo("Europe/Berlin"))
    monday = business_days_after(friday, 1, OFFICE)
    assert (monday.date().isoformat(), monday.hour, friday.hour) == ("2026-03-30", 11, 11)
    closed = Calendar("Europe/Berlin", OFFICE.week, frozenset({monday.date()}))
    assert business_days_after(friday, 1, closed).date().isoformat() == "2026-03-31"
    assert business_days_after(NOW, 3, None) == at(days=3)


@given(st.integers(0, 400), st.integers(1, 30))
def test_working_days_are_working_days(offset, count):
    moment = NOW + timedelta(days=offset)
    found = business_days_after(moment, count, OFFICE).astimezone(ZoneInfo("Europe/Berlin"))
    first = moment.astimezone(ZoneInfo("Europe/Berlin")).date()
    passed = [first + timedelta(days=n) for n in range(1, (found.date() - first).days + 1)]
    assert found.weekday() < 5
    assert sum(day.weekday() < 5 for day in passed) == count


# Opportunity


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("incomplete", "incomplete"),
        ("queued", "queued"),
        ("assigned", "assigned"),
        ("accepted", "converted"),
        ("deferred", "deferred"),
        ("working", "converted"),
        ("disqualified", "disqualified"),
        ("rejected", "rejected"),
    ],
)
def test_an_opportunity_is_a_fact_in_every_state(cast, state, after):
    handoff = make_handoff(state, cast.femke)
    turns = Turn.objects.filter(released_at=None).count()
    done = lifecycle.opportunity(
        handoff.pk,
        Act(at(hours=1)),
        external_id="006-1",
        amount=Decimal("1200"),
        currency="eur",
        stage="Demo",
    )
    assert (done.state, done.opportunity_at) == (after, at(hours=1))
    assert (done.opportunity_id, done.opportunity_stage) == ("006-1", "Demo")
    done = fresh(done)
    assert (done.opportunity_amount, done.opportunity_currency) == (Decimal("1200.00"), "EUR")
    assert done.closed_at == (at(hours=1) if after == "converted" else handoff.closed_at)
    freed = state == "accepted"
    assert Turn.objects.filter(released_at=None).count() == turns - freed
    # Whoever holds it is told; what had ended otherwise goes to triage: rejected, yet won.
    told = Notification.objects.filter(kind="converted_elsewhere").values_list("user__name", flat=True)
    holder = {"incomplete": ["Ada Admin"], "queued": ["Ada Admin"]}.get(state, ["Femke de Boer"])
    closed = state in ("disqualified", "rejected")
    assert list(told) == ([] if closed else holder)
    expected = [("won_anyway", {"handoff": handoff.pk, "state": state})] if closed else []
    assert list(TriageItem.objects.values_list("kind", "data")) == expected


def test_the_holders_own_opportunity(cast):
    handoff = make_handoff("accepted", cast.femke)
    done = lifecycle.opportunity(handoff.pk, by(cast.femke, hours=1))
    assert (done.state, done.last_activity_at, done.next_step_at) == ("converted", at(hours=1), None)
    assert Notification.objects.filter(kind="converted_elsewhere").count() == 0
    assert lifecycle.opportunity(handoff.pk, by(cast.femke, hours=1)).revision == done.revision
    # Another report keeps the first time, updates amount and stage, and tells triage nothing.
    again = lifecycle.opportunity(
        handoff.pk, Act(at(days=9)), amount=Decimal("5.005"), currency="EUR", stage="Won"
    )
    assert (again.opportunity_at, again.opportunity_stage, again.state) == (at(hours=1), "Won", "converted")
    assert (fresh(again).opportunity_amount, TriageItem.objects.count()) == (Decimal("5.00"), 0)


@given(st.decimals(0, 10**15 - 1, places=2, allow_nan=False))
def test_an_amount_is_what_every_database_keeps_of_it(amount):
    told = exact(amount)
    assert told == exact(told) and abs(told - amount) <= amount * 5 / 10**15
    assert amount >= 10**13 or told == amount
    # As SQLite does it: through a number of fifteen digits.
    assert Decimal(f"{float(told):.15g}") == told


def test_a_large_amount_said_again_writes_nothing(cast):
    handoff = make_handoff("working", cast.femke)
    given = {"amount": Decimal("564764937589922.90"), "currency": "EUR"}
    first = lifecycle.opportunity(handoff.pk, by(cast.femke, hours=1), **given)
    assert fresh(first).opportunity_amount == first.opportunity_amount
    again = lifecycle.opportunity(handoff.pk, by(cast.femke, hours=2), **given)
    assert again.revision == first.revision
    assert_sound()


def test_what_is_wrong_with_an_opportunity(cast):
    pk = make_handoff("working", cast.femke).pk
    act = by(cast.femke, hours=1)
    for amount in (Decimal("-1"), Decimal("NaN"), Decimal("Infinity"), Decimal(10) ** 15):
        words = errors(lifecycle.opportunity, pk, act, amount=amount, currency="EUR")
        assert words == {"amount": "This must be a positive amount."}
    for currency in ("EU", "EURO", "E1R", "ÄÖÜ"):
        assert list(errors(lifecycle.opportunity, pk, act, currency=currency)) == ["currency"]
    assert list(errors(lifecycle.opportunity, pk, act, amount=Decimal(5))) == ["currency"]
    assert list(errors(lifecycle.opportunity, pk, act, at=at(hours=1, minutes=6))) == ["at"]
    assert list(errors(lifecycle.opportunity, pk, act, external_id="x" * 201)) == ["external_id"]
    assert list(errors(lifecycle.opportunity, pk, act, stage="x" * 101)) == ["stage"]


# Disqualify


def test_disqualify(cast):
    handoff = make_handoff("working", cast.femke)
    done = lifecycle.disqualify(handoff.pk, by(cast.femke, days=1), reason="other", note="Went with theirs")
    assert (done.state, done.close_reason, done.closed_at) == ("disqualified", "other", at(days=1))
    # Worked and given up is no rejection.
    assert (done.disposition, done.rejected_at, done.is_complete) == ("accepted_attempted", None, True)
    assert done.notes.get().text == "Went with theirs"
    again = lifecycle.disqualify(handoff.pk, by(cast.femke, days=1), reason="other", note="x")
    assert again.revision == done.revision
    with pytest.raises(Refused):
        lifecycle.disqualify(make_handoff("accepted", cast.femke).pk, by(cast.femke, days=1), reason="timing")
    with pytest.raises(Refused):
        lifecycle.disqualify(make_handoff("working", cast.femke).pk, by(cast.jonas, days=1), reason="timing")
    assert errors(
        lifecycle.disqualify, make_handoff("working", cast.femke).pk, by(cast.femke, days=1), reason="other"
    ) == {"note": "This is needed."}
