"""One tap from the mail: a page that asks once more, then the act, once, by the one it was sent to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import quote

import pytest
import time_machine
from django.db import connection
from django.test import Client

from leads import lifecycle
from leads.models import Event, Handoff, UsedLink
from leads.notifications import links
from leads.views import links as page
from routing.models import User
from tests.conftest import NOW, Cast, with_the_cast
from tests.factories import make_handoff
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(LATER, tick=False) as clock:
        yield clock


@pytest.fixture
def handoff(cast: Cast) -> Handoff:
    return with_the_cast(cast, _handoff)


def _handoff(cast: Cast) -> Handoff:
    return make_handoff("assigned", cast.femke)


def address(user: User, handoff: Handoff, verb: str = "accept") -> str:
    return f"/go/{links.token(user, handoff, verb, NOW)}/"


def press(client: Client, url: str, **fields: str) -> object:
    """Look at the page and press its button, as a browser would."""
    seal = client.get(url).context["seal"]
    return client.post(url, {"seal": seal, **fields})


def state(handoff: Handoff) -> str:
    return Handoff.objects.values_list("state", flat=True).get(pk=handoff.pk)


# Works


def test_looking_shows_what_would_happen_and_changes_nothing(
    as_: SignIn, cast: Cast, handoff: Handoff
) -> None:
    before = Event.objects.count()
    response = as_(cast.femke).get(address(cast.femke, handoff))
    shown = html(response)
    assert handoff.lead.full_name in shown and handoff.lead.company.name in shown
    assert "12:00, 1 h 50 left" in shown
    assert "the first contact is due 11:00, 50 min left" in shown
    assert (state(handoff), Event.objects.count(), UsedLink.objects.count()) == ("assigned", before, 0)
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert as_(cast.femke).head(address(cast.femke, handoff)).status_code == 200


def test_accepting_is_one_press(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    client = as_(cast.femke)
    response = press(client, address(cast.femke, handoff))
    assert (response.status_code, response["Location"]) == (302, f"/handoffs/{handoff.pk}/")
    assert response["Referrer-Policy"] == "no-referrer"
    handoff.refresh_from_db()
    assert (handoff.state, handoff.accepted_by, handoff.accepted_at) == ("accepted", cast.femke, LATER)
    event = handoff.events.get(kind="accepted")
    assert event.user == cast.femke
    used = UsedLink.objects.get()
    assert (used.handoff, used.user, used.used_at) == (handoff, cast.femke, LATER)
    shown = html(client.get(response["Location"]))
    assert f"{handoff.lead.full_name}: accepted, contact due 11:00." in shown


def test_a_reason_rejects_and_can_be_undone(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    client = as_(cast.femke)
    url = address(cast.femke, handoff, "reject")
    assert "Not our customer profile" in html(client.get(url))
    response = press(client, url, reason="not_icp", note="Too small")
    assert response["Location"] == "/inbox/"
    handoff.refresh_from_db()
    assert (handoff.state, handoff.rejection_reason.code) == ("rejected", "not_icp")
    assert handoff.rejections.get().note == "Too small"
    # What follows waits for the ten seconds.
    assert handoff.follow_up_at == LATER + timedelta(seconds=10)
    assert "rejected." in html(client.get(response["Location"]))
    lifecycle.undo(handoff.pk, lifecycle.Act(LATER + timedelta(seconds=5), cast.femke))
    assert state(handoff) == "assigned"
    assert "used already" in html(client.get(url), 410)


def test_an_accepted_lead_can_still_be_rejected(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    lifecycle.accept(handoff.pk, lifecycle.Act(LATER, cast.femke))
    press(as_(cast.femke), address(cast.femke, handoff, "reject"), reason="not_icp")
    assert state(handoff) == "rejected"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Choose a reason."),
        ({"reason": "no such"}, "Reason:"),
        ({"reason": "nonsense", "note": "kept & kept"}, "is not a reason in force"),
        ({"reason": "other", "note": ""}, "Note: This is needed."),
        ({"reason": "not_icp", "note": "x" * 2001}, "at most 2000 characters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost_or_used(
    as_: SignIn, cast: Cast, handoff: Handoff, fields: dict[str, str], said: str
) -> None:
    shown = html(press(as_(cast.femke), address(cast.femke, handoff, "reject"), **fields), 422)
    assert said in shown
    assert (state(handoff), UsedLink.objects.count()) == ("assigned", 0)
    if "kept" in fields.get("note", ""):
        assert "kept &amp; kept</textarea>" in shown


# Wrong method, outsiders, who only reads


def test_other_methods_are_refused(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    client = as_(cast.femke)
    for method in (client.put, client.delete, client.patch):
        assert method(address(cast.femke, handoff)).status_code == 405


def test_the_anonymous_sign_in_and_come_back(client: Client, cast: Cast, handoff: Handoff) -> None:
    url = address(cast.femke, handoff)
    sent_to_sign_in(client, url)
    assert client.get(url)["Location"] == f"/login/?next={quote(url)}"
    assert client.post(url, {"seal": "x"}).status_code == 302
    assert state(handoff) == "assigned"


def test_somebody_else_is_told_so_and_learns_nothing(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    url = address(cast.femke, handoff)
    for user in (cast.jonas, cast.mia, cast.otto, cast.ada, cast.vera):
        client = as_(user)
        for response in (client.get(url), client.post(url, {"seal": "x", "reason": "not_icp"})):
            shown = html(response, 403)
            assert f"sent to Femke de Boer, and you are signed in as {user}" in shown
            assert handoff.lead.last_name not in shown and handoff.lead.company.name not in shown
            assert response["Referrer-Policy"] == "no-referrer"
    assert (state(handoff), UsedLink.objects.count()) == ("assigned", 0)


def test_who_only_reads_by_now_may_not(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    cast.femke.groups.set(cast.vera.groups.all())
    url = address(cast.femke, handoff)
    client = as_(cast.femke)
    assert "Your role does not answer leads any more" in html(client.get(url), 403)
    assert "Your role" in html(client.post(url, {"seal": "x"}), 403)
    assert state(handoff) == "assigned"


def test_what_nobody_signed_is_not_there(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    client = as_(cast.femke)
    token = links.token(cast.femke, handoff, "accept", NOW)
    for wrong in ("x", token[:-2], f"{token}x", "." + token, "%00", "a" * 3000):
        refuses(client, 404, get=(f"/go/{wrong}/",), post=(f"/go/{wrong}/",))


def test_a_press_from_elsewhere_does_nothing(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    """No page but ours, in this session, knows the seal."""
    url = address(cast.femke, handoff)
    client = as_(cast.femke)
    seals = ("", "x", "\u00e9", as_(cast.femke).get(url).context["seal"])
    other = client.get(address(cast.femke, handoff, "reject")).context["seal"]
    for seal in (*seals, other):
        assert "Look again, then press." in html(client.post(url, {"seal": seal}), 403)
    assert (state(handoff), UsedLink.objects.count()) == ("assigned", 0)


# Twice, too late, overtaken


def test_a_link_works_once(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    client = as_(cast.femke)
    url = address(cast.femke, handoff)
    seal = client.get(url).context["seal"]
    assert client.post(url, {"seal": seal}).status_code == 302
    events = Event.objects.count()
    for response in (client.post(url, {"seal": seal}), client.get(url)):
        shown = html(response, 410)
        assert "This link was used already" in shown and "You used it today 10:10" in shown
        assert "You: accepted, today 10:10. It is with you now." in shown
        assert f'href="/handoffs/{handoff.pk}/"' in shown
    assert (Event.objects.count(), UsedLink.objects.count()) == (events, 1)


def test_a_link_expires_after_three_days(
    as_: SignIn, cast: Cast, handoff: Handoff, _clock: time_machine.Coordinates
) -> None:
    client = as_(cast.femke)
    url = address(cast.femke, handoff)
    _clock.move_to(NOW + timedelta(hours=72) - timedelta(seconds=1))
    seal = client.get(url).context["seal"]
    _clock.move_to(NOW + timedelta(hours=72))
    for response in (client.get(url), client.post(url, {"seal": seal})):
        shown = html(response, 410)
        assert "This link has expired" in shown and "until today 10:00" in shown
        assert f'href="/handoffs/{handoff.pk}/"' in shown
    assert state(handoff) == "assigned"


def test_what_was_answered_in_the_app_has_moved_on(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    client = as_(cast.femke)
    url = address(cast.femke, handoff)
    seal = client.get(url).context["seal"]
    lifecycle.accept(handoff.pk, lifecycle.Act(LATER, cast.femke))
    for response in (client.get(url), client.post(url, {"seal": seal})):
        shown = html(response, 409)
        assert "The lead has moved on" in shown and "You: accepted, today 10:10." in shown
    assert UsedLink.objects.count() == 0


def test_what_went_to_somebody_else_says_by_whom_and_shows_no_lead(
    as_: SignIn, cast: Cast, handoff: Handoff
) -> None:
    client = as_(cast.femke)
    url = address(cast.femke, handoff)
    seal = client.get(url).context["seal"]
    act = lifecycle.Act(LATER, cast.mia)
    lifecycle.reassign(handoff.pk, act, to=cast.jonas.email, reason="Holiday")
    for response in (client.get(url), client.post(url, {"seal": seal})):
        shown = html(response, 409)
        assert "Mia Brandt: reassigned, today 10:10." in shown
        assert handoff.lead.last_name not in shown and f"/handoffs/{handoff.pk}/" not in shown
    assert state(handoff) == "assigned"


def test_a_window_that_came_back_is_another_window(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    """Away and back again: the old link would answer a window that it never spoke of."""
    url = address(cast.femke, handoff)
    for to in (cast.jonas, cast.femke):
        lifecycle.reassign(handoff.pk, lifecycle.Act(LATER, cast.mia), to=to.email, reason="Holiday")
    shown = html(as_(cast.femke).get(url), 409)
    assert "moved on" in shown and "It is with you now." in shown
    handoff.refresh_from_db()
    assert as_(cast.femke).get(address(cast.femke, handoff)).status_code == 200


def test_a_lead_that_is_gone_is_gone(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    handoff.pk = 999_999
    url = address(cast.femke, handoff)
    assert "The lead is gone" in html(as_(cast.femke).get(url), 410)
    assert as_(cast.femke).post(url).status_code == 410


def test_a_refusal_between_look_and_lock_uses_nothing_up(
    as_: SignIn, cast: Cast, handoff: Handoff, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = as_(cast.femke)
    url = address(cast.femke, handoff)
    seal = client.get(url).context["seal"]
    real = page._no_longer

    def looked(*arguments: object) -> object:
        found = real(*arguments)
        if state(handoff) == "assigned":
            # Somebody is quicker, after this request has looked.
            act = lifecycle.Act(LATER, cast.mia)
            lifecycle.reassign(handoff.pk, act, to=cast.mia.email, reason="I know them")
            lifecycle.accept(handoff.pk, act)
        return found

    monkeypatch.setattr(page, "_no_longer", looked)
    shown = html(client.post(url, {"seal": seal}), 409)
    assert "moved on" in shown and "Mia Brandt: reassigned" in shown
    assert UsedLink.objects.count() == 0
    handoff.refresh_from_db()
    assert handoff.assignee == cast.mia


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    type(handoff.lead).objects.filter(pk=handoff.lead_id).update(first_name="<script>x</script>")
    type(handoff.lead.company).objects.update(name='"><img src=x>')
    for verb in links.VERBS:
        shown = html(as_(cast.femke).get(address(cast.femke, handoff, verb)))
        assert "<script>x" not in shown and "<img" not in shown


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    client = as_(cast.femke)
    one = queries(client, address(cast.femke, handoff))
    for _ in range(2):
        handoff = make_handoff("assigned", cast.femke)
    assert queries(client, address(cast.femke, handoff)) == one


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", links.VERBS)
def test_four_presses_at_once_act_once(as_: SignIn, cast: Cast, verb: str) -> None:
    handoff = make_handoff("assigned", cast.femke)
    url = address(cast.femke, handoff, verb)
    client = as_(cast.femke)
    fields = {"seal": client.get(url).context["seal"], "reason": "not_icp"}

    def work() -> int:
        copy = Client()
        copy.cookies = client.cookies
        try:
            return int(copy.post(url, fields).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(future.result() for future in [pool.submit(work) for _ in range(4)])
    assert answers == [302, 410, 410, 410]
    kind = "accepted" if verb == "accept" else "rejected"
    assert handoff.events.filter(kind=kind).count() == 1
    assert (state(handoff), UsedLink.objects.count()) == (kind, 1)
