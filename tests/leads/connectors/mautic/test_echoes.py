"""Mautic and we in a circle: own writes come back by webhook and by poll, and nothing turns round twice."""

from datetime import timedelta

from leads import connectors, lifecycle, outbox
from leads.lifecycle import Act
from leads.models import Delivery, Handoff, Lead, Receipt, RemoteRecord
from tests.conftest import Cast
from tests.factories import route_to
from tests.leads.connectors.mautic.conftest import Hooked

PERSON = {
    "email": "ada@engines.example", "firstname": "Ada", "lastname": "Lovelace", "company": "Engines",
    "country": "Germany", "position": "CTO",
}  # fmt: skip


def qualified(hooked: Hooked, cast: Cast) -> tuple[str, Handoff]:
    """A person who crossed the threshold in Mautic, and whose handoff is known there."""
    route_to(cast.femke)
    remote_id = hooked.contact(**PERSON)
    hooked.act("points", remote_id, delta=80)
    hooked.take()
    handoff = Handoff.objects.get()
    deliver(hooked)
    return remote_id, handoff


def deliver(hooked: Hooked) -> None:
    hooked.connection.refresh_from_db()
    hooked.outer.clock.advance(20)
    connectors.deliver(hooked.connection, lambda: hooked.now, seconds=20)


def test_our_writing_comes_back_by_webhook_and_poll_and_is_no_event(cast: Cast, hooked: Hooked) -> None:
    remote_id, _ = qualified(hooked, cast)
    assert hooked.outer.mautic.contacts[remote_id].values["handoff_status"] == "pending"
    receipts = Receipt.objects.count()
    # Edited here meanwhile: what comes back has the old title and a newer time.
    lead = hooked.lead(remote_id)
    lead.job_title, lead.field_times["job_title"] = "CEO", hooked.now.isoformat()
    lead.save()
    hooked.outer.clock.advance(60)
    outbox.owe_states(hooked.connection, [lead.pk], hooked.now)
    deliver(hooked)

    told, polled = hooked.take(), hooked.poll()

    assert told == {"events": told["events"], "unchanged": told["events"]} and told["events"] > 0
    assert polled == {"events": polled["events"], "unchanged": polled["events"]} and polled["events"] > 0
    assert Receipt.objects.count() == receipts
    assert hooked.lead(remote_id).job_title == "CEO"
    assert not Delivery.objects.filter(done_at__isnull=True).exists()
    record = RemoteRecord.objects.get()
    assert record.seen == record.written


def test_one_fact_by_webhook_and_by_poll_is_one_event(cast: Cast, hooked: Hooked) -> None:
    """Told by both, in either order, with the memory of records gone: the ids are the same."""
    remote_id = hooked.contact(**PERSON)
    hooked.act("points", remote_id, delta=10)
    hooked.take()
    told = set(Receipt.objects.values_list("source", "event_id"))
    RemoteRecord.objects.all().delete()
    scores = list(Lead.objects.get().scores.values_list("total", flat=True))

    hooked.poll()

    assert scores == [10]
    new = set(Receipt.objects.values_list("source", "event_id")) - told
    # The score stands here; of what the contact says all but its points were told already.
    assert [kind for kind in new if "points/" in kind[1]] == []
    assert len(new) <= 1


def test_what_no_webhook_told_is_found_by_polling(cast: Cast, hooked: Hooked) -> None:
    route_to(cast.femke)
    remote_id = hooked.contact(**PERSON)
    hooked.take()
    hooked.outer.fault(system="mautic", webhook=True, lose=True, times=-1)
    hooked.outer.clock.advance(60)
    hooked.act("points", remote_id, delta=70)
    hooked.act("edit", remote_id, values={"position": "CEO"})
    assert hooked.take() == {}

    hooked.poll()

    assert hooked.lead(remote_id).job_title == "CEO"
    assert Handoff.objects.get().trigger == "score_threshold"


def test_a_webhook_that_comes_after_the_poll_opens_nothing_twice(cast: Cast, hooked: Hooked) -> None:
    route_to(cast.femke)
    hooked.outer.mautic.configure(mode="queue")
    remote_id = hooked.contact(**PERSON)
    hooked.act("points", remote_id, delta=70)
    hooked.poll()
    handoff = Handoff.objects.get()
    # Mautic gives a total and no parts of it, so it waits in completion.
    assert handoff.state == "incomplete"
    lifecycle.discard(handoff.pk, Act(hooked.now, cast.otto), reason="a test")

    hooked.outer.clock.advance(300)
    hooked.outer.mautic.emit({"process": True})
    hooked.take()

    assert Handoff.objects.count() == 1
    assert list(Lead.objects.get().scores.values_list("total", flat=True)) == [70]


def test_a_circle_comes_to_rest(cast: Cast, hooked: Hooked) -> None:
    """Told, written, told again: after the last change nobody has anything more to say."""
    remote_id, handoff = qualified(hooked, cast)
    for minute in range(6):
        if minute == 1:
            lifecycle.discard(handoff.pk, Act(hooked.now, cast.otto), reason="a test")
        deliver(hooked)
        hooked.take()
        hooked.outer.clock.advance(60)
        hooked.poll()
    writes = len(hooked.outer.mautic.contacts[remote_id].history)
    receipts = Receipt.objects.count()

    for _ in range(3):
        hooked.outer.clock.advance(600)
        deliver(hooked)
        hooked.take()
        hooked.poll()

    assert len(hooked.outer.mautic.contacts[remote_id].history) == writes
    assert Receipt.objects.count() == receipts
    assert hooked.now - hooked.connection.created_at > timedelta(minutes=30)
