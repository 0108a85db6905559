"""The figures: true, few queries, behind a token or for admins, and of nobody by name."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import Error, IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import OrmQ, Task
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from handoff_site.models import Heartbeat, Inspection
from handoff_site.monitoring import exposition, figures, saying
from handoff_site.monitoring.figures import MOST, WINDOW, Recent, gather
from leads import intake, invariants
from leads.models import ApiKey, Finding, FiredStep, Handoff, InboundCall, Notification, Receipt, SyncRun
from routing import replica
from routing.replica import Verdict
from tests.conftest import NOW
from tests.factories import event, make_handoff, make_lead, route_to
from tests.leads.connectors.conftest import make_connection
from tests.leads.outbox.rows import owed
from tests.processes import ROOT

TOKEN = "a-token-of-32-characters-or-more!"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
MONITORING = ROOT / "handoff_site" / "monitoring"


@pytest.fixture(autouse=True)
def _now(time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def samples(body: str) -> dict[str, float]:
    """Each sample by its name and labels, as PromQL writes them."""
    found = {}
    for family in text_string_to_metric_families(body):
        assert family.type == "gauge" and family.documentation
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def scraped(client: Client) -> dict[str, float]:
    answer = client.get("/metrics", headers=AUTH)
    assert answer.status_code == 200
    return samples(answer.content.decode())


def connected(number: int) -> None:
    """One more of everything that is counted."""
    row = make_connection(slug=f"crm-{number}", name=f"Zora Neale's CRM {number}", paused_why="")
    owed(row, at=ago(minutes=20))
    owed(row, at=ago(hours=1), status="dead", done_at=NOW)
    InboundCall.objects.create(
        connection=row, identity=f"call {number}", body=b"{}", body_digest="", received_at=NOW, try_after=NOW
    )
    run = SyncRun.objects.create(
        created_at=ago(hours=2), finished_at=ago(hours=1), status="done",
        counts={row.slug: {"compared": 8, "agreed": 6, "differed": 2, "unreachable": 2}},
    )  # fmt: skip
    Finding.objects.create(
        fingerprint=f"f{number}", check_code="EXTERNAL_CHANGE", severity="high", connection=row, run=run,
        first_seen_at=NOW, last_seen_at=NOW,
    )  # fmt: skip
    OrmQ.objects.create(key="handoff", payload="x", lock=NOW)
    Task.objects.create(
        id=f"t{number}", name="t", func="f", started=ago(minutes=5), stopped=ago(minutes=4), success=False
    )


@pytest.fixture
def lived(cast: Any) -> Any:
    """Two events taken in, a step that fired 40 s late, one that is due, an owed mail, a connection."""
    route_to(cast.femke)
    key = ApiKey.objects.create(name="MAP", prefix="x", digest="x", scopes=["intake"], created_at=NOW)
    intake.receive([event(1, at=ago(minutes=2)), event(2, at=ago(minutes=1))], key, ago(seconds=30))
    old = make_handoff("assigned", cast.jonas, lead=make_lead(), at=ago(hours=9))
    Handoff.objects.filter(pk=old.pk).update(next_step_at=ago(seconds=75))
    FiredStep.objects.create(
        handoff=old, code="accept_half", window="1", due_at=ago(seconds=70), fired_at=ago(seconds=30)
    )
    FiredStep.objects.create(handoff=old, code="old", window="1", due_at=ago(hours=2), fired_at=ago(hours=1))
    Notification.objects.all().delete()
    Notification.objects.create(
        user=cast.jonas,
        handoff=old,
        kind="assigned",
        created_at=NOW,
        mail="pending",
        mail_after=ago(minutes=16),
    )
    Heartbeat.objects.create(name="worker", beat_at=ago(seconds=50))
    connected(1)
    return cast


def test_the_figures_are_those_of_the_database(lived: Any, client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    found = scraped(client)
    recent = {name: value for name, value in found.items() if name.startswith("handoff_recent_")}
    assert recent == {
        'handoff_recent_window_seconds{of="intake"}': 300,
        'handoff_recent_window_seconds{of="routing"}': 300,
        'handoff_recent_window_seconds{of="steps"}': 300,
        'handoff_recent_window_seconds{of="conversions"}': 300,
        'handoff_recent_intake_events{answer="processed"}': 2,
        'handoff_recent_intake_events{answer="ignored"}': 0,
        'handoff_recent_routing_decisions{outcome="rep"}': 2,
        'handoff_recent_routing_decisions{outcome="queue"}': 0,
        'handoff_recent_routing_decisions{outcome="nobody"}': 0,
        'handoff_recent_fired_steps{step="accept_half"}': 1,
        'handoff_recent_step_lag_seconds{quantile="0.5"}': 40,
        'handoff_recent_step_lag_seconds{quantile="0.95"}': 40,
        'handoff_recent_step_lag_seconds{quantile="1"}': 40,
        'handoff_recent_intake_delay_seconds{quantile="0.5"}': 30,
        'handoff_recent_intake_delay_seconds{quantile="0.95"}': 90,
        'handoff_recent_intake_delay_seconds{quantile="1"}': 90,
        'handoff_recent_routing_delay_seconds{quantile="0.5"}': 0,
        'handoff_recent_routing_delay_seconds{quantile="0.95"}': 0,
        'handoff_recent_routing_delay_seconds{quantile="1"}': 0,
    }
    assert {name: value for name, value in found.items() if name not in recent} == {
        'handoff_open_handoffs{state="incomplete"}': 0,
        'handoff_open_handoffs{state="queued"}': 0,
        'handoff_open_handoffs{state="assigned"}': 3,
        'handoff_open_handoffs{state="accepted"}': 0,
        'handoff_open_handoffs{state="deferred"}': 0,
        'handoff_open_handoffs{state="working"}': 0,
        "handoff_past_due_handoffs": 1,
        "handoff_astray_handoffs": 0,
        "handoff_due_steps": 1,
        "handoff_sweep_lag_seconds": 75,
        "handoff_worker_heartbeat_age_seconds": 50,
        "handoff_queued_tasks": 1,
        "handoff_failed_tasks": 1,
        "handoff_owed_mails": 1,
        "handoff_owed_mail_age_seconds": 960,
        "handoff_sync_audit_age_seconds": 3600,
        'handoff_connection_running{connection="crm-1"}': 1,
        'handoff_outbox_owed_deliveries{connection="crm-1"}': 1,
        'handoff_outbox_oldest_age_seconds{connection="crm-1"}': 1200,
        'handoff_outbox_dead_letters{connection="crm-1"}': 1,
        'handoff_waiting_calls{connection="crm-1"}': 1,
        'handoff_sync_agreement_ratio{connection="crm-1"}': 0.75,
        'handoff_sync_coverage_ratio{connection="crm-1"}': 0.8,
        'handoff_sync_open_findings{connection="crm-1",severity="high"}': 1,
        'handoff_sync_open_findings{connection="crm-1",severity="medium"}': 0,
        'handoff_sync_open_findings{connection="crm-1",severity="low"}': 0,
    }


def test_nobody_stands_in_them(lived: Any, client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    body = client.get("/metrics", headers=AUTH).content.decode()
    for handoff in Handoff.objects.select_related("lead__company"):
        lead = handoff.lead
        for word in (lead.email, lead.first_name, lead.last_name, lead.company.name):
            assert word and word not in body
    for user in lived:
        assert user.email not in body and user.name not in body
    assert "Zora" not in body


def test_what_the_last_full_check_found_is_told(cast: Any, client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN

    def told() -> dict[str, float]:
        cache.clear()
        return {name: value for name, value in scraped(client).items() if "_invariant" in name}

    def line() -> list[saying.Line]:
        lines = [line for part in saying.parts(gather(NOW)) for line in part.lines]
        return [line for line in lines if line.name == "Violations that the last full check found"]

    assert (told(), line()) == ({}, [])
    handoff = make_handoff("converted", cast.femke, lead=make_lead(), at=ago(days=2))
    names = {code: f'handoff_invariant_violations{{invariant="{code}"}}' for code in invariants.CODES}
    clean = dict.fromkeys(names.values(), 0.0) | {"handoff_invariants_age_seconds": 0.0}
    call_command("check_invariants", stdout=StringIO())
    assert told() == clean
    assert [(one.value, one.todo) for one in line()] == [("none", "")]
    Handoff.objects.filter(pk=handoff.pk).update(opportunity_at=None)
    assert told() == clean
    with pytest.raises(CommandError):
        call_command("check_invariants", stdout=StringIO())
    Inspection.objects.update(ended_at=ago(hours=2))
    broken = {names["state"]: 1.0, names["projection"]: 1.0}
    assert told() == clean | broken | {"handoff_invariants_age_seconds": 7200.0}
    [one] = line()
    assert (one.value, one.todo) == ("2", "manage.py check_invariants says which.")
    with pytest.raises(IntegrityError), transaction.atomic():
        Inspection.objects.create(pk=2, ended_at=NOW, counts={})


def test_few_queries_and_as_many_for_more_rows(lived: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            gather(NOW)
        return len(caught)

    before = queries()
    connected(2)
    connected(3)
    assert [before, queries()] == [21, 21]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL walks through a small table")
def test_what_is_open_is_counted_by_its_index(db: None) -> None:
    with CaptureQueriesContext(connection) as caught:
        gather(NOW)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {caught[0]['sql']}")
        assert "one_open_handoff_per_lead" in str(cursor.fetchall())


def test_they_are_kept_for_ten_seconds(
    lived: Any, client: Client, settings: Any, time_machine: Any, django_assert_num_queries: Any
) -> None:
    settings.METRICS_TOKEN = TOKEN
    first = scraped(client)
    time_machine.move_to(NOW + timedelta(seconds=9), tick=False)
    with django_assert_num_queries(0):
        assert scraped(client) == first
    time_machine.move_to(NOW + timedelta(seconds=10), tick=False)
    assert scraped(client)["handoff_worker_heartbeat_age_seconds"] == 60


def test_without_the_setting_there_is_no_such_page(db: None, client: Client) -> None:
    assert client.get("/metrics", headers=AUTH).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("given", ["", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", "Bearer ü"])
def test_the_token_is_asked_for(
    client: Client, db: None, settings: Any, given: str, django_assert_num_queries: Any
) -> None:
    settings.METRICS_TOKEN = TOKEN
    with django_assert_num_queries(0):
        answer = client.get("/metrics", HTTP_AUTHORIZATION=given)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert b"handoff_" not in answer.content


def test_metrics_are_only_read_and_say_when_they_cannot_be(
    client: Client, db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert client.post("/metrics", headers=AUTH).status_code == 405
    answer = client.get("/metrics", headers=AUTH)
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    assert samples(answer.content.decode())["handoff_worker_heartbeat_age_seconds"] == float("inf")

    def gone(now: datetime) -> None:
        raise Error("connection to postgres://user:password@host failed")

    monkeypatch.setattr("handoff_site.monitoring.views.kept", gone)
    answer = client.get("/metrics", headers=AUTH)
    assert (answer.status_code, answer.content) == (503, b"The database does not answer.\n")


def test_a_shorter_span_is_said_where_much_happens(db: None) -> None:
    Receipt.objects.bulk_create(
        Receipt(
            source="/map", event_id=str(number), kind="x", body_digest="", status="processed", answer={},
            received_at=ago(seconds=(MOST + 500 - number) / 10),
        )
        for number in range(MOST + 500)
    )  # fmt: skip
    found = gather(NOW).intake
    assert (found.span, found.counts) == (timedelta(seconds=200), {"processed": MOST, "ignored": 0})
    assert found.all / found.span.total_seconds() == 10


@given(st.lists(st.integers(0, 1000), min_size=1), st.sampled_from(figures.QUANTILES))
def test_a_lag_is_the_least_that_the_part_kept(lags: list[int], part: float) -> None:
    found = Recent(WINDOW, {}, sorted(timedelta(seconds=lag) for lag in lags)).lag(part)
    assert found is not None
    least = found.total_seconds()
    assert sum(lag <= least for lag in lags) >= len(lags) * part
    assert sum(lag < least for lag in lags) < len(lags) * part


def _expressions() -> list[str]:
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert set(rule["annotations"]) == {"summary", "description"}
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return [rule["expr"] for rule in rules] + [
        target["expr"] for panel in panels for target in panel["targets"]
    ]


def test_alert_rules_and_dashboard_ask_for_what_is_given(lived: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "verdict", lambda: Verdict(2.5))
    Inspection.objects.create(ended_at=NOW, counts=dict.fromkeys(invariants.CODES, 0))
    given_: dict[str, set[str]] = {}
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition.text(gather(NOW)).decode()):
        given_[family.name] = {
            f'{name}="{value}"' for sample in family.samples for name, value in sample.labels.items()
        }
        labels[family.name] = {name for sample in family.samples for name in sample.labels}
    asked = set()
    for expression in _expressions():
        found = re.findall(r"\b(handoff_\w+)(?:\{([^}]*)\})?", expression)
        assert found or expression == 'up{job="handoff"} == 0', expression
        for name, matchers in found:
            asked.add(name)
            assert name in given_, expression
            assert set(filter(None, matchers.split(","))) <= given_[name], expression
        for by in re.findall(r"\bon \((\w*)\)", expression):
            assert by == "" or all(by in labels[name] for name, _ in found), expression
    assert asked == set(given_)


def test_the_status_page_says_what_to_do(lived: Any, as_: Any) -> None:
    answer = as_(lived.ada).get("/status/")
    assert answer.status_code == 200
    assert [line.name for line in answer.context["wrong"]] == [
        "Tasks that failed in the last hour",
        "E-mails that may go out",
        "Zora Neale's CRM 1",
    ]
    Heartbeat.objects.update(beat_at=ago(minutes=4))
    Handoff.objects.update(next_step_at=ago(minutes=5))
    found = gather(NOW)
    lines = [line.name for part in saying.parts(found) for line in saying.wrong(part.lines)]
    assert lines[:2] == ["Worker's last sign of life", "Oldest step that is due"]


@pytest.mark.parametrize(
    ("link", "value", "todo"),
    [
        (
            {"tone": "late", "why": "It refused us.", "dead": 2},
            "Paused: It refused us.",
            "Nothing reaches it.",
        ),
        ({"dead": 1, "agreement": 0.1}, "1 dead letter", "Read the dead letters"),
        ({"dead": 1200}, "1,200 dead letters", "Read the dead letters"),
        (
            {"is_running": True, "owed": 3, "oldest": timedelta(hours=2)},
            "owed 3, for 2 h",
            "It takes less",
        ),
        ({"is_running": True, "agreement": 0.5}, "50 % agree", "It says something else"),
        ({"is_running": True, "agreement": 0.99}, "Paused", ""),
    ],
)
def test_of_a_connection_it_says_what_is_wrong_and_how_it_is(
    link: dict[str, Any], value: str, todo: str
) -> None:
    plain: dict[str, Any] = {"slug": "crm", "name": "CRM", "state": "Paused", "tone": "", "is_running": False}
    found = figures.Link(**plain | link)
    line = saying.connection(found)
    assert (line.value, line.todo[: len(todo)], line.is_wrong) == (value, todo, bool(todo))
    assert saying.state(found) == ("Paused: It refused us." if found.why else "Paused")


def test_all_is_well_where_nothing_is(cast: Any, as_: Any) -> None:
    Heartbeat.objects.create(name="worker", beat_at=NOW)
    answer = as_(cast.ada).get("/status/")
    assert answer.context["wrong"] == [] and b"all is as it should be" in answer.content
    assert b"Connect a system" in answer.content


def test_the_status_page_is_for_admins_and_only_read(cast: Any, as_: Any, client: Client) -> None:
    assert [as_(user).get("/status/").status_code for user in cast] == [404] * 7 + [200]
    assert client.get("/status/").url == "/login/?next=/status/"
    admin = as_(cast.ada)
    assert admin.post("/status/").status_code == 405
    assert [admin.get("/status/").status_code for _ in range(2)] == [200, 200]
    assert reverse("status") in admin.get("/profile/").content.decode()
    assert "/status/" not in as_(cast.otto).get("/profile/").content.decode()


@pytest.mark.parametrize(
    ("found", "told", "todo"),
    [
        (None, {}, ""),
        (
            Verdict(2.5),
            {"handoff_replica_used": 1, "handoff_replica_lag_seconds": 2.5},
            "",
        ),
        (
            Verdict(None, "It does not answer."),
            {"handoff_replica_used": 0},
            "The primary answers instead. It does not answer. Look at the server of DATABASE_REPLICA_URL.",
        ),
    ],
)
def test_a_read_replica_is_told_of_where_there_is_one(
    lived: Any, monkeypatch: pytest.MonkeyPatch, found: Verdict | None, told: dict[str, float], todo: str
) -> None:
    monkeypatch.setattr(replica, "verdict", lambda: found)
    gathered = gather(NOW)
    seen = samples(exposition.text(gathered).decode())
    assert {name: value for name, value in seen.items() if name.startswith("handoff_replica")} == told
    lines = [line for part in saying.parts(gathered) for line in part.lines]
    about = [line for line in lines if line.name == "Copy of the database for figures"]
    assert [line.todo for line in about] == ([] if found is None else [todo])
