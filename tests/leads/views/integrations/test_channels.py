"""Slack, Teams and Segment on the pages: connected, tried, read about, paused and removed like others."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from leads.models import Connection, Delivery
from tests import doubles
from tests.factories import make_handoff
from tests.leads.views.asking import html
from tests.leads.views.integrations.made import NOW, PAGE, made, secrets
from tests.leads.views.test_collector import basic

pytestmark = pytest.mark.django_db
KINDS = pytest.mark.parametrize("kind", ["slack", "teams"])


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def outer(settings):
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    with doubles.start() as started:
        yield started


def given(url: str, **more) -> dict:
    return {
        "name": "Sales channel", "rate": "1", "burst": "1", "option-tells": ["escalation", "new_demo"],
        "option-names": "none", "secret-url": url,
    } | more  # fmt: skip


@KINDS
def test_from_its_form_to_its_end(cast, as_, outer, kind):
    client, url = as_(cast.otto), f"{outer.url}/{kind}/hook/T0/B0/XsecretX"
    form = html(client.get(f"{PAGE}new/{kind}/"))
    assert "quiet hours are for the mail of people" in form
    assert ("when the flow fails, nothing is heard of it here" in form) == (kind == "teams")
    assert 'name="rate" value="1"' in form and "Address that is called" not in form
    made_there = client.post(f"{PAGE}new/{kind}/", given(url), follow=True)
    assert "XsecretX" not in html(made_there)
    row = Connection.objects.get()
    assert (row.kind, row.base_url, row.is_active, row.hook_digest, row.rate, row.burst) == (
        kind, "", False, None, 1, 1,
    )  # fmt: skip
    assert row.options["tells"] == ["escalation", "new_demo"] and row.options["names"] == "none"
    assert secrets(row) == {"url": url}
    here = f"{PAGE}{row.slug}/"
    assert "runs." in html(client.post(f"{here}switch/", {"to": "on"}, follow=True))
    page = html(client.post(f"{here}test/", follow=True))
    assert f"The test event arrived: answered {200 if kind == 'slack' else 202}." in page
    assert ("what the flow made of it Teams does not say" in page) == (kind == "teams")
    [message] = getattr(outer, kind).messages
    assert "Test message" in str(message.value) and here in str(message.value)
    assert "nothing to try" in html(client.post(f"{here}check/"), 422)
    html(client.post(f"{here}pause/", {"why": "They move"}, follow=True))
    make_handoff("assigned", cast.femke, kind="demo_request")
    assert html(client.get(here)).count("new_demo") == 1
    shown = html(client.get(f"{PAGE}deliveries/{Delivery.objects.latest('id').pk}/"))
    assert "it is worded when it is sent" in shown and "XsecretX" not in shown
    assert "is deleted." in html(client.post(f"{here}delete/", {"name": "Sales channel"}, follow=True))
    assert not Delivery.objects.exists()


@KINDS
@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://hooks.example.com/x", "The address must begin with https."),
        ("https://10.0.0.1/x", "The address leads into a private network."),
        ("hooks.example.com", "Use a plain address such as https://example.com/hooks."),
    ],
)
def test_an_address_that_may_not_be_called_is_refused_when_it_is_typed(cast, as_, kind, url, problem):
    body = html(as_(cast.otto).post(f"{PAGE}new/{kind}/", given(url)), 422)
    assert problem in body and 'value="Sales channel"' in body and not Connection.objects.exists()


def test_without_an_address_it_does_not_run(cast, as_):
    made("Sales", kind="slack", sealed="", is_active=False)
    assert "Not yet: no secret is set." in html(
        as_(cast.otto).post(f"{PAGE}sales/switch/", {"to": "on"}), 422
    )


def test_a_channel_that_is_gone_is_seen_on_the_pages(cast, as_, outer):
    client = as_(cast.otto)
    client.post(f"{PAGE}new/slack/", given(f"{outer.url}/slack/hook/T0/B0/XsecretX"))
    client.post(f"{PAGE}sales-channel/switch/", {"to": "on"})
    outer.slack.configure(state="archived")
    body = html(client.post(f"{PAGE}sales-channel/test/", follow=True))
    assert "The test event was refused: Slack answers 410: the channel is archived." in body
    page = html(client.get(f"{PAGE}sales-channel/"))
    assert "Stopped" in page and "Slack answers 410: the channel is archived." in page
    listed = html(client.get(PAGE))
    assert "the channel is archived" in listed


COLLECTOR = {"name": "Site", "role": "map", "id_system": "segment", "rate": "10", "burst": "20"}


def test_a_collector_from_its_form_to_its_first_call(cast, as_):
    client, new = as_(cast.otto), f"{PAGE}new/segment/"
    bad = html(client.post(new, {**COLLECTOR, "option-events": "Demo Requested = demo"}), 422)
    assert "“Demo Requested = demo” is not “name = kind”." in bad and not Connection.objects.exists()
    shown = client.post(new, {**COLLECTOR, "option-events": "Demo Requested = demo_request"})
    body = html(shown)
    [key] = re.findall(r'id="plain-key">([^<]+)<', body)
    [address] = re.findall(r'id="plain-address">([^<]+)<', body)
    assert address.endswith(f"/hooks/{key}/") and "/collect/v1/batch" in body
    assert "no-store" in shown["Cache-Control"]
    row = Connection.objects.get()
    assert (row.id_system, row.sealed, row.is_active) == ("segment", "", False)
    here = f"{PAGE}{row.slug}/"
    assert "runs." in html(client.post(f"{here}switch/", {"to": "on"}, follow=True))
    sent = Client().post(
        "/collect/v1/track", {"event": "Seen", "userId": "1"}, "application/json", headers=basic(key)
    )
    assert sent.json() == {"success": True}
    page = html(client.get(here))
    assert "Received last" in page and "Sent last" not in page and key not in page
    assert "has no address to send an event to" in html(client.post(f"{here}test/"), 422)
    # A new address is a new write key; the one before is nobody's.
    seen = re.findall(r'name="seen" value="(\d+)"', page)[0]
    renewed = html(client.post(f"{here}address/", {"seen": seen}))
    assert key not in renewed and re.search(r'id="plain-key">[^<]+<', renewed)
    assert Client().post("/collect/v1/track", {}, "application/json", headers=basic(key)).status_code == 401


def test_without_an_address_for_its_calls_a_collector_does_not_run(cast, as_):
    made("Site", kind="segment", sealed="", base_url="", is_active=False)
    body = html(as_(cast.otto).post(f"{PAGE}site/switch/", {"to": "on"}), 422)
    assert "Not yet: it has no address for its calls." in body
