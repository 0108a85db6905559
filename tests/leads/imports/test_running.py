"""Imports under way: in slices, each row once, whatever dies in between; quietly if asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from leads import imports, invariants, slices, tasks
from leads.imports import keeping, previewing, running
from leads.models import (
    Company,
    Event,
    Handoff,
    ImportFailure,
    ImportPart,
    Lead,
    LeadImport,
    Notification,
    Receipt,
    Score,
)
from tests.conftest import NOW
from tests.factories import route_to
from tests.leads.imports.files import csv_of, done, made, row

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def rows(count: int, start: int = 0) -> list[list[str]]:
    return [row(number) for number in range(start, start + count)]


def test_rows_become_leads_and_handoffs_by_whoever_imports(cast) -> None:
    route_to(cast.femke, cast.jonas)
    run = done(
        made(csv_of(*rows(3), row(3, trigger=""), row(4, company=""), row(5, country="Narnia")), cast.otto)
    )
    assert run.counts == {"taken": 5, "handed": 4, "held": 1, "failed": 1}
    assert (Lead.objects.count(), Handoff.objects.count()) == (5, 5)
    handoff = Handoff.objects.order_by("pk").first()
    assert (handoff.trigger, handoff.assignee) == ("demo_request", cast.femke)
    assert handoff.events.get(kind="opened").user == cast.otto
    assert list(run.failures.values_list("row", "problems")) == [
        (7, [{"column": "Country", "message": "“Narnia” is not a country."}])
    ]
    assert list(invariants.violations(NOW)) == []


def test_the_same_file_again_changes_nothing(cast) -> None:
    route_to(cast.femke)
    content = csv_of(*rows(4))
    done(made(content))
    before = [model.objects.count() for model in (Lead, Company, Score, Handoff, Event, Receipt)]
    again = done(made(content, name="renamed.csv"), LATER)
    assert again.counts == {"repeated": 4}
    # The name stands in the reason of a trigger; it makes no other event.
    assert before == [model.objects.count() for model in (Lead, Company, Score, Handoff, Event, Receipt)]
    # Mapped otherwise the rows say something else.
    other = made(content, kind="keep")
    assert done(other, LATER).counts == {"taken": 4, "handed": 4}
    assert Handoff.objects.count() == 4


def test_rows_with_ids_of_their_own_count_once_over_all_files(cast) -> None:
    header = ("Email", "Submission ID")
    done(made(csv_of(["a@lovelace.com", "1"], ["b@lovelace.com", "2"], header=header)))
    again = done(made(csv_of(["b@lovelace.com", "2"], ["c@lovelace.com", "3"], header=header)), LATER)
    assert again.counts == {"taken": 1, "repeated": 1}


def test_quietly_nobody_is_told_and_no_clock_runs(cast) -> None:
    route_to(cast.femke)
    done(made(csv_of(*rows(3)), cast.otto, is_quiet=True))
    assert Handoff.objects.filter(is_quiet=True, state="assigned").count() == 3
    assert not Notification.objects.exists()
    assert not Handoff.objects.filter(next_step_at__isnull=False).exists()
    done(made(csv_of(*rows(1, 10)), cast.otto))
    assert Notification.objects.count() == 1


def test_slices(cast, monkeypatch) -> None:
    route_to(cast.femke)
    monkeypatch.setattr(running, "CHUNK", 2)
    monkeypatch.setattr(keeping, "PART", 3)
    run = made(csv_of(*rows(5), row(5, country="Narnia"), *rows(2, 6)))
    assert run.parts.count() == 3
    imports.start(run, None, NOW)
    told = []
    while imports.work(run, NOW, 0):
        run.refresh_from_db()
        assert (run.status, run.worked_at) == ("running", None)
        told.append(run.done)
    run.refresh_from_db()
    assert (told, run.done, run.status) == ([2, 4, 6], 8, "done")
    assert run.counts == {"taken": 7, "handed": 7, "failed": 1}
    assert not imports.work(run, NOW)


class Killed(BaseException):
    """What a kill is to the code it stops: nothing that could be caught."""


@pytest.mark.parametrize("where", ["before", "within", "after"])
def test_a_slice_that_died_is_taken_up_and_counts_every_row_once(cast, monkeypatch, where) -> None:
    route_to(cast.femke)
    monkeypatch.setattr(running, "CHUNK", 2)
    run = made(csv_of(*rows(5)))
    imports.start(run, None, NOW)
    receive, asked = running.receive, []

    def dying(events, *args, **more):
        asked.append(events)
        if len(asked) == 2 and where == "before":
            raise Killed
        answers = receive(events, *args, **more)
        if len(asked) == 2 and where == "within":
            raise Killed
        return answers

    def dying_after(*args, **more):
        took(*args, **more)
        if len(asked) == 2 and where == "after":
            raise Killed

    took = running._take
    monkeypatch.setattr(running, "receive", dying)
    monkeypatch.setattr(running, "_take", dying_after)
    with pytest.raises(Killed):
        imports.work(run, NOW)
    run = LeadImport.objects.get()
    assert run.done == (4 if where == "after" else 2) and run.worked_at is not None
    assert Lead.objects.count() == run.done
    # While it might still live nobody takes it up.
    assert not imports.unfinished(NOW + timedelta(seconds=59)).exists()
    later = NOW + timedelta(seconds=90)
    assert imports.unfinished(later).get() == run
    assert not imports.work(run, later)
    run.refresh_from_db()
    assert (run.status, run.done, run.tries) == ("done", 5, 0)
    assert run.counts == {"taken": 5, "handed": 5}
    assert Handoff.objects.count() == Lead.objects.count() == Receipt.objects.count() == 5


def test_whoever_was_taken_for_dead_writes_nothing(cast, monkeypatch) -> None:
    route_to(cast.femke)
    run = made(csv_of(*rows(3)))
    imports.start(run, None, NOW)
    receive = running.receive

    def slow(*args, **more):
        answers = receive(*args, **more)
        LeadImport.objects.update(worked_at=LATER)
        return answers

    monkeypatch.setattr(running, "receive", slow)
    assert not imports.work(run, NOW)
    assert (Lead.objects.count(), LeadImport.objects.get().done) == (0, 0)


def test_a_slice_that_dies_again_and_again_ends(cast) -> None:
    run = made(csv_of(*rows(2)))
    imports.start(run, None, NOW)
    for times in range(1, 5):
        LeadImport.objects.update(worked_at=NOW, tries=times - 1, status="running")
        run.refresh_from_db()
        if times <= slices.MOST_TRIES:
            continue
        assert not imports.work(run, NOW + timedelta(minutes=2))
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "It stopped 4 times without getting on, after 0 rows.")


def test_a_busy_database_is_no_failure_and_a_fault_is(cast, monkeypatch) -> None:
    run = made(csv_of(*rows(2)))
    imports.start(run, None, NOW)

    def busy(*args, **more):
        raise OperationalError("database is locked")

    monkeypatch.setattr(running, "receive", busy)
    assert not imports.work(run, NOW)
    run.refresh_from_db()
    assert (run.status, run.done) == ("running", 0)

    def faulty(*args, **more):
        raise ValueError("a fault")

    monkeypatch.setattr(running, "receive", faulty)
    assert not imports.work(run, NOW + timedelta(minutes=2))
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "ValueError: a fault")


def test_stopping_keeps_what_was_taken_and_the_rest_can_be_taken_later(cast, monkeypatch) -> None:
    route_to(cast.femke)
    monkeypatch.setattr(running, "CHUNK", 2)
    content = csv_of(*rows(5))
    run = made(content)
    imports.start(run, None, NOW)
    imports.work(run, NOW, 0)
    assert imports.stop(run, NOW) and not imports.stop(run, NOW)
    run.refresh_from_db()
    assert not imports.work(run, NOW)
    assert (run.status, run.done, Lead.objects.count()) == ("stopped", 2, 2)
    again = done(made(content), LATER)
    assert again.counts == {"repeated": 2, "taken": 3, "handed": 3}


def test_two_workers_share_out_two_imports_and_never_one(cast, monkeypatch) -> None:
    monkeypatch.setattr("leads.queueing.put", lambda name: None)
    first, second = made(csv_of(*rows(2))), made(csv_of(*rows(2, 5)))
    for run in (first, second):
        imports.start(run, None, NOW)
    stale = LeadImport.objects.get(pk=first.pk)
    assert tasks.take_imports() == 2
    assert not imports.work(stale, LATER)
    assert tasks.take_imports() == 2 and tasks.take_imports() == 0
    assert set(LeadImport.objects.values_list("status", flat=True)) == {"done"}


def test_queries_grow_with_chunks_not_with_rows(cast, monkeypatch) -> None:
    route_to(cast.femke)

    def asked(count: int, start: int) -> int:
        run = made(csv_of(*rows(count, start)))
        imports.start(run, None, NOW)
        with CaptureQueriesContext(connection) as found:
            imports.work(run, NOW)
        run.refresh_from_db()
        assert run.counts["taken"] == count
        return len(found)

    asked(2, 0)
    # Eight times the rows, and a few queries more: long lists go to the database in parts.
    assert asked(80, 100) < 1.5 * asked(10, 10)


def test_a_preview_is_what_would_happen_and_leaves_nothing(cast) -> None:
    route_to(cast.femke)
    done(made(csv_of(row(1))))
    cells = [row(1, trigger="", score="90"), row(2), row(3, employees=""), row(4, country="Narnia"),
             row(5, trigger="", score="20", fit="10", intent="5", behavior="5")]  # fmt: skip
    run = made(csv_of(*cells))
    before = [model.objects.count() for model in (Lead, Handoff, Event, Receipt, Notification)]
    preview = imports.look(run, cast.otto, LATER)
    assert before == [model.objects.count() for model in (Lead, Handoff, Event, Receipt, Notification)]
    assert [would.is_new for would in preview.rows] == [False, True, True, False, True]
    answers = [would.answer for would in preview.rows]
    assert answers[1]["handoff"]["assignee"] == cast.femke.email
    assert answers[3] is None and answers[4]["handoff"] is None
    assert (preview.checked, preview.failed) == (5, 1)
    assert [would.number for would in preview.failures] == [5]


def test_a_preview_looks_at_no_more_than_it_says(cast, monkeypatch) -> None:
    monkeypatch.setattr(previewing, "CHECKED", 12)
    preview = imports.look(made(csv_of(*rows(20))), None, NOW)
    assert (len(preview.rows), preview.checked) == (10, 12)


def test_old_rows_go_and_the_result_stays(cast, monkeypatch) -> None:
    run = done(made(csv_of(*rows(2), row(5, country="Narnia"))))
    left = made(csv_of(*rows(2)))
    for days, parts, failures in ((6, 2, 1), (29, 1, 1), (31, 0, 0)):
        monkeypatch.setattr("leads.tasks.timezone.now", lambda days=days: NOW + timedelta(days=days))
        tasks.prune()
        assert (ImportPart.objects.count(), ImportFailure.objects.count()) == (parts, failures), days
    assert LeadImport.objects.get() == run and run != left
