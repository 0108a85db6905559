"""Triage: what waits for marketing's decision, and settling it once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from leads import lifecycle
from leads.models import Handoff, TriageItem
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def rejected(cast: Cast, reason: str = "existing_customer", note: str = "Since spring") -> Handoff:
    handoff = make_handoff("assigned", cast.femke)
    act = lifecycle.Act(NOW + timedelta(minutes=5), cast.femke)
    return lifecycle.reject(handoff.pk, act, reason=reason, note=note)


def item(kind: str = "suppressed", **data: object) -> TriageItem:
    return TriageItem.objects.create(lead=make_lead(), kind=kind, data=data, at=NOW)


def waiting(client: Client) -> tuple[list[int], list[int]]:
    context = client.get("/triage/").context
    return [line.id for line in context["rejections"]], [line.id for line in context["items"]]


def test_both_kinds_wait_with_what_was_said(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    rejected(cast, "not_icp")
    shut = item(trigger="demo_request", reason="competitor")
    won = item("won_anyway", handoff=handoff.pk, state="rejected")
    response = as_(cast.otto).get("/triage/")
    line = response.context["rejections"][0]
    assert (line.what, line.note, line.who) == ("Already a customer", "Since spring", "Femke de Boer")
    assert waiting(as_(cast.otto)) == ([handoff.pk], [shut.pk, won.pk])
    page = html(response)
    assert "Suppressed, yet: demo request" in page
    assert "Suppressed as competitor" in page
    assert "Rejected, yet there is an opportunity" in page


def test_one_that_can_still_be_undone_does_not_wait_yet(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    act = lifecycle.Act(LATER, cast.femke)
    lifecycle.reject(handoff.pk, act, reason="existing_customer", undoable=True)
    assert waiting(as_(cast.otto)) == ([], [])


def test_a_rejection_is_settled_once(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    client, url = as_(cast.otto), f"/triage/handoffs/{handoff.pk}/settle/"
    events = handoff.events.count()
    assert ": settled." in html(client.post(url, follow=True))
    assert "was settled already" in html(client.post(url, follow=True))
    record = TriageItem.objects.get()
    assert (record.kind, record.settled_by, record.settled_at) == ("rejected", cast.otto, LATER)
    assert waiting(client) == ([], [])
    assert handoff.events.count() == events


def test_rejected_again_it_waits_again(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    as_(cast.otto).post(f"/triage/handoffs/{handoff.pk}/settle/")
    again = make_handoff("assigned", cast.femke, lead=handoff.lead, kind="demo_request")
    lifecycle.reject(again.pk, lifecycle.Act(LATER, cast.femke), reason="existing_customer")
    assert waiting(as_(cast.otto)) == ([again.pk], [])


def test_an_item_is_settled_once(as_: SignIn, cast: Cast) -> None:
    found = item(trigger="demo_request")
    client, url = as_(cast.otto), f"/triage/items/{found.pk}/settle/"
    assert ": settled." in html(client.post(url, follow=True))
    assert "was settled already" in html(client.post(url, follow=True))
    found.refresh_from_db()
    assert (found.settled_by, found.settled_at) == (cast.otto, LATER)


def test_only_what_waits_can_be_settled(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    page = html(as_(cast.otto).post(f"/triage/handoffs/{handoff.pk}/settle/", follow=True))
    assert "was settled already" in page
    assert not TriageItem.objects.exists()


def test_an_admin_looks_on(as_: SignIn, cast: Cast) -> None:
    handoff, found = rejected(cast), item()
    client = as_(cast.ada)
    assert "Settle" not in html(client.get("/triage/"))
    refuses(client, 403, post=(f"/triage/handoffs/{handoff.pk}/settle/", f"/triage/items/{found.pk}/settle/"))


def test_it_is_not_there_for_others(as_: SignIn, cast: Cast) -> None:
    handoff, found = rejected(cast), item()
    posts = (f"/triage/handoffs/{handoff.pk}/settle/", f"/triage/items/{found.pk}/settle/")
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 404, get=("/triage/",), post=posts)
    refuses(as_(cast.otto), 404, post=("/triage/handoffs/987654/settle/", "/triage/items/987654/settle/"))


def test_acts_are_posted_and_the_page_is_not(as_: SignIn, cast: Cast) -> None:
    gets = ("/triage/handoffs/1/settle/", "/triage/items/1/settle/")
    refuses(as_(cast.otto), 405, get=gets, post=("/triage/",))


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/triage/")


def test_nothing_waiting_says_so(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.otto).get("/triage/"))
    assert "No rejection waits." in page
    assert "Nothing waits." in page


def test_hostile_words_are_shown_as_text(as_: SignIn, cast: Cast) -> None:
    rejected(cast, note="<script>alert(1)</script>")
    item("<b>odd</b>", trigger="<i>", reason="<u>", handoff="x")
    page = html(as_(cast.otto).get("/triage/"))
    for hostile in ("<script>alert", "<b>odd", "<i>", "<u>"):
        assert hostile not in page


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    rejected(cast)
    item()
    client = as_(cast.otto)
    one = queries(client, "/triage/")
    for _ in range(2):
        rejected(cast)
        item()
    assert queries(client, "/triage/") == one
