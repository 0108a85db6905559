"""What a lead has forbidden: shown wherever one acts, asked about in the form, kept in the log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations

import pytest
import time_machine
from django.core import mail
from hypothesis import given
from hypothesis import strategies as st

from leads import consent, lifecycle, notifications
from leads.intake import receive
from leads.lifecycle import Invalid
from leads.models import Lead, TriageItem
from tests.acting import assert_sound, at, by
from tests.conftest import NOW, Cast
from tests.factories import event, make_activity, make_handoff, make_lead, open_handoff, route_to
from tests.leads.views.asking import SignIn, file_of, html, queries

LATER = NOW + timedelta(minutes=10)
FLAGS = {"Do not call": "no-call", "No e-mail": "no-mail"}


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def shy(**fields: object) -> Lead:
    """A lead who wants neither calls nor e-mail."""
    return make_lead(phone="+49 30 5550100", **({"email_opt_out": True, "do_not_call": True} | fields))


# Who unsubscribes


def unsubscribed(hours: int) -> dict:
    made = event(1, id=f"u{hours}", at=at(hours=hours), type="lead.activity", trigger=None, score=None)
    made["data"]["lead"].pop("consent", None)
    made["data"]["activities"] = [{"kind": "unsubscribe", "occurred_at": at(hours=hours).isoformat()}]
    return made


def said(hours: int, opt_out: bool) -> dict:
    told = {"consent": {"email_opt_out": opt_out}}
    return event(1, id=f"s{hours}", at=at(hours=hours), type="lead.updated", lead=told)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([unsubscribed(1)], True),
        ([said(0, False), unsubscribed(1)], True),
        ([unsubscribed(1), said(2, False)], False),
        ([unsubscribed(1), said(2, False), unsubscribed(3)], True),
    ],
)
def test_whoever_unsubscribes_gets_no_mail_until_they_say_so(
    cast: Cast, events: list[dict], expected: bool
) -> None:
    for place, order in enumerate(permutations(events)):
        for number, sent in enumerate(order):
            receive([sent | {"source": f"/map/{place}"}], None, at(days=1, hours=number))
        lead = Lead.objects.get()
        assert lead.email_opt_out is expected, [sent["id"] for sent in order]
        Lead.objects.all().delete()


def test_its_moment_is_that_of_the_fact(cast: Cast) -> None:
    receive([unsubscribed(1)], None, at(hours=3))
    assert Lead.objects.get().field_times["email_opt_out"] == at(hours=1).isoformat()


@given(st.booleans(), st.booleans())
def test_each_channel_is_shut_by_its_own_refusal(no_mail: bool, no_calls: bool) -> None:
    lead = Lead(email_opt_out=no_mail, do_not_call=no_calls)
    assert consent.forbidden(lead) == {c for c, shut in (("email", no_mail), ("phone", no_calls)) if shut}
    assert consent.wants_none(lead) is (no_mail and no_calls)


# The verb


@pytest.mark.parametrize(
    ("channel", "refused"), [("phone", True), ("email", True), ("direct_message", False), ("meeting", False)]
)
def test_a_forbidden_channel_needs_that_they_asked_for_it(cast: Cast, channel: str, refused: bool) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=shy())
    act = by(cast.femke, minutes=5)
    if refused:
        with pytest.raises(Invalid) as wrong:
            lifecycle.contact(handoff.pk, act, channel=channel, outcome="reached", asked_for=False)
        assert list(wrong.value.errors) == ["asked_for"]
        assert not handoff.attempts.exists()
    lifecycle.contact(handoff.pk, act, channel=channel, outcome="reached", asked_for=True)
    event = handoff.events.get(kind="contacted")
    assert event.data.get("asked_for") is (True if refused else None)
    assert_sound()


def test_what_another_system_logged_has_happened_and_is_marked(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=shy())
    lifecycle.contact(handoff.pk, by(cast.femke, minutes=5), channel="phone", outcome="reached")
    assert handoff.events.get(kind="contacted").data["asked_for"] is False
    page = html(as_(cast.femke).get(f"/handoffs/{handoff.pk}/"))
    assert "Reached by phone, generic, which they had asked not to have" in page
    assert_sound()


def test_where_nothing_is_forbidden_the_tick_says_nothing(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    act = by(cast.femke, minutes=5)
    lifecycle.contact(handoff.pk, act, channel="phone", outcome="reached", asked_for=True)
    assert "asked_for" not in handoff.events.get(kind="contacted").data


# The pages


def test_the_form_warns_asks_and_keeps_what_was_typed(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=shy(email_opt_out=False))
    client, url = as_(cast.femke), f"/handoffs/{handoff.pk}/contact/"
    page = html(client.get(f"/handoffs/{handoff.pk}/"))
    assert "They asked not to be called." in page
    assert "They opted out of e-mail." not in page
    assert page.count('name="asked_for"') == 1
    typed = {"channel": "phone", "outcome": "reached", "note": "Rang back", "alone": "1"}
    page = html(client.post(url, typed), 422)
    assert "Choose another way, or say that they asked for this." in page
    assert ">Rang back</textarea>" in page
    # The tick is for its own channel.
    assert client.post(url, typed | {"asked_for": "email"}).status_code == 422
    assert client.post(url, typed | {"asked_for": "phone"}).status_code == 302
    page = html(client.get(f"/handoffs/{handoff.pk}/"))
    assert "Reached by phone, generic, which they had asked for" in page


def test_no_link_and_no_opening_line_leads_to_what_they_forbid(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=shy())
    client = as_(cast.femke)
    for url in (f"/handoffs/{handoff.pk}/", f"/leads/{handoff.lead_id}/"):
        page = html(client.get(url))
        assert handoff.lead.email in page
        assert "tel:" not in page
        assert "mailto:" not in page
    page = html(client.get(f"/handoffs/{handoff.pk}/"))
    assert "they want neither calls nor e-mail" in page
    assert 'class="openers"' not in page
    Lead.objects.update(email_opt_out=False)
    page = html(client.get(f"/handoffs/{handoff.pk}/"))
    assert "mailto:" in page
    assert "tel:" not in page
    assert 'class="openers"' in page


def flagged(page: str) -> list[str]:
    """Which of the two flags stand on the page, each with its icon."""
    return [label for label, icon in FLAGS.items() if label in page and f'href="#i-{icon}"' in page]


def test_every_place_where_one_acts_shows_it(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=shy())
    pages = [
        (cast.femke, "/inbox/"),
        (cast.femke, f"/inbox/?h={handoff.pk}"),
        (cast.femke, f"/handoffs/{handoff.pk}/"),
        (cast.femke, f"/leads/{handoff.lead_id}/"),
        (cast.femke, "/leads/"),
        (cast.femke, "/handoffs/"),
        (cast.femke, f"/search/?q={handoff.lead.last_name}"),
        (cast.mia, f"/team/?h={handoff.pk}"),
    ]
    for user, url in pages:
        assert flagged(html(as_(user).get(url))) == list(FLAGS), url
    Lead.objects.update(do_not_call=False)
    for user, url in pages:
        assert flagged(html(as_(user).get(url))) == ["No e-mail"], url
    Lead.objects.update(email_opt_out=False)
    for user, url in pages:
        assert flagged(html(as_(user).get(url))) == [], url


def test_so_do_completion_and_triage(as_: SignIn, cast: Cast) -> None:
    open_handoff(shy(company=None))
    client = as_(cast.otto)
    assert flagged(html(client.get("/completion/"))) == list(FLAGS)
    rejected = make_handoff("assigned", cast.femke, lead=shy())
    lifecycle.reject(rejected.pk, by(cast.femke, minutes=1), reason="other", note="x")
    assert flagged(html(client.get("/triage/"))) == list(FLAGS)
    Lead.objects.update(email_opt_out=False, do_not_call=False)
    TriageItem.objects.create(lead=shy(), kind="suppressed", at=NOW)
    assert flagged(html(client.get("/triage/"))) == list(FLAGS)


def test_files_carry_it(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke, lead=shy(do_not_call=False))
    open_handoff(shy(company=None, email_opt_out=False))
    client = as_(cast.otto)
    for url in ("/leads/leads.csv", "/handoffs/handoffs.csv", "/completion/completion.csv"):
        head, *lines = [line.split(",") for line in file_of(client.get(url))]
        places = head.index("no e-mail"), head.index("do not call")
        told = sorted(tuple(line[place] for place in places) for line in lines)
        assert told == ([("", "yes")] if "completion" in url else [("", "yes"), ("yes", "")]), url


def test_mails_about_a_lead_say_it(cast: Cast) -> None:
    route_to(cast.femke)
    open_handoff(shy())
    notifications.deliver_due(at(minutes=10))
    [sent] = mail.outbox
    words = "Consent: They asked not to be called. They opted out of e-mail."
    assert words in sent.body
    assert "They asked not to be called. They opted out of e-mail." in sent.alternatives[0][0]
    Lead.objects.update(email_opt_out=False, do_not_call=False)
    open_handoff(make_lead())
    notifications.deliver_due(at(minutes=20))
    assert "Consent" not in mail.outbox[-1].body


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    urls = [
        (cast.femke, "/inbox/"), (cast.mia, "/team/"), (cast.otto, "/completion/"), (cast.otto, "/triage/"),
        (cast.otto, "/handoffs/"), (cast.otto, "/leads/"),
    ]  # fmt: skip

    def one_more() -> None:
        make_handoff("assigned", cast.femke, lead=shy())
        open_handoff(shy(company=None))
        handoff = make_handoff("assigned", cast.femke, lead=shy())
        lifecycle.reject(handoff.pk, by(cast.femke, minutes=1), reason="other", note="x")
        make_activity(handoff.lead)

    one_more()
    one = [queries(as_(user), url) for user, url in urls]
    one_more()
    one_more()
    assert [queries(as_(user), url) for user, url in urls] == one
