"""What a channel is told: the words, whom they name, their bounds, and what is not said any more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads import lifecycle
from leads.connectors import messages, slack, teams
from leads.connectors.messages import ESCALATION, NEW_DEMO, Message, Names
from leads.connectors.slack import Slack, escaped
from leads.connectors.teams import Teams
from leads.lifecycle import Act
from leads.models import Event, Handoff
from tests.conftest import NOW
from tests.doubles.chat import _good_blocks, _is_card_message
from tests.factories import make_company, make_handoff, make_lead, route_to

pytestmark = pytest.mark.django_db
HOSTILE = "<!channel> & *Jane* [x](https://evil.example) {{TIME(2020-01-01T00:00:00Z)}}"


def jane(**fields):
    given = {"first_name": "Jane", "last_name": "Doe", "job_title": "VP Operations"} | fields
    return make_lead(email="jane@acme.example.com", company=make_company(name="Acme GmbH"), **given)


def told(handoff: Handoff, kind: str) -> Event:
    return Event.objects.filter(handoff=handoff, kind=kind).order_by("number").last()


def now_of(handoff: Handoff) -> Handoff:
    rows = Handoff.objects.select_related("lead__company", "assignee", "queue")
    return rows.get(pk=handoff.pk)


def breached(cast, step: str = "accept_breach", **fields) -> tuple[Handoff, Event]:
    handoff = make_handoff("assigned", cast.femke, kind="demo_request", **fields)
    lifecycle.fire(handoff.pk, NOW + timedelta(minutes=6))
    return now_of(handoff), Event.objects.get(handoff=handoff, data__step=step)


def test_a_breach_without_names_says_company_number_holder_and_when_it_was_due(cast, settings):
    settings.PUBLIC_URL = "https://handoff.example.com"
    handoff, event = breached(cast, lead=jane())
    said = messages.worded(ESCALATION, event, handoff, Names.NONE)
    assert said == Message(
        head="Not answered in time",
        about=f"Acme GmbH (handoff {handoff.pk})",
        fields=(
            ("Handoff", str(handoff.pk)),
            ("Company", "Acme GmbH (51-200)"),
            ("With", str(cast.femke)),
            ("Type", "Demo"),
        ),
        url=f"https://handoff.example.com/handoffs/{handoff.pk}/",
        due=("Was due", NOW + timedelta(minutes=5)),
        note="Score 80 (fit 40, intent 20, behavior 20)",
    )
    assert said.text == f"Not answered in time: Acme GmbH (handoff {handoff.pk})"


@pytest.mark.parametrize(
    ("names", "who", "about"),
    [
        (Names.NAME, ("Lead", "Jane Doe"), "Jane Doe (Acme GmbH)"),
        (Names.FULL, ("Lead", "Jane Doe, VP Operations"), "Jane Doe (Acme GmbH)"),
    ],
)
def test_names_are_named_where_that_was_chosen(cast, names, who, about):
    handoff, event = breached(cast, lead=jane())
    said = messages.worded(ESCALATION, event, handoff, names)
    assert (said.fields[0], said.about) == (who, about)
    assert "jane@" not in repr(said)


def test_a_new_demo_lead_says_what_they_did_and_when_the_answer_is_due(cast):
    handoff = now_of(make_handoff("assigned", cast.femke, lead=jane(), kind="demo_request"))
    said = messages.worded(NEW_DEMO, told(handoff, "assigned"), handoff, Names.NONE)
    assert (said.head, said.due) == ("New demo lead", ("Answer due", handoff.accept_due_at))
    assert said.fields[-1] == ("What they did", "Demo request")


def test_each_step_of_the_shipped_ladder_has_words_of_its_own(cast):
    handoff, _ = breached(cast, lead=jane())
    lifecycle.fire(handoff.pk, NOW + timedelta(hours=30))
    steps = Event.objects.filter(handoff=handoff, kind__in=("escalated", "flagged", "black_hole"))
    heads = {
        event.data["step"]: messages.worded(ESCALATION, event, handoff, Names.NONE).head for event in steps
    }
    assert heads == {
        "accept_50": "Half the time is gone",
        "accept_80": "Nearly due",
        "accept_breach": "Not answered in time",
        "contact_breach": "Not contacted in time",
        "unacknowledged": "Nobody has answered",
        "no_activity": "Nothing happens",
        "black_hole": "Black hole",
    }


@pytest.mark.parametrize(
    ("verb", "given", "words"),
    [
        ("accept", {}, "it was accepted meanwhile."),
        ("defer", {"until": NOW + timedelta(days=3), "explanation": "Later"}, "it was deferred meanwhile."),
        ("contact", {"channel": "phone", "outcome": "reached"}, "it was contacted meanwhile."),
        ("reject", {"reason": "not_icp"}, "it was closed meanwhile (rejected)."),
    ],
)
@pytest.mark.parametrize("kind", [NEW_DEMO, ESCALATION])
def test_what_was_answered_meanwhile_is_not_told_any_more(cast, verb, given, words, kind):
    handoff, event = breached(cast)
    event = event if kind == ESCALATION else told(handoff, "assigned")
    assert messages.overtaken(kind, event, handoff) == ""
    getattr(lifecycle, verb)(handoff.pk, Act(NOW + timedelta(minutes=8), cast.femke), **given)
    assert messages.overtaken(kind, event, now_of(handoff)) == words


def test_a_breach_of_the_contact_outlives_an_acceptance(cast):
    handoff, event = breached(cast, "contact_breach")
    lifecycle.accept(handoff.pk, Act(NOW + timedelta(minutes=8), cast.femke))
    assert messages.overtaken(ESCALATION, event, now_of(handoff)) == ""


def test_who_has_it_now_is_named_and_a_breach_of_who_had_it_is_not_told(cast):
    handoff, event = breached(cast)
    lifecycle.reassign(
        handoff.pk, Act(NOW + timedelta(minutes=8), cast.mia), to=cast.jonas.email, reason="Away"
    )
    moved = now_of(handoff)
    assert (
        messages.overtaken(ESCALATION, event, moved) == "it was answered or given to somebody else meanwhile."
    )
    said = messages.worded(NEW_DEMO, told(handoff, "assigned"), moved, Names.NONE)
    assert dict(said.fields)["With"] == str(cast.jonas)


def test_somebody_who_was_erased_is_in_no_message(cast):
    handoff, event = breached(cast, lead=jane())
    lifecycle.erase(handoff.lead_id, Act(NOW + timedelta(minutes=8), cast.ada), "asked")
    assert messages.overtaken(ESCALATION, event, now_of(handoff)) == "the person was erased meanwhile."


def test_data_that_is_missing_is_named_and_was_due(cast):
    handoff = make_handoff("incomplete", kind="demo_request")
    lifecycle.fire(handoff.pk, NOW + timedelta(hours=2))
    event = Event.objects.get(handoff=handoff, data__step="completion_breach")
    said = messages.worded(ESCALATION, event, now_of(handoff), Names.NONE)
    assert (said.head, said.about) == ("Data still missing", f"handoff {handoff.pk}")
    assert said.due == ("Was due", NOW + timedelta(hours=1))
    assert ("With", "data completion") in said.fields
    assert dict(said.fields)["Missing"] == "Company name, Company size band"


def test_what_the_ladder_took_away_names_the_new_holder_until_they_answer(cast):
    handoff = make_handoff("assigned", cast.femke)
    route_to(cast.jonas)
    lifecycle.reroute(handoff.pk, Act(NOW + timedelta(minutes=5)), "accept_breach")
    event, moved = told(handoff, "escalated"), now_of(handoff)
    said = messages.worded(ESCALATION, event, moved, Names.NONE)
    assert (said.head, dict(said.fields)["With"]) == ("With somebody else now", str(cast.jonas))
    assert said.due == ("Answer due", moved.accept_due_at)
    lifecycle.accept(handoff.pk, Act(NOW + timedelta(minutes=8), cast.jonas))
    assert messages.overtaken(ESCALATION, event, now_of(handoff)) == "it was accepted meanwhile."


def test_hostile_words_stay_words(cast):
    lead = jane(first_name=HOSTILE, job_title=HOSTILE)
    handoff, event = breached(cast, lead=lead)
    said = messages.worded(ESCALATION, event, handoff, Names.FULL)
    there = json.loads(made(Slack, said))
    shown = json.dumps(there["blocks"], ensure_ascii=False) + there["text"]
    assert "<!channel" not in shown and "&lt;!channel&gt; &amp;" in shown and "https://" not in said.about
    assert all(field["verbatim"] for field in there["blocks"][1]["fields"])
    card = json.loads(made(Teams, said))["attachments"][0]["content"]
    markdown = [block["text"] for block in card["body"] if block["type"] == "TextBlock"]
    assert len(markdown) == 2 and not any("Jane" in text or "channel" in text for text in markdown)


def made(kind: type, message: Message) -> bytes:
    """The body, of a chat that needs no connection for it."""
    return kind.body(object.__new__(kind), message)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3500) | st.just("&" * 3500)
MOMENTS = st.datetimes(datetime(1991, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))
ANY = st.builds(
    Message,
    head=TEXTS.filter(bool),
    about=TEXTS,
    fields=st.lists(st.tuples(TEXTS, TEXTS), max_size=14).map(tuple),
    url=st.just("https://handoff.example.com/handoffs/1/"),
    due=st.none() | st.tuples(TEXTS, MOMENTS),
    note=TEXTS,
)


@given(ANY)
@settings(max_examples=50, deadline=None)
def test_whatever_is_said_keeps_within_the_bounds(message):
    there = json.loads(made(Slack, message))
    assert _good_blocks(there["blocks"]) and 0 < len(there["text"]) <= slack.SECTION
    content = made(Teams, message)
    assert len(content) < teams.LARGEST and _is_card_message(json.loads(content))


@given(st.text(), st.integers(0, 60))
@settings(max_examples=50)
def test_an_escape_is_never_cut(text, most):
    found = escaped(text, most)
    assert len(found) <= most
    plain = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert text.startswith(plain)


def test_moments_are_seen_by_each_readers_clock():
    at = datetime(2026, 11, 22, 9, 14, 5, tzinfo=UTC)
    assert slack.moment(at) == "<!date^1795338845^{date_short_pretty} {time}|2026-11-22 09:14 UTC>"
    assert teams.moment(at) == "{{DATE(2026-11-22T09:14:05Z, SHORT)}} {{TIME(2026-11-22T09:14:05Z)}}"
