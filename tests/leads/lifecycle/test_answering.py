"""Stage 4: accept, claim, reject with what follows, defer, resume, note, view."""

from datetime import timedelta

import pytest

from leads import lifecycle
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Complaint, Event, Handoff, Notification, RejectionReason
from routing.models import PoolMember, Turn
from routing.people import MANAGER
from tests.acting import at, by, fresh
from tests.conftest import NOW
from tests.factories import event, make_company, make_handoff, make_lead, open_handoff, route_to


def kinds(handoff):
    return list(handoff.events.order_by("number").values_list("kind", flat=True))


def told(handoff, since=NOW):
    rows = Notification.objects.filter(handoff=handoff, created_at__gt=since).order_by("pk")
    return [(row.kind, row.user.name.split()[0]) for row in rows.select_related("user")]


def refused(verb, *args, **fields):
    events = Event.objects.count()
    with pytest.raises(Refused) as caught:
        verb(*args, **fields)
    assert Event.objects.count() == events
    return caught.value


def invalid(verb, *args, **fields):
    with pytest.raises(Invalid) as caught:
        verb(*args, **fields)
    return caught.value.errors


# Accepting


def test_accept(cast):
    handoff = make_handoff("assigned", cast.femke)
    done = lifecycle.accept(handoff.pk, by(cast.femke, minutes=5))
    when = at(minutes=5)
    assert (done.state, done.accepted_at, done.accepted_by, done.acknowledged_at) == (
        "accepted",
        when,
        cast.femke,
        when,
    )
    assert (done.first_activity_at, done.last_activity_at, done.disposition) == (when, when, "")
    # What is owed now is the contact; the answer was given.
    assert done.next_due_at == done.contact_due_at == at(hours=1)
    assert fresh(done).revision == done.revision == handoff.revision + 1
    event = done.events.last()
    assert (event.kind, event.stage, event.user, event.occurred_at) == (
        "accepted",
        "acceptance",
        cast.femke,
        when,
    )
    assert Turn.objects.filter(user=cast.femke, released_at=None).count() == 1


def test_accepting_again_answers_as_done_and_writes_nothing(cast):
    handoff = make_handoff("accepted", cast.femke)
    again = lifecycle.accept(handoff.pk, by(cast.femke, hours=5))
    assert (again.revision, again.accepted_at) == (handoff.revision, handoff.accepted_at)
    working = make_handoff("working", cast.femke)
    assert lifecycle.accept(working.pk, by(cast.femke, hours=5)).revision == working.revision


@pytest.mark.parametrize("state", ["incomplete", "deferred", "rejected", "converted", "disqualified"])
def test_what_cannot_be_accepted(cast, state):
    handoff = make_handoff(state, cast.femke)
    error = refused(lifecycle.accept, handoff.pk, by(cast.femke, hours=5))
    assert (error.code, error.state) == ("not_allowed", state)


def test_a_refusal_says_who_did_what_when(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=5))
    error = refused(lifecycle.accept, handoff.pk, by(cast.jonas, minutes=6))
    assert error.message == "Cannot accept: accepted by femke@handoff.example.com at 2026-03-10 10:05 UTC."
    assert (error.code, error.state, error.by, error.at) == (
        "not_allowed",
        "accepted",
        cast.femke.email,
        at(minutes=5),
    )


def test_only_the_holder(cast):
    handoff = make_handoff("assigned", cast.femke)
    for user in (cast.jonas, cast.mia, cast.ada, None):
        error = refused(lifecycle.accept, handoff.pk, by(user, minutes=1))
        assert error.message.endswith("It is held by femke@handoff.example.com.")


def test_a_stale_page(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reassign(handoff.pk, by(cast.mia, minutes=1), to=cast.jonas.email, reason="away")
    lifecycle.reassign(handoff.pk, by(cast.mia, minutes=2), to=cast.femke.email, reason="back")
    error = refused(lifecycle.accept, handoff.pk, by(cast.femke, minutes=3), revision=handoff.revision)
    assert (error.code, error.by, error.at) == ("stale", cast.mia.email, at(minutes=2))
    # What nobody decided anything on does not make a page stale.
    current = fresh(handoff).revision
    lifecycle.fire(handoff.pk, at(hours=1, minutes=3))
    lifecycle.note(handoff.pk, by(cast.mia, hours=1), text="call before noon")
    assert fresh(handoff).revision > current
    done = lifecycle.accept(handoff.pk, by(cast.femke, hours=2), revision=current)
    assert done.state == "accepted"


def test_a_queue_members_accept_claims_first(cast):
    handoff = make_handoff("queued")
    handoff.queue.members.add(cast.jonas)
    done = lifecycle.accept(handoff.pk, by(cast.jonas, minutes=5))
    assert kinds(done)[-2:] == ["claimed", "accepted"]
    assert (done.state, done.assignee, done.queue, done.first_holder) == (
        "accepted",
        cast.jonas,
        None,
        cast.jonas,
    )
    # In sales' hands since it was queued; the present holder's window is new.
    assert (done.assigned_at, done.held_since, done.window) == (NOW, at(minutes=5), 2)
    assert Turn.objects.get(released_at=None).user == cast.jonas


def test_who_is_away_claims_nothing(cast):
    """The next minute would take it back."""
    handoff = make_handoff("queued", at=NOW)
    away = cast.jonas.absences.create(starts_at=NOW, ends_at=at(days=1), cover=cast.rosa)
    no = refused(lifecycle.claim, handoff.pk, by(cast.jonas, minutes=5))
    assert (no.code, no.message) == (
        "not_eligible",
        "Jonas Keller is away until 2026-03-11 10:00 UTC; Rosa Lindqvist covers.",
    )
    assert Handoff.objects.get(pk=handoff.pk).revision == handoff.revision
    away.delete()
    assert lifecycle.claim(handoff.pk, by(cast.jonas, minutes=6)).assignee == cast.jonas


def test_claim(cast):
    handoff = make_handoff("queued")
    done = lifecycle.claim(handoff.pk, by(cast.jonas, minutes=5))
    assert (done.state, done.assignee, done.acknowledged_at) == ("assigned", cast.jonas, None)
    # A claim is activity of sales, not an acknowledgment.
    assert done.first_activity_at == at(minutes=5)
    assert done.accept_due_at == at(hours=2, minutes=5)
    assert lifecycle.claim(handoff.pk, by(cast.jonas, minutes=6)).revision == done.revision
    assert refused(lifecycle.claim, handoff.pk, by(cast.femke, minutes=6)).by == cast.jonas.email
    assert refused(lifecycle.claim, make_handoff("queued").pk, Act(NOW)).code == "not_allowed"


def test_the_first_acceptance_is_the_one_that_counts(cast):
    handoff = make_handoff("accepted", cast.femke)
    lifecycle.reassign(handoff.pk, by(cast.mia, minutes=10), to=cast.jonas.email, reason="sick")
    assert fresh(handoff).state == "assigned"
    done = lifecycle.accept(handoff.pk, by(cast.jonas, minutes=20))
    assert (done.accepted_at, done.accepted_by, done.last_activity_at) == (
        at(minutes=1),
        cast.femke,
        at(minutes=20),
    )


# Rejecting


def test_reject(cast):
    handoff = make_handoff("assigned", cast.femke)
    done = lifecycle.reject(handoff.pk, by(cast.femke, minutes=5), reason="not_icp", note=" Too small ")
    when = at(minutes=5)
    assert (done.state, done.rejected_at, done.rejected_by, done.closed_at) == (
        "rejected",
        when,
        cast.femke,
        when,
    )
    assert (done.acknowledged_at, done.disposition, done.disposition_at) == (when, "rejected", when)
    assert (done.rejection_reason.code, done.next_step, done.follow_up_at) == ("not_icp", "recycled", None)
    assert (done.next_due_at, done.next_step_at, done.is_complete) == (None, None, False)
    act = done.rejections.get()
    assert (act.reason.code, act.next_step, act.by, act.at, act.note) == (
        "not_icp",
        "recycled",
        cast.femke,
        when,
        "Too small",
    )
    # What the rep wrote is not in the log.
    assert "small" not in str([event.data for event in done.events.all()])
    assert Turn.objects.filter(released_at=None).count() == 0


def test_rejecting_again_with_the_same_reason_is_done(cast):
    handoff = make_handoff("rejected", cast.femke)
    again = lifecycle.reject(handoff.pk, by(cast.femke, hours=1), reason="not_icp")
    assert (again.revision, again.rejections.count()) == (handoff.revision, 1)
    assert refused(lifecycle.reject, handoff.pk, by(cast.femke, hours=1), reason="timing").state == "rejected"


@pytest.mark.parametrize("state", ["incomplete", "queued", "deferred", "working", "converted"])
def test_what_cannot_be_rejected(cast, state):
    handoff = make_handoff(state, cast.femke)
    assert refused(lifecycle.reject, handoff.pk, by(cast.femke, hours=1), reason="not_icp").state == state


def test_an_accepted_one_can_be_rejected(cast):
    handoff = make_handoff("accepted", cast.femke)
    done = lifecycle.reject(handoff.pk, by(cast.femke, hours=1), reason="wrong_title")
    assert (done.state, done.accepted_at, done.rejected_at) == ("rejected", at(minutes=1), at(hours=1))


def test_what_is_wrong_with_a_rejection(cast):
    pk = make_handoff("assigned", cast.femke).pk
    act = by(cast.femke, minutes=5)
    assert invalid(lifecycle.reject, pk, act, reason="other") == {"note": "This is needed."}
    assert invalid(lifecycle.reject, pk, act, reason="other", note=" \n ") == {"note": "This is needed."}
    for code in ("nonsense", "", "a\x00b", "\ud800", "NOT_ICP", "x" * 5000):
        assert list(invalid(lifecycle.reject, pk, act, reason=code)) == ["reason"]
    RejectionReason.objects.filter(code="competitor").update(is_active=False)
    assert list(invalid(lifecycle.reject, pk, act, reason="competitor")) == ["reason"]
    for note in ("a\x00b", "\ud800", "a\x1bb", "a\x85b"):
        words = invalid(lifecycle.reject, pk, act, reason="not_icp", note=note)
        assert words == {"note": "Control characters are not allowed."}
    words = invalid(lifecycle.reject, pk, act, reason="not_icp", note="x" * 2001)
    assert words == {"note": "At most 2000 characters; this has 2001."}
    for until in (at(minutes=4), at(days=731)):
        assert list(invalid(lifecycle.reject, pk, act, reason="timing", until=until)) == ["until"]
    assert list(invalid(lifecycle.reject, pk, act, reason="bad_data", field="shoe_size")) == ["field"]
    assert fresh(Handoff(pk=pk)).state == "assigned"


def test_hostile_words_are_kept_as_they_are(cast):
    text = "<script>alert(1)</script> \u202eRTL 🙂\tx\ny'; DROP TABLE--"
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=5), reason="other", note=text.replace("\n", "\r\n"))
    assert handoff.rejections.get().note == text


@pytest.mark.parametrize(
    ("reason", "until", "cool_off"),
    [
        ("wrong_person", None, 90),
        ("wrong_title", None, 90),
        ("not_icp", None, 180),
        ("timing", None, 90),
        ("timing", 14, 14),
    ],
)
def test_recycled_with_a_cool_off(cast, reason, until, cool_off):
    handoff = make_handoff("assigned", cast.femke)
    day = None if until is None else at(days=until)
    lifecycle.reject(handoff.pk, by(cast.femke), reason=reason, until=day)
    handoff.lead.refresh_from_db()
    assert handoff.lead.cool_off_until == at(days=cool_off)
    assert handoff.rejections.get().until == (at(days=cool_off) if reason == "timing" else None)
    assert handoff.lead.suppressed_at is None


@pytest.mark.parametrize("reason", ["competitor", "student_or_jobseeker"])
def test_suppressed(cast, reason):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=1), reason=reason)
    handoff.lead.refresh_from_db()
    assert (handoff.lead.suppressed_at, handoff.lead.suppressed_reason) == (at(minutes=1), reason)
    assert handoff.lead.cool_off_until is None


def test_existing_customer_goes_to_triage_and_the_account_owner_is_told(cast):
    company = make_company()
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(company=company))
    company.owner = cast.rosa
    company.save()
    done = lifecycle.reject(handoff.pk, by(cast.femke, minutes=1), reason="existing_customer")
    assert (done.state, done.next_step) == ("rejected", "triage")
    assert told(done) == [("existing_customer", "Rosa")]


@pytest.mark.parametrize("reason", ["bad_data", "duplicate"])
def test_back_to_completion(cast, reason):
    handoff = make_handoff("assigned", cast.femke)
    seat = PoolMember.objects.get(user=cast.femke)
    assert (seat.taken, seat.accrued) == (1, 1)
    done = lifecycle.reject(
        handoff.pk, by(cast.femke, minutes=30), reason=reason, note="wrong number", field="phone"
    )
    assert (done.state, done.missing, done.assignee, done.queue) == ("incomplete", ["bad_data"], None, None)
    assert (done.completion_since, done.completion_due_at) == (at(minutes=30), at(hours=4, minutes=30))
    assert (done.completion_visits, done.closed_at, done.next_step) == (1, None, "completion")
    # It was a decision all the same.
    assert (done.rejected_at, done.acknowledged_at, done.disposition) == (
        at(minutes=30),
        at(minutes=30),
        "rejected",
    )
    complaint = Complaint.objects.get()
    assert (complaint.text, complaint.field, complaint.by) == ("wrong number", "phone", cast.femke)
    assert told(done) == [("bad_data", "Ada")]
    # The fault is not the rep's: the turn never was.
    seat.refresh_from_db()
    assert (seat.taken, seat.accrued) == (0, 0)
    assert Turn.objects.get().given_back_at == at(minutes=30)


def test_put_right_it_may_go_to_the_same_rep_and_the_lead_has_lost_no_time(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=30), reason="bad_data")
    lifecycle.clear_complaint(Complaint.objects.get().pk, by(cast.otto, hours=3))
    done = fresh(handoff)
    assert (done.state, done.assignee, done.window) == ("assigned", cast.femke, 2)
    # Half an hour of the first contact's hour was used before the stay.
    assert (done.contact_due_at, done.accept_due_at) == (at(hours=3, minutes=30), at(hours=5))
    assert (done.clock_started_at, done.clock_runs_from) == (NOW, at(hours=2, minutes=30))
    assert (done.assigned_at, done.ready_at) == (NOW, NOW)
    assert lifecycle.reject(handoff.pk, by(cast.femke, hours=4), reason="bad_data").state == "incomplete"
    assert handoff.rejections.count() == 2


def test_a_stay_over_the_weekend_uses_up_none_of_the_business_hours(cast):
    friday = NOW.replace(day=13, hour=17, minute=30)
    handoff = make_handoff("assigned", cast.femke, at=friday)
    monday = NOW.replace(day=16, hour=9)
    assert handoff.contact_due_at == monday + timedelta(minutes=30)
    lifecycle.reject(handoff.pk, Act(friday + timedelta(minutes=15), cast.femke), reason="bad_data")
    # Fifteen minutes until closing and thirty on Monday are left when it comes back on Tuesday.
    tuesday = NOW.replace(day=17, hour=12)
    lifecycle.clear_complaint(Complaint.objects.get().pk, Act(tuesday, cast.otto))
    assert fresh(handoff).contact_due_at == tuesday + timedelta(minutes=45)


def test_a_change_of_the_named_field_settles_the_report(cast):
    route_to(cast.femke)
    [answer] = receive([event(1)], None, NOW)
    pk = int(answer["handoff"]["id"])
    lifecycle.reject(pk, by(cast.femke, minutes=1), reason="bad_data", field="phone")
    lifecycle.recheck(pk, by(cast.otto, minutes=2))
    assert Handoff.objects.get(pk=pk).state == "incomplete"
    other = event(1, id="other", at=at(minutes=3), type="lead.updated", trigger=None)
    receive([other], None, at(minutes=3))
    assert Handoff.objects.get(pk=pk).state == "incomplete"
    named = event(1, id="named", at=at(minutes=4), type="lead.updated", lead={"phone": "+49 30 1234567"})
    receive([named], None, at(minutes=4))
    assert Complaint.objects.get().cleared_at == at(minutes=4)
    assert Handoff.objects.get(pk=pk).state == "assigned"


def test_out_of_territory_is_routed_again_without_this_rep(cast):
    route_to(cast.femke, cast.jonas)
    handoff = open_handoff()
    first = handoff.assignee
    second = cast.jonas if first == cast.femke else cast.femke
    done = lifecycle.reject(handoff.pk, Act(at(minutes=5), first), reason="out_of_territory")
    assert (done.state, done.assignee, done.closed_at, done.rejected_by) == ("assigned", second, None, first)
    assert (done.held_since, done.accept_due_at) == (at(minutes=5), at(hours=2, minutes=5))
    # The lead's own clock runs on.
    assert (done.contact_due_at, done.assigned_at) == (at(hours=1), NOW)
    assert told(done) == [("out_of_territory", "Otto"), ("assigned", second.name.split()[0])]
    assert done.events.get(kind="rejected").data["rule"] == done.rule_id
    assert kinds(done)[-3:] == ["rejected", "followed_up", "assigned"]
    # The second is no better placed: nobody is left but their manager, and then the overflow queue.
    third = lifecycle.reject(handoff.pk, Act(at(minutes=9), second), reason="out_of_territory")
    assert (third.state, third.assignee) == ("assigned", cast.mia)
    last = lifecycle.reject(handoff.pk, Act(at(minutes=12), cast.mia), reason="out_of_territory")
    assert (last.state, last.queue.slug, last.assignee) == ("queued", "overflow", None)
    assert Turn.objects.filter(released_at=None).count() == 0
    assert list(PoolMember.objects.values_list("taken", "accrued")) == [(0, 0), (0, 0)]


def test_what_follows_waits_for_the_undo(cast):
    handoff = make_handoff("assigned", cast.femke)
    done = lifecycle.reject(handoff.pk, by(cast.femke), reason="competitor", undoable=True)
    assert (done.state, done.follow_up_at) == ("rejected", at(seconds=10))
    handoff.lead.refresh_from_db()
    assert handoff.lead.suppressed_at is None
    assert lifecycle.fire(handoff.pk, at(seconds=9)) == []
    [step] = lifecycle.fire(handoff.pk, at(seconds=10))
    assert (step["step"], step["due_at"]) == ("follow_up", at(seconds=10).isoformat())
    handoff.lead.refresh_from_db()
    assert handoff.lead.suppressed_at == at(seconds=10)
    assert lifecycle.fire(handoff.pk, at(seconds=11)) == []


# Deferring


def test_defer(cast):
    handoff = make_handoff("assigned", cast.femke)
    until = NOW.replace(day=17, hour=16)
    done = lifecycle.defer(handoff.pk, by(cast.femke, minutes=5), until=until, explanation="After the fair")
    when = at(minutes=5)
    assert (done.state, done.deferred_until, done.deferrals, done.deferred_at) == ("deferred", until, 1, when)
    # An answer, but no acceptance.
    assert (done.acknowledged_at, done.accepted_at, done.disposition) == (when, None, "deferred")
    assert (done.accept_due_at, done.contact_due_at) == (None, until + timedelta(hours=1))
    assert (done.next_due_at, done.next_step_at) == (until, until)
    row = done.deferral_rows.get()
    assert (row.by, row.until, row.explanation) == (cast.femke, until, "After the fair")
    assert "fair" not in str([event.data for event in done.events.all()])
    again = lifecycle.defer(handoff.pk, by(cast.femke, minutes=6), until=until, explanation="x")
    assert again.revision == done.revision


def test_how_long_and_why(cast):
    pk = make_handoff("accepted", cast.femke).pk
    act = by(cast.femke, minutes=5)
    for until in (at(minutes=5), at(minutes=4), at(days=180, minutes=5, microseconds=1)):
        assert list(invalid(lifecycle.defer, pk, act, until=until, explanation="x")) == ["until"]
    words = invalid(lifecycle.defer, pk, act, until=at(days=1), explanation="  ")
    assert words == {"explanation": "This is needed."}
    done = lifecycle.defer(pk, act, until=at(days=180, minutes=5), explanation="x")
    assert (done.state, done.accepted_at) == ("deferred", at(minutes=1))


def test_the_third_deferral_needs_the_manager(cast):
    pk = make_handoff("assigned", cast.femke).pk
    for number in (1, 2):
        lifecycle.defer(pk, by(cast.femke, days=number), until=at(days=number, hours=1), explanation="x")
        lifecycle.resume(pk, by(cast.femke, days=number, minutes=1))
    later = {"until": at(days=9), "explanation": "x"}
    error = refused(lifecycle.defer, pk, by(cast.femke, days=3), **later)
    assert error.message == "It was deferred 2 times; your manager has to take it over to defer it again."
    lifecycle.reassign(pk, by(cast.mia, days=3), to=cast.mia.email, reason="the third")
    assert lifecycle.defer(pk, by(cast.mia, days=3), **later).deferrals == 3
    assert MANAGER in cast.mia.roles


def test_worked_and_deferred_it_holds_a_turn_again(cast):
    handoff = make_handoff("working", cast.femke)
    assert Turn.objects.filter(released_at=None).count() == 0
    done = lifecycle.defer(handoff.pk, by(cast.femke, days=1), until=at(days=5), explanation="in summer")
    assert (done.disposition, done.is_complete) == ("deferred", True)
    assert Turn.objects.get(released_at=None).user == cast.femke


def test_the_end_of_a_deferral_opens_a_new_window_for_the_same_rep(cast):
    handoff = make_handoff("deferred", cast.femke)
    until = handoff.deferred_until
    assert lifecycle.fire(handoff.pk, until - timedelta(seconds=1)) == []
    [step] = [s for s in lifecycle.fire(handoff.pk, until) if s["step"] == "resume"]
    assert step["told"] == [cast.femke.email]
    done = fresh(handoff)
    assert (done.state, done.assignee, done.held_since, done.window) == ("assigned", cast.femke, until, 2)
    assert (done.accept_due_at, done.contact_due_at) == (
        until + timedelta(hours=2),
        until + timedelta(hours=1),
    )
    assert told(done) == [("resumed", "Femke")]
    assert Turn.objects.filter(released_at=None).count() == 1


def unable(user, how):
    if how == "inactive":
        user.is_active = False
        user.save()
    elif how == "away":
        user.absences.create(starts_at=NOW, ends_at=at(days=30))
    else:
        user.groups.clear()


@pytest.mark.parametrize("how", ["inactive", "away", "no longer in sales"])
def test_resumed_without_the_rep_it_is_routed(cast, how):
    handoff = make_handoff("deferred", cast.femke)
    route_to(cast.femke, cast.jonas)
    unable(cast.femke, how)
    lifecycle.fire(handoff.pk, handoff.deferred_until)
    done = fresh(handoff)
    assert (done.state, done.assignee) == ("assigned", cast.jonas)
    assert told(done) == [("assigned", "Jonas")]
    assert Turn.objects.get(released_at=None).user == cast.jonas


def test_resumed_by_hand(cast):
    handoff = make_handoff("deferred", cast.femke)
    done = lifecycle.resume(handoff.pk, by(cast.femke, days=1))
    assert (done.state, done.assignee, done.held_since) == ("assigned", cast.femke, at(days=1))
    assert lifecycle.resume(handoff.pk, by(cast.femke, days=1)).revision == done.revision
    assert refused(lifecycle.resume, make_handoff("accepted", cast.femke).pk, by(cast.femke)).code == (
        "not_allowed"
    )


# Notes and views


@pytest.mark.parametrize(
    ("who", "is_activity"),
    [("femke", True), ("jonas", True), ("mia", True), ("otto", False), ("ada", False)],
)
def test_a_note_of_sales_is_activity(cast, who, is_activity):
    handoff = make_handoff("assigned", cast.femke)
    done = lifecycle.note(handoff.pk, by(getattr(cast, who), minutes=5), text="Called the front desk")
    assert done.last_activity_at == (at(minutes=5) if is_activity else None)
    assert (done.state, done.acknowledged_at, done.notes.get().text) == (
        "assigned",
        None,
        "Called the front desk",
    )
    assert "front desk" not in str([event.data for event in done.events.all()])


def test_a_note_on_what_sales_does_not_hold_is_no_activity(cast):
    for state in ("incomplete", "rejected"):
        handoff = make_handoff(state, cast.femke)
        done = lifecycle.note(handoff.pk, by(cast.femke, hours=5), text="x")
        assert done.last_activity_at == handoff.last_activity_at


def test_the_same_note_at_once_is_one_note(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.note(handoff.pk, by(cast.femke, minutes=5), text="no answer")
    lifecycle.note(handoff.pk, by(cast.femke, minutes=5, seconds=3), text=" no answer ")
    assert handoff.notes.count() == 1
    lifecycle.note(handoff.pk, by(cast.femke, days=1), text="no answer")
    lifecycle.note(handoff.pk, by(cast.jonas, days=1), text="no answer")
    assert handoff.notes.count() == 3
    assert invalid(lifecycle.note, handoff.pk, by(cast.femke), text=" ") == {"text": "This is needed."}


def test_viewed_is_written_once_a_window_and_by_the_holder(cast):
    handoff = make_handoff("assigned", cast.femke)
    assert lifecycle.view(handoff.pk, by(cast.jonas, minutes=1)).viewed_at is None
    assert lifecycle.view(handoff.pk, by(cast.femke, minutes=2)).viewed_at == at(minutes=2)
    assert lifecycle.view(handoff.pk, by(cast.femke, minutes=3)).viewed_at == at(minutes=2)
    assert fresh(handoff).last_activity_at is None
    lifecycle.reassign(handoff.pk, by(cast.mia, minutes=4), to=cast.jonas.email, reason="x")
    assert fresh(handoff).viewed_at is None
    assert lifecycle.view(handoff.pk, by(cast.jonas, minutes=5)).viewed_at == at(minutes=5)
    assert kinds(handoff).count("viewed") == 2


def test_nobody_moves_what_is_not_there(cast):
    for verb, fields in ((lifecycle.accept, {}), (lifecycle.note, {"text": "x"}), (lifecycle.view, {})):
        with pytest.raises(Handoff.DoesNotExist):
            verb(4711, by(cast.femke), **fields)


def test_imported_history_is_never_moved(cast):
    handoff = make_handoff("assigned", cast.femke)
    Handoff.objects.filter(pk=handoff.pk).update(is_history=True)
    assert refused(lifecycle.accept, handoff.pk, by(cast.femke)).code == "not_allowed"
    assert refused(lifecycle.reject, handoff.pk, by(cast.femke), reason="not_icp").code == "not_allowed"
    assert lifecycle.fire(handoff.pk, at(days=9)) == []
