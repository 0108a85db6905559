"""Secrets: rotated with a day of both, ended, the address for calls renewed; each shown once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from leads import connectors
from leads.connecting import changing
from leads.connectors import signatures
from leads.connectors.receiving import digest
from leads.connectors.signatures import Refused
from leads.models import Connection
from tests.leads.connectors.conftest import Played, played  # noqa: F401 (a fixture)
from tests.leads.views.asking import html, refuses
from tests.leads.views.integrations.made import NOW, PAGE, SECRET, delivery, made, secrets

pytestmark = pytest.mark.django_db
ACTS = ("rotate", "former/end", "address")


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


def seen(row: Connection) -> str:
    return str(changing.newest(row))


def test_for_a_day_both_secrets_sign_and_are_taken(cast, as_, played: Played):  # noqa: F811
    row = made("Warehouse", base_url=f"{played.url}/in", hook="door")
    response = as_(cast.otto).post(f"{PAGE}warehouse/rotate/", {"seen": seen(row)})
    [shown] = re.findall(r'id="plain-secret">([^<]+)<', html(response))
    assert "no-store" in response["Cache-Control"]
    assert secrets(row) == {"secret": shown, "former_secret": SECRET}
    page = html(as_(cast.otto).get(f"{PAGE}warehouse/"))
    assert "The secret before counts until" in page and shown not in page
    for hours, keys in ((23, (shown, SECRET)), (25, (shown,))):
        at = NOW + timedelta(hours=hours)
        waiting = delivery(row, "pending")
        assert connectors.deliver(row, lambda: at, seconds=5) == 1
        _, _, headers, said = played.calls.pop()
        for key in keys:
            assert signatures.verify([key], headers, said, at) == waiting.message_id
        assert len(headers["webhook-signature"].split(" ")) == len(keys)
        with connectors.opened(row) as connector:
            assert connector.keys(at) == list(keys)


def test_the_same_form_twice_makes_one_secret(cast, as_):
    row = made("Warehouse")
    given = {"seen": seen(row)}
    [shown] = re.findall(
        r'id="plain-secret">([^<]+)<', html(as_(cast.otto).post(f"{PAGE}warehouse/rotate/", given))
    )
    body = html(as_(cast.otto).post(f"{PAGE}warehouse/rotate/", given), 409)
    assert "Otto Maier changed this connection meanwhile." in body and "plain-secret" not in body
    assert secrets(row) == {"secret": shown, "former_secret": SECRET}
    assert "Open the page again." in html(as_(cast.otto).post(f"{PAGE}warehouse/rotate/"), 422)


def test_one_of_ones_own(cast, as_):
    row, own = made("Warehouse"), signatures.new_secret()
    bad = html(
        as_(cast.otto).post(f"{PAGE}warehouse/rotate/", {"seen": seen(row), "secret-own": "whsec_x"}), 422
    )
    assert "A secret" in bad and "whsec_x" not in bad
    response = as_(cast.otto).post(f"{PAGE}warehouse/rotate/", {"seen": seen(row), "secret-own": own})
    assert response["Location"] == f"{PAGE}warehouse/"
    assert secrets(row) == {"secret": own, "former_secret": SECRET}


def test_a_former_secret_that_is_known_to_others_ends_at_once(cast, as_):
    row = made("Warehouse")
    as_(cast.otto).post(f"{PAGE}warehouse/rotate/", {"seen": seen(row)})
    as_(cast.otto).post(f"{PAGE}warehouse/former/end/")
    assert list(secrets(row)) == ["secret"]
    with connectors.opened(row) as connector:
        signed = signatures.headers([SECRET], "msg_1", NOW, b"{}")
        with pytest.raises(Refused):
            signatures.verify(connector.keys(NOW), signed, b"{}", NOW)
    assert "The secret before" not in html(as_(cast.otto).get(f"{PAGE}warehouse/"))


def test_a_new_address_is_shown_once_and_the_one_before_is_nobodys(cast, as_):
    row = made("Warehouse", hook="door")
    given = {"seen": seen(row)}
    response = as_(cast.otto).post(f"{PAGE}warehouse/address/", given)
    [address] = re.findall(r'id="plain-address">([^<]+)<', html(response))
    token = address.rsplit("/", 2)[1]
    row.refresh_from_db()
    assert row.hook_digest == digest(token) and "no-store" in response["Cache-Control"]
    assert Client().post("/hooks/door/").status_code == 404
    assert Client().post(f"/hooks/{token}/").status_code == 401
    page = html(as_(cast.otto).get(f"{PAGE}warehouse/"))
    assert token not in page and "Set today 10:00 by Otto Maier" in page
    body = html(as_(cast.otto).post(f"{PAGE}warehouse/address/", given), 409)
    assert "plain-address" not in body


def test_secrets_that_nobody_can_open_are_replaced_as_a_whole(cast, as_):
    row = made("Warehouse", sealed="sealed with another key")
    html(as_(cast.otto).get(f"{PAGE}warehouse/"))
    as_(cast.otto).post(f"{PAGE}warehouse/rotate/", {"seen": seen(row)})
    assert list(secrets(row)) == ["secret"]


def test_kinds_whose_secrets_are_set_by_hand(cast, as_):
    row = made("Warehouse", kind="mautic")
    assert "not made here" in html(as_(cast.otto).post(f"{PAGE}warehouse/rotate/", {"seen": seen(row)}), 422)
    assert "no former" in html(as_(cast.otto).post(f"{PAGE}warehouse/former/end/"), 422)


def test_others_may_do_none_of_it(cast, as_):
    row = made("Warehouse", hook="door")
    urls = tuple(f"{PAGE}warehouse/{act}/" for act in ACTS)
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, post=urls)
    refuses(as_(cast.otto), 405, get=urls)
    refuses(as_(cast.otto), 404, post=tuple(url.replace("warehouse", "nothing") for url in urls))
    assert secrets(row) == {"secret": SECRET} and row.hook_digest == digest("door")
