"""What a change owes to whom: in its own transaction, set-wise, and nothing of the lead's person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from leads import lifecycle, outbox
from leads.choices import EventKind, Stage
from leads.intake import receive
from leads.lifecycle import Act
from leads.lifecycle.book import Book
from leads.models import Delivery, ExternalId, Handoff, RemoteRecord
from leads.outbox.catalogue import ALL_TYPES
from tests.acting import at, by
from tests.conftest import NOW
from tests.factories import event, make_handoff, make_lead, open_handoff, route_to
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import owed


def rows(**filters: Any) -> list[tuple[str, str, str]]:
    """Kind, type and status of what is owed, oldest first."""
    found = Delivery.objects.filter(**filters).order_by("pk")
    return list(found.values_list("kind", "type", "status"))


def accepted(cast, **fields):
    handoff = make_handoff("assigned", cast.femke, **fields)
    Delivery.objects.all().delete()
    return lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))


def test_nobody_connected_is_one_question_and_nothing_owed(cast):
    make_connection(is_active=False)
    route_to(cast.femke)
    with CaptureQueriesContext(database) as asked:
        open_handoff()
    assert sum("leads_connection" in query["sql"] for query in asked) == 1
    assert Delivery.objects.count() == 0


def test_a_webhook_is_owed_each_event_with_its_body_as_it_was(cast):
    there = make_connection()
    handoff = accepted(cast)
    row = Delivery.objects.get()
    assert (row.connection, row.lead, row.handoff) == (there, handoff.lead, handoff)
    assert (row.kind, row.type, row.status, row.revision) == (
        "event", "handoff.accepted", "pending", handoff.revision,
    )  # fmt: skip
    assert (row.occurred_at, row.created_at) == (at(minutes=1), at(minutes=1))
    body = json.loads(row.body)
    assert (body["type"], body["timestamp"]) == ("handoff.accepted", "2026-03-10T10:01:00Z")
    assert body["data"]["revision"] == handoff.revision
    assert body["data"]["handoff"]["state"] == "accepted"
    assert body["data"]["handoff"]["assignee"] == body["data"]["event"]["by"] == cast.femke.email
    lifecycle.contact(handoff.pk, by(cast.femke, minutes=2), channel="phone", outcome="no_answer")
    row.refresh_from_db()
    assert json.loads(row.body) == body


def test_what_a_person_did_waits_until_it_can_be_undone_no_more_and_the_rest_leaves_at_once(cast):
    make_connection()
    handoff = make_handoff("assigned", cast.femke)
    assert set(Delivery.objects.values_list("next_attempt_at", flat=True)) == {NOW}
    Delivery.objects.all().delete()
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
    assert Delivery.objects.get().next_attempt_at == at(minutes=1, seconds=12)


def test_only_the_types_that_were_chosen(cast):
    make_connection(options={"types": ["handoff.rejected", "handoff.accepted"]})
    handoff = make_handoff("assigned", cast.femke)
    assert rows() == []
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
    lifecycle.note(handoff.pk, by(cast.femke, minutes=2), text="called")
    assert rows() == [("event", "handoff.accepted", "pending")]


def test_a_state_is_owed_to_who_keeps_one_and_a_newer_supersedes_it(cast):
    there, other = make_connection("mautic"), make_connection("hubspot")
    handoff = make_handoff("assigned", cast.femke)
    assert rows(connection=there) == [("state", "", "pending")]
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
    assert rows(connection=other) == [("state", "", "superseded"), ("state", "", "pending")]
    newest = Delivery.objects.filter(connection=other).latest("pk")
    assert (newest.revision, newest.body) == (Handoff.objects.get().revision, "")


def test_a_state_that_is_on_its_way_or_of_another_lead_is_not_superseded(cast):
    there = make_connection("mautic")
    make_handoff("assigned", cast.jonas)
    handoff = make_handoff("assigned", cast.femke)
    [on_its_way] = Delivery.objects.filter(lead=handoff.lead)
    Delivery.objects.filter(pk=on_its_way.pk).update(status="sending", locked_until=at(hours=1))
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
    assert rows(connection=there) == [
        ("state", "", "pending"), ("state", "", "sending"), ("state", "", "pending"),
    ]  # fmt: skip


def test_a_note_changes_no_state_and_is_logged_where_that_is_wanted(cast):
    make_connection("mautic")
    wanted = make_connection("salesforce", options={"activities": True})
    handoff = accepted(cast)
    Delivery.objects.all().delete()
    lifecycle.note(handoff.pk, by(cast.femke, minutes=2), text="called")
    assert rows() == [("event", "noted", "pending")]
    assert Delivery.objects.get().connection == wanted
    lifecycle.contact(handoff.pk, by(cast.femke, minutes=3), channel="phone", outcome="no_answer")
    assert rows(connection=wanted)[1:] == [("state", "", "pending"), ("event", "contacted", "pending")]


def test_messages_and_notes_are_never_superseded(cast):
    there = make_connection("salesforce", options={"activities": True})
    handoff = accepted(cast)
    for minute in (2, 3):
        lifecycle.note(handoff.pk, by(cast.femke, minutes=minute), text=f"call {minute}")
    assert rows(connection=there, kind="event") == [("event", "noted", "pending")] * 2


def test_people_are_told_of_new_demos_and_escalations_and_not_of_quiet_ones(cast):
    there = make_connection("slack")
    make_handoff("assigned", cast.femke)
    assert rows() == []
    demo = make_handoff("assigned", cast.femke, kind="demo_request")
    assert rows() == [("message", "new_demo", "pending")]
    lifecycle.fire(demo.pk, at(hours=3))
    assert rows(type="escalation") != []
    Delivery.objects.all().delete()
    make_handoff("assigned", cast.femke, kind="demo_request", is_quiet=True)
    assert rows() == []
    there.options = {"tells": ["escalation"]}
    there.save()
    make_handoff("assigned", cast.femke, kind="demo_request")
    assert rows() == []


def test_a_quiet_handoff_is_kept_in_step_all_the_same(cast):
    make_connection("mautic")
    make_connection("webhook")
    make_handoff("assigned", cast.femke, is_quiet=True)
    assert ("state", "", "pending") in rows() and ("event", "handoff.opened", "pending") in rows()


def test_history_owes_nothing(cast):
    make_connection()
    make_connection("mautic")
    handoff = accepted(cast)
    Delivery.objects.all().delete()
    events = list(handoff.events.select_related("handoff", "user"))
    for one in events:
        one.handoff.is_history = True
    outbox.owe(events, NOW)
    assert rows() == []


@pytest.mark.parametrize("seconds", [0, 9, 10])
def test_what_is_undone_in_time_is_withdrawn_and_the_state_says_what_is_so_again(cast, seconds):
    make_connection()
    make_connection("mautic")
    make_connection("salesforce", options={"activities": True})
    handoff = make_handoff("assigned", cast.femke)
    Delivery.objects.all().delete()
    lifecycle.contact(handoff.pk, by(cast.femke, minutes=1), channel="phone", outcome="no_answer")
    lifecycle.undo(handoff.pk, by(cast.femke, minutes=1, seconds=seconds))
    told = Delivery.objects.exclude(kind="state")
    assert set(told.values_list("status", flat=True)) == {"withdrawn"}
    assert rows(kind="state", connection__kind="mautic") == [
        ("state", "", "superseded"), ("state", "", "pending"),
    ]  # fmt: skip
    # Whatever is taken back in time has not left: it was due later.
    left = told.filter(next_attempt_at__lt=at(minutes=1, seconds=10))
    assert not left.exists()


def test_an_undo_withdraws_its_own_act_only(cast):
    make_connection()
    handoff = make_handoff("assigned", cast.femke)
    Delivery.objects.all().delete()
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
    lifecycle.contact(handoff.pk, by(cast.femke, minutes=1, seconds=5), channel="phone", outcome="no_answer")
    lifecycle.undo(handoff.pk, by(cast.femke, minutes=1, seconds=6))
    assert rows() == [
        ("event", "handoff.accepted", "pending"), ("event", "handoff.contacted", "withdrawn"),
    ]  # fmt: skip


def test_a_change_that_is_rolled_back_owes_nothing(cast):
    make_connection()
    handoff = make_handoff("assigned", cast.femke)
    Delivery.objects.all().delete()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
        assert Delivery.objects.count() == 1
        raise ZeroDivisionError
    assert Delivery.objects.count() == 0


def _statements(cast, handoffs: int, kinds: tuple[str, ...]) -> int:
    """How many statements owing takes for so many assigned handoffs; every connection owes each."""
    for kind in kinds:
        make_connection(kind, options={"activities": True})
    route_to(cast.femke)
    answers = receive([event() for _ in range(handoffs)], None, NOW)
    pks = [answer["handoff"]["id"] for answer in answers]
    found = Handoff.objects.select_related("assignee", "queue").filter(pk__in=pks)
    Delivery.objects.all().delete()
    book = Book(Act(at(minutes=1), cast.femke))
    told = [book.write(handoff, EventKind.ACCEPTED, Stage.ACCEPTANCE) for handoff in found]
    with CaptureQueriesContext(database) as asked:
        outbox.owe(told, at(minutes=1))
    assert Delivery.objects.count() == handoffs * len(kinds)
    return len(asked)


@pytest.mark.parametrize(
    ("kinds", "most"),
    [((), 1), (("webhook",), 3), (("webhook", "mautic", "hubspot"), 4)],
)
def test_statements_are_the_same_for_one_handoff_and_for_thirty(cast, kinds, most):
    points = [transaction.savepoint()]
    one = _statements(cast, 1, kinds)
    transaction.savepoint_rollback(points[0])
    thirty = _statements(cast, 30, kinds)
    # SQLite takes so many parameters in one INSERT that sixty rows are two.
    assert one == most and thirty - one <= (1 if database.vendor == "sqlite" else 0)


MARKS = ("Zzyzxmark", "zzyzxmark@secret-person.example", "+49 30 99887766", "4930998877")


def test_no_body_holds_anything_of_the_person_whatever_is_done(cast):
    """Name, address, phone and free text are planted everywhere they can be; every kind of act is done."""
    make_connection()
    make_connection("slack", options={"tells": ["escalation", "new_demo"]})
    make_connection("salesforce", options={"activities": True})
    person = {
        "email": MARKS[1], "first_name": MARKS[0], "last_name": f"{MARKS[0]}sen", "phone": MARKS[2],
        "job_title": MARKS[0], "custom": {"note": MARKS[0]},
    }  # fmt: skip

    def fresh(**fields):
        key = {"email": f"{len(MARKS)}{fresh.count}{MARKS[1]}"}
        fresh.count += 1
        return make_lead(**(person | key | fields))

    fresh.count = 0
    for verb in ("accepted", "working", "deferred", "converted", "disqualified", "rejected", "queued"):
        make_handoff(verb, None if verb == "queued" else cast.femke, lead=fresh(), kind="demo_request")
    handoff = make_handoff("assigned", cast.femke, lead=fresh())
    lifecycle.reassign(handoff.pk, by(cast.mia, minutes=1), to=cast.jonas.email, reason=MARKS[0])
    lifecycle.defer(handoff.pk, by(cast.jonas, minutes=2), until=at(days=3), explanation=MARKS[1])
    lifecycle.resume(handoff.pk, by(cast.jonas, minutes=3))
    lifecycle.contact(
        handoff.pk, by(cast.jonas, minutes=4), channel="email", outcome="reached", note=" ".join(MARKS)
    )
    lifecycle.note(handoff.pk, by(cast.jonas, minutes=5), text=MARKS[0])
    again = make_handoff("assigned", cast.femke, lead=fresh())
    lifecycle.reject(again.pk, by(cast.femke, minutes=1), reason="bad_data", note=MARKS[2])
    held = make_handoff("incomplete", lead=fresh(company=None))
    lifecycle.discard(held.pk, by(cast.otto, minutes=1), reason=MARKS[0])
    late = make_handoff("assigned", cast.femke, lead=fresh(), kind="demo_request")
    for hours in (1, 8, 30, 80):
        lifecycle.fire(late.pk, at(hours=hours))
    lifecycle.merge(fresh(), Handoff.objects.get(pk=late.pk).lead, by(cast.otto, days=9))
    receive([event(lead=person, trigger={"reason": MARKS[0]})], None, at(days=10))

    bodies = list(Delivery.objects.exclude(body="").values_list("type", "body"))
    told = {name for name, _ in bodies}
    assert told >= set(ALL_TYPES) - {"handoff.superseded"}, set(ALL_TYPES) - told
    for name, body in bodies:
        for mark in MARKS:
            assert mark.lower() not in body.lower(), name
    for row in Delivery.objects.filter(body=""):
        assert row.kind in ("state", "message", "event")


def test_states_are_owed_anew_for_whoever_has_a_handoff(cast):
    there = make_connection("mautic")
    first, second = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.femke)
    Delivery.objects.all().update(next_attempt_at=at(hours=5))
    leads = [first.lead_id, second.lead_id, make_lead().pk]
    assert outbox.owe_states(there, leads, at(hours=1)) == 2
    waiting = Delivery.objects.filter(status="pending")
    assert set(waiting.values_list("lead", "revision", "next_attempt_at")) == {
        (first.lead_id, first.revision, at(hours=1)), (second.lead_id, second.revision, at(hours=1)),
    }  # fmt: skip
    assert Delivery.objects.filter(status="superseded").count() == 2


def test_an_erasure_names_the_records_and_takes_back_what_waits(cast):
    there, other = make_connection("mautic", id_system="map"), make_connection("hubspot", id_system="crm")
    webhook = make_connection()
    handoff = make_handoff("assigned", cast.femke)
    lead = handoff.lead
    RemoteRecord.objects.create(connection=there, lead=lead, object="contact", remote_id="15")
    ExternalId.objects.create(lead=lead, system="map", object="contact", value="16")
    ExternalId.objects.create(lead=lead, system="elsewhere", object="contact", value="17")
    sent = owed(webhook, lead, status="done", done_at=NOW)
    sent.tries.create(number=1, at=NOW, outcome="done", request="POST", answer=MARKS[0], error="e")
    assert outbox.owe_erasure([lead.pk], at(hours=1)) == 1
    erasure = Delivery.objects.get(kind="erase")
    assert (erasure.connection, json.loads(erasure.body)) == (there, [["contact", "15"], ["contact", "16"]])
    assert not Delivery.objects.filter(lead=lead, status="pending").exclude(pk=erasure.pk).exists()
    assert not Delivery.objects.filter(status="withdrawn").exclude(body="").exists()
    assert list(sent.tries.values_list("request", "answer", "error")) == [("", "", "")]
    assert not Delivery.objects.filter(connection=other, kind="erase").exists()


def test_what_is_owed_asks_for_the_worker_when_due(cast, monkeypatch, django_capture_on_commit_callbacks):
    asked: list[tuple[str, float]] = []
    monkeypatch.setattr("leads.outbox.waking.later", lambda task, wait: asked.append((task, wait)))
    make_connection()
    make_connection("mautic")
    with django_capture_on_commit_callbacks(execute=True):
        handoff = make_handoff("assigned", cast.femke)
    assert set(asked) == {("leads.tasks.deliver", 0)}
    asked.clear()
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
    assert asked == [("leads.tasks.deliver", 12)]


def test_ids_of_messages_are_their_own_and_hold_no_full_stop():
    ids = {outbox.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(one) == 36 and one.startswith("msg_") and "." not in one for one in ids)
