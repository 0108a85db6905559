"""Completion: what waits, the repair in place, and every act on it, for whom and twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads import lifecycle
from leads.choices import EventKind, State
from leads.models import Complaint, DuplicatePair, EnrichmentAttempt, Handoff, Waiver
from tests.conftest import NOW, Cast
from tests.factories import make_company, make_handoff, make_lead, make_score, open_handoff, route_to
from tests.leads.views.asking import HTMX, SignIn, file_of, html, queries, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def waiting(cast: Cast, **fields: Any) -> Handoff:
    """An incomplete handoff that Femke gets once it is complete."""
    route_to(cast.femke)
    handoff = open_handoff(make_lead(**({"first_name": "J."} | fields)))
    assert handoff.state == "incomplete"
    return handoff


def form(handoff: Handoff, **typed: str) -> dict[str, str]:
    """What the repair form sends: what is typed, and what the page had shown."""
    lead = handoff.lead
    shown = {f"was-{name}": str(getattr(lead, name)) for name in typed if hasattr(lead, name)}
    return shown | {f"was-{name}": "" for name in typed if not hasattr(lead, name)} | typed


def sent_back(cast: Cast, note: str = "The number is a bakery's") -> tuple[Handoff, Complaint]:
    """A handoff that Femke sent back because of its data."""
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, lifecycle.Act(LATER, cast.femke), reason="bad_data", note=note)
    return handoff, Complaint.objects.get(handoff=handoff)


# The list


def test_it_says_what_is_missing_and_why(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast, lead_source="Trade fair")
    response = as_(cast.otto).get("/completion/")
    page = html(response)
    row = response.context["board"].rows[0]
    assert (row.id, row.labels, row.passed, row.source) == (handoff.pk, "Full name", "8 of 9", "Trade fair")
    assert row.detail == "No real first name."
    assert [bar.tone for bar in row.bars] == ["m3", "late", "m3", "m3", "m3", "m3", "m3", "m3", "m3"]
    assert "1 waits for data" in page
    assert "Ada Admin owns the queue" in page


def test_the_soonest_due_comes_first(as_: SignIn, cast: Cast) -> None:
    standard = waiting(cast)
    demo = open_handoff(make_lead(first_name="K."), kind="demo_request")
    response = as_(cast.otto).get("/completion/")
    assert [row.id for row in response.context["board"].rows] == [demo.pk, standard.pk]


def test_the_chips_count_and_narrow(as_: SignIn, cast: Cast) -> None:
    waiting(cast)
    other = waiting(cast, first_name="Anna", email="anna@gmail.com", company=make_company(name=""))
    client = as_(cast.otto)
    response = client.get("/completion/?show=company_name")
    assert [row.id for row in response.context["board"].rows] == [other.pk]
    chips = {chip.label: chip.count for chip in response.context["board"].chips}
    assert chips == {"All": "2", "Full name": "1", "Business e-mail": "1", "Company name": "1"}
    nothing = client.get("/completion/?show=behavioral_signal")
    assert "Nothing waits for this" in html(nothing)


@pytest.mark.parametrize("query", ["show=%00", "show='\"--", "after=zzz", "h=abc", "h=99999999999999999999"])
def test_nonsense_in_the_address_breaks_nothing(as_: SignIn, cast: Cast, query: str) -> None:
    waiting(cast)
    assert as_(cast.otto).get(f"/completion/?{query}").status_code == 200


def test_it_goes_on_on_a_second_page(as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leads.views.waiting.SIZE", 2)
    made = [waiting(cast).pk for _ in range(5)]
    client, seen, url = as_(cast.otto), [], "/completion/"
    while url:
        board = client.get(url).context["board"]
        seen += [row.id for row in board.rows]
        url = f"/completion/{board.more}" if board.more else ""
    assert seen == made


def test_an_empty_queue_says_so(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.otto).get("/completion/"))
    assert "No lead has come in yet." in page and "Nothing has come in this week." in page
    make_handoff("assigned", cast.femke)
    assert "Every lead that came in has all that sales needs" in html(as_(cast.otto).get("/completion/"))


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    first = waiting(cast)
    client = as_(cast.otto)
    one, one_open = queries(client, "/completion/"), queries(client, f"/completion/?h={first.pk}")
    waiting(cast)
    waiting(cast)
    assert (queries(client, "/completion/"), queries(client, f"/completion/?h={first.pk}")) == (one, one_open)


def test_the_figures_beside_it(as_: SignIn, cast: Cast) -> None:
    waiting(cast, lead_source="Trade fair")
    make_handoff("assigned", cast.femke)
    beside = as_(cast.otto).get("/completion/").context["beside"]
    assert (beside.clean, beside.late) == ("50 %", 0)
    [row] = beside.sources
    [missing] = row.mostly
    assert (row.name, row.leads, missing.label, missing.count) == ("Trade fair", 1, "Full name", 1)


def test_its_file_is_harmless(as_: SignIn, cast: Cast) -> None:
    waiting(cast, last_name="=cmd|' /C calc'!A0", first_name="J.")
    lines = file_of(as_(cast.otto).get("/completion/completion.csv"))
    assert lines[0].startswith("handoff,due,name")
    assert "J. =cmd" in lines[1]
    assert "Full name" in lines[1]


def test_hostile_values_are_shown_as_text(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast, last_name="<script>alert(1)</script>", job_title='"><img src=x onerror=alert(1)>')
    page = html(as_(cast.otto).get(f"/completion/?h={handoff.pk}"))
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


# Whose page it is

ACTS = ("/completion/{0}/", "/completion/{0}/enrich/", "/handoffs/{0}/waive/", "/handoffs/{0}/recheck/")
ALL_ACTS = (*ACTS, "/handoffs/{0}/discard/", "/completion/{0}/different/1/")


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/completion/", "/completion/completion.csv")


def test_it_is_not_there_for_others(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(
            as_(user),
            404,
            get=("/completion/", "/completion/completion.csv"),
            post=(*(url.format(handoff.pk) for url in ALL_ACTS), "/completion/reports/1/clear/"),
        )
    assert Handoff.objects.get(pk=handoff.pk).state == "incomplete"


def test_an_admin_looks_on(as_: SignIn, cast: Cast) -> None:
    handoff, complaint = sent_back(cast)
    page = html(as_(cast.ada).get(f"/completion/?h={handoff.pk}"))
    assert "Marketing ops put this right" in page
    assert '<form class="repair"' not in page
    urls = (*(url.format(handoff.pk) for url in ALL_ACTS), f"/completion/reports/{complaint.pk}/clear/")
    refuses(as_(cast.ada), 403, post=urls)
    assert Handoff.objects.get(pk=handoff.pk).state == "incomplete"


def test_acts_are_posted_and_the_page_is_not(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    client = as_(cast.otto)
    refuses(client, 405, post=("/completion/", "/completion/completion.csv"))
    refuses(client, 405, get=(*(url.format(handoff.pk) for url in ALL_ACTS), "/completion/reports/1/clear/"))


def test_an_unknown_one_is_not_there(as_: SignIn, cast: Cast) -> None:
    refuses(
        as_(cast.otto),
        404,
        post=(*(url.format(987654) for url in ALL_ACTS), "/completion/reports/987654/clear/"),
    )


# Saving


def test_saving_sends_it_on(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    response = as_(cast.otto).post(
        f"/completion/{handoff.pk}/", form(handoff, first_name="Jeanne"), follow=True
    )
    assert f"Jeanne {handoff.lead.last_name}: saved. It went to Femke de Boer" in html(response)
    handoff.refresh_from_db()
    assert (handoff.state, handoff.assignee) == ("assigned", cast.femke)
    event = handoff.events.get(kind=EventKind.PASSED)
    assert event.user == cast.otto


def test_saving_what_is_not_enough_says_what_is_still_missing(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast, email="jeanne@gmail.com")
    response = as_(cast.otto).post(
        f"/completion/{handoff.pk}/", form(handoff, first_name="Jeanne"), headers=HTMX
    )
    page = html(response)
    assert "Still missing: business e-mail" in page
    assert response.context["board"].open_id == handoff.pk


def test_after_the_last_act_the_next_is_open(as_: SignIn, cast: Cast) -> None:
    handoff, below = waiting(cast), waiting(cast)
    response = as_(cast.otto).post(
        f"/completion/{handoff.pk}/", form(handoff, first_name="Jeanne"), headers=HTMX
    )
    assert response.context["board"].open_id == below.pk
    assert response["HX-Push-Url"] == f"/completion/?h={below.pk}"
    assert 'hx-swap-oob="innerHTML"' in html(response)


def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    typed = form(handoff, first_name="n/a", job_title="Head of Nothing")
    for headers in ({}, HTMX):
        response = as_(cast.otto).post(f"/completion/{handoff.pk}/", typed, headers=headers)
        page = html(response, 422)
        assert "only stands in for a name" in page
        assert 'value="n/a"' in page
        assert 'value="Head of Nothing"' in page
    handoff.lead.refresh_from_db()
    assert handoff.lead.job_title == "Head of Operations"


def test_a_field_left_alone_does_not_undo_what_came_meanwhile(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    sent = form(handoff, first_name="Jeanne", job_title="Head of Operations")
    handoff.lead.job_title = "Chief of Operations"
    handoff.lead.save()
    as_(cast.otto).post(f"/completion/{handoff.pk}/", sent)
    handoff.lead.refresh_from_db()
    assert (handoff.lead.first_name, handoff.lead.job_title) == ("Jeanne", "Chief of Operations")


def test_saving_twice_is_as_good_as_once(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    client, sent = as_(cast.otto), form(handoff, first_name="Jeanne")
    client.post(f"/completion/{handoff.pk}/", sent)
    events = Handoff.objects.get(pk=handoff.pk).events.count()
    assert "checked again" in html(client.post(f"/completion/{handoff.pk}/", sent, follow=True))
    assert Handoff.objects.get(pk=handoff.pk).events.count() == events


# Waiving


def test_a_waiver_needs_its_reason(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    sent = {"check": "full_name", "reason_full_name": " "} | form(handoff, job_title="CFO")
    page = html(as_(cast.otto).post(f"/handoffs/{handoff.pk}/waive/", sent, headers=HTMX), 422)
    assert "Write why this lead may go without it." in page
    assert not Waiver.objects.exists()


def test_a_waiver_sends_it_on_with_what_was_typed_beside_it(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    sent = {"check": "full_name", "reason_full_name": "Known as J."} | form(handoff, job_title="CFO")
    response = as_(cast.otto).post(f"/handoffs/{handoff.pk}/waive/", sent, follow=True)
    assert "full name waived. It went to Femke de Boer" in html(response)
    waiver = Waiver.objects.get()
    assert (waiver.reason, waiver.by) == ("Known as J.", cast.otto)
    handoff.lead.refresh_from_db()
    assert handoff.lead.job_title == "CFO"


def test_a_waiver_of_one_of_two_keeps_what_was_typed(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast, email="jeanne@gmail.com")
    sent = {"check": "full_name", "reason_full_name": "Known as J.", "reason_business_email": "Small fi"}
    response = as_(cast.otto).post(f"/handoffs/{handoff.pk}/waive/", sent, headers=HTMX)
    assert 'value="Small fi"' in html(response)
    board = response.context["board"]
    assert [step.check for step in board.opened.steps] == ["business_email"]
    assert [bar.tone for bar in board.rows[0].bars][:2] == ["late", "soon"]


def test_saving_waives_what_still_fails_and_has_its_reason_written(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    sent = {"reason_full_name": "Known as J."} | form(handoff, job_title="CFO")
    response = as_(cast.otto).post(f"/completion/{handoff.pk}/", sent, follow=True)
    assert "saved, full name waived. It went to Femke de Boer" in html(response)
    assert Waiver.objects.get().reason == "Known as J."


def test_saving_waives_nothing_that_was_put_right(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    sent = {"reason_full_name": "Known as J."} | form(handoff, first_name="Jeanne", last_name="Moreau")
    as_(cast.otto).post(f"/completion/{handoff.pk}/", sent)
    handoff.refresh_from_db()
    assert handoff.state != State.INCOMPLETE
    assert not Waiver.objects.exists()


def test_saving_keeps_a_reason_to_discard_that_was_begun(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    response = as_(cast.otto).post(f"/completion/{handoff.pk}/", {"reason_discard": "A te"}, headers=HTMX)
    assert 'value="A te"' in html(response)
    handoff.refresh_from_db()
    assert handoff.state == State.INCOMPLETE


def test_a_second_waiver_changes_nothing(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    client, sent = as_(cast.otto), {"check": "full_name", "reason": "Known as J."}
    client.post(f"/handoffs/{handoff.pk}/waive/", sent)
    events = handoff.events.count()
    assert client.post(f"/handoffs/{handoff.pk}/waive/", sent).status_code == 302
    assert (Waiver.objects.count(), handoff.events.count()) == (1, events)


def test_a_waiver_that_comes_too_late_says_who_was_first(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    lifecycle.discard(handoff.pk, lifecycle.Act(LATER, cast.otto), reason="A test")
    sent = {"check": "full_name", "reason_full_name": "Known as J."}
    for headers in ({}, HTMX):
        page = html(as_(cast.otto).post(f"/handoffs/{handoff.pk}/waive/", sent, headers=headers), 409)
        assert "discarded by otto@handoff.example.com" in page
        assert "You had typed: Known as J." in page


def test_there_are_only_nine_checks_to_waive(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    sent = {"check": "bad_data", "reason": "x"}
    assert as_(cast.otto).post(f"/handoffs/{handoff.pk}/waive/", sent).status_code == 422


# Checking again, enriching, discarding, reports, duplicates


def test_checking_again_finds_what_came_meanwhile(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    type(handoff.lead).objects.filter(pk=handoff.lead_id).update(first_name="Jeanne")
    client = as_(cast.otto)
    assert "checked again. It went to Femke" in html(
        client.post(f"/handoffs/{handoff.pk}/recheck/", follow=True)
    )
    assert client.post(f"/handoffs/{handoff.pk}/recheck/").status_code == 302
    assert handoff.events.filter(kind=EventKind.PASSED).count() == 1


def test_the_directory_is_asked_where_no_provider_is_set_up(as_: SignIn, cast: Cast) -> None:
    known = make_company(domain="fujimoto-precision.com", name="Fujimoto K.K.")
    handoff = waiting(cast, first_name="Kenji", email="kenji@fujimoto-precision.com", company=None)
    client = as_(cast.otto)
    response = client.post(f"/completion/{handoff.pk}/enrich/", follow=True)
    assert "the directory knows the company. It went to Femke" in html(response)
    handoff.lead.refresh_from_db()
    assert handoff.lead.company == known
    assert client.post(f"/completion/{handoff.pk}/enrich/").status_code == 302


def test_a_provider_is_asked_now_and_again(as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    class Known:
        name = "http"

        def look_up(self, lead: Any, company: Any) -> dict[str, Any]:
            return {"company.name": "Fujimoto K.K."}

    monkeypatch.setattr("leads.enrichment.http_provider", Known)
    handoff = waiting(cast, company=make_company(name=""))
    client = as_(cast.otto)
    sent = form(handoff, job_title="CFO")
    response = client.post(f"/completion/{handoff.pk}/enrich/", sent, headers=HTMX)
    page = html(response)
    assert "enrichment brought name. Still missing: full name" in page
    assert 'value="CFO"' in page
    client.post(f"/completion/{handoff.pk}/enrich/")
    assert EnrichmentAttempt.objects.filter(provider="http").count() == 2


def test_discarding_needs_its_reason_and_is_said_once(as_: SignIn, cast: Cast) -> None:
    handoff = waiting(cast)
    client = as_(cast.otto)
    assert "Write why it is given up." in html(client.post(f"/handoffs/{handoff.pk}/discard/"), 422)
    sent = {"reason_discard": "A student", "revision": handoff.revision}
    assert "discarded." in html(client.post(f"/handoffs/{handoff.pk}/discard/", sent, follow=True))
    handoff.refresh_from_db()
    assert (handoff.state, handoff.notes.get().text) == ("discarded", "A student")
    assert client.post(f"/handoffs/{handoff.pk}/discard/", sent).status_code == 302
    assert handoff.notes.count() == 1


def test_a_reps_report_is_told_and_cleared(as_: SignIn, cast: Cast) -> None:
    handoff, complaint = sent_back(cast)
    client = as_(cast.otto)
    page = html(client.get(f"/completion/?h={handoff.pk}"))
    assert "Femke de Boer says: “The number is a bakery&#x27;s”" in page
    sent = form(handoff, phone="+49 30 1234567")
    response = client.post(f"/completion/reports/{complaint.pk}/clear/", sent, follow=True)
    assert "report cleared" in html(response)
    complaint.refresh_from_db()
    handoff.lead.refresh_from_db()
    assert complaint.cleared_by == cast.otto
    assert handoff.lead.phone == "+49 30 1234567"
    assert client.post(f"/completion/reports/{complaint.pk}/clear/").status_code == 302


def test_different_people_are_said_from_the_repair(as_: SignIn, cast: Cast) -> None:
    route_to(cast.femke)
    other, lead = make_lead(), make_lead()
    evidence = {"same": "company"}
    pair = DuplicatePair.objects.create(first=other, second=lead, evidence=evidence, found_at=NOW)
    handoff = open_handoff(lead)
    client = as_(cast.otto)
    assert f"<b>{other.full_name}</b>" in html(client.get(f"/completion/?h={handoff.pk}"))
    url = f"/completion/{handoff.pk}/different/{pair.pk}/"
    assert "not the same person. It went to Femke" in html(client.post(url, follow=True))
    pair.refresh_from_db()
    assert (pair.status, pair.decided_by) == ("different", cast.otto)
    assert client.post(url).status_code == 302
    assert client.post(f"/completion/{handoff.pk}/different/{pair.pk + 1}/").status_code == 404


def test_a_score_without_its_parts_can_only_be_waived(as_: SignIn, cast: Cast) -> None:
    route_to(cast.femke)
    lead = make_lead()
    make_score(lead, fit=None, intent=None, behavior=None)
    handoff = open_handoff(lead)
    opened = as_(cast.otto).get(f"/completion/?h={handoff.pk}").context["board"].opened
    assert [(step.check, step.can_waive, step.inputs) for step in opened.steps] == [
        ("score_breakdown", True, [])
    ]
    assert opened.what_next.startswith("Then the rule “All leads” sends it to the pool")


def test_the_list_of_one_source_and_the_way_back(as_: SignIn, cast: Cast) -> None:
    route_to(cast.femke)
    mine = open_handoff(make_lead(first_name="J.", lead_source="Webinar"))
    open_handoff(make_lead(first_name="J.", lead_source="Trade fair"))
    client = as_(cast.otto)
    board = client.get("/completion/?source=Webinar").context["board"]
    assert [row.id for row in board.rows] == [mine.pk]
    assert board.chips[0].href == "?source=Webinar"
    page = html(client.get("/completion/"))
    # Counted by source, and each count leads to those that still wait.
    assert 'href="?show=full_name&amp;source=Webinar">Full name 1</a>' in page
    assert client.get("/completion/?source=").context["board"].rows == []
    saved = client.post(f"/completion/{mine.pk}/", {"first_name": "Jane", "source": "Webinar"})
    assert saved["Location"] == "/completion/?source=Webinar"


def test_a_report_about_a_lead_that_does_not_wait_is_a_task_of_its_own(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("working", cast.femke)
    report = Complaint.objects.create(
        handoff=handoff, lead=handoff.lead, field="phone", text="<b>A bakery</b>", by=cast.femke, at=NOW
    )
    client = as_(cast.otto)
    page = html(client.get("/completion/"))
    assert "Reported by reps" in page and "&lt;b&gt;A bakery" in page
    assert f"/leads/{handoff.lead_id}/?edit=1#edit" in page
    assert "Put right" not in html(as_(cast.ada).get("/completion/"))
    client.post(f"/completion/reports/{report.pk}/clear/")
    report.refresh_from_db()
    assert report.cleared_by == cast.otto
    assert "Reported by reps" not in html(client.get("/completion/"))


def test_each_act_has_a_key_that_is_shown(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("incomplete")
    page = html(as_(cast.otto).get(f"/completion/?h={handoff.pk}"))
    for key in "sewxo":
        assert page.count(f'data-key="{key}"') == 1, key
        assert f"<kbd>{key}</kbd>" in page
