"""The bench's loader makes a consistent database; its clients and servers do what the figures need."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db.models import Count

from leads import keys
from leads.choices import OPEN
from leads.models import Activity, Event, Handoff, Lead, Receipt
from routing.models import PoolMember, Turn
from tests.acting import assert_sound
from tests.bench import curves, loading, moulds, servers, wire
from tests.processes import free_port

NOW = datetime(2026, 5, 19, 10, 44, tzinfo=UTC)


@pytest.mark.django_db
def test_what_is_loaded_is_consistent() -> None:
    world = loading.load(300, NOW)
    assert world.handoffs == Handoff.objects.count() == 300
    assert_sound()

    states = Counter(Handoff.objects.values_list("state", flat=True))
    assert {"assigned", "accepted", "deferred", "working", "converted", "rejected", "disqualified"} == set(
        states
    )
    held = Handoff.objects.open().values_list("assignee").annotate(n=Count("pk"))
    assert max(dict(held).values()) <= 2 * loading.OPEN_EACH
    assert Lead.objects.count() == 300
    assert Receipt.objects.count() == 300
    assert Activity.objects.count() == 10 * 300

    closed = Handoff.objects.exclude(state__in=OPEN)
    assert closed.values("mql_at").distinct().count() > 100
    assert {year for (year,) in closed.values_list("mql_at__year")} == {2024, 2025, 2026}
    assert Turn.objects.filter(pool__isnull=False, given_back_at__isnull=True).count() == sum(
        PoolMember.objects.values_list("taken", flat=True)
    )
    # Copies are held by all of a pool, not by the moulds' few.
    assert closed.values("assignee").distinct().count() > len(world.reps) / 2


@pytest.mark.django_db
def test_what_was_loaded_before_is_found_again() -> None:
    assert loading.found(NOW) is None
    world = loading.load(300, NOW)
    again = loading.found(NOW)
    assert again is not None
    assert (again.reps, again.marketing, again.handoffs) == (world.reps, world.marketing, 300)
    # The key of the first run is not known any more; each run has its own.
    assert keys.authenticate(again.key, NOW) != keys.authenticate(world.key, NOW)


@pytest.mark.django_db
def test_a_copys_log_names_the_copys_own_rows() -> None:
    loading.load(300, NOW)
    copy = Handoff.objects.filter(state="converted").order_by("-pk")[0]
    opened = Event.objects.get(handoff=copy, number=1).data["set"]
    assert opened["lead_id"] == copy.lead_id
    assert opened["score_id"] == copy.score_id
    assert datetime.fromisoformat(opened["mql_at"]) == copy.mql_at
    assert copy.lead.company is not None
    assert copy.lead.email.endswith(f"@{copy.lead.company.domain}")
    assert copy.attempts.latest("at").activity is not None
    assert copy.attempts.latest("at").activity.lead_id == copy.lead_id


def _serve(answers: list[bytes]) -> int:
    """A server that gives these answers on one connection; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            for answer in answers:
                connection.recv(65536)
                for start in range(0, len(answer), 7):
                    connection.sendall(answer[start : start + 7])

    threading.Thread(target=work, daemon=True).start()
    return int(listener.getsockname()[1])


def test_the_client_reads_answers_by_their_length() -> None:
    port = _serve(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
            b"HTTP/1.1 204 No\r\n\r\n",
        ]
    )
    with wire.Client(port) as client:
        assert client.send(wire.request("GET", "/")) == wire.Answer(200, b"hello world")
        assert client.send(wire.request("GET", "/")) == wire.Answer(204, b"")


def test_a_wrong_answer_makes_no_figure() -> None:
    port = _serve([b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"])
    with wire.Client(port) as client, pytest.raises(wire.Wrong, match="500"):
        wire.timed(client, wire.request("GET", "/"))


def test_requests_are_bytes_with_their_length() -> None:
    raw = wire.request("POST", "/x", b"{}", Content_Type="application/json")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /x HTTP/1.1", b"Host: 127.0.0.1", b"Content-Type: application/json", b"Content-Length: 2",
    ]  # fmt: skip
    assert body == b"{}"


def test_without_postgresql_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATABASE_URL", raising=False)
    monkeypatch.setattr(servers, "programs", lambda: None)
    with pytest.raises(servers.Unavailable, match="BENCH_DATABASE_URL"), servers.postgres("curve"):
        pass
    with pytest.raises(servers.Unavailable, match="initdb"), servers.postgres():
        pass
    monkeypatch.setenv("BENCH_DATABASE_URL", f"postgres://nobody@127.0.0.1:{free_port()}/none")
    with pytest.raises(servers.Unavailable, match="no connection"), servers.postgres():
        pass


def test_nonsense_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--handoffs", "12", "--json", str(tmp_path / "bench.json")],
        cwd=servers.ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "from 300" in done.stderr


def test_events_are_whole_and_their_own() -> None:
    maker = loading.Maker()
    events = [maker.event(NOW) for _ in range(50)]
    assert len({event["id"] for event in events}) == 50
    assert len({event["data"]["lead"]["email"] for event in events}) == 50
    assert json.dumps(events[0])


def test_parts_begin_where_those_before_end() -> None:
    made = [
        moulds.Mould(1, {Lead: 1, Event: 3, Handoff: 1}, {}, [], "", None, False),
        moulds.Mould(1, {Lead: 1, Event: 5, Handoff: 1}, {}, [], "", None, False),
    ]
    begin = moulds.Stamp(dict.fromkeys(moulds.TABLES, 10))
    after = begin.before(made, 8)
    assert (after.next_id[Lead], after.next_id[Event], after.next_id[moulds.Company]) == (18, 42, 12)
    assert begin.before(made, 0).next_id == begin.next_id


def test_growth_is_told_and_drawn_against_the_smallest() -> None:
    small = {"handoffs": 10_000, "inbox_to_rows": 4.0, "batch_intake_rate": 1000.0, "team_to_rows": 2.0}
    large = {"handoffs": 1_000_000, "inbox_to_rows": 5.0, "batch_intake_rate": 500.0}
    found = curves.grown([large, small])
    assert [(curve.label, curve.times, curve.is_flat) for curve in found] == [
        ("batch intake", (1.0, 2.0), False),
        ("inbox", (1.0, 1.25), True),
    ]
    told = curves.told(found).splitlines()
    assert [line.split()[-1] for line in told[-2:]] == ["grows", "holds"]
    drawn = curves.drawn(found)
    assert (drawn.count("<polyline"), "inbox 1.25" in drawn, "1,000,000" in drawn) == (2, True, True)
    assert curves.grown([small]) == []


def test_the_machines_work_leaves_out_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, own = iter([100.0, 107.5]), iter([20.0, 22.0])
    monkeypatch.setattr(servers, "_busy", lambda: next(busy))
    monkeypatch.setattr(servers.time, "process_time", lambda: next(own))
    with servers.work() as spent:
        pass
    assert spent.seconds == 5.5


def test_the_machines_work_is_what_all_processes_do() -> None:
    before = servers._busy()
    subprocess.run([sys.executable, "-c", "sum(n * n for n in range(5_000_000))"], check=True)
    assert servers._busy() - before > 0.1
