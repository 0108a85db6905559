"""Where else a connection might be seen: the admin, and the page that asks to sign in again."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from handoff_site import kept
from leads.connectors.receiving import digest
from tests.leads.views.asking import html, refuses
from tests.leads.views.integrations.made import PAGE, SECRET, call, delivery, made

pytestmark = pytest.mark.django_db


def test_the_admin_shows_a_connection_without_what_is_sealed_and_writes_none(cast, as_):
    row = made("Warehouse", hook="door")
    client, url = as_(cast.ada), "/admin/leads/connection/"
    page = html(client.get(f"{url}{row.pk}/change/"))
    assert "https://hooks.example.com/in" in page
    for hidden in (row.sealed, SECRET, digest("door")):
        assert hidden not in page
    refuses(client, 403, get=(f"{url}add/", f"{url}{row.pk}/delete/"), post=(f"{url}{row.pk}/change/",))
    sent, came = delivery(row), call(row)
    assert "handoff.accepted" in html(client.get(f"/admin/leads/delivery/{sent.pk}/change/"))
    assert came.identity in html(client.get(f"/admin/leads/inboundcall/{came.pk}/change/"))
    assert html(client.get(url)) and html(client.get("/admin/leads/delivery/"))


def test_a_secret_that_was_typed_after_the_session_ended_is_not_given_back():
    given = {"name": "Warehouse", "secret-secret": SECRET, "secret-own": SECRET}
    response = Client().post(f"{PAGE}new/webhook/", given)
    # By the password, and by a passkey.
    carried = re.findall(r'name="kept" value="([^"]+)"', html(response, 401))
    found = {form.pairs for one in carried if (form := kept.read(one)) is not None}
    assert (len(carried), found) == (2, {(("name", "Warehouse"),)})
