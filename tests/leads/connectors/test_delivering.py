"""The loop: claim, call, settle; no transaction while others answer; one effect whoever dies when."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection as database

from leads import connectors, lifecycle, outbox
from leads.connectors import base, delivering
from leads.connectors.base import Pushed
from leads.models import Connection, Delivery, ExternalId, RemoteRecord
from leads.outbox import Outcome, Result
from leads.outbox.claiming import LEASE
from tests.acting import at, by
from tests.conftest import NOW
from tests.factories import make_handoff, make_lead
from tests.leads.connectors.conftest import Played, make_connection
from tests.leads.connectors.dummies import Dummy, install, well
from tests.leads.outbox.rows import after, owed


@pytest.fixture
def dummy(monkeypatch) -> Iterator[type[Dummy]]:
    return install(monkeypatch)


def deliver(there: Connection, now=NOW, seconds: float = 5, worker: str = "") -> int:
    return connectors.deliver(there, lambda: now, seconds=seconds, worker=worker)


def statuses(**filters) -> list[str]:
    return list(Delivery.objects.filter(**filters).order_by("pk").values_list("status", flat=True))


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_other_side_answers(played: Played, monkeypatch):
    there = make_connection(base_url=played.url)
    owed(there, make_lead())
    seen: list[tuple[bool, str]] = []
    sending = Delivery.objects.filter(status="sending")
    real = base.Http.call

    def call(*args, **options):
        answer = real(*args, **options)
        # Around the call itself, in the thread that makes it; what was claimed is committed.
        seen.append((database.in_atomic_block, sending.get().locked_by))
        return answer

    monkeypatch.setattr(base.Http, "call", call)

    def answer(*_):
        # Another connection to the database sees the lease: nothing holds it back.
        found = [row.locked_by for row in sending]
        database.close()
        seen.append((False, found[0]))
        return 200, {}, b""

    played.answer = answer
    assert deliver(there, worker="me") == 1
    assert seen == [(False, "me"), (False, "me")]


def test_a_state_is_read_when_it_is_sent_and_remembered_when_it_is_written(cast, dummy):
    there = make_connection("mautic", id_system="map")
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, by(cast.femke, minutes=1))
    # What was owed was the acceptance; meanwhile there was a contact.
    Delivery.objects.filter(status="superseded").delete()
    lifecycle.contact(handoff.pk, by(cast.femke, minutes=2), channel="phone", outcome="no_answer")
    assert deliver(there, at(minutes=3)) == 1
    [[wanted]] = dummy.pushed
    assert (wanted.status, wanted.owner) == ("contacted", cast.femke.email)
    record = RemoteRecord.objects.get()
    assert (record.connection, record.lead_id, record.object, record.remote_id) == (
        there, handoff.lead_id, "contact", f"r{handoff.lead_id}",
    )  # fmt: skip
    assert (record.written, record.written_at, record.revision, record.handoff) == (
        {"status": "contacted"}, at(minutes=3), wanted.revision, handoff,
    )  # fmt: skip
    known = ExternalId.objects.get(lead=handoff.lead_id)
    assert (known.system, known.object, known.value) == ("map", "contact", record.remote_id)
    there.refresh_from_db()
    assert there.last_out_at == at(minutes=3)


def test_written_again_there_is_still_one_record_and_one_id(cast, dummy):
    there = make_connection("mautic", id_system="map")
    handoff = make_handoff("accepted", cast.femke)
    deliver(there, at(minutes=3))
    outbox.owe_states(there, [handoff.lead_id], at(minutes=4))
    assert deliver(there, at(minutes=5)) == 1
    assert RemoteRecord.objects.get().written_at == at(minutes=5)
    assert ExternalId.objects.filter(lead=handoff.lead_id).count() == 1


def test_what_failed_is_not_remembered(cast, dummy):
    there = make_connection("mautic", id_system="map")
    make_handoff("accepted", cast.femke)
    dummy.push_as = staticmethod(lambda wanted: [Pushed(Outcome(Result.PERMANENT), "contact", "r1")])
    assert deliver(there, at(minutes=3)) == 0
    assert (RemoteRecord.objects.count(), statuses()[-1]) == (0, "dead")


def test_a_lead_without_a_handoff_needs_no_state(db, dummy):
    there = make_connection("mautic")
    owed(there, make_lead(), kind="state")
    assert deliver(there) == 1
    assert (dummy.pushed, statuses()) == ([], ["done"])


def test_states_go_in_batches_and_each_has_its_own_outcome(cast, dummy):
    there = make_connection("mautic")
    dummy.batch = 3
    for _ in range(5):
        make_handoff("assigned", cast.femke)

    def every_other(wanted):
        good = well(wanted)
        return [one if place % 2 else Pushed(Outcome(Result.PERMANENT)) for place, one in enumerate(good)]

    dummy.push_as = staticmethod(every_other)
    assert deliver(there) == 2
    assert [len(batch) for batch in dummy.pushed] == [3, 2]
    assert statuses() == ["dead", "done", "dead", "dead", "done"]


def test_events_messages_and_erasures_go_their_own_way(db, dummy):
    there = make_connection("mautic")
    rows = [owed(there, make_lead(), kind=kind, body="[]") for kind in ("event", "message", "erase")]
    assert deliver(there) == 3
    assert ([row.pk for row in dummy.posted], [row.pk for row in dummy.forgotten]) == (
        [rows[0].pk, rows[1].pk], [rows[2].pk],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (base.Unreachable("No answer: ConnectError."), "pending", "No answer: ConnectError."),
        (base.NotOffered("Nothing of the kind."), "dead", "Nothing of the kind."),
        (delivering.Forbidden("Private."), "dead", "Private."),
        (KeyError("x"), "pending", "The answer could not be understood (KeyError)."),
        (TypeError("x"), "pending", "The answer could not be understood (TypeError)."),
    ],
)
def test_a_connector_that_could_not_say_has_said_the_same_of_all(cast, dummy, raised, status, said):
    there = make_connection("mautic")
    for _ in range(2):
        make_handoff("assigned", cast.femke)

    def fail(wanted):
        raise raised

    dummy.push_as = staticmethod(fail)
    assert deliver(there) == 0
    assert statuses() == [status, status]
    assert set(Delivery.objects.values_list("last_error", flat=True)) == {said}


def test_a_connector_that_miscounts_has_said_nothing(cast, dummy):
    there = make_connection("mautic")
    for _ in range(2):
        make_handoff("assigned", cast.femke)
    dummy.push_as = staticmethod(lambda wanted: well(wanted)[:1])
    assert deliver(there) == 0
    assert statuses() == ["pending", "pending"]


def test_secrets_that_nobody_can_open_stop_the_connection_and_nothing_else(db, dummy):
    there, other = make_connection("mautic", sealed="nonsense"), make_connection("mautic")
    for one in (there, other):
        owed(one, make_lead())
    assert (deliver(there), deliver(other)) == (0, 1)
    there.refresh_from_db()
    assert there.paused_why == "These secrets were sealed with another SECRET_KEY: set them anew."
    assert statuses() == ["pending", "done"]


def test_merged_while_on_its_way(cast, dummy):
    """The record that was written is known once, and the lead it went to is said again."""
    there = make_connection("mautic", id_system="map")
    keep, gone = make_handoff("accepted", cast.femke), make_handoff("assigned", cast.jonas)
    Delivery.objects.filter(lead=keep.lead).delete()

    def merge_meanwhile(wanted):
        dummy.push_as = staticmethod(well)
        lifecycle.merge(keep.lead, gone.lead, by(cast.otto, minutes=2))
        return well(wanted)

    dummy.push_as = staticmethod(merge_meanwhile)
    assert deliver(there, at(minutes=2)) == 2
    assert [[one.lead_id for one in batch] for batch in dummy.pushed] == [[gone.lead_id], [keep.lead_id]]
    known = set(RemoteRecord.objects.values_list("lead", "remote_id"))
    assert known == {(gone.lead_id, f"r{gone.lead_id}"), (keep.lead_id, f"r{keep.lead_id}")}
    assert set(ExternalId.objects.filter(system="map").values_list("lead", flat=True)) == {keep.lead_id}


def test_the_budget_is_waited_for(db, dummy):
    there = make_connection("mautic", rate=20, burst=1)
    dummy.calls = 1
    for _ in range(4):
        owed(there, make_lead())
    with pytest.MonkeyPatch.context() as patch:
        slept: list[float] = []
        clock = [NOW]

        def sleep(seconds: float) -> None:
            slept.append(round(seconds, 3))
            clock[0] += timedelta(seconds=seconds)

        patch.setattr(delivering.time, "sleep", sleep)
        assert connectors.deliver(there, lambda: clock[0], seconds=5) == 4
    assert slept == [0.05, 0.05, 0.05]


def test_what_is_due_now_healthy_ones_first_and_crowded_ones_not(db):
    names = ("due", "later", "off", "paused", "open", "failing", "crowded")
    at_ = {name: make_connection(slug=name) for name in names}
    for name, one in at_.items():
        owed(one, make_lead(), at=after(seconds=1) if name == "later" else NOW)
    for name, fields in {
        "off": {"is_active": False},
        "paused": {"paused_why": "x"},
        "open": {"probe_at": after(seconds=1)},
        "failing": {"failures": 3},
    }.items():
        Connection.objects.filter(slug=name).update(**fields)
    Connection.objects.filter(slug="due").update(failures=1)
    # Two workers are at it, though more is due there.
    for worker in ("a", "b"):
        owed(at_["crowded"], make_lead(), status="sending", locked_until=after(seconds=9), locked_by=worker)
    assert [one.slug for one in connectors.due(NOW)] == ["due", "failing"]
    # Leases that have ended crowd nobody out.
    later = [one.slug for one in connectors.due(after(seconds=9))]
    assert later == ["later", "open", "crowded", "due", "failing"]


def test_what_is_due_takes_two_queries_however_many_there_are(db, django_assert_num_queries):
    for number in (1, 3):
        for _ in range(number):
            owed(make_connection(), make_lead())
        with django_assert_num_queries(2):
            connectors.due(NOW)


def receiver(played: Played, crash_after: int = 0) -> dict[str, int]:
    """An idempotent receiver: what took effect, by the message's id."""
    effects: dict[str, int] = {}

    def answer(method, path, headers, body):
        effects.setdefault(headers["webhook-id"], 0)
        effects[headers["webhook-id"]] += 1
        return 200, {}, b""

    played.answer = answer
    return effects


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
def test_a_worker_killed_between_the_call_and_the_mark_leaves_one_effect(played: Played):
    there = make_connection(base_url=played.url)
    row = owed(there, make_lead())
    effects = receiver(played)
    database.close()
    child = os.fork()
    if child == 0:
        # Dies as by kill -9 at the moment at which it would write down what came of it.
        delivering.settle = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        try:
            deliver(there, worker="killed")
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    row.refresh_from_db()
    assert (row.status, row.attempts, row.locked_by) == ("sending", 1, "killed")
    assert list(effects.values()) == [1]

    later = NOW + LEASE
    assert outbox.release(later) == 1
    assert deliver(there, later + timedelta(seconds=10)) == 1
    # Sent twice under one id, so that it took effect once; the lost attempt shows in the numbers.
    assert effects == {row.message_id: 2}
    row.refresh_from_db()
    assert (row.status, row.attempts, list(row.tries.values_list("number", flat=True))) == ("done", 2, [2])


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_two_workers_never_send_two_of_one_lead_at_once_and_keep_the_order(played: Played):
    there = make_connection(base_url=played.url)
    leads = [make_lead() for _ in range(6)]
    expected = {
        lead.pk: [owed(there, lead, body=json.dumps(lead.pk)).message_id for _ in range(5)] for lead in leads
    }
    under_way: list[int] = []
    arrived: dict[int, list[str]] = {lead.pk: [] for lead in leads}
    twice: list[int] = []
    lock = threading.Lock()

    def answer(method, path, headers, body):
        lead = json.loads(body)
        with lock:
            twice.extend([lead] if lead in under_way else [])
            under_way.append(lead)
        threading.Event().wait(0.005)
        with lock:
            under_way.remove(lead)
            arrived[lead].append(headers["webhook-id"])
        return 200, {}, b""

    played.answer = answer
    sent: list[int] = []

    def work(name: str) -> None:
        try:
            for _ in range(40):
                sent.append(deliver(there, worker=name))
        finally:
            database.close()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (sum(sent), twice, arrived) == (30, [], expected)


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
def test_two_processes_send_everything_once_in_order(played: Played):
    there = make_connection(base_url=played.url)
    leads = [make_lead() for _ in range(8)]
    expected = {
        str(lead.pk): [owed(there, lead, body=json.dumps({"lead": lead.pk})).message_id for _ in range(6)]
        for lead in leads
    }
    arrived: dict[str, list[str]] = {name: [] for name in expected}

    def answer(method, path, headers, body):
        arrived[str(json.loads(body)["lead"])].append(headers["webhook-id"])
        return 200, {}, b""

    played.answer = answer
    database.close()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                while Delivery.objects.filter(done_at__isnull=True).exists():
                    deliver(there)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert arrived == expected
    assert set(statuses()) == {"done"}
