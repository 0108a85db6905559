"""In which words: what happened, to which lead, what to do, by when; hostile names stay harmless."""

from datetime import timedelta

import pytest

from leads import notifications
from leads.models import Handoff, Notification
from leads.notifications import message, plain, words
from leads.notifications.wordings import Todo
from routing.models import User
from tests import factories
from tests.conftest import NOW, Cast

SOON = NOW + timedelta(seconds=10)


@pytest.fixture
def held(cast: Cast) -> Handoff:
    return factories.make_handoff("assigned", cast.femke)


def test_a_message_is_not_saved_and_waits_ten_seconds(cast: Cast, held: Handoff) -> None:
    Notification.objects.all().delete()
    made = message(cast.femke, held, "assigned", NOW, {"window": 1})
    assert made.pk is None and (made.mail, made.mail_after) == ("pending", SOON)
    assert (made.created_at, made.data) == (NOW, {"window": 1})
    silent = message(cast.femke, held, "assigned", NOW, mail=False)
    assert (silent.mail, silent.mail_after) == ("none", None)
    assert not Notification.objects.exists()


def test_words_name_lead_and_due_time_in_the_readers_zone(cast: Cast, held: Handoff) -> None:
    cast.femke.time_zone = "Europe/Amsterdam"
    said = words(message(cast.femke, held, "assigned", NOW))
    name = f"{held.lead.full_name} ({held.lead.company.name})"
    assert said.subject == f"New lead for you: {name}"
    assert said.text == f"{name} is yours. Your answer is due Tue 10 Mar 13:00 CET."
    assert said.url == f"/handoffs/{held.pk}/"


@pytest.mark.parametrize("kind", [*notifications.WORDINGS, "something_new"])
@pytest.mark.parametrize("state", ["assigned", "queued", "incomplete"])
def test_every_kind_has_words_in_every_state(cast: Cast, kind: str, state: str) -> None:
    handoff = factories.make_handoff(state, cast.femke if state == "assigned" else None)
    said = words(
        message(cast.mia, handoff, kind, NOW, {"due_at": NOW.isoformat(), "rule": "EMEA", "by": "Otto"})
    )
    for text in (said.subject, said.text):
        assert text and "{" not in text and "None" not in text and "\n" not in text
    assert handoff.lead.last_name in said.subject and "@" not in said.subject + said.text


def test_an_absence_is_told_in_the_days_of_whoever_is_away(cast: Cast) -> None:
    cast.femke.time_zone = "America/New_York"
    data = {
        "by": "Mia <b>", "starts_at": "2026-03-11T04:00:00+00:00", "ends_at": "2026-03-13T04:00:00+00:00"
    }  # fmt: skip
    said = words(message(cast.femke, None, notifications.AWAY, NOW, data | {"cover": "Jonas"}))
    assert said.subject == "Absence entered: Wed 11 Mar to Thu 12 Mar"
    assert said.text == (
        "Mia <b> entered that you are away: Wed 11 Mar to Thu 12 Mar. Jonas covers for you."
        " No new lead comes to you meanwhile."
    )
    assert (said.url, said.todo) == ("/profile/#away", Todo.KNOW)
    one_day = data | {"ends_at": "2026-03-12T04:00:00+00:00"}
    assert (
        "away: Wed 11 Mar. Nobody covers"
        in words(message(cast.femke, None, notifications.AWAY, NOW, one_day)).text
    )
    for odd in ({}, {"starts_at": 7, "ends_at": None, "by": None}):
        assert words(message(cast.femke, None, notifications.BACK, NOW, odd)).text == (
            "Somebody took back your absence of some days. New leads come to you then."
        )


def test_a_breach_says_when_it_was_due_then(cast: Cast, held: Handoff) -> None:
    data = {"due_at": (NOW + timedelta(hours=1)).isoformat()}
    said = words(message(cast.mia, held, "accept_breach", NOW, data))
    assert "was due Tue 10 Mar 11:00 UTC. It is with Femke de Boer." in said.text


def test_missing_data_is_said_in_words(cast: Cast) -> None:
    said = words(message(cast.otto, factories.make_handoff("incomplete"), "incomplete", NOW))
    assert "Missing: company name, company size band." in said.text


def test_hostile_names_stay_one_harmless_line(cast: Cast, held: Handoff) -> None:
    lead = held.lead
    lead.first_name = "Eve\r\nBcc: all@example.com\u202e"
    lead.last_name = "{lead.email} %s http://evil.example/" + "x" * 500
    lead.company.name = "<script>alert(1)</script>"
    lead.company.save()
    lead.save()
    said = words(message(cast.femke, held, "assigned", NOW))
    assert "\n" not in said.subject and "\r" not in said.subject and "\u202e" not in said.subject
    assert "{lead. email}" in said.subject and "://" not in said.subject and len(said.subject) < 220


def test_a_lead_without_a_name_or_company_has_words(cast: Cast) -> None:
    lead = factories.make_lead(first_name="", last_name="", company=None)
    handoff = factories.open_handoff(lead)
    assert (
        words(message(cast.otto, handoff, "incomplete", NOW)).subject == "Data missing: a lead without a name"
    )


def test_joined_scripts_keep_their_letters() -> None:
    assert plain("\u0646\u06cc\u200c\u0645\u0627") == "\u0646\u06cc\u200c\u0645\u0627"
    assert plain("  a\tb\x00\n c  ") == "a b c" and len(plain("y" * 999)) == 80


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("Renew at www.evil.example/login", "Renew at www. evil. example/login"),
        ("WWW.evil.com:80/?x=1", "WWW. evil. com:80/?x=1"),
        ("http://evil.com", "http evil. com"),
        ("eve@evil.com", "eve @ evil. com"),
        ("mailto:eve@evil", "mailto:eve @ evil"),
        ("10.0.0.1/x", "10. 0. 0.1/x"),
        ("evil\u3002com", "evil\u3002 com"),
        ("evil.\u200dcom", "evil. \u200dcom"),
        ("\\\\evil\\share", "evil\\share"),
        # What is no address stays as it is written, or nearly.
        ("J.R. Acme Inc., Web 2.0 Corp.", "J. R. Acme Inc., Web 2.0 Corp."),
        ("St. Pauli @ Home", "St. Pauli @ Home"),
    ],
)
def test_no_mail_program_makes_a_link_of_a_name(text: str, harmless: str) -> None:
    assert plain(text) == harmless


@pytest.mark.parametrize(
    ("kind", "holder", "manager"),
    [
        ("assigned", Todo.ANSWER, Todo.ANSWER),
        ("accept_breach", Todo.ANSWER, Todo.STEP_IN),
        ("contact_breach", Todo.CONTACT, Todo.STEP_IN),
        ("black_hole", Todo.CONTACT, Todo.STEP_IN),
        ("converted_elsewhere", Todo.KNOW, Todo.KNOW),
    ],
)
def test_who_holds_it_acts_and_who_does_not_steps_in(
    cast: Cast, held: Handoff, kind: str, holder: Todo, manager: Todo
) -> None:
    assert words(message(cast.femke, held, kind, NOW)).todo == holder
    assert words(message(cast.mia, held, kind, NOW)).todo == manager


def test_a_reminder_says_whose_answer_it_is(cast: Cast, held: Handoff) -> None:
    mine, theirs = (words(message(user, held, "accept_80", NOW)).text for user in (cast.femke, cast.mia))
    name = f"{held.lead.full_name} ({held.lead.company.name})"
    assert mine == f"Your answer on {name} is due Tue 10 Mar 12:00 UTC."
    assert theirs == f"Femke de Boer's answer on {name} is due Tue 10 Mar 12:00 UTC."


def test_a_step_that_somebody_made_up_says_what_it_is_called(cast: Cast, held: Handoff) -> None:
    said = words(message(cast.mia, held, "call_the_boss", NOW, {"due_at": NOW.isoformat()}))
    assert "the step “call the boss”, due Tue 10 Mar 10:00 UTC. It is with Femke de Boer." in said.text
    assert (said.head, said.todo) == ("Needs a look", Todo.STEP_IN)


def test_the_deadline_is_given_beside_the_text(cast: Cast, held: Handoff) -> None:
    due = {
        kind: words(message(cast.femke, held, kind, NOW)).due for kind in ("assigned", "raised", "claimed")
    }
    assert due == {
        "assigned": ("Answer due", "Tue 10 Mar 12:00 UTC"),
        "raised": ("Contact due", "Tue 10 Mar 11:00 UTC"),
        "claimed": None,
    }


def test_a_zone_that_is_none_is_the_organisations(cast: Cast, held: Handoff) -> None:
    User.objects.filter(pk=cast.femke.pk).update(time_zone="Mars/Olympus")
    row = Notification.objects.filter(user=cast.femke, handoff=held).get()
    assert words(row).text.endswith("due Tue 10 Mar 12:00 UTC.")
