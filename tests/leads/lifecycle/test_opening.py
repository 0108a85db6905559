"""Stage 1 to 3: what is frozen, the lead's clock, who gets it, raising, re-engagement, quiet mode."""

from datetime import timedelta

import pytest

from leads import lifecycle
from leads.intake import receive
from leads.models import ApiKey, Company, Handoff, Inspection, MqlDefinition, Notification
from routing.models import Calendar, Pool, Queue, SlaPolicy, Turn
from tests.acting import at, by
from tests.conftest import NOW
from tests.factories import event, make_handoff, make_lead, make_score, open_handoff, route_to

SCORED = {"kind": "score_threshold"}


def send(number, when, *, key=None, **data):
    """One event about person `number`, sent and received at this moment; its handoff."""
    made = event(number, at=when, id=f"{number}-{when.isoformat()}", **data)
    [answer] = receive([made], key, when)
    return Handoff.objects.get(pk=answer["handoff"]["id"])


def told(handoff):
    rows = Notification.objects.filter(handoff=handoff).order_by("pk")
    return [(row.kind, row.user.name.split()[0]) for row in rows.select_related("user")]


def test_what_is_frozen_at_the_conversion(cast):
    route_to(cast.femke)
    made = event(1)
    made["data"]["source"]["utm_campaign"] = "spring"
    [answer] = receive([made], None, NOW)
    handoff = Handoff.objects.get(pk=answer["handoff"]["id"])
    definition = MqlDefinition.objects.get()
    lead = handoff.lead
    lead.lead_source, lead.campaign = "Other", "autumn"
    lead.save()
    make_score(lead, 99, at=at(hours=1))
    handoff.refresh_from_db()
    assert (handoff.lead_source, handoff.channel, handoff.campaign) == ("Webinar", "Event", "spring")
    scores = (handoff.score_total, handoff.score_fit, handoff.score_intent, handoff.score_behavior)
    assert scores == (80, 40, 20, 20)
    assert (handoff.trigger, handoff.lead_type, handoff.definition) == ("demo_request", "demo", definition)
    assert handoff.trigger_activity.kind == "demo_request"
    assert (handoff.rule_name, handoff.territory, handoff.ruleset.version) == ("All leads", "", 2)
    [first, *rest] = handoff.events.order_by("number")
    assert (first.kind, first.stage, first.occurred_at) == ("opened", "trigger", NOW)
    assert first.data["set"]["score_total"] == 80 and first.data["set"]["definition_id"] == definition.pk
    assert [(e.kind, e.stage) for e in rest] == [("passed", "enrichment"), ("assigned", "routing")]
    # The log holds no words of the sender.
    assert "Demo form" not in str([e.data for e in (first, *rest)]) and handoff.trigger_reason == "Demo form"


def test_the_leads_clock_starts_at_the_conversion_when_it_was_complete(cast):
    route_to(cast.femke)
    late = at(hours=3)
    handoff = open_handoff(at=NOW, now=late)
    assert (handoff.mql_at, handoff.ready_at, handoff.assigned_at) == (NOW, late, late)
    # Routing delay counts: contact is due an hour after the conversion, the answer two after holding it.
    assert (handoff.clock_started_at, handoff.contact_due_at) == (NOW, at(hours=1))
    assert (handoff.held_since, handoff.accept_due_at) == (late, late + timedelta(hours=2))
    assert handoff.next_due_at == at(hours=1)


def test_the_leads_clock_starts_at_completeness_when_it_was_not(cast):
    route_to(cast.femke)
    handoff = send(1, NOW, trigger=SCORED, lead={"first_name": "-"})
    assert (handoff.state, handoff.clock_started_at, handoff.contact_due_at) == ("incomplete", None, None)
    # Marketing's own four business hours.
    assert (handoff.completion_due_at, handoff.next_due_at) == (at(hours=4), at(hours=4))
    handoff = send(1, at(hours=2), type="lead.updated", trigger=None)
    assert (handoff.state, handoff.ready_at, handoff.clock_started_at) == (
        "assigned",
        at(hours=2),
        at(hours=2),
    )
    assert (handoff.mql_at, handoff.contact_due_at) == (NOW, at(hours=3))
    assert (handoff.completion_since, handoff.completion_due_at, handoff.missing) == (None, None, [])


def test_a_demo_has_an_hour_elapsed_for_its_data(cast):
    route_to(cast.femke)
    handoff = send(1, at(hours=7, minutes=45), lead={"first_name": "-"})
    assert handoff.completion_due_at == at(hours=8, minutes=45)


def test_business_time_over_the_weekend(cast):
    route_to(cast.femke)
    saturday = NOW.replace(day=14, hour=23)
    handoff = open_handoff(at=saturday)
    monday = NOW.replace(day=16, hour=9)
    assert handoff.accept_due_at == monday + timedelta(hours=2)
    assert handoff.contact_due_at == monday + timedelta(hours=1)


def test_who_is_told(cast):
    route_to(cast.femke)
    assert told(open_handoff()) == [("assigned", "Femke")]
    assert told(make_handoff("queued")) == [("queued", "Ada")]
    assert told(make_handoff("incomplete")) == [("incomplete", "Ada")]


def test_nobody_eligible_ends_in_the_overflow_queue_with_its_reason(cast):
    route_to(cast.femke, cast.jonas)
    cast.femke.is_active = False
    cast.femke.save()
    cast.jonas.absences.create(starts_at=at(days=-1), ends_at=at(days=1))
    handoff = open_handoff()
    assert (handoff.state, handoff.queue.slug, handoff.assignee, handoff.first_holder) == (
        "queued",
        "overflow",
        None,
        None,
    )
    assert handoff.assigned_at == NOW
    decision = handoff.decisions.get()
    assert decision.outcome == "queue"
    pool = Pool.objects.get()
    assert decision.candidates == [
        {"user": cast.femke.pk, "pool": pool.pk, "skipped": "inactive"},
        {"user": cast.jonas.pk, "pool": pool.pk, "skipped": "away"},
        {"queue": "overflow", "took": "overflow"},
    ]
    assert Turn.objects.count() == 0


def test_without_any_overflow_queue_it_is_held_and_says_so(cast):
    ruleset = route_to()
    ruleset.document["overflow"] = None
    ruleset.save()
    Queue.objects.filter(kind="overflow").delete()
    handoff = open_handoff()
    assert (handoff.state, handoff.missing, handoff.next_due_at) == (
        "incomplete",
        ["routing_rule"],
        at(hours=4),
    )


def test_a_trigger_adds_to_what_is_open(cast):
    route_to(cast.femke)
    first = send(1, NOW)
    again = send(1, at(minutes=10), trigger={"kind": "manual_flag"})
    assert again.pk == first.pk and Handoff.objects.count() == 1
    assert (again.triggered_again_at, again.raised_at) == (at(minutes=10), None)
    assert told(again) == [("assigned", "Femke"), ("triggered_again", "Femke")]
    assert again.accept_due_at == first.accept_due_at


@pytest.mark.parametrize("state", ["assigned", "queued", "accepted"])
def test_standard_raised_to_demo_and_no_deadline_gets_later(cast, state):
    handoff = make_handoff(state, cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    before = handoff.accept_due_at, handoff.contact_due_at
    raised = send(1, at(minutes=20), type="lead.activity", trigger=None, score=None, activities=demo(20))
    assert (raised.pk, raised.lead_type, raised.raised_at) == (handoff.pk, "standard", at(minutes=20))
    assert raised.policy.slug == "demo"
    assert raised.contact_due_at == at(minutes=25)
    waits_for_answer = state in ("assigned", "queued")
    assert raised.accept_due_at == (at(minutes=25) if waits_for_answer else before[0])
    assert raised.next_due_at == at(minutes=25)
    holder = "Ada" if state == "queued" else "Femke"
    assert told(raised)[-1] == ("raised", holder)


@pytest.mark.parametrize("lead_type", ["standard", "demo"])
def test_who_asks_for_a_demo_does_not_wait_for_the_end_of_a_deferral(cast, lead_type):
    """It comes back at once, to the same rep, with a demo's clocks."""
    lead = make_lead(email="adaeze1@halvorsen-1.com")
    kind = "demo_request" if lead_type == "demo" else "score_threshold"
    handoff = make_handoff("deferred", cast.femke, lead=lead, kind=kind)
    assert handoff.effective_type == lead_type
    back = send(1, at(minutes=20), type="lead.activity", trigger=None, score=None, activities=demo(20))
    assert (back.pk, back.state, back.assignee) == (handoff.pk, "assigned", cast.femke)
    assert (back.accept_due_at, back.contact_due_at) == (at(minutes=25), at(minutes=25))
    assert back.raised_at == (at(minutes=20) if lead_type == "standard" else None)
    default = Calendar.objects.get(is_default=True)
    assert lifecycle.affected(by(cast.otto, minutes=21), calendar=default).rows == ()
    assert [step["step"] for step in lifecycle.fire(back.pk, at(minutes=25))][-1] == "contact_breach"


def demo(minute, identifier=""):
    return [{"id": identifier, "kind": "demo_request", "occurred_at": at(minutes=minute).isoformat()}]


def test_raised_when_the_deadlines_are_nearer_than_a_demos(cast):
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    late = at(minutes=58)
    raised = send(1, late, type="lead.activity", trigger=None, score=None, activities=demo(58))
    assert raised.contact_due_at == handoff.contact_due_at == at(hours=1)
    assert raised.accept_due_at == at(minutes=63)


def test_raised_while_data_is_missing(cast):
    route_to(cast.femke)
    handoff = send(1, NOW, trigger=SCORED, lead={"first_name": "-"})
    assert handoff.completion_due_at == at(hours=4)
    raised = send(1, at(minutes=30), lead={"first_name": "-"})
    assert (raised.state, raised.raised_at) == ("incomplete", at(minutes=30))
    assert raised.completion_due_at == at(minutes=90)
    assert told(raised)[-1] == ("raised", "Ada")
    # Sales gets the demo's five minutes from completeness, not from a form that nobody could answer.
    ready = send(1, at(minutes=50), type="lead.updated", trigger=None)
    assert (ready.state, ready.lead_type) == ("assigned", "standard")
    assert ready.policy.slug == "demo"
    assert (ready.accept_due_at, ready.contact_due_at) == (at(minutes=55), at(minutes=55))


def test_raised_during_a_later_stay(cast):
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=10), reason="bad_data")
    raised = send(1, at(minutes=20), type="lead.activity", trigger=None, score=None, activities=demo(20))
    # Its clock stands still since minute 10; five minutes are left of it.
    assert (raised.state, raised.contact_due_at) == ("incomplete", at(minutes=15))
    lifecycle.clear_complaint(raised.complaints.get().pk, by(cast.otto, hours=2))
    back = Handoff.objects.get(pk=handoff.pk)
    assert (back.state, back.contact_due_at) == ("assigned", at(hours=2, minutes=5))
    assert back.clock_started_at == NOW


def test_raised_twice_is_raised_once(cast):
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    send(1, at(minutes=20), type="lead.activity", trigger=None, score=None, activities=demo(20))
    again = send(1, at(minutes=30), type="lead.activity", trigger=None, score=None, activities=demo(30))
    assert (again.raised_at, again.contact_due_at) == (at(minutes=20), at(minutes=25))
    kinds = handoff.events.values_list("kind", flat=True)
    assert list(kinds).count("raised") == 1 and list(kinds).count("triggered_again") == 2


def test_a_rules_policy_counts_but_not_for_what_was_raised(cast):
    slow = SlaPolicy.objects.get(slug="standard")
    slow.pk, slow.slug, slow.is_default, slow.accept_minutes = None, "slow", False, 480
    slow.save()
    ruleset = route_to(cast.femke)
    ruleset.document["rules"][0]["policy"] = "slow"
    ruleset.save()
    assert open_handoff().policy.slug == "slow"
    send(1, NOW, trigger=SCORED, lead={"first_name": "-"})
    send(1, at(minutes=30), lead={"first_name": "-"})
    assert send(1, at(minutes=50), type="lead.updated", trigger=None).policy.slug == "demo"


@pytest.mark.parametrize("kind", ["demo_request", "pricing_inquiry", "manual_flag"])
def test_work_is_re_engaged_and_offered_to_the_same_rep_first(cast, kind):
    old = make_handoff("working", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    route_to(cast.jonas)
    new = send(1, at(days=3), trigger={"kind": kind})
    old.refresh_from_db()
    assert (old.state, old.close_reason, old.closed_at) == ("superseded", "re_engaged", at(days=3))
    assert (new.pk != old.pk, new.state, new.assignee) == (True, "assigned", cast.femke)
    assert new.decisions.get().candidates == [{"user": cast.femke.pk, "took": "re_engaged"}]
    assert new.events.get(number=1).data["re_engaged_from"] == old.pk


def test_re_engaged_but_the_rep_is_away(cast):
    make_handoff("working", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    route_to(cast.jonas)
    cast.femke.absences.create(starts_at=NOW, ends_at=at(days=9))
    assert send(1, at(days=3)).assignee == cast.jonas


def test_re_engaged_with_data_missing_still_goes_to_the_same_rep_first(cast):
    make_handoff("working", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    route_to(cast.jonas)
    new = send(1, at(days=3), lead={"first_name": "-", "last_name": None})
    assert new.state == "incomplete"
    assert send(1, at(days=3, hours=1), type="lead.updated", trigger=None).assignee == cast.femke


def test_a_crossing_only_adds_to_work(cast):
    old = make_handoff("working", cast.femke, lead=make_lead(email="adaeze1@halvorsen-1.com"))
    make_score(old.lead, 10, at=at(days=1))
    again = send(1, at(days=3), type="lead.scored", trigger=None)
    assert (again.pk, again.state, again.triggered_again_at) == (old.pk, "working", at(days=3))
    assert told(again)[-1] == ("triggered_again", "Femke")


def quiet_key():
    return ApiKey.objects.create(
        name="sync", prefix="hk_x", digest="x", scopes=["intake"], is_quiet=True, created_at=NOW
    )


def test_taken_quietly_it_is_checked_routed_and_measured_and_nobody_is_told(cast):
    route_to(cast.femke)
    handoff = send(1, NOW, key=quiet_key())
    assert (handoff.state, handoff.assignee, handoff.is_quiet) == ("assigned", cast.femke, True)
    assert (handoff.accept_due_at, handoff.next_step_at) == (at(minutes=5), None)
    assert Inspection.objects.filter(handoff=handoff, passed=True).count() == 1
    assert lifecycle.fire(handoff.pk, at(days=5)) == []
    assert (told(handoff), handoff.fired_steps.count()) == ([], 0)


def test_a_live_conversion_does_not_disappear_in_a_quiet_handoff(cast):
    """No clock runs in that one: it ends, and a new one with clocks of its own is the same rep's."""
    route_to(cast.femke, cast.jonas)
    key = quiet_key()
    quiet = send(1, NOW, key=key, trigger=SCORED)
    assert send(1, at(hours=1), key=key).pk == quiet.pk and told(quiet) == []
    live = send(1, at(hours=2))
    assert (live.state, live.assignee, live.is_quiet) == ("assigned", quiet.assignee, False)
    assert told(live) == [("assigned", str(quiet.assignee).split()[0])]
    assert Turn.objects.filter(released_at__isnull=True).count() == 1
    assert lifecycle.fire(live.pk, at(hours=3)) != []
    quiet.refresh_from_db()
    assert (quiet.state, quiet.close_reason) == ("superseded", "re_engaged")


def test_what_comes_quietly_is_told_to_nobody(cast):
    route_to(cast.femke)
    key = quiet_key()
    assert told(send(2, at(hours=1))) == [("assigned", "Femke")]
    assert told(send(2, at(hours=2), key=key)) == [("assigned", "Femke")]


def test_a_customers_lead_goes_to_the_account_owner(cast):
    route_to(cast.femke)
    Company.objects.create(
        name="Halvorsen", domain="halvorsen-1.com", size_band="1-10", stage="customer", owner=cast.rosa,
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    handoff = send(1, NOW)
    assert (handoff.assignee, handoff.rule_name) == (cast.rosa, "All leads")
    assert handoff.decisions.get().candidates == [{"user": cast.rosa.pk, "took": "account"}]


def test_a_rep_at_the_cap_is_skipped_and_work_that_is_contacted_does_not_count(cast):
    route_to(cast.femke, cap=1)
    first, second = open_handoff(), open_handoff()
    assert (first.assignee, second.queue.slug) == (cast.femke, "overflow")
    assert second.decisions.get().candidates[0] == {
        "user": cast.femke.pk,
        "pool": Pool.objects.get().pk,
        "skipped": "holds 1 of 1",
    }
    lifecycle.contact(first.pk, by(cast.femke, minutes=1), channel="phone", outcome="reached")
    assert open_handoff(at=at(minutes=2)).assignee == cast.femke
    assert Pool.objects.get().turns.filter(released_at=None).count() == 1
