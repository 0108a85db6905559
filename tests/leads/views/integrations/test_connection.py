"""Connections made, changed and read: what is shown once, what never, and what two editors see."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.test import Client

from leads.connecting import changing
from leads.connectors import signatures
from leads.models import Connection, InboundCall
from tests.factories import make_handoff
from tests.leads.views.asking import html, queries, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import NOW, PAGE, SECRET, call, delivery, made, of, secrets

pytestmark = pytest.mark.django_db
NEW = f"{PAGE}new/webhook/"
GIVEN = {
    "name": "Warehouse",
    "role": "other",
    "base_url": "https://hooks.example.com/in",
    "rate": "5",
    "burst": "9",
}


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


def test_a_webhook_is_made_switched_off_and_its_secret_shown_once(cast, as_):
    client = as_(cast.otto)
    response = client.post(NEW, {**GIVEN, "option-types": ["handoff.accepted", "handoff.rejected"]})
    body = html(response)
    assert "no-store" in response["Cache-Control"]
    row = Connection.objects.get()
    [shown] = re.findall(r'id="plain-secret">(whsec_[^<]+)<', body)
    [address] = re.findall(r'id="plain-address">([^<]+)<', body)
    assert secrets(row) == {"secret": shown} and len(signatures.secret_bytes(shown)) == 32
    assert (row.slug, row.is_active, row.created_by, row.rate, row.burst) == (
        "warehouse",
        False,
        cast.otto,
        5,
        9,
    )
    assert row.options["types"] == ["handoff.accepted", "handoff.rejected"]
    page = html(client.get(f"{PAGE}warehouse/"))
    form = html(client.get(f"{PAGE}warehouse/edit/"))
    for later in (page, form):
        assert shown not in later and address.rsplit("/", 2)[1] not in later
    assert "Set today 10:00 by Otto Maier" in page and "Not switched on" in page
    assert shown not in row.sealed and address.rsplit("/", 2)[1] not in json.dumps(
        list(Connection.history.values("options", "mapping", "name", "history_change_reason"))
    )


def test_the_address_that_was_shown_takes_calls_signed_with_the_secret(cast, as_, settings):
    client = as_(cast.otto)
    body = html(client.post(NEW, GIVEN))
    [shown] = re.findall(r'id="plain-secret">([^<]+)<', body)
    [address] = re.findall(r'id="plain-address">([^<]+)<', body)
    assert address.startswith(f"{settings.PUBLIC_URL}/hooks/")
    path = address.removeprefix(settings.PUBLIC_URL)
    said = b'{"type":"lead.updated"}'
    signed = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in signatures.headers([shown], "msg_1", NOW, said).items()
    }
    assert Client().post(path, said, content_type="application/json", **signed).status_code == 404
    client.post(f"{PAGE}warehouse/switch/", {"to": "on"})
    assert Client().post(path, said, content_type="application/json", **signed).json() == {"status": "stored"}
    assert InboundCall.objects.get().identity == "msg_1"


def test_a_secret_of_ones_own(cast, as_):
    response = as_(cast.otto).post(NEW, {**GIVEN, "secret-secret": SECRET})
    body = html(response)
    assert "plain-secret" not in body and SECRET not in body
    assert secrets(Connection.objects.get()) == {"secret": SECRET}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": " "}, "Give it a name."),
        ({"name": "taken"}, "There is a connection “taken” already."),
        ({"base_url": "http://hooks.example.com/"}, "The address must begin with https."),
        ({"base_url": "https://10.1.2.3/in"}, "private network"),
        ({"base_url": "https://me:pw@hooks.example.com/"}, "must not hold a user or a password"),
        ({"secret-secret": "whsec_short"}, "A secret"),
        ({"rate": "0"}, "greater than or equal to 0.1"),
        ({"burst": "x"}, "Write a whole number."),
        ({"option-types": ["handoff.nonsense"]}, "is not one of the available choices"),
        ({"role": "king"}, "is not one of the available choices"),
    ],
)  # fmt: skip
def test_bad_input_says_what_and_keeps_the_rest_but_secrets(cast, as_, given, words):
    made("taken", slug="taken")
    typed = {**GIVEN, "option-types": ["handoff.accepted"], "secret-secret": SECRET, **given}
    body = html(as_(cast.otto).post(NEW, typed), 422)
    assert words in body and Connection.objects.count() == 1
    kept = {**GIVEN, **{name: value for name, value in given.items() if name in GIVEN}}
    assert f'value="{kept["name"]}"' in body and f'value="{kept["base_url"]}"' in body
    assert SECRET not in body and "whsec_short" not in body


def test_only_kinds_that_are_offered(cast, as_):
    refuses(as_(cast.otto), 404, get=(f"{PAGE}new/fax/",), post=(f"{PAGE}new/fax/",))


def test_settings_are_changed_and_the_secret_stays(cast, as_):
    row = made("Warehouse")
    client = as_(cast.ada)
    form = html(client.get(f"{PAGE}warehouse/edit/"))
    [seen] = re.findall(r'name="seen" value="(\d+)"', form)
    typed = {**GIVEN, "name": "Data  lake", "base_url": "https://other.example.com/x/", "seen": seen}
    response = client.post(f"{PAGE}warehouse/edit/", typed)
    assert (response.status_code, response["Location"]) == (302, f"{PAGE}warehouse/")
    assert secrets(row) == {"secret": SECRET}
    assert (row.name, row.slug, row.base_url, row.rate) == (
        "Data lake",
        "warehouse",
        "https://other.example.com/x",
        5,
    )
    page = html(client.get(f"{PAGE}warehouse/"))
    assert "Address: <s>https://hooks.example.com/in</s>" in page and "Ada Admin" in page
    # Once more, nothing to change: no further entry.
    count = Connection.history.count()
    client.post(f"{PAGE}warehouse/edit/", {**typed, "seen": str(changing.newest(row))})
    assert Connection.history.count() == count


def test_a_secret_is_replaced_and_that_is_all_that_is_said(cast, as_):
    row = made("Warehouse")
    other = signatures.new_secret()
    as_(cast.otto).post(f"{PAGE}warehouse/edit/", {**GIVEN, "secret-secret": other})
    assert secrets(row) == {"secret": other}
    page = html(as_(cast.otto).get(f"{PAGE}warehouse/"))
    assert "Set anew: Signing secret" in page and "Set today 10:00 by Otto Maier" in page
    assert other not in page and SECRET not in page


def test_the_second_of_two_editors_is_told_and_may_save_over(cast, as_):
    row = made("Warehouse")
    form = html(as_(cast.otto).get(f"{PAGE}warehouse/edit/"))
    [seen] = re.findall(r'name="seen" value="(\d+)"', form)
    as_(cast.ada).post(f"{PAGE}warehouse/edit/", {**GIVEN, "rate": "7", "seen": seen})
    body = html(as_(cast.otto).post(f"{PAGE}warehouse/edit/", {**GIVEN, "rate": "3", "seen": seen}), 409)
    assert "Ada Admin changed this connection today 10:00" in body and 'value="3"' in body
    row.refresh_from_db()
    assert row.rate == 7
    [again] = re.findall(r'name="seen" value="(\d+)"', body)
    as_(cast.otto).post(f"{PAGE}warehouse/edit/", {**GIVEN, "rate": "3", "seen": again})
    row.refresh_from_db()
    assert row.rate == 3


def test_what_workers_leave_on_the_row_is_no_edit(cast, as_):
    row = made("Warehouse")
    form = html(as_(cast.otto).get(f"{PAGE}warehouse/edit/"))
    [seen] = re.findall(r'name="seen" value="(\d+)"', form)
    Connection.objects.filter(pk=row.pk).update(last_out_at=NOW, failures=2)
    response = as_(cast.otto).post(f"{PAGE}warehouse/edit/", {**GIVEN, "seen": seen})
    assert response.status_code == 302
    row.refresh_from_db()
    assert (row.failures, row.last_out_at) == (2, NOW)


def test_what_was_said_of_it_is_text(cast, as_):
    made("Warehouse", base_url="https://x.example.com/?a=<script>alert(1)</script>", paused_why="<b>no</b>")
    body = html(as_(cast.otto).get(f"{PAGE}warehouse/"))
    assert "<script>alert" not in body and "<b>no</b>" not in body and "&lt;b&gt;no" in body


def test_others_find_nothing(cast, as_, client):
    made("Warehouse")
    pages = (NEW, f"{PAGE}warehouse/", f"{PAGE}warehouse/edit/")
    sent_to_sign_in(client, *pages)
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, get=pages, post=(NEW, f"{PAGE}warehouse/edit/"))
    refuses(as_(cast.otto), 404, get=(f"{PAGE}nothing/", f"{PAGE}nothing/edit/"))
    refuses(as_(cast.otto), 405, post=(f"{PAGE}warehouse/",))
    assert Connection.objects.count() == 1


def test_made_twice_is_made_once(cast, as_):
    client = as_(cast.otto)
    client.post(NEW, GIVEN)
    assert "already" in html(client.post(NEW, GIVEN), 422)
    assert Connection.objects.count() == 1
    client.post(NEW, {**GIVEN, "name": "Warehouse!"})
    assert sorted(Connection.objects.values_list("slug", flat=True)) == ["warehouse", "warehouse-2"]
    client.post(NEW, {**GIVEN, "name": "Deliveries"})
    assert Connection.objects.filter(slug="deliveries-2").exists(), "a word that is a page of its own"


def test_the_cost_does_not_grow(cast, as_):
    row = made("Warehouse")
    client = as_(cast.otto)
    delivery(row, **of(make_handoff("assigned", cast.femke)))
    call(row)
    one = queries(client, f"{PAGE}warehouse/")
    for number in range(2):
        delivery(row, **of(make_handoff("assigned", cast.femke)))
        call(row)
        changing.change(
            row.pk, changing.Edit(cast.otto, NOW + timedelta(minutes=number)), {"rate": 1.0 + number}
        )
    assert queries(client, f"{PAGE}warehouse/") == one
