"""Stage 2 by hand: waive, recheck, discard, clear a report of wrong data."""

from datetime import timedelta

import pytest

from leads import lifecycle
from leads.lifecycle import Invalid, Refused
from leads.models import Complaint, Inspection, PreflightSettings
from routing.models import Absence, Queue
from tests.acting import at, by, fresh
from tests.conftest import NOW
from tests.factories import make_handoff, make_lead, open_handoff, route_to


def held(cast, **lead):
    """A handoff that waits for data, for which a rep is ready."""
    route_to(cast.femke)
    return open_handoff(make_lead(**{"first_name": "-"} | lead))


def test_a_waiver_lets_one_check_pass_with_its_reason(cast):
    handoff = held(cast, email="jane@gmail.com")
    assert handoff.missing == ["business_email", "full_name"]
    half = lifecycle.waive(handoff.pk, by(cast.otto, hours=1), check="full_name", reason=" Known by phone ")
    assert (half.state, half.missing) == ("incomplete", ["business_email"])
    waiver = half.waivers.get()
    assert (waiver.check_code, waiver.reason, waiver.by) == ("full_name", "Known by phone", cast.otto)
    done = lifecycle.waive(handoff.pk, by(cast.otto, hours=2), check="business_email", reason="A sole trader")
    assert (done.state, done.assignee, done.clock_started_at) == ("assigned", cast.femke, at(hours=2))
    assert done.events.get(kind="passed").data["waived"] == ["business_email", "full_name"]
    assert [e.data["check"] for e in done.events.filter(kind="waived")] == ["full_name", "business_email"]
    again = lifecycle.waive(handoff.pk, by(cast.otto, hours=3), check="full_name", reason="x")
    assert (again.revision, again.waivers.count()) == (done.revision, 2)


def test_what_can_be_waived(cast):
    handoff = held(cast)
    act = by(cast.otto, hours=1)
    for check in ("bad_data", "nonsense", "", "\x00"):
        with pytest.raises(Invalid) as caught:
            lifecycle.waive(handoff.pk, act, check=check, reason="x")
        assert list(caught.value.errors) == ["check"]
    with pytest.raises(Invalid) as caught:
        lifecycle.waive(handoff.pk, act, check="full_name", reason="  ")
    assert caught.value.errors == {"reason": "This is needed."}
    with pytest.raises(Refused):
        lifecycle.waive(make_handoff("assigned", cast.femke).pk, act, check="full_name", reason="x")


def test_an_added_field_can_be_waived_too(cast):
    PreflightSettings.objects.update(required_fields=["phone"])
    handoff = held(cast, first_name="Jane")
    assert handoff.missing == ["phone"]
    done = lifecycle.waive(handoff.pk, by(cast.otto, hours=1), check="phone", reason="Writes only")
    assert done.state == "assigned"


def test_recheck_sees_what_has_changed(cast):
    handoff = held(cast)
    nothing = lifecycle.recheck(handoff.pk, by(cast.otto, minutes=10))
    # Still the same is missing: looked at again, and no event.
    assert (nothing.state, nothing.revision) == ("incomplete", handoff.revision)
    assert Inspection.objects.filter(handoff=handoff).count() == 2
    handoff.lead.first_name = "Jane"
    handoff.lead.save()
    done = lifecycle.recheck(handoff.pk, by(cast.otto, minutes=20))
    assert (done.state, done.ready_at, done.completion_due_at) == ("assigned", at(minutes=20), None)
    assert lifecycle.recheck(handoff.pk, by(cast.otto, minutes=30)).revision == done.revision
    last = Inspection.objects.filter(handoff=handoff).first()
    assert (last.passed, last.at, len(last.findings)) == (True, at(minutes=20), 9)


def test_another_thing_missing_is_an_event(cast):
    handoff = held(cast)
    handoff.lead.first_name, handoff.lead.email = "Jane", "jane@gmail.com"
    handoff.lead.save()
    done = lifecycle.recheck(handoff.pk, by(cast.otto, minutes=20))
    assert (done.missing, done.completion_due_at) == (["business_email"], handoff.completion_due_at)
    assert (done.completion_since, done.completion_visits) == (NOW, 1)
    assert done.events.last().kind == "rechecked"


def test_discard(cast):
    handoff = held(cast)
    done = lifecycle.discard(handoff.pk, by(cast.otto, hours=1), reason="A robot")
    assert (done.state, done.close_reason, done.closed_at) == ("discarded", "discarded", at(hours=1))
    assert (done.next_due_at, done.next_step_at, done.notes.get().text) == (None, None, "A robot")
    assert lifecycle.discard(handoff.pk, by(cast.otto, hours=2), reason="x").revision == done.revision
    with pytest.raises(Refused):
        lifecycle.discard(make_handoff("assigned", cast.femke).pk, by(cast.otto, hours=1), reason="x")
    with pytest.raises(Invalid):
        lifecycle.discard(held(cast).pk, by(cast.otto, hours=1), reason="")
    # Closed, it does not stand in the way of the next conversion.
    assert open_handoff(handoff.lead, at=at(days=1)).state == "incomplete"


def test_a_report_is_cleared_by_a_person(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=5), reason="bad_data", note="Phone is dead")
    complaint = Complaint.objects.get()
    done = lifecycle.clear_complaint(complaint.pk, by(cast.otto, hours=1))
    complaint.refresh_from_db()
    assert (complaint.cleared_at, complaint.cleared_by) == (at(hours=1), cast.otto)
    assert (done.state, done.completion_since, done.missing) == ("assigned", None, [])
    again = lifecycle.clear_complaint(complaint.pk, by(cast.ada, hours=2))
    complaint.refresh_from_db()
    assert (again.revision, complaint.cleared_by) == (done.revision, cast.otto)


def test_while_data_is_missing_no_step_of_sales_fires(cast):
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=5), reason="bad_data")
    fired = lifecycle.fire(handoff.pk, at(days=3))
    assert [(step["step"], step["told"]) for step in fired] == [("completion_breach", [cast.ada.email])]
    assert fresh(handoff).next_step_at is None
    # The second stay has a clock and a breach of its own.
    lifecycle.clear_complaint(Complaint.objects.get().pk, by(cast.otto, days=3))
    lifecycle.reject(handoff.pk, by(cast.femke, days=3, minutes=5), reason="duplicate")
    assert (fresh(handoff).completion_visits, fresh(handoff).completion_due_at) == (
        2,
        at(days=3, hours=4, minutes=5),
    )
    fired = lifecycle.fire(handoff.pk, at(days=4))
    assert [step["step"] for step in fired] == ["completion_breach"]


def test_each_stay_in_completion_is_told_of_once_also_where_nobody_held_it_in_between(cast):
    handoff = held(cast)
    Queue.objects.filter(kind=Queue.Kind.OVERFLOW).delete()
    Absence.objects.create(
        user=cast.femke, starts_at=NOW - timedelta(days=1), ends_at=NOW + timedelta(days=30)
    )
    route_to(cast.femke)
    assert [step["step"] for step in lifecycle.fire(handoff.pk, at(days=1))] == ["completion_breach"]
    handoff.lead.first_name = "Jane"
    handoff.lead.save()
    # Complete, but there is nobody to give it to: it waits for marketing again, in the same window.
    done = lifecycle.recheck(handoff.pk, by(cast.otto, days=1))
    assert (done.state, done.missing, done.window, done.completion_visits) == (
        "incomplete",
        ["routing_rule"],
        0,
        2,
    )
    assert [step["step"] for step in lifecycle.fire(handoff.pk, at(days=2))] == ["completion_breach"]
    assert lifecycle.fire(handoff.pk, at(days=3)) == []
