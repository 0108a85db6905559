"""Two leads that are one person, or two."""

import pytest

from leads import identity, lifecycle
from leads.intake import receive
from leads.lifecycle import Invalid
from leads.models import (
    Activity,
    Complaint,
    DuplicatePair,
    EnrichmentAttempt,
    Event,
    ExternalId,
    Handoff,
    Lead,
    LeadAlias,
    Notification,
    Receipt,
    Score,
    TriageItem,
)
from routing.models import Turn
from tests.acting import assert_sound, at, by
from tests.conftest import NOW
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


def merge(keep, gone, act):
    lifecycle.merge(keep, gone, act)
    return Lead.objects.get(pk=keep.pk), Lead.objects.get(pk=gone.pk)


def test_everything_moves_and_can_be_read_back(cast):
    keep = make_lead(email="jane@acme.com")
    gone = make_lead(email="j.doe@acme.com", company=make_company())
    handoff = make_handoff("rejected", cast.femke, lead=gone)
    LeadAlias.objects.create(lead=gone, email_key="jane@old.com", added_at=NOW)
    ExternalId.objects.create(lead=gone, system="map", object="contact", value="7")
    make_activity(keep, external_id="same")
    make_activity(gone, external_id="same")
    EnrichmentAttempt.objects.create(lead=gone, provider="http", result="nothing", at=NOW)
    TriageItem.objects.create(lead=gone, kind="suppressed", at=NOW)
    Receipt.objects.create(
        source="/map", event_id="1", kind="lead.updated", body_digest="x", status="processed", answer={},
        lead=gone, received_at=NOW,
    )  # fmt: skip
    events = Event.objects.filter(handoff=handoff).count()
    keep, gone = merge(keep, gone, by(cast.otto, hours=1))
    assert (gone.merged_into, gone.email_key, gone.email) == (keep, None, "j.doe@acme.com")
    assert set(keep.aliases.values_list("email_key", flat=True)) == {"j.doe@acme.com", "jane@old.com"}
    for model in (Score, ExternalId, EnrichmentAttempt, TriageItem, Receipt, Handoff):
        assert set(model.objects.values_list("lead_id", flat=True)) == {keep.pk}, model
    # The same activity from both sides is one.
    assert keep.activities.filter(external_id="same").count() == 1
    assert Activity.objects.filter(lead=gone).count() == 1
    log = Event.objects.filter(handoff=handoff).order_by("number")
    assert log.count() == events + 1
    assert (log.last().kind, log.last().data["from_lead"], log.last().data["into_lead"]) == (
        "merged",
        gone.pk,
        keep.pk,
    )
    assert Handoff.objects.get().state == "rejected"
    for key in ("j.doe@acme.com", "jane@old.com", "jane@acme.com"):
        [match] = identity.find([identity.Identity(key, ())])
        assert match.lead == keep
    assert_sound()


def test_what_is_known_fills_the_gaps_and_overwrites_nothing(cast):
    company = make_company()
    keep = make_lead(email="", first_name="Jane", job_title="", phone="", company=None, custom={"a": 1})
    gone = make_lead(
        email="jane@acme.com", first_name="J.", job_title="CTO", phone="+49 30 1234567", company=company,
        custom={"a": 2, "b": 2}, attribution={"utm_source": "x"},
        field_times={"job_title": at(days=-1).isoformat()},
        email_opt_out=True, suppressed_at=NOW, suppressed_reason="competitor", cool_off_until=at(days=5),
    )  # fmt: skip
    keep, gone = merge(keep, gone, by(cast.otto, hours=1))
    assert (keep.email, keep.email_key, keep.company) == ("jane@acme.com", "jane@acme.com", company)
    assert (keep.first_name, keep.job_title, keep.phone_key) == ("Jane", "CTO", "+49301234567")
    assert keep.name_key == identity.name_key("Jane", keep.last_name)
    assert (keep.custom, keep.attribution) == ({"a": 1, "b": 2}, {"utm_source": "x"})
    assert keep.field_times == {"job_title": at(days=-1).isoformat()}
    # A refusal from either side is a refusal.
    assert (keep.email_opt_out, keep.do_not_call) == (True, False)
    assert (keep.suppressed_at, keep.suppressed_reason, keep.cool_off_until) == (
        NOW,
        "competitor",
        at(days=5),
    )
    assert keep.aliases.count() == 0


def test_what_cannot_be_merged(cast):
    first, second, third = make_lead(), make_lead(), make_lead()
    with pytest.raises(Invalid):
        lifecycle.merge(first, first, by(cast.otto))
    lifecycle.merge(first, second, by(cast.otto))
    for keep, gone in ((second, third), (third, second)):
        with pytest.raises(Invalid):
            lifecycle.merge(keep, gone, by(cast.otto))


@pytest.mark.parametrize(
    ("kept", "merged", "survivor"),
    [
        ("assigned", "assigned", "kept"),
        ("assigned", "incomplete", "kept"),
        ("incomplete", "assigned", "merged"),
        ("assigned", "accepted", "merged"),
        ("accepted", "deferred", "kept"),
        ("queued", "working", "merged"),
        ("working", "working", "kept"),
    ],
)
def test_of_two_open_handoffs_the_one_that_is_further_goes_on(cast, kept, merged, survivor):
    ours, theirs = make_handoff(kept, cast.femke), make_handoff(merged, cast.jonas)
    lifecycle.merge(ours.lead, theirs.lead, by(cast.otto, hours=1))
    on, ended = (ours, theirs) if survivor == "kept" else (theirs, ours)
    on, ended = Handoff.objects.get(pk=on.pk), Handoff.objects.get(pk=ended.pk)
    assert (ended.state, ended.close_reason, ended.closed_at) == ("merged", "merged", at(hours=1))
    assert {on.lead, ended.lead} == {Lead.objects.get(pk=ours.lead_id)}
    assert on.state == (kept if survivor == "kept" else merged)
    holds = on.state in ("assigned", "accepted", "deferred")
    assert list(Turn.objects.filter(released_at=None).values_list("user_id", flat=True)) == (
        [on.assignee_id] if holds else []
    )
    assert_sound()


def test_at_the_same_stage_the_older_goes_on_and_the_other_rep_is_told(cast):
    late = make_handoff("assigned", cast.femke, at=at(hours=1))
    early = make_handoff("assigned", cast.jonas)
    lifecycle.merge(late.lead, early.lead, by(cast.otto, hours=2))
    assert [Handoff.objects.get(pk=h.pk).state for h in (late, early)] == ["merged", "assigned"]
    assert list(Notification.objects.filter(kind="merged").values_list("user", flat=True)) == [cast.femke.pk]


def test_what_the_ended_one_asked_for_is_not_lost(cast):
    standard = make_handoff("accepted", cast.femke)
    demo = make_handoff("assigned", cast.jonas, kind="demo_request", at=at(minutes=10))
    lifecycle.merge(standard.lead, demo.lead, by(cast.otto, minutes=20))
    on = Handoff.objects.get(pk=standard.pk)
    assert (on.state, on.lead_type, on.raised_at) == ("accepted", "standard", at(minutes=10))
    assert (on.policy.slug, on.contact_due_at) == ("demo", at(minutes=15))
    assert list(Notification.objects.filter(kind="raised").values_list("user", flat=True)) == [cast.femke.pk]


def test_a_demo_does_not_disappear_in_a_deferral(cast):
    put_off = make_handoff("deferred", cast.femke)
    asked = make_handoff("assigned", cast.jonas, kind="demo_request", at=at(minutes=5))
    merge(put_off.lead, asked.lead, by(cast.otto, minutes=7))
    put_off.refresh_from_db()
    asked.refresh_from_db()
    assert (asked.state, put_off.state, put_off.effective_type) == ("merged", "assigned", "demo")
    assert put_off.contact_due_at == at(minutes=10)
    assert "accept_breach" in [step["step"] for step in lifecycle.fire(put_off.pk, at(hours=1))]


def test_of_a_quiet_and_a_live_one_the_live_one_goes_on(cast):
    quiet = make_handoff("accepted", cast.femke, is_quiet=True)
    live = make_handoff("assigned", cast.jonas, at=at(minutes=5))
    merge(quiet.lead, live.lead, by(cast.otto, minutes=7))
    quiet.refresh_from_db()
    live.refresh_from_db()
    assert (quiet.state, live.state, live.is_quiet) == ("merged", "assigned", False)
    assert live.lead == quiet.lead and lifecycle.fire(live.pk, at(hours=5)) != []


def test_a_conversion_that_came_after_the_contact_re_engages_the_work(cast):
    working = make_handoff("working", cast.femke)
    fresh_one = make_lead(company=None)
    new = make_handoff("incomplete", lead=fresh_one, kind="demo_request", at=at(days=1))
    route_to(cast.jonas)
    fresh_one.company = make_company()
    fresh_one.save()
    lifecycle.merge(working.lead, fresh_one, by(cast.otto, days=1, hours=1))
    working.refresh_from_db()
    new.refresh_from_db()
    assert (working.state, working.close_reason) == ("superseded", "re_engaged")
    assert (new.state, new.assignee, new.lead) == ("assigned", cast.femke, working.lead)


def twins(cast, **event_data):
    """Two handoffs of what may be one person, the second held for it."""
    route_to(cast.femke, cast.jonas)
    one = event(1, lead={"first_name": "Christina", "last_name": "Schmidt"})
    other = event(2, lead={"first_name": "Christina", "last_name": "Schmitt"}, **event_data)
    other["data"]["company"]["domain"] = one["data"]["company"]["domain"]
    answers = receive([one], None, NOW) + receive([other], None, at(minutes=1))
    return [Handoff.objects.get(pk=answer["handoff"]["id"]) for answer in answers]


def test_a_possible_duplicate_is_held_and_different_people_releases_it(cast):
    first, second = twins(cast)
    assert (first.state, second.state, second.missing) == ("assigned", "incomplete", ["deduplication"])
    pair = DuplicatePair.objects.get()
    assert (pair.first, pair.second, pair.evidence) == (first.lead, second.lead, {"same": "company"})
    lifecycle.different(pair, by(cast.otto, hours=1))
    pair.refresh_from_db()
    assert (pair.status, pair.decided_by, pair.decided_at) == ("different", cast.otto, at(hours=1))
    second.refresh_from_db()
    assert (second.state, second.clock_started_at) == ("assigned", at(hours=1))
    # Remembered: the same facts again hold nothing.
    again = event(2, at=at(hours=2), id="again", lead={"first_name": "Christina", "last_name": "Schmitt"})
    receive([again], None, at(hours=2))
    assert DuplicatePair.objects.filter(status="open").count() == 0
    decided = lifecycle.different(pair, by(cast.ada, hours=3))
    assert (decided.decided_by, decided.decided_at) == (cast.otto, at(hours=1))


def test_merging_the_pair_leaves_one_handoff(cast):
    first, second = twins(cast)
    lifecycle.merge(first.lead, second.lead, by(cast.otto, hours=1))
    assert DuplicatePair.objects.get().status == "merged"
    assert [Handoff.objects.get(pk=h.pk).state for h in (first, second)] == ["assigned", "merged"]
    # What comes for either is the kept lead's.
    later = event(2, at=at(hours=2), id="later", type="lead.updated", trigger=None)
    [answer] = receive([later], None, at(hours=2))
    assert answer["lead"]["id"] == str(first.lead_id)


def test_a_third_who_may_be_the_same_is_still_asked_about(cast):
    company = make_company()
    names = {"first_name": "Christina", "last_name": "Schmidt", "company": company}
    keep, gone, third = (make_lead(**names) for _ in range(3))
    identity.find_duplicates([keep, gone, third], NOW)
    lifecycle.merge(keep, gone, by(cast.otto, hours=1))
    rows = DuplicatePair.objects.filter(status="open").values_list("first_id", "second_id")
    assert list(rows) == [(keep.pk, third.pk)]


def test_a_report_of_a_duplicate_is_answered_by_the_merge(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=1), reason="duplicate", note="Same as Jane")
    other = make_handoff("rejected", cast.jonas)
    route_to(cast.femke)
    lifecycle.merge(handoff.lead, other.lead, by(cast.otto, hours=1))
    complaint = Complaint.objects.get()
    assert (complaint.cleared_at, complaint.cleared_by) == (at(hours=1), cast.otto)
    assert Handoff.objects.get(pk=handoff.pk).state == "assigned"


def test_a_report_of_wrong_data_is_not(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=1), reason="bad_data", note="Dead number")
    lifecycle.merge(handoff.lead, make_lead(), by(cast.otto, hours=1))
    assert Complaint.objects.get().cleared_at is None
    assert Handoff.objects.get(pk=handoff.pk).state == "incomplete"


def test_waiting_colleagues_scores_count_after_the_merge(cast):
    waiting = make_lead()
    route_to(cast.femke)
    make_activity(waiting)
    handoff = open_handoff(waiting, complete=False)
    assert handoff.missing == ["score_breakdown"]
    other = make_lead()
    make_score(other)
    lifecycle.merge(waiting, other, by(cast.otto, hours=1))
    assert Handoff.objects.get(pk=handoff.pk).state == "assigned"
