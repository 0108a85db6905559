"""Triage: what waits for marketing's decision, and settling it once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leads import lifecycle, triaging
from leads.models import DuplicatePair, Handoff, TriageItem
from routing.models import User
from routing.people import MARKETING
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead, route_to
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
    assert ": the rejection stands." in html(client.post(url, follow=True))
    assert "was decided already: let stand by Otto" in html(client.post(url, follow=True))
    record = TriageItem.objects.get()
    assert (record.kind, record.settled_by, record.settled_at) == ("rejected", cast.otto, LATER)
    assert waiting(client) == ([], [])
    assert handoff.events.count() == events


def test_the_navigation_counts_what_waits(as_: SignIn, cast: Cast) -> None:
    def badge(user: User) -> list[tuple[str, str]]:
        nav = as_(user).get("/leads/").context["shell"].nav
        return [(place.count, place.counts) for place in nav if place.label == "Triage"]

    assert badge(cast.otto) == [("", "to decide")]
    handoff, found = rejected(cast), item()
    one = queries(as_(cast.otto), "/profile/")
    rejected(cast)
    rejected(cast, "not_icp")
    assert badge(cast.otto) == badge(cast.ada) == [("3", "to decide")]
    assert badge(cast.mia) == []
    assert queries(as_(cast.otto), "/profile/") == one
    as_(cast.otto).post(f"/triage/handoffs/{handoff.pk}/settle/")
    as_(cast.otto).post(f"/triage/items/{found.pk}/settle/")
    assert badge(cast.otto) == [("1", "to decide")]


def test_past_so_many_the_navigation_counts_no_further(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert len(triaging.waiting()) == 0
    item()
    rejected(cast)
    assert len(triaging.waiting()) == 2
    assert [query["sql"].rpartition("LIMIT ")[2] for query in asked] == ["100"]


def test_rejected_again_it_waits_again(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    as_(cast.otto).post(f"/triage/handoffs/{handoff.pk}/settle/")
    again = make_handoff("assigned", cast.jonas, lead=handoff.lead, kind="demo_request")
    lifecycle.reject(again.pk, lifecycle.Act(LATER, cast.jonas), reason="existing_customer")
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
    assert "is assigned now, there is nothing to decide" in page
    assert not TriageItem.objects.exists()


@pytest.mark.parametrize(
    ("verb", "typed"),
    [
        ("recycle", {"until": "2026-12-24"}),
        ("suppress", {}),
        ("send-back", {"text": "The phone is wrong"}),
        ("hand-on", {"to": "rosa@handoff.example.com", "reason": "Another branch"}),
    ],
)
def test_of_two_who_decide_at_once_the_second_is_asked_again(
    as_: SignIn, cast: Cast, verb: str, typed: dict[str, str]
) -> None:
    cast.nils.groups.add(Group.objects.get(name=MARKETING))
    handoff = rejected(cast)
    page = html(as_(cast.nils).get(f"/triage/?h={handoff.pk}"))
    assert 'name="waits" value="1"' in page
    as_(cast.otto).post(f"/triage/handoffs/{handoff.pk}/settle/")
    seen = {"revision": str(handoff.revision), "waits": "1"} | typed
    url = f"/triage/handoffs/{handoff.pk}/{verb}/"
    page = html(as_(cast.nils).post(url, seen), 409)
    assert f"{cast.otto} let this rejection stand at " in page
    assert all(value in page for value in typed.values())
    handoff.refresh_from_db()
    assert (handoff.state, handoff.next_step) == ("rejected", "triage")
    # What the page shows now is decided again on purpose.
    assert as_(cast.nils).post(url, {"revision": str(handoff.revision)} | typed).status_code == 302
    handoff.refresh_from_db()
    assert handoff.next_step != "triage"


def test_what_was_decided_meanwhile_is_said(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    as_(cast.otto).post(f"/triage/handoffs/{handoff.pk}/suppress/")
    page = html(as_(cast.otto).post(f"/triage/handoffs/{handoff.pk}/settle/", follow=True))
    assert "was decided already: never again" in page
    assert f'href="/triage/?h={handoff.pk}#row-{handoff.pk}">Look again</a>' in page


def test_the_other_lead_is_known_by_the_address_of_its_page(as_: SignIn, cast: Cast) -> None:
    handoff, other = rejected(cast), make_lead()
    url, client = f"/triage/handoffs/{handoff.pk}/same-person/", as_(cast.otto)
    for typed in (f"http://testserver/leads/{other.pk}/#merges", f"/leads/{other.pk}", str(other.pk)):
        assert client.post(url, {"other": typed})["Location"].startswith("/duplicates/"), typed
    refused = html(client.post(url, {"other": "/leads/987654/"}), 422)
    assert "No lead has the e-mail address, number or page" in refused


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


ACTS = ("recycle", "suppress", "send-back", "same-person", "hand-on")


def url(handoff: Handoff, act: str) -> str:
    return f"/triage/handoffs/{handoff.pk}/{act}/"


def test_each_act_is_one_form_away(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    page = html(as_(cast.otto).get(f"/triage/?h={handoff.pk}&form=recycle"))
    for act in (*ACTS, "settle"):
        assert url(handoff, act) in page
    for key in "arbhmx":
        assert f'data-key="{key}"' in page


def test_recycled_with_a_date_the_next_is_open(as_: SignIn, cast: Cast) -> None:
    first, second = rejected(cast), rejected(cast)
    response = as_(cast.otto).post(url(second, "recycle"), {"until": "2026-05-01"})
    assert (response.status_code, response["Location"]) == (302, f"/triage/?h={first.pk}#row-{first.pk}")
    second.refresh_from_db()
    lead = second.lead
    assert (second.next_step, lead.cool_off_until.date().isoformat()) == ("recycled", "2026-05-01")
    page = html(as_(cast.otto).get("/triage/?show=existing_customer"))
    assert "Back to marketing until" in page


@pytest.mark.parametrize("until", ["", "soon", "2026-13-40", "2020-01-01", "2999-01-01"])
def test_a_wrong_date_is_said_and_kept(as_: SignIn, cast: Cast, until: str) -> None:
    handoff = rejected(cast)
    response = as_(cast.otto).post(url(handoff, "recycle"), {"until": until})
    assert response.status_code == 422
    decision = response.context["decision"]
    assert decision.form == "recycle" and decision.errors["until"]
    assert not until or f'value="{until}"' in html(response, 422)


def test_suppressed_it_is_said(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    assert "suppressed, sales does not get it again" in html(
        as_(cast.otto).post(url(handoff, "suppress"), follow=True)
    )
    handoff.lead.refresh_from_db()
    assert handoff.lead.suppressed_at == LATER


def test_sent_back_it_waits_in_completion(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    client = as_(cast.otto)
    wrong = client.post(url(handoff, "send-back"), {"text": " ", "field": "job_title"})
    assert wrong.status_code == 422 and wrong.context["decision"].errors == {"text": "This is needed."}
    assert wrong.context["decision"].values["field"] == "job_title"
    client.post(url(handoff, "send-back"), {"text": "Old title", "field": "job_title"})
    assert "Old title" in html(client.get(f"/completion/?h={handoff.pk}"))


def test_handed_on_it_is_said_and_another_reps(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    client = as_(cast.otto)
    decision = client.get(f"/triage/?h={handoff.pk}&form=hand_on").context["decision"]
    assert {row.value for row in decision.receivers} == {
        user.email for user in (cast.jonas, cast.rosa, cast.mia, cast.nils)
    }
    assert [(row.label, row.why_not) for row in decision.passed_over] == [
        ("Femke de Boer", "rejected this lead: already a customer, and the company is the same")
    ]
    typed = {"to": cast.rosa.email, "reason": "Another branch of theirs"}
    page = html(client.post(url(handoff, "hand-on"), typed, follow=True))
    assert ": handed on; its new holder has been told." in page
    handoff.refresh_from_db()
    assert (handoff.state, handoff.assignee) == ("assigned", cast.rosa)
    # Pressed twice it is done once.
    events = handoff.events.count()
    assert client.post(url(handoff, "hand-on"), typed).status_code == 302
    assert handoff.events.count() == events


def test_whoever_said_no_is_not_chosen_and_what_was_typed_stays(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    typed = {"to": cast.femke.email, "reason": "You know them best"}
    response = as_(cast.otto).post(url(handoff, "hand-on"), typed)
    page = html(response, 422)
    assert "Femke de Boer rejected this lead: already a customer" in page
    assert "You know them best" in page
    assert response.context["decision"].form == "hand_on"
    handoff.refresh_from_db()
    assert handoff.state == "rejected"


def test_a_suppression_is_lifted_with_a_reason(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast, "competitor")
    data = {"trigger": "demo_request", "at": NOW.isoformat(), "reason": "competitor"}
    found = TriageItem.objects.create(lead=handoff.lead, kind="suppressed", data=data, at=NOW)
    client, path = as_(cast.otto), f"/triage/items/{found.pk}/lift/"
    page = html(client.get("/triage/"))
    assert f"?lift={found.pk}#t-lift" in page
    assert path not in page
    assert f'action="{path}"' in html(client.get(f"/triage/?lift={found.pk}"))
    wrong = html(client.post(path, {"reason": " "}), 422)
    assert "This is needed." in wrong
    route_to(cast.jonas)
    page = html(client.post(path, {"reason": "They left the competitor"}, follow=True))
    assert "is suppressed no longer; what they asked for is assigned." in page
    opened = Handoff.objects.get(assignee=cast.jonas)
    assert opened.notes.get().text == "They left the competitor"
    assert waiting(client) == ([], [])
    twice = html(client.post(path, {"reason": "They really did"}), 409)
    assert "Otto Maier settled this already." in twice
    assert "They really did" in twice
    assert Handoff.objects.count() == 2


def test_lifting_is_marketings_alone_and_posted(as_: SignIn, cast: Cast) -> None:
    found = item(trigger="demo_request")
    path = f"/triage/items/{found.pk}/lift/"
    assert "Lift" not in html(as_(cast.ada).get(f"/triage/?lift={found.pk}"))
    refuses(as_(cast.ada), 403, post=(path,))
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 404, post=(path,))
    refuses(as_(cast.otto), 405, get=(path,))
    refuses(as_(cast.otto), 404, post=("/triage/items/987654/lift/",))
    assert "?lift=" not in html(as_(cast.otto).get("/triage/")).replace(f"?lift={found.pk}#t-lift", "")
    won = item("won_anyway", state="rejected")
    assert f"?lift={won.pk}" not in html(as_(cast.otto).get("/triage/"))


def test_two_leads_are_brought_together_to_compare(as_: SignIn, cast: Cast) -> None:
    handoff, other = rejected(cast), make_lead(email="jane@acme.example.com")
    client = as_(cast.otto)
    for typed in ("JANE@acme.example.com", str(other.pk)):
        response = client.post(url(handoff, "same-person"), {"other": typed})
        pair = DuplicatePair.objects.get()
        assert response["Location"] == f"/duplicates/{pair.pk}/"
        assert pair.evidence == {"same": "said"}
    for typed, words in (
        ("", "Write the"),
        ("no@where.example.com", "No lead has"),
        (str(handoff.lead_id), "very lead"),
    ):
        wrong = client.post(url(handoff, "same-person"), {"other": typed})
        assert words in html(wrong, 422)


def test_who_was_faster_is_said_and_what_was_typed_stays(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    seen = Handoff.objects.get(pk=handoff.pk).revision
    lifecycle.suppress(handoff.pk, lifecycle.Act(LATER, cast.ada))
    typed = {"text": "The title is old", "revision": str(seen)}
    response = as_(cast.otto).post(url(handoff, "send-back"), typed)
    page = html(response, 409)
    assert "rejection followed up by ada@handoff.example.com" in page
    assert "The title is old" in page
    handoff.refresh_from_db()
    assert handoff.next_step == "suppressed"


def test_all_of_a_reason_are_listed_with_what_followed(as_: SignIn, cast: Cast) -> None:
    title, other = rejected(cast, "wrong_title"), rejected(cast)
    client = as_(cast.otto)
    shown = client.get("/triage/?show=wrong_title").context["rejections"]
    assert [(line.id, line.follows) for line in shown] == [(title.pk, "Back to marketing until Mon 8 Jun")]
    assert {line.id for line in client.get("/triage/?show=all").context["rejections"]} == {title.pk, other.pk}
    assert client.get("/triage/?show=all&source=Nowhere").context["rejections"] == []
    chips = client.get("/triage/").context["chips"]
    assert ("Wrong title or role", "1", "?show=wrong_title", False) in chips


def test_the_second_time_is_said(as_: SignIn, cast: Cast) -> None:
    first = rejected(cast, "wrong_title")
    again = make_handoff("assigned", cast.jonas, lead=first.lead, kind="demo_request")
    lifecycle.reject(
        again.pk, lifecycle.Act(NOW + timedelta(minutes=6), cast.jonas), reason="other", note="No"
    )
    response = as_(cast.otto).get(f"/triage/?h={again.pk}")
    assert response.context["rejections"][0].again == "The second time that this lead is rejected"
    assert "It was sent back to marketing once before." in html(response)


def test_what_rejections_say_is_counted_and_linked(as_: SignIn, cast: Cast) -> None:
    for _ in range(3):
        rejected(cast, "wrong_title")
    rejected(cast)
    page = html(as_(cast.otto).get("/triage/"))
    assert "3 of 4 rejections from Webinar say wrong title or role: too few to be sure." in page
    assert "?show=wrong_title&amp;source=Webinar" in page
    assert "3 of 4 rejections by the rule All leads say" in page


def test_the_acts_are_marketings_alone_and_posted(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast)
    posts = tuple(url(handoff, act) for act in ACTS)
    refuses(as_(cast.ada), 403, post=posts)
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 404, post=posts)
    refuses(as_(cast.otto), 405, get=posts)
    refuses(as_(cast.otto), 404, post=tuple(f"/triage/handoffs/987654/{act}/" for act in ACTS))
    handoff.refresh_from_db()
    assert handoff.next_step == "triage"


@pytest.mark.parametrize(
    "query", ["show=%00", "show='", "source=%00x", "h=-1", "h=99999999999999999999", "form=<"]
)
def test_nonsense_in_the_address_shows_the_page(as_: SignIn, cast: Cast, query: str) -> None:
    rejected(cast)
    assert as_(cast.otto).get(f"/triage/?{query}").status_code == 200


def test_imported_rejections_are_listed_for_what_they_say(as_: SignIn, cast: Cast) -> None:
    handoff = rejected(cast, "wrong_title")
    Handoff.objects.update(is_history=True)
    client = as_(cast.otto)
    assert waiting(client) == ([], [])
    response = client.get(f"/triage/?show=wrong_title&h={handoff.pk}")
    assert [line.follows for line in response.context["rejections"]] == ["Imported"]
    assert response.context["decision"] is None
