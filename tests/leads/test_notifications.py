"""Who is told, in which words, and how mail leaves: once, late enough to be undone, never for ever."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.locmem import EmailBackend as Locmem
from django.db import connection
from django.db.models.query import QuerySet

from leads import lifecycle, notifications
from leads.models import Handoff, Notification
from leads.notifications import deliver_due, message, plain, recipients, words
from routing.models import Absence, Queue, User
from tests import factories
from tests.conftest import NOW, Cast

SOON = NOW + timedelta(seconds=10)


def away(user: User, cover: User | None = None) -> None:
    Absence.objects.create(
        user=user, cover=cover, starts_at=NOW - timedelta(days=1), ends_at=NOW + timedelta(days=1)
    )


def told(handoff: Handoff, *who: str) -> list[str]:
    return [user.email.split("@")[0] for user in recipients(handoff, who, NOW)]


@pytest.fixture
def held(cast: Cast) -> Handoff:
    return factories.make_handoff("assigned", cast.femke)


# Who


def test_roles_stand_for_people(cast: Cast, held: Handoff) -> None:
    assert told(held, "rep") == ["femke"]
    assert told(held, "manager") == ["mia"]
    assert told(held, "marketing") == ["otto"]
    assert told(held, "rep", "manager", "marketing") == ["femke", "mia", "otto"]


def test_nobody_is_told_twice(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.mia)
    cast.mia.team.manager = cast.mia
    cast.mia.team.save()
    assert told(handoff, "rep", "manager", "manager") == ["mia"]


def test_a_manager_away_is_covered(cast: Cast, held: Handoff) -> None:
    away(cast.mia, cover=cast.nils)
    assert told(held, "manager") == ["nils"]


def test_a_cover_who_is_away_or_inactive_is_none(cast: Cast, held: Handoff) -> None:
    away(cast.mia, cover=cast.nils)
    away(cast.nils, cover=cast.mia)
    assert told(held, "manager") == ["ada"]
    Absence.objects.filter(user=cast.nils).delete()
    cast.nils.is_active = False
    cast.nils.save()
    assert told(held, "manager") == ["ada"]


def test_without_a_manager_the_queues_owner_then_the_admins(cast: Cast) -> None:
    queue = Queue.objects.create(slug="emea", name="EMEA", owner=cast.nils)
    handoff = factories.make_handoff("queued", queue=queue)
    assert told(handoff, "manager") == ["nils"]
    assert told(handoff, "queue_owner") == ["nils"]
    cast.nils.is_active = False
    cast.nils.save()
    assert told(Handoff.objects.get(pk=handoff.pk), "manager") == ["ada"]


def test_a_queues_owner_away_is_covered_or_still_the_owner(cast: Cast) -> None:
    queue = Queue.objects.create(slug="emea", name="EMEA", owner=cast.nils)
    handoff = factories.make_handoff("queued", queue=queue)
    away(cast.nils)
    assert told(handoff, "queue_owner") == ["nils"]
    Absence.objects.update(cover=cast.mia)
    assert told(handoff, "queue_owner") == ["mia"]


def test_an_absent_manager_without_cover_falls_to_the_admins_for_a_rep(cast: Cast, held: Handoff) -> None:
    away(cast.mia)
    assert told(held, "manager") == ["ada"]
    cast.mia.is_active = False
    cast.mia.save()
    Absence.objects.all().delete()
    assert told(Handoff.objects.get(pk=held.pk), "manager") == ["ada"]


def test_a_rep_without_a_team_has_the_admins_for_a_manager(cast: Cast, held: Handoff) -> None:
    User.objects.filter(pk=cast.femke.pk).update(team=None)
    assert told(Handoff.objects.get(pk=held.pk), "manager") == ["ada"]


def test_inactive_people_are_never_told(cast: Cast, held: Handoff) -> None:
    User.objects.exclude(pk=cast.ada.pk).update(is_active=False)
    held = Handoff.objects.get(pk=held.pk)
    assert told(held, "rep") == []
    assert told(held, "rep", "manager", "marketing", "queue_owner") == ["ada"]


def test_what_waits_for_data_is_the_completion_queues(cast: Cast) -> None:
    Queue.objects.filter(kind=Queue.Kind.COMPLETION).update(owner=cast.otto)
    handoff = factories.make_handoff("incomplete")
    assert told(handoff, "rep") == [] and told(handoff, "queue_owner") == ["otto"]


def test_an_unknown_role_is_an_error(held: Handoff) -> None:
    with pytest.raises(KeyError):
        recipients(held, ("ceo",), NOW)


# Words


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
    assert "{lead.email}" in said.subject and "://" not in said.subject and len(said.subject) < 220


def test_a_lead_without_a_name_or_company_has_words(cast: Cast) -> None:
    lead = factories.make_lead(first_name="", last_name="", company=None)
    handoff = factories.open_handoff(lead)
    assert (
        words(message(cast.otto, handoff, "incomplete", NOW)).subject == "Data missing: a lead without a name"
    )


def test_joined_scripts_keep_their_letters() -> None:
    assert plain("\u0646\u06cc\u200c\u0645\u0627") == "\u0646\u06cc\u200c\u0645\u0627"
    assert plain("  a\tb\x00\n c  ") == "a b c" and len(plain("y" * 999)) == 80


# Mail


@pytest.fixture
def outbox(cast: Cast, held: Handoff) -> Notification:
    """One pending message to Femke."""
    Notification.objects.all().delete()
    row = message(cast.femke, held, "assigned", NOW)
    row.save()
    return row


def test_mail_leaves_after_ten_seconds_and_once(outbox: Notification, settings: Any) -> None:
    settings.PUBLIC_URL = "https://handoff.example.com"
    assert deliver_due(SOON - timedelta(microseconds=1)) == 0
    assert deliver_due(SOON) == 1 and deliver_due(SOON + timedelta(days=9)) == 0
    [sent] = mail.outbox
    assert sent.to == ["femke@handoff.example.com"] and sent.cc == sent.bcc == []
    assert sent.subject == f"[Handoff] {words(outbox).subject}"
    assert f"https://handoff.example.com/handoffs/{outbox.handoff_id}/" in sent.body
    assert not getattr(sent, "alternatives", None)
    outbox.refresh_from_db()
    assert (outbox.mail, outbox.mail_attempts) == ("sent", 1)


def test_mail_says_no_more_of_the_lead_than_name_and_company(outbox: Notification) -> None:
    lead = outbox.handoff.lead
    lead.phone, lead.job_title, lead.linkedin_url = "+49 30 123456", "Chief", "https://li.example/in/x"
    lead.save()
    deliver_due(SOON)
    text = mail.outbox[0].subject + mail.outbox[0].body
    for secret in (lead.email, lead.phone, lead.job_title, lead.linkedin_url, "from a test"):
        assert secret not in text
    assert not re.search(r"[\w.]+@[\w.]+", text)


def test_each_message_is_one_mail_oldest_first(cast: Cast, held: Handoff, outbox: Notification) -> None:
    for seconds, user in ((-20, cast.mia), (-5, cast.jonas)):
        message(user, held, "unacknowledged", NOW + timedelta(seconds=seconds)).save()
    assert deliver_due(SOON, limit=2) == 2 and deliver_due(SOON) == 1
    assert [sent.to[0].split("@")[0] for sent in mail.outbox] == ["mia", "jonas", "femke"]


def test_hostile_names_cannot_write_headers(outbox: Notification) -> None:
    lead = outbox.handoff.lead
    lead.first_name = "Eve\r\nBcc: all@example.com\r\n\r\nHello"
    lead.save()
    assert deliver_due(SOON) == 1
    raw = mail.outbox[0].message()
    assert raw["Bcc"] is None and raw["To"] == "femke@handoff.example.com" and not raw.is_multipart()


def test_people_who_left_get_no_mail(cast: Cast, outbox: Notification) -> None:
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    assert deliver_due(SOON) == 0 and mail.outbox == []
    outbox.refresh_from_db()
    assert outbox.mail == "none"


class Failing(Locmem):
    """Refuses messages to Femke."""

    def send_messages(self, messages: Any) -> int:
        if any("femke" in to for message in messages for to in message.to):
            raise SMTPServerDisconnected("gone")
        return super().send_messages(messages)


def test_a_failing_mail_is_tried_five_times_with_longer_waits(outbox: Notification, settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Failing"
    at, waits = SOON, []
    for attempt in range(1, 6):
        assert deliver_due(at) == 0
        outbox.refresh_from_db()
        assert outbox.mail_attempts == attempt
        waits.append(outbox.mail_after - at)
        assert deliver_due(outbox.mail_after - timedelta(seconds=1)) == 0
        at = outbox.mail_after
    assert waits == sorted(waits) and waits[0] == timedelta(minutes=1) and waits[-1] == timedelta(hours=2)
    assert (outbox.mail, outbox.mail_attempts) == ("failed", 5)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert deliver_due(at + timedelta(days=30)) == 0 and mail.outbox == []


def test_a_failing_mail_stops_none_of_the_others(
    cast: Cast, held: Handoff, outbox: Notification, settings: Any
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Failing"
    message(cast.mia, held, "assigned", NOW + timedelta(seconds=1)).save()
    assert deliver_due(SOON + timedelta(seconds=5)) == 1
    assert [sent.to for sent in mail.outbox] == [["mia@handoff.example.com"]]


class Unreachable(BaseEmailBackend):
    def open(self) -> bool:
        raise ConnectionRefusedError

    def send_messages(self, messages: Any) -> int:
        raise AssertionError("nothing is to be sent")


def test_an_unreachable_server_uses_up_no_attempt(outbox: Notification, settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Unreachable"
    for _ in range(9):
        assert deliver_due(SOON) == 0
    outbox.refresh_from_db()
    assert (outbox.mail, outbox.mail_attempts) == ("pending", 0)


class Crashing(Locmem):
    def send_messages(self, messages: Any) -> int:
        super().send_messages(messages)
        raise KeyboardInterrupt


def test_a_crash_after_sending_sends_nothing_twice_within_the_backoff(
    outbox: Notification, settings: Any
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Crashing"
    with pytest.raises(KeyboardInterrupt):
        deliver_due(SOON)
    assert len(mail.outbox) == 1
    assert deliver_due(SOON + timedelta(seconds=59)) == 0
    outbox.refresh_from_db()
    assert outbox.mail_attempts == 1


def test_a_crash_at_each_attempt_ends(outbox: Notification, settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Crashing"
    at = SOON
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            deliver_due(at)
        at += timedelta(hours=3)
    assert deliver_due(at) == 0
    outbox.refresh_from_db()
    assert (outbox.mail, outbox.mail_attempts) == ("failed", 5)


def test_a_second_worker_that_read_the_same_row_sends_nothing(
    outbox: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, raced = QuerySet.first, []

    def first(self: QuerySet) -> Any:
        row = real(self)
        if isinstance(row, Notification) and not raced:
            raced.append(row)
            # Between the reading and the claim of one worker, the other claims and sends.
            assert deliver_due(SOON) == 1
        return row

    monkeypatch.setattr(QuerySet, "first", first)
    assert deliver_due(SOON) == 0
    assert len(mail.outbox) == 1


def test_nothing_due_costs_one_query(
    cast: Cast, outbox: Notification, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert deliver_due(NOW) == 0


def test_an_undone_act_sends_nothing(cast: Cast, held: Handoff) -> None:
    Notification.objects.all().delete()
    Queue.objects.filter(kind=Queue.Kind.COMPLETION).update(owner=cast.otto)
    act = lifecycle.Act(NOW, cast.femke)
    lifecycle.reject(held.pk, act, reason="bad_data", undoable=True)
    lifecycle.undo(held.pk, lifecycle.Act(NOW + timedelta(seconds=5), cast.femke))
    assert deliver_due(NOW + timedelta(hours=1)) == 0 and mail.outbox == []


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_four_workers_send_each_mail_once(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    Notification.objects.all().delete()
    Notification.objects.bulk_create(message(cast.femke, handoff, "assigned", NOW) for _ in range(12))

    def work() -> int:
        try:
            return deliver_due(SOON)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sent = [future.result() for future in [pool.submit(work) for _ in range(4)]]
    assert sum(sent) == len(mail.outbox) == 12
    assert set(Notification.objects.values_list("mail", "mail_attempts")) == {("sent", 1)}
