"""The working page and its verbs: works, wrong method, outsider, read-only, twice; nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leads import lifecycle
from leads.models import Activity, Handoff
from routing.models import Queue, User
from tests.conftest import NOW, Cast, with_the_cast
from tests.factories import make_activity, make_handoff, make_lead

SignIn = Callable[[User], Client]
LATER = NOW + timedelta(minutes=10)
HTMX = {"HX-Request": "true", "HX-Target": "lead", "HX-Current-URL": "http://testserver/inbox/"}
VERBS = {
    "accept": {},
    "reject": {"reason": "not_icp"},
    "defer": {"until": "2026-03-20T09:00+00:00", "explanation": "After the board meeting"},
    "contact": {"channel": "phone", "outcome": "reached"},
    "note": {"text": "Speaks Dutch"},
}


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def mine(cast: Cast) -> Handoff:
    return with_the_cast(cast, _mine)


def _mine(cast: Cast) -> Handoff:
    return make_handoff("assigned", cast.femke)


def _act(client: Client, handoff: Handoff, verb: str, htmx: bool = True, **data: object) -> HttpResponse:
    values = {"revision": handoff.revision, **data}
    return client.post(f"/handoffs/{handoff.pk}/{verb}/", values, headers=HTMX if htmx else {})


def _state(handoff: Handoff) -> str:
    return str(Handoff.objects.values_list("state", flat=True).get(pk=handoff.pk))


def test_where_the_time_went_stands_on_the_page_with_whose_it_was(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("accepted", cast.femke)
    page = as_(cast.femke).get(f"/handoffs/{handoff.pk}/").content.decode()
    # A minute until the answer, nine since: a tenth and nine tenths of the bar.
    assert 'aria-label="Waiting for an answer (You) 1 min, Waiting for contact (You) 9 min."' in page
    assert '<rect class="d-a" x="0.0%" width="10.0%"' in page and 'x="10.0%" width="90.0%"' in page
    assert "<td>Sales</td>" in page and "style=" not in page.split('id="q-time"')[1].split("</section>")[0]


# Who may


@pytest.mark.parametrize("verb", VERBS)
def test_the_holder_may(as_: SignIn, cast: Cast, mine: Handoff, verb: str) -> None:
    response = _act(as_(cast.femke), mine, verb, **VERBS[verb])
    assert response.status_code == 200
    assert mine.events.filter(user=cast.femke).exists()


@pytest.mark.parametrize("verb", VERBS)
def test_a_stranger_finds_nothing(as_: SignIn, cast: Cast, mine: Handoff, verb: str) -> None:
    before = mine.events.count()
    assert _act(as_(cast.rosa), mine, verb, **VERBS[verb]).status_code == 404
    assert as_(cast.rosa).get(f"/handoffs/{mine.pk}/").status_code == 404
    assert mine.events.count() == before


@pytest.mark.parametrize("verb", VERBS)
def test_a_viewer_reads(as_: SignIn, cast: Cast, mine: Handoff, verb: str) -> None:
    before = mine.events.count()
    assert _act(as_(cast.vera), mine, verb, **VERBS[verb]).status_code == 403
    assert mine.events.count() == before


@pytest.mark.parametrize("verb", ["accept", "reject", "defer", "contact"])
def test_a_manager_takes_it_over_first(as_: SignIn, cast: Cast, mine: Handoff, verb: str) -> None:
    before = mine.events.count()
    response = _act(as_(cast.mia), mine, verb, **VERBS[verb])
    assert response.status_code == 409
    assert mine.events.count() == before


@pytest.mark.parametrize("verb", [*VERBS, "opportunity", "disqualify", "undo", "claim", "resume", "reassign"])
def test_verbs_are_posted(as_: SignIn, cast: Cast, mine: Handoff, verb: str) -> None:
    assert as_(cast.femke).get(f"/handoffs/{mine.pk}/{verb}/").status_code == 405


def test_an_unknown_verb_is_not_found(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    assert _act(as_(cast.femke), mine, "explode").status_code == 404


@pytest.mark.parametrize("path", ["", "accept/", "viewed/", "trace/"])
def test_the_anonymous_are_sent_to_sign_in(client: Client, mine: Handoff, path: str) -> None:
    response = client.post(f"/handoffs/{mine.pk}/{path}")
    assert response.status_code == 302
    assert "/login/" in response["Location"]


def test_a_post_without_its_token_is_refused(cast: Cast, mine: Handoff) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.femke, backend="handoff_site.sessions.Backend")
    assert client.post(f"/handoffs/{mine.pk}/accept/").status_code == 403
    assert _state(mine) == "assigned"


# What is done


def test_accept_twice_is_done_once(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.femke)
    assert _act(client, mine, "accept").status_code == 200
    count = mine.events.count()
    assert _act(client, mine, "accept").status_code == 200
    assert mine.events.count() == count


def test_after_an_act_the_next_lead_is_open(as_: SignIn, cast: Cast) -> None:
    first, second, third = (make_handoff("assigned", cast.femke) for _ in range(3))
    response = _act(as_(cast.femke), first, "reject", reason="not_icp", next=third.pk)
    assert response.context["pane"].handoff == third
    assert response["HX-Push-Url"] == f"/inbox/?h={third.pk}"
    html = response.content.decode()
    assert 'id="list-body"' in html
    assert 'hx-swap-oob="true"' in html
    assert f"{first.lead}: rejected, not our customer profile." in html
    assert "Undo" in html
    assert second.pk in response.context["list"].order


def test_a_next_lead_that_is_not_in_the_list_is_not_opened(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    foreign = make_handoff("assigned", cast.rosa)
    other = make_handoff("assigned", cast.femke)
    response = _act(as_(cast.femke), mine, "reject", reason="not_icp", next=foreign.pk)
    assert response.context["pane"].handoff == other


def test_the_last_lead_leaves_an_empty_pane(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    response = _act(as_(cast.femke), mine, "reject", reason="not_icp")
    assert response.context["pane"] is None
    assert response["HX-Push-Url"] == "/inbox/"


def test_a_note_keeps_the_lead_open(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    make_handoff("assigned", cast.femke)
    response = _act(as_(cast.femke), mine, "note", text="Speaks <b>Dutch</b>")
    assert response.context["pane"].handoff == mine
    assert "Speaks &lt;b&gt;Dutch&lt;/b&gt;" in response.content.decode()


def test_without_script_it_is_a_redirect_that_says_what_was_done(
    as_: SignIn, cast: Cast, mine: Handoff
) -> None:
    client = as_(cast.femke)
    other = make_handoff("assigned", cast.femke)
    response = _act(client, mine, "accept", htmx=False, next=other.pk)
    assert (response.status_code, response["Location"]) == (302, f"/inbox/?h={other.pk}")
    html = client.get(response["Location"]).content.decode()
    assert f"{mine.lead}: accepted, contact due" in html
    assert f'action="/handoffs/{mine.pk}/undo/"' in html


def test_undo_within_ten_seconds(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.femke)
    _act(client, mine, "reject", reason="competitor")
    with time_machine.travel(LATER + timedelta(seconds=9), tick=False):
        response = client.post(f"/handoffs/{mine.pk}/undo/", headers=HTMX)
    assert response.status_code == 200
    assert response.context["pane"].handoff == mine
    assert _state(mine) == "assigned"


def test_undo_too_late_is_refused_with_the_reason(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.femke)
    _act(client, mine, "reject", reason="not_icp")
    with time_machine.travel(LATER + timedelta(seconds=11), tick=False):
        response = client.post(f"/handoffs/{mine.pk}/undo/", headers=HTMX)
    assert response.status_code == 409
    assert "can no longer be undone" in response.content.decode()


def test_a_rejection_waits_its_ten_seconds(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    _act(as_(cast.femke), mine, "reject", reason="competitor")
    mine.lead.refresh_from_db()
    assert mine.lead.suppressed_at is None


def test_contact_logs_channel_outcome_signal_and_next_touch(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    signal = Activity.objects.filter(lead=mine.lead).first()
    assert signal is not None
    response = _act(
        as_(cast.femke),
        mine,
        "contact",
        channel="email",
        outcome="reached",
        at="2026-03-10T10:05",
        activity_id=signal.pk,
        note="Wants an offer",
        next_touch="2026-03-20",
    )
    assert response.status_code == 200
    mine.refresh_from_db()
    attempt = mine.attempts.get()
    assert (attempt.channel, attempt.outcome, attempt.activity_id) == ("email", "reached", signal.pk)
    assert attempt.note == "Wants an offer"
    assert (mine.state, mine.first_contact_personal) == ("working", True)
    assert mine.accepted_at == mine.first_contact_at == NOW + timedelta(minutes=5)
    assert mine.next_touch_at is not None
    assert mine.next_touch_at.date().isoformat() == "2026-03-20"


def test_a_form_sent_twice_logs_one_contact(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.femke)
    for seconds in (0, 1):
        with time_machine.travel(LATER + timedelta(seconds=seconds), tick=False):
            assert _act(client, mine, "contact", **VERBS["contact"]).status_code == 200
    assert (mine.attempts.count(), mine.events.filter(kind="contacted").count()) == (1, 1)


def test_times_are_read_in_the_viewers_zone(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    User.objects.filter(pk=cast.femke.pk).update(time_zone="Europe/Amsterdam")
    data = VERBS["contact"] | {"at": "2026-03-10T11:05"}
    assert _act(as_(cast.femke), mine, "contact", **data).status_code == 200
    mine.refresh_from_db()
    assert mine.first_contact_at == NOW + timedelta(minutes=5)


def test_the_minute_of_the_conversion_is_not_too_early(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, at=NOW + timedelta(seconds=30))
    data = VERBS["contact"] | {"at": "2026-03-10T10:00"}
    assert _act(as_(cast.femke), handoff, "contact", **data).status_code == 200


def test_opportunity_with_amount(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("working", cast.femke)
    response = _act(as_(cast.femke), handoff, "opportunity", amount="12500.50", currency="eur")
    assert response.status_code == 200
    handoff.refresh_from_db()
    assert (handoff.state, handoff.opportunity_amount, handoff.opportunity_currency) == (
        "converted",
        Decimal("12500.50"),
        "EUR",
    )


def test_opportunity_without_amount_needs_no_currency(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("working", cast.femke)
    assert _act(as_(cast.femke), handoff, "opportunity", currency="EUR").status_code == 200
    handoff.refresh_from_db()
    assert handoff.opportunity_currency == ""


def test_disqualify(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("working", cast.femke)
    assert _act(as_(cast.femke), handoff, "disqualify", reason="not_icp").status_code == 200
    assert _state(handoff) == "disqualified"


def test_defer_to_a_day_of_ones_own(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    data = {"day": "2026-04-01", "hour": "14:30", "explanation": "Budget in April"}
    assert _act(as_(cast.femke), mine, "defer", **data).status_code == 200
    mine.refresh_from_db()
    assert mine.deferred_until is not None
    assert mine.deferred_until.isoformat() == "2026-04-01T14:30:00+00:00"


def test_take_up_a_deferred_lead(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("deferred", cast.femke)
    response = _act(as_(cast.femke), handoff, "resume")
    assert response.context["pane"].handoff == handoff
    assert _state(handoff) == "assigned"


def test_a_queue_member_claims_and_accepts(as_: SignIn, cast: Cast) -> None:
    queue = Queue.objects.create(slug="dach", name="DACH", owner=cast.mia)
    queue.members.add(cast.femke)
    one, two = make_handoff("queued", queue=queue), make_handoff("queued", queue=queue)
    client = as_(cast.femke)
    assert b"Claim makes it yours" in client.get(f"/handoffs/{one.pk}/").content
    assert _act(client, one, "claim", queue="dach").context["pane"].handoff == one
    assert b"Claim makes it yours" not in client.get(f"/handoffs/{one.pk}/").content
    assert _act(client, two, "accept", queue="dach").status_code == 200
    assert (_state(one), _state(two)) == ("assigned", "accepted")
    assert _act(as_(cast.jonas), one, "claim").status_code == 404


def test_reassign_by_the_manager(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.mia)
    assert "Jonas Keller" in client.get(f"/handoffs/{mine.pk}/").content.decode()
    response = _act(client, mine, "reassign", to=cast.jonas.email, reason="Femke is ill", alone=1)
    assert response.status_code == 200
    assert f"{mine.lead}: given to Jonas Keller." in response.content.decode()
    mine.refresh_from_db()
    assert mine.assignee == cast.jonas
    assert "Femke is ill" in as_(cast.jonas).get(f"/handoffs/{mine.pk}/").content.decode()


# What is wrong


@pytest.mark.parametrize(
    ("verb", "data", "words"),
    [
        ("reject", {}, "Choose a reason."),
        ("reject", {"reason": "nonsense"}, "is not a reason in force"),
        ("reject", {"reason": "other"}, "This is needed."),
        ("reject", {"reason": "timing", "until": "2020-01-01"}, "within the next two years"),
        ("defer", {"explanation": "later"}, "Choose when it comes back."),
        ("defer", {"until": "2026-03-20T09:00+00:00"}, "Write what the lead said"),
        ("defer", {"day": "2027-01-01", "explanation": "later"}, "At most 180 days"),
        ("contact", {"outcome": "reached"}, "Choose how."),
        ("contact", {"channel": "phone", "outcome": "reached", "at": "2026-03-10T12:00"}, "in the future"),
        ("contact", {"channel": "phone", "outcome": "reached", "at": "2026-03-01T12:00"}, "before the lead"),
        ("contact", {"channel": "phone", "outcome": "reached", "activity_id": 987654}, "not one of the lead"),
        ("contact", {"channel": "phone", "outcome": "reached", "activity_id": "x"}, "Choose one of the lead"),
        ("note", {}, "Write the note first."),
        ("note", {"text": "x" * 2001}, "at most 2000 characters"),
        ("reassign", {"to": "", "reason": "x"}, "Choose who gets it."),
    ],
)
@pytest.mark.parametrize("htmx", [True, False])
def test_wrong_input_is_named_and_nothing_is_written(
    as_: SignIn, cast: Cast, mine: Handoff, verb: str, data: dict[str, object], words: str, htmx: bool
) -> None:
    before = mine.events.count()
    response = _act(as_(cast.femke), mine, verb, htmx=htmx, **data)
    assert response.status_code == 422
    html = response.content.decode()
    assert words.replace("'", "&#x27;") in html
    assert 'role="alert"' in html
    assert mine.events.count() == before


def test_what_was_typed_is_kept_when_something_is_wrong(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    response = _act(
        as_(cast.femke),
        mine,
        "contact",
        channel="phone",
        note="Long </textarea> story",
        at="2020-01-01T10:00",
    )
    html = response.content.decode()
    assert response.status_code == 422
    assert "Long &lt;/textarea&gt; story" in html
    assert 'value="phone" required checked' in html
    assert 'value="2020-01-01T10:00"' in html


def test_what_was_typed_is_in_no_other_answer(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    """A closed form is drawn once for many leads: an open one with somebody's words is not among those."""
    client, path = as_(cast.femke), f"/handoffs/{mine.pk}/"
    other = f"/handoffs/{make_handoff('assigned', cast.femke).pk}/"

    def closed(address: str) -> str:
        return client.get(address).content.decode().split('id="panel-reject"')[1].split("</form>")[0]

    before = closed(path)
    assert "hidden>" in before and "Add a note or a date" in before
    sent = {"reason": "no-such-reason", "note": "a rare word", "revision": mine.revision}
    assert "a rare word" in client.post(f"{path}reject/", sent).content.decode()
    for address in (path, other):
        assert "a rare word" not in client.get(address).content.decode()
        assert closed(address).count("chip") == before.count("chip") > 9


def test_a_move_that_somebody_made_first_is_refused_with_who_and_when(
    as_: SignIn, cast: Cast, mine: Handoff
) -> None:
    lifecycle.accept(mine.pk, lifecycle.Act(LATER, cast.femke))
    handoff = lifecycle.contact(mine.pk, lifecycle.Act(LATER, cast.femke), channel="phone", outcome="reached")
    response = _act(as_(cast.femke), handoff, "reject", reason="other", note="Not their topic")
    html = response.content.decode()
    assert response.status_code == 409
    assert "femke@handoff.example.com" in html
    assert "You had typed: Not their topic" in html


def test_the_former_holder_learns_who_took_it_and_keeps_the_words(
    as_: SignIn, cast: Cast, mine: Handoff
) -> None:
    lifecycle.reassign(mine.pk, lifecycle.Act(LATER, cast.mia), to=cast.jonas.email, reason="ill")
    client = as_(cast.femke)
    response = _act(client, mine, "note", text="half a novel")
    assert response.status_code == 409
    assert response["HX-Retarget"] == "#lead-news"
    assert "Mia Brandt: reassigned" in response.content.decode()
    plain = _act(client, mine, "note", htmx=False, text="half a novel")
    assert plain.status_code == 409
    assert "half a novel" in plain.content.decode()


def test_the_third_deferral_needs_the_manager(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    Handoff.objects.filter(pk=mine.pk).update(deferrals=2)
    response = _act(as_(cast.femke), mine, "defer", **VERBS["defer"])
    assert response.status_code == 409
    assert "manager" in response.content.decode()
    assert "After the board meeting" in response.content.decode()


# What is shown


def test_the_three_questions_are_answered(as_: SignIn, cast: Cast) -> None:
    lead = make_lead()
    make_activity(lead, "chat", title="Do you support SSO?")
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    html = as_(cast.femke).get(f"/handoffs/{handoff.pk}/").content.decode()
    for words in (
        "Why did this lead qualify?",
        "What do we know about the company?",
        "What has this person done?",
        "Talked with us",
        "Do you support SSO?",
        "Logistics",
        "Score 80 of 100: fit 40, intent 20, behavior 20. Threshold 65.",
    ):
        assert words in html


def test_a_viewer_sees_no_address_no_number_and_no_verbs(as_: SignIn, cast: Cast) -> None:
    lead = make_lead(phone="+49 40 555 014", linkedin_url="https://www.linkedin.com/in/adaeze")
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    html = as_(cast.vera).get(f"/handoffs/{handoff.pk}/").content.decode()
    assert str(lead) in html
    assert lead.email not in html
    assert "555 014" not in html
    assert 'class="actions"' not in html
    assert f"/handoffs/{handoff.pk}/accept/" not in html
    assert lead.email in as_(cast.mia).get(f"/handoffs/{handoff.pk}/").content.decode()


def test_dangerous_addresses_are_text(as_: SignIn, cast: Cast) -> None:
    lead = make_lead(linkedin_url="javascript:alert(1)")
    company = lead.company
    assert company is not None
    company.website = "javascript:alert(2)"
    company.save()
    make_activity(lead, "page_view", title="Docs", url="javascript:alert(3)")
    make_activity(lead, "pricing_view", title="Pricing", url="https://www.example.com/pricing")
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    html = as_(cast.femke).get(f"/handoffs/{handoff.pk}/").content.decode()
    assert 'href="javascript' not in html
    assert "javascript:alert(3)" in html
    assert 'href="https://www.example.com/pricing" rel="noopener noreferrer nofollow" target="_blank"' in html


@pytest.mark.parametrize(
    "state", ["incomplete", "queued", "rejected", "converted", "disqualified", "deferred"]
)
def test_every_state_has_a_page(as_: SignIn, cast: Cast, state: str) -> None:
    handoff = make_handoff(state, cast.femke)
    assert as_(cast.otto).get(f"/handoffs/{handoff.pk}/").status_code == 200


@pytest.mark.parametrize("verb", ["reject", "defer", "contact", "note"])
def test_a_plain_link_opens_a_form(as_: SignIn, cast: Cast, mine: Handoff, verb: str) -> None:
    html = as_(cast.femke).get(f"/handoffs/{mine.pk}/?form={verb}").content.decode()
    form = html.split(f'id="panel-{verb}"')[1].split(">")[0]
    assert "hidden" not in form


def test_an_opening_line_fills_in_what_the_contact_refers_to(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    signal = Activity.objects.filter(lead=mine.lead).first()
    assert signal is not None
    url = f"/handoffs/{mine.pk}/?form=contact&activity_id={signal.pk}"
    html = as_(cast.femke).get(url).content.decode()
    assert f'name="activity_id" value="{signal.pk}" checked' in html


def test_consent_warns_in_the_form(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(email_opt_out=True, do_not_call=True))
    html = as_(cast.femke).get(f"/handoffs/{handoff.pk}/").content.decode()
    assert "They opted out of e-mail." in html
    assert "They asked not to be called." in html


def test_the_trace_names_every_rule_and_everybody(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    html = as_(cast.femke).get(f"/handoffs/{mine.pk}/trace/").content.decode()
    assert "Rule “All leads” matched: every lead." in html
    assert "Femke de Boer of the pool " in html
    assert "took it, by the rule&#x27;s own target" in html
    assert as_(cast.rosa).get(f"/handoffs/{mine.pk}/trace/").status_code == 404


def test_queries_do_not_grow_with_what_happened(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.femke)

    def queries() -> int:
        client.get(f"/handoffs/{mine.pk}/")
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"/handoffs/{mine.pk}/").status_code == 200
        return len(captured)

    lifecycle.note(mine.pk, lifecycle.Act(LATER, cast.femke), text="one")
    one = queries()
    for number in range(5):
        lifecycle.note(mine.pk, lifecycle.Act(LATER, cast.mia), text=f"note {number}")
        make_activity(mine.lead, "chat", title=f"question {number}")
        make_lead(company=mine.lead.company)
    assert queries() == one


# Viewed


def test_viewing_by_the_holder_is_written_once(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.femke)
    page = client.get(f"/handoffs/{mine.pk}/").content.decode()
    assert f'data-view="/handoffs/{mine.pk}/viewed/"' in page
    for _ in range(2):
        assert client.post(f"/handoffs/{mine.pk}/viewed/").status_code == 204
    mine.refresh_from_db()
    assert mine.viewed_at == LATER
    assert mine.events.filter(kind="viewed").count() == 1
    assert "data-view=" not in client.get(f"/handoffs/{mine.pk}/").content.decode()


def test_viewing_by_others_is_none(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    assert as_(cast.mia).post(f"/handoffs/{mine.pk}/viewed/").status_code == 204
    assert as_(cast.rosa).post(f"/handoffs/{mine.pk}/viewed/").status_code == 404
    assert as_(cast.femke).get(f"/handoffs/{mine.pk}/viewed/").status_code == 405
    mine.refresh_from_db()
    assert mine.viewed_at is None


# Wrong data, reported without giving the lead away


def test_wrong_data_is_a_task_for_marketing_and_the_lead_stays(
    as_: SignIn, cast: Cast, mine: Handoff
) -> None:
    response = _act(as_(cast.femke), mine, "report", field="company_name", text="They were <b>bought</b>")
    assert response.context["pane"].handoff == mine
    assert _state(mine) == "assigned"
    complaint = mine.complaints.get()
    assert (complaint.field, complaint.by, complaint.cleared_at) == ("company_name", cast.femke, None)
    html = response.content.decode()
    assert "wrong data reported to marketing" in html
    assert "Wrong data. Company: They were &lt;b&gt;bought&lt;/b&gt;" in html


def test_marketing_finds_the_report_in_completion(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    _act(as_(cast.femke), mine, "report", field="phone", text="It is a bakery's")
    assert "It is a bakery&#x27;s" in as_(cast.otto).get("/completion/").content.decode()


def test_wrong_data_twice_is_one_report(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.femke)
    for _ in range(2):
        assert _act(client, mine, "report", field="phone").status_code == 200
    assert mine.complaints.count() == 1
    assert mine.events.filter(kind="noted").count() == 1


def test_a_report_is_undone_whole(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    client = as_(cast.femke)
    _act(client, mine, "report", field="phone")
    assert _act(client, mine, "undo").status_code == 200
    assert not mine.complaints.exists()
    assert mine.notes.get().undone_at is not None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "Choose what is wrong, or write it."),
        ({"field": "priority", "text": "x"}, "not something that can be reported"),
    ],
)
def test_a_report_that_says_nothing_is_asked_again(
    as_: SignIn, cast: Cast, mine: Handoff, data: dict[str, str], words: str
) -> None:
    response = _act(as_(cast.femke), mine, "report", **data)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not mine.complaints.exists()


# The contact form's defaults


def test_a_contact_is_proposed_as_it_was_made_last(as_: SignIn, cast: Cast) -> None:
    def proposed(handoff: Handoff) -> tuple[str, str]:
        pane = as_(cast.femke).get(f"/handoffs/{handoff.pk}/").context["pane"]
        return pane.usual_channel, pane.usual_outcome

    with_phone = make_handoff("assigned", cast.femke, lead=make_lead(phone="+49 30 5550100"))
    assert proposed(with_phone) == ("phone", "no_answer")
    forbidden = make_lead(phone="+49 30 5550101", do_not_call=True)
    assert proposed(make_handoff("assigned", cast.femke, lead=forbidden)) == ("email", "no_answer")
    unreachable = make_lead(email_opt_out=True)
    assert proposed(make_handoff("assigned", cast.femke, lead=unreachable)) == (
        "direct_message",
        "no_answer",
    )
    assert proposed(make_handoff("working", cast.femke)) == ("phone", "no_answer")


def test_what_it_referred_to_is_chosen_among_the_signals(as_: SignIn, cast: Cast) -> None:
    lead = make_lead()
    kinds = ("page_view", "asset_download", "chat", "email_open", "webinar_attendance", "ad_click")
    made = {
        kind: make_activity(lead, kind, NOW - timedelta(days=n), title=kind) for n, kind in enumerate(kinds)
    }
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    page = as_(cast.femke).get(f"/handoffs/{handoff.pk}/?form=contact&activity_id={made['page_view'].pk}")
    html = page.content.decode()
    for kind, row in made.items():
        assert html.count(f'name="activity_id" value="{row.pk}"') == (0 if kind == "email_open" else 1), kind
    assert f'value="{made["page_view"].pk}" checked' in html
    assert "<details open><summary>2 more" in html


# Other people of the same company


def test_others_of_the_company_are_named_with_their_handoffs(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    company = mine.lead.company
    own = make_handoff("working", cast.femke, lead=make_lead(company=company, first_name="Ilse"))
    foreign = make_handoff("accepted", cast.rosa, lead=make_lead(company=company, first_name="Hidden"))
    found = as_(cast.femke).get(f"/handoffs/{mine.pk}/").context["pane"].colleagues
    assert [(row.handoff, row.state, row.is_open) for row in found.shown] == [(own.pk, "Working", True)]
    assert found.elsewhere == "Rosa Lindqvist works with others there"
    html = as_(cast.femke).get(f"/handoffs/{mine.pk}/").content.decode()
    assert f'href="/handoffs/{own.pk}/"' in html
    assert "Hidden" not in html
    everything = as_(cast.otto).get(f"/handoffs/{mine.pk}/").context["pane"].colleagues
    assert {row.handoff for row in everything.shown} == {own.pk, foreign.pk}
    assert everything.elsewhere == ""


def test_an_opening_line_leads_to_its_evidence(as_: SignIn, cast: Cast, mine: Handoff) -> None:
    page = as_(cast.femke).get(f"/handoffs/{mine.pk}/")
    html = page.content.decode()
    for opener in page.context["pane"].openers:
        assert f'href="#act-{opener.activity}"' in html
        assert html.count(f'id="act-{opener.activity}"') == 1


def test_a_wrong_time_is_said_beside_its_field(
    as_: Callable[[User], Client], cast: Cast, mine: Handoff
) -> None:
    answer = _act(
        as_(cast.femke), mine, "contact", channel="email", outcome="no_answer", at="2036-03-10T12:00"
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="contact-at-error"' in page and 'aria-describedby="contact-at-error ' in page


@pytest.mark.parametrize("page", ("handoffs", "leads"))
def test_a_number_that_no_row_can_have_is_not_there(as_, cast, page):
    assert as_(cast.ada).get(f"/{page}/{10**30}/").status_code == 404
