"""Doubles of other systems connected: the whole way there and back, once however often it is done."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from handoff_site.demo import connected
from leads import connectors, lifecycle
from leads.connectors.base import forget_tokens
from leads.lifecycle import Act
from leads.models import Connection, Delivery, ExternalId, FieldConflict, Handoff, Lead
from tests import doubles
from tests.conftest import Cast
from tests.factories import make_lead, open_handoff, route_to
from tests.processes import ROOT

pytestmark = pytest.mark.django_db
NAMES = ["Data warehouse", "HubSpot", "Mautic", "Salesforce", "Slack", "Teams"]


@pytest.fixture
def outer(settings: LazySettings) -> Iterator[doubles.Doubles]:
    settings.DEBUG, settings.CONNECTOR_PRIVATE_HOSTS = True, ["127.0.0.1"]
    forget_tokens()
    with doubles.start() as started:
        # Mautic tells whole seconds: what a test does later has to be later by its clock too.
        started.clock.offset = -30
        yield started
    forget_tokens()


@pytest.fixture
def handoff(cast: Cast) -> Handoff:
    """A lead that came from Mautic, by its id there, and waits for Femke."""
    route_to(cast.femke)
    lead = make_lead(email="ada@engines.example", last_name="Lovelace", phone="+49 30 1", job_title="CTO")
    ExternalId.objects.create(lead=lead, system="mautic", object="contact", value="4711")
    return open_handoff(lead, at=timezone.now() - timedelta(minutes=5))


def connect(outer: doubles.Doubles) -> str:
    out = StringIO()
    call_command("connect_doubles", "--url", outer.url, stdout=out)
    return out.getvalue()


def send() -> None:
    """What the worker does with what is owed by then."""
    at = timezone.now() + timedelta(seconds=20)
    for one in Connection.objects.filter(is_active=True):
        connectors.deliver(one, lambda: at, seconds=10)
    assert list(Delivery.objects.filter(done_at__isnull=True)) == []
    assert list(Delivery.objects.filter(status="dead")) == []


def pass_on(outer: doubles.Doubles) -> None:
    """Each webhook that a double wanted to send, as the site would have got it; then taken in."""
    client = Client()
    for parcel in outer.emitter.sent:
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in parcel.headers.items()}
        answer = client.post(
            urlsplit(parcel.url).path, parcel.body, content_type="application/json", **headers
        )
        assert answer.status_code < 300, answer.content
    outer.emitter.sent.clear()
    connectors.take_waiting(timezone.now, seconds=10)


def test_there_and_back(outer: doubles.Doubles, handoff: Handoff, cast: Cast) -> None:
    said = connect(outer)
    assert "Mautic: 1 records put there again" in said
    running = Connection.objects.filter(is_active=True).order_by("name")
    assert list(running.values_list("name", flat=True)) == NAMES
    send()
    assert outer.mautic.contacts["4711"].values["handoff_status"] == "pending"

    lifecycle.accept(handoff.pk, Act(timezone.now(), cast.femke))
    send()

    assert outer.mautic.contacts["4711"].values["handoff_status"] == "accepted"
    [lead] = outer.salesforce.leads
    [contact] = outer.hubspot.contacts
    assert (lead.values["Handoff_Status__c"], contact.values["handoff_status"]) == ("Accepted", "accepted")
    [hook] = outer.hooks.of("warehouse")
    assert (hook.json()["type"], hook.problem) == ("handoff.accepted", "")

    # Whose it is, is news in the channels; who holds it already is none.
    assert (outer.slack.messages, outer.teams.messages) == ([], [])
    open_handoff(make_lead(email="new@engines.example"), kind="demo_request", at=timezone.now())
    send()
    assert (len(outer.slack.messages), len(outer.teams.messages)) == (1, 1)

    # Salesforce owns the phone; the rest goes by time.
    for one in Connection.objects.filter(kind="salesforce"):
        connectors.poll(one, timezone.now, seconds=10)
    assert outer.settle()
    pass_on(outer)
    outer.clock.offset = 0
    outer.mautic.act({"id": "4711", "values": {"position": "Countess", "phone": "+49 30 2"}})
    assert outer.settle()
    pass_on(outer)
    found = Lead.objects.get(pk=handoff.lead_id)
    assert (found.job_title, found.phone) == ("Countess", "+49 30 1")
    assert list(FieldConflict.objects.values_list("field", "value", "owner__name")) == [
        ("lead.phone", "+49 30 2", "Salesforce")
    ]


def test_doubles_that_were_started_anew_know_the_same_records(
    outer: doubles.Doubles, handoff: Handoff
) -> None:
    # Salesforce takes no Lead without a company.
    Lead.objects.update(company=None)
    connect(outer)
    send()
    made = {(one.system, one.value) for one in ExternalId.objects.all()}
    assert len(made) == 3
    before = list(Connection.objects.order_by("pk").values_list("pk", "slug", "base_url", "sealed"))
    outer.reset()

    said = connect(outer)
    send()

    assert {(one.system, one.value) for one in ExternalId.objects.all()} == made
    assert said.count("1 records put there again") == 3
    after = list(Connection.objects.order_by("pk").values_list("pk", "slug", "base_url", "sealed"))
    assert after == before
    for book in (outer.mautic.contacts, outer.hubspot.contacts, outer.salesforce.leads):
        assert len(book) == 1
    [lead] = outer.salesforce.leads
    assert (lead.values["Phone"], lead.values["Handoff_Status__c"]) == ("+49 30 1", "Pending")

    # While they go on, nothing is put there twice.
    assert "put there again" not in connect(outer)


def test_somebodys_own_connection_is_left_alone(outer: doubles.Doubles, cast: Cast) -> None:
    Connection.objects.create(
        kind="mautic",
        name="Mautic",
        slug="mautic",
        base_url="https://mautic.ours.example",
        created_at=timezone.now(),
    )
    with pytest.raises(CommandError, match="of your own"):
        connect(outer)
    assert Connection.objects.get().base_url == "https://mautic.ours.example"


@pytest.mark.parametrize(
    ("problem", "words"),
    [("no debug", "DEBUG=1"), ("not allowed", "CONNECTOR_PRIVATE_HOSTS"), ("nobody", "Nobody answers")],
)
def test_what_is_in_the_way_is_said(
    problem: str,
    words: str,
    outer: doubles.Doubles,
    cast: Cast,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connected, "WAITS", 0.3)
    url = outer.url
    if problem == "no debug":
        settings.DEBUG = False
    elif problem == "not allowed":
        settings.CONNECTOR_PRIVATE_HOSTS = []
    else:
        url = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match=words):
        call_command("connect_doubles", "--url", url)
    assert not Connection.objects.exists()


def test_nobody_to_do_it_for(outer: doubles.Doubles) -> None:
    with pytest.raises(CommandError, match="seed_demo"):
        connect(outer)


def test_one_word_of_make_starts_both_and_without_it_neither() -> None:
    def commands(*words: str) -> str:
        found = subprocess.run(
            ["make", "-n", "run", "PORT=8398", *words], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return " ".join(found.stdout.replace("\\\n", " ").split())

    both = commands("DOUBLES=1", "DOUBLES_PORT=8399")
    assert "python -m tests.doubles --port 8399 --with-parent & " in both
    told = "connect_doubles --url http://127.0.0.1:8399 && exec .venv/bin/python manage.py start"
    assert f"{told} --bind 127.0.0.1:8398" in both
    assert "doubles" not in commands()
