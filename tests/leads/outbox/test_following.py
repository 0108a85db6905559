"""Two leads that become one, or two again: what waits and what is known elsewhere goes with the lead."""

from __future__ import annotations

import pytest

from leads import lifecycle
from leads.models import Delivery, Handoff, Merge, RemoteRecord
from leads.outbox import claim, settle
from tests.acting import assert_sound, at, by
from tests.factories import make_handoff, make_lead
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import outcome, owed


def record(connection, lead, remote_id="1", **fields):
    return RemoteRecord.objects.create(
        connection=connection, lead=lead, object="contact", remote_id=remote_id, **fields
    )


def owners() -> dict[str, int]:
    return {row.remote_id: row.lead_id for row in RemoteRecord.objects.all()}


def waiting(lead, **filters):
    found = Delivery.objects.filter(lead=lead, done_at__isnull=True, **filters).order_by("pk")
    return list(found.values_list("kind", "status"))


def test_what_waits_is_the_kept_leads_and_its_state_stands_for_both(cast):
    there, webhook = make_connection("mautic"), make_connection()
    keep, gone = make_handoff("accepted", cast.femke), make_handoff("assigned", cast.jonas)
    events = Delivery.objects.filter(lead=gone.lead, connection=webhook).count()
    kept_events = Delivery.objects.filter(lead=keep.lead, connection=webhook).count()
    lifecycle.merge(keep.lead, gone.lead, by(cast.otto, hours=1))
    assert waiting(gone.lead) == []
    assert waiting(keep.lead, connection=there) == [("state", "pending")]
    # Each event still leaves, in the one order of the lead they are about now.
    assert len(waiting(keep.lead, connection=webhook)) == events + kept_events
    state = Delivery.objects.get(connection=there, status="pending")
    assert (state.next_attempt_at, state.handoff) == (at(hours=1), Handoff.objects.get(pk=gone.pk))


def test_the_newest_handoff_of_both_is_the_one_that_is_told_of(cast):
    there = make_connection("mautic")
    keep = make_handoff("rejected", cast.femke)
    gone = make_handoff("accepted", cast.jonas, at=at(minutes=30))
    lifecycle.merge(keep.lead, gone.lead, by(cast.otto, hours=1))
    state = Delivery.objects.get(connection=there, status="pending")
    assert (state.lead, state.handoff) == (keep.lead, gone)


def test_what_is_on_its_way_arrives_and_is_settled(cast):
    there = make_connection("mautic")
    keep, gone = make_handoff("accepted", cast.femke), make_handoff("assigned", cast.jonas)
    Delivery.objects.filter(lead=keep.lead).delete()
    [sending] = claim(there.pk, 5, at(hours=1), "a")
    lifecycle.merge(keep.lead, gone.lead, by(cast.otto, hours=1))
    assert waiting(keep.lead) == [("state", "sending"), ("state", "pending")]
    # The kept lead's state waits until this one is through: the order of a lead holds.
    assert claim(there.pk, 5, at(hours=1), "b") == []
    assert settle(there.pk, [(sending, outcome("done"))], at(hours=1), "a") == 1
    assert len(claim(there.pk, 5, at(hours=1), "b")) == 1


def test_the_kept_leads_record_counts_and_the_other_is_not_forgotten(cast):
    crm, map_ = make_connection("salesforce"), make_connection("mautic")
    keep, gone = make_lead(), make_lead()
    record(crm, keep, "crm of keep")
    record(crm, gone, "crm of gone")
    record(map_, gone, "map of gone")
    lifecycle.merge(keep, gone, by(cast.otto, hours=1))
    assert owners() == {"crm of keep": keep.pk, "crm of gone": gone.pk, "map of gone": keep.pk}


def test_nothing_is_owed_where_neither_has_a_handoff(cast):
    make_connection("mautic")
    lifecycle.merge(make_lead(), make_lead(), by(cast.otto, hours=1))
    assert Delivery.objects.count() == 0


def test_an_undo_gives_back_and_says_both_again(cast):
    there = make_connection("mautic")
    keep, gone = make_handoff("accepted", cast.femke), make_handoff("assigned", cast.jonas)
    record(there, gone.lead, "of gone")
    webhook = make_connection()
    event = owed(webhook, gone.lead, at=at(hours=9))
    lifecycle.merge(keep.lead, gone.lead, by(cast.otto, hours=1))
    event.refresh_from_db()
    assert (event.lead, owners()) == (keep.lead, {"of gone": keep.lead_id})
    lifecycle.unmerge(Merge.objects.get().pk, by(cast.otto, hours=2))
    event.refresh_from_db()
    assert (event.lead, owners()) == (gone.lead, {"of gone": gone.lead_id})
    for handoff in (keep, gone):
        assert waiting(handoff.lead, connection=there) == [("state", "pending")]
    states = Delivery.objects.filter(connection=there, status="pending")
    assert set(states.values_list("handoff", flat=True)) == {keep.pk, gone.pk}
    assert_sound()


def test_an_undo_takes_no_record_that_would_be_the_second(cast):
    there = make_connection("mautic")
    keep, gone = make_handoff("accepted", cast.femke).lead, make_lead()
    record(there, gone, "first")
    lifecycle.merge(keep, gone, by(cast.otto, hours=1))
    record(there, gone, "second")
    lifecycle.unmerge(Merge.objects.get().pk, by(cast.otto, hours=2))
    assert owners() == {"first": keep.pk, "second": gone.pk}


def test_what_has_left_stays_where_it_was_logged(cast):
    webhook = make_connection()
    keep, gone = make_lead(), make_lead()
    sent = owed(webhook, gone, status="done", done_at=at(minutes=1))
    lifecycle.merge(keep, gone, by(cast.otto, hours=1))
    sent.refresh_from_db()
    assert sent.lead == gone


@pytest.mark.parametrize("number", [1, 3])
def test_statements_do_not_grow_with_what_waits(cast, number, django_assert_max_num_queries):
    make_connection("mautic")
    webhook = make_connection()
    keep, gone = make_handoff("accepted", cast.femke), make_handoff("rejected", cast.jonas)
    for _ in range(number):
        owed(webhook, gone.lead)
    with django_assert_max_num_queries(75) as asked:
        lifecycle.merge(keep.lead, gone.lead, by(cast.otto, hours=1))
    told = [query["sql"] for query in asked if "leads_delivery" in query["sql"].lower()]
    assert len(told) == 7, "\n".join(told)
