"""Which event is a trigger, by our own definition, and as of when."""

from datetime import timedelta

import pytest

from leads import lifecycle
from leads.intake import receive
from leads.lifecycle import Act
from leads.models import Handoff, Lead, Receipt, Score, TriageItem
from tests.acting import at
from tests.conftest import NOW
from tests.factories import agree, event, make_handoff, make_lead, make_score, route_to


def iso(**span):
    return at(**span).isoformat()


def send(number, when=NOW, **data):
    """One event about person `number`; the answer as (status, reason) and its handoff, if there is one."""
    [answer] = receive([event(number, at=when, id=f"{number}-{when.isoformat()}", **data)], None, when)
    assert answer["errors"] == []
    handoff = answer["handoff"] and Handoff.objects.get(pk=answer["handoff"]["id"])
    return (answer["status"], answer["reason"]), handoff


def scored(number, total, when=NOW, previous=None, **data):
    score = {"total": total, "previous_total": previous, "scored_at": when.isoformat()}
    return send(number, when, type="lead.scored", trigger=None, score=score, **data)


def lead_of(number, state="working", user=None, **fields):
    """Person `number`, with a handoff in this state."""
    lead = make_lead(email=f"adaeze{number}@halvorsen-{number}.com")
    return make_handoff(state, user, lead=lead, **fields)


def test_a_form_is_judged_by_all_that_is_known_of_the_lead(cast):
    route_to(cast.femke)
    known = make_score(lead_of(1, "rejected", cast.femke).lead, total=77)
    form = {"id": "form", "kind": "demo_request", "occurred_at": NOW.isoformat()}
    _, handoff = send(1, type="lead.activity", trigger=None, score=None, activities=[form])
    assert (handoff.state, handoff.score, handoff.score_total) == ("assigned", known, 77)


# When the conversion was


TIMES = {
    "trigger": iso(minutes=-10),
    "activity": iso(minutes=-20),
    "score": iso(minutes=-30),
}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (("trigger", "activity", "score"), -10),
        (("activity", "score"), -20),
        (("score",), -30),
        ((), 0),
    ],
)
def test_mql_at_is_the_most_exact_time_that_is_known(cast, known, expected):
    times = {name: TIMES[name] if name in known else None for name in TIMES}
    raw = event(
        1,
        trigger={"kind": "demo_request", "activity_id": "f", "occurred_at": times["trigger"]},
        activities=[{"id": "f", "kind": "demo_request", "occurred_at": times["activity"]}],
        score={"scored_at": times["score"]},
    )
    receive([raw], None, NOW)
    handoff = Handoff.objects.get()
    assert (handoff.mql_at, handoff.is_clamped) == (at(minutes=expected), False)
    assert handoff.trigger_activity.external_id == "f"


def test_without_a_score_it_is_the_events_time(cast):
    send(1, at(minutes=-3), score=None, activities=[], trigger={"kind": "manual_flag", "occurred_at": None})
    assert Handoff.objects.get().mql_at == at(minutes=-3)


def test_a_form_that_the_trigger_does_not_name_carries_it_too(cast):
    form = [{"id": "f", "kind": "demo_request", "occurred_at": iso(minutes=-20)}]
    send(1, activities=form, trigger={"kind": "demo_request", "occurred_at": None})
    handoff = Handoff.objects.get()
    assert (handoff.mql_at, handoff.trigger_activity.external_id) == (at(minutes=-20), "f")


def test_an_activity_that_is_known_already_carries_it_too(cast):
    page = [{"id": "p", "kind": "pricing_view", "occurred_at": iso(minutes=-20)}]
    send(1, at(minutes=-20), type="lead.updated", trigger=None, score=None, activities=page)
    send(1, activities=page, trigger={"kind": "manual_flag", "activity_id": "p", "occurred_at": None})
    handoff = Handoff.objects.get()
    assert (handoff.mql_at, handoff.trigger_activity.external_id) == (at(minutes=-20), "p")


@pytest.mark.parametrize("place", ["trigger", "activity", "score", "event"])
@pytest.mark.parametrize(
    ("ahead", "expected", "clamped"),
    [
        (timedelta(minutes=5), timedelta(minutes=5), False),
        (timedelta(minutes=5, seconds=1), timedelta(0), True),
    ],
)
def test_the_future_is_clamped_and_flagged(cast, place, ahead, expected, clamped):
    later = (NOW + ahead).isoformat()
    times = {name: later if name == place else None for name in ("trigger", "activity", "score")}
    raw = event(
        1,
        trigger={"kind": "demo_request", "activity_id": "f", "occurred_at": times["trigger"]},
        activities=[{"id": "f", "kind": "demo_request", "occurred_at": times["activity"]}],
        score={"scored_at": times["score"]},
        time=later if place == "event" else NOW.isoformat(),
    )
    receive([raw], None, NOW)
    handoff = Handoff.objects.get()
    assert (handoff.mql_at, handoff.is_clamped) == (NOW + expected, clamped)


def test_a_form_from_the_future_is_flagged_too(cast):
    form = [{"kind": "demo_request", "occurred_at": iso(days=1)}]
    send(1, type="lead.activity", trigger=None, score=None, activities=form)
    handoff = Handoff.objects.get()
    assert (handoff.mql_at, handoff.is_clamped, handoff.trigger) == (NOW, True, "demo_request")


def test_late_delivery_keeps_the_time_of_the_conversion(cast):
    raw = event(1, at=at(hours=-5))
    receive([raw], None, NOW)
    handoff = Handoff.objects.get()
    assert (handoff.mql_at, handoff.received_at, handoff.is_clamped) == (at(hours=-5), NOW, False)


# Which score is a crossing


@pytest.mark.parametrize(("total", "opens"), [(64, False), (65, True), (-5, False), (1_000_000, True)])
def test_exactly_at_the_threshold(cast, total, opens):
    answer, handoff = scored(1, total)
    assert (answer, handoff is not None) == (("processed", None), opens)
    assert Score.objects.get().total == total


def test_whatever_another_system_claims(cast):
    answer, handoff = send(1, score={"total": 64}, trigger={"kind": "score_threshold"})
    assert (answer, handoff) == (("ignored", "below_threshold"), None)
    assert Receipt.objects.get().reason == "below_threshold"
    assert (Score.objects.get().total, Lead.objects.count()) == (64, 1)
    # A form is a form whatever the score.
    assert send(2, score={"total": 1})[1].trigger == "demo_request"


def test_crossing_again_after_it_closed(cast):
    assert scored(1, 70, lead={"first_name": "-"})[1].state == "incomplete"
    lifecycle.discard(Handoff.objects.get().pk, Act(at(minutes=1), cast.otto), reason="x")
    assert scored(1, 90, at(hours=1))[1] is None
    assert scored(1, 64, at(hours=2))[1] is None
    assert scored(1, 65, at(hours=3))[1] is not None
    assert Handoff.objects.count() == 2


def test_the_senders_word_counts_where_nothing_is_known(cast):
    assert scored(1, 70, previous=66)[1] is None
    assert scored(2, 70, previous=60)[1] is not None
    # What is known of it outranks the word.
    assert scored(1, 72, at(hours=1), previous=10)[1] is None


def test_an_older_score_arriving_late_never_opens(cast):
    scored(1, 50, at(hours=-1))
    assert scored(1, 90, at(hours=-2)) == (("ignored", "stale"), None)
    assert Score.objects.count() == 2
    # The latest known score is still the one of an hour ago.
    assert scored(1, 70)[1] is not None


def test_a_score_is_judged_by_the_threshold_in_force_at_its_time(cast):
    agree(cast.otto, cast.mia, at(minutes=-30), threshold=80)
    assert scored(1, 70)[1] is None
    # Scored before the change, received after it.
    raw = event(2, type="lead.scored", trigger=None, score={"total": 70, "scored_at": iso(hours=-1)})
    [answer] = receive([raw], None, NOW)
    handoff = Handoff.objects.get(pk=answer["handoff"]["id"])
    assert (handoff.definition.version, handoff.mql_at) == (1, at(hours=-1))


def test_qualified_without_a_word_on_why(cast):
    _, handoff = send(1, trigger=None)
    assert (handoff.trigger, handoff.lead_type) == ("score_threshold", "standard")
    _, handoff = send(2, trigger=None, score=None)
    # Taken at its word, and held for what is missing.
    assert (handoff.state, handoff.trigger, handoff.mql_at) == ("incomplete", "", NOW)
    assert handoff.missing == ["trigger_event", "score_breakdown"]


def test_qualified_again_takes_a_new_crossing(cast):
    # Never handed off: the score may have stood above the threshold before.
    scored(1, 70, previous=90)
    answer, handoff = send(1, at(minutes=5), trigger={"kind": "score_threshold"})
    assert handoff.state == "queued"
    answer, same = send(1, at(minutes=6), trigger={"kind": "score_threshold"})
    assert (answer, same.pk, same.triggered_again_at) == (("processed", None), handoff.pk, None)
    lifecycle.claim(handoff.pk, Act(at(minutes=7), cast.femke))
    lifecycle.reject(handoff.pk, Act(at(minutes=8), cast.femke), reason="existing_customer")
    for score in ({"total": 75}, None):
        answer, nothing = send(
            1, at(minutes=9 + bool(score)), trigger={"kind": "score_threshold"}, score=score
        )
        assert (answer, nothing) == (("ignored", "no_crossing"), None)
    assert send(1, at(minutes=20), trigger={"kind": "manual_flag"})[1] is not None


def test_a_threshold_claimed_without_a_score_is_judged_by_the_known_one(cast):
    scored(1, 50)
    answer, handoff = send(1, at(minutes=5), trigger={"kind": "score_threshold"}, score=None)
    assert (answer, handoff) == (("ignored", "below_threshold"), None)


@pytest.mark.parametrize("kind", ["lead.updated", "opportunity.won"])
def test_what_never_opens(cast, kind):
    answer, handoff = send(1, type=kind, opportunity={"stage": "x"})
    assert handoff is None
    assert answer == (("ignored", "no_handoff") if kind == "opportunity.won" else ("processed", None))


@pytest.mark.parametrize(
    ("kind", "opens"),
    [("demo_request", True), ("pricing_inquiry", True), ("form_submission", False), ("chat", False)],
)
def test_a_form_among_activities(cast, kind, opens):
    rows = [{"kind": "page_view"}, {"kind": kind, "title": "<b>Form</b>", "occurred_at": iso(minutes=-2)}]
    _, handoff = send(1, type="lead.activity", trigger=None, score=None, activities=rows)
    assert (handoff is not None) is opens
    if opens:
        assert (handoff.trigger, handoff.lead_type, handoff.mql_at) == (kind, "demo", at(minutes=-2))
        assert (handoff.trigger_reason, handoff.trigger_activity.kind) == ("<b>Form</b>", kind)


def test_the_earliest_form_is_the_conversion(cast):
    rows = [
        {"kind": "demo_request", "occurred_at": iso(minutes=-2)},
        {"kind": "pricing_inquiry", "occurred_at": iso(minutes=-8)},
    ]
    _, handoff = send(1, type="lead.activity", trigger=None, score=None, activities=rows)
    assert (handoff.trigger, handoff.mql_at) == ("pricing_inquiry", at(minutes=-8))


def test_the_high_intent_kinds_are_the_definitions(cast):
    agree(cast.otto, cast.mia, at(days=-1), high_intent=("demo_request",))
    _, handoff = send(1, trigger={"kind": "pricing_inquiry"}, activities=[])
    assert (handoff.trigger, handoff.lead_type) == ("pricing_inquiry", "standard")


# Suppression and cool-off


def test_a_cool_off_holds_back_crossings_only(cast):
    handoff = lead_of(1, "rejected", cast.femke)
    cool_off = Lead.objects.get(pk=handoff.lead_id).cool_off_until
    assert cool_off == at(minutes=1, days=180)
    make_score(handoff.lead, 10, at=at(days=1))
    assert scored(1, 90, at(days=2)) == (("ignored", "cool_off"), None)
    for number, (days, kind) in enumerate([(3, "manual_flag"), (4, "demo_request")]):
        _, opened = send(1, at(days=days), trigger={"kind": kind}, activities=[])
        assert (opened.trigger, Handoff.objects.count()) == (kind, 2 + number)
        Handoff.objects.filter(pk=opened.pk).update(state="discarded", closed_at=NOW)
    make_score(handoff.lead, 10, at=cool_off - timedelta(days=1))
    assert scored(1, 90, cool_off)[1] is not None


def test_forms_and_flags_of_the_suppressed_go_to_triage_and_crossings_nowhere(cast):
    lead = make_lead(email="adaeze1@halvorsen-1.com", suppressed_at=NOW, suppressed_reason="competitor")
    assert scored(1, 90) == (("ignored", "suppressed"), None)
    assert TriageItem.objects.count() == 0
    assert send(1, at(minutes=1)) == (("ignored", "suppressed"), None)
    assert send(1, at(minutes=2), trigger={"kind": "manual_flag"})[0] == ("ignored", "suppressed")
    form = [{"kind": "pricing_inquiry"}]
    send(1, at(minutes=3), type="lead.activity", trigger=None, score=None, activities=form)
    rows = TriageItem.objects.order_by("at").values_list("lead", "kind", "data", "at")
    assert list(rows) == [
        (
            lead.pk,
            "suppressed",
            {"trigger": kind, "at": iso(minutes=n), "reason": "competitor"},
            at(minutes=n),
        )
        for n, kind in ((1, "demo_request"), (2, "manual_flag"), (3, "pricing_inquiry"))
    ]
    # Everything is stored all the same.
    assert lead.activities.count() == 3 and lead.scores.count() == 3


def test_what_a_rejection_says_counts_before_its_ten_seconds_are_over(cast):
    for number, reason, expected in (
        (1, "competitor", ("ignored", "suppressed")),
        (2, "not_icp", ("processed", None)),
    ):
        handoff = lead_of(number, "assigned", cast.femke)
        lifecycle.reject(handoff.pk, Act(at(minutes=1), cast.femke), reason=reason, undoable=True)
        answer, opened = send(number, at(minutes=1, seconds=5))
        assert answer == expected
        handoff.refresh_from_db()
        assert (handoff.state, handoff.follow_up_at) == ("rejected", None)
        assert (opened is None) == (reason == "competitor")
    assert TriageItem.objects.count() == 1


def test_a_crossing_in_those_ten_seconds_is_held_back_by_the_cool_off(cast):
    handoff = lead_of(1, "assigned", cast.femke)
    make_score(handoff.lead, 10, at=at(seconds=30))
    lifecycle.reject(handoff.pk, Act(at(minutes=1), cast.femke), reason="not_icp", undoable=True)
    assert scored(1, 90, at(minutes=1, seconds=5)) == (("ignored", "cool_off"), None)


def test_a_rejection_that_reopens_takes_the_trigger(cast):
    handoff = lead_of(1, "assigned", cast.femke)
    route_to(cast.jonas)
    lifecycle.reject(handoff.pk, Act(at(minutes=1), cast.femke), reason="out_of_territory", undoable=True)
    _, same = send(1, at(minutes=1, seconds=5))
    assert (same.pk, same.state, same.assignee) == (handoff.pk, "assigned", cast.jonas)
    assert same.raised_at == at(minutes=1, seconds=5)


# Opportunities


def test_an_opportunity_is_the_latest_handoffs(cast):
    old = lead_of(1, "disqualified", cast.femke)
    new = make_handoff("accepted", cast.jonas, lead=old.lead, at=at(days=1))
    won = {"external_id": "006", "amount": "12500.50", "currency": "eur", "stage": "Won"}
    _, handoff = send(1, at(days=2), type="opportunity.won", trigger=None, opportunity=won)
    assert (handoff.pk, handoff.state, handoff.opportunity_at) == (new.pk, "converted", at(days=2))
    assert (str(handoff.opportunity_amount), handoff.opportunity_currency) == ("12500.50", "EUR")
    assert (handoff.opportunity_id, handoff.opportunity_stage) == ("006", "Won")
    # What is known of it stays its own, though the lead has been handed off again since.
    newest = make_handoff("accepted", cast.femke, lead=old.lead, at=at(days=3))
    lost = {"external_id": "006"}
    _, same = send(1, at(days=4), type="opportunity.lost", trigger=None, opportunity=lost)
    assert (same.pk, same.opportunity_stage, same.opportunity_at) == (new.pk, "lost", at(days=2))
    assert Handoff.objects.get(pk=newest.pk).state == "accepted"


def test_rejected_yet_won(cast):
    handoff = lead_of(1, "rejected", cast.femke)
    _, same = send(1, at(days=2), type="opportunity.created", trigger=None, opportunity={"stage": ""})
    assert (same.pk, same.state, same.opportunity_stage) == (handoff.pk, "rejected", "created")
    [item] = TriageItem.objects.all()
    assert (item.kind, item.data) == ("won_anyway", {"handoff": handoff.pk, "state": "rejected"})
    send(1, at(days=3), type="opportunity.won", trigger=None, opportunity={"stage": ""})
    assert TriageItem.objects.count() == 1


def test_an_opportunity_is_not_a_merged_handoffs(cast):
    keep, gone = lead_of(1, "accepted", cast.femke), make_handoff("assigned", cast.jonas, at=at(hours=1))
    lifecycle.merge(keep.lead, gone.lead, Act(at(days=1), cast.otto))
    lifecycle.opportunity(keep.pk, Act(at(days=2), cast.femke), stage="Demo")
    _, same = send(1, at(days=3), type="opportunity.won", trigger=None, opportunity={"stage": "Won"})
    assert (same.pk, same.opportunity_stage) == (keep.pk, "Won")
