"""How mail leaves: once, late enough to be undone, when its reader wants it, never for ever."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from smtplib import SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.locmem import EmailBackend as Locmem
from django.db import connection
from django.db.models.query import QuerySet

from leads import lifecycle
from leads.lifecycle.book import Book
from leads.models import Handoff, Notification, Preference
from leads.notifications import deliver_due, delivery, message
from leads.notifications.wordings import Todo
from routing.models import Absence, Queue, User
from tests import factories
from tests.conftest import NOW, Cast

SOON = NOW + timedelta(seconds=10)


@pytest.fixture
def held(cast: Cast) -> Handoff:
    return factories.make_handoff("assigned", cast.femke)


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
    assert sent.subject == f"[Handoff] New lead for you: {outbox.handoff.lead.company.name}"
    assert f"https://handoff.example.com/handoffs/{outbox.handoff_id}/" in sent.body
    outbox.refresh_from_db()
    assert (outbox.mail, outbox.mail_attempts) == ("sent", 1)


def test_mail_says_no_more_of_the_lead_than_name_and_company(outbox: Notification) -> None:
    lead = outbox.handoff.lead
    lead.phone, lead.job_title, lead.linkedin_url = "+49 30 123456", "Chief", "https://li.example/in/x"
    lead.save()
    deliver_due(SOON)
    [sent] = mail.outbox
    assert lead.last_name not in sent.subject and lead.first_name not in sent.subject
    text = sent.subject + sent.body + sent.alternatives[0].content
    for secret in (lead.email, lead.phone, lead.job_title, lead.linkedin_url, "from a test"):
        assert secret not in text
    assert not re.search(r"[\w.]+@[\w.]+", text)


def test_each_message_is_one_mail_oldest_first(cast: Cast, held: Handoff, outbox: Notification) -> None:
    for seconds, user in ((-20, cast.mia), (-5, cast.jonas)):
        message(user, held, "claimed", NOW + timedelta(seconds=seconds)).save()
    assert deliver_due(SOON, limit=2) == 2 and deliver_due(SOON) == 1
    assert [sent.to[0].split("@")[0] for sent in mail.outbox] == ["mia", "jonas", "femke"]


def test_hostile_names_cannot_write_headers(outbox: Notification) -> None:
    lead = outbox.handoff.lead
    lead.first_name = "Eve\r\nBcc: all@example.com\r\n\r\nHello"
    lead.save()
    assert deliver_due(SOON) == 1
    raw = mail.outbox[0].message()
    assert raw["Bcc"] is None and raw["To"] == "femke@handoff.example.com"
    assert [part.get_content_type() for part in raw.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]


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
    message(cast.mia, held, "unacknowledged", NOW + timedelta(seconds=1)).save()
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
    real, raced = delivery.locked_first, []

    def first(rows: QuerySet, **kwargs: Any) -> Any:
        row = real(rows, **kwargs)
        if row is not None and not raced:
            raced.append(row)
            # Between the reading and the claim of one worker, the other claims and sends.
            assert deliver_due(SOON) == 1
        return row

    monkeypatch.setattr(delivery, "locked_first", first)
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


def test_nobody_is_told_twice_of_one_event(cast: Cast, held: Handoff) -> None:
    """Whatever is retried: the second message of the same event is dropped, and is no error."""
    Notification.objects.all().delete()
    for _ in range(2):
        book = Book(lifecycle.Act(NOW))
        book.tell(held, "accept_50", [cast.femke, cast.mia, cast.femke])
        book.save()
    assert sorted(Notification.objects.values_list("user__name", "event_number")) == [
        ("Femke de Boer", held.revision),
        ("Mia Brandt", held.revision),
    ]
    assert deliver_due(SOON) == 2


def test_every_message_of_the_lifecycle_names_its_event(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    lifecycle.fire(handoff.pk, NOW + timedelta(hours=5))
    told = list(Notification.objects.filter(handoff=handoff).order_by("pk"))
    assert len(told) > 5 and all(row.event_number for row in told)
    events = dict(handoff.events.values_list("number", "data__step"))
    assert [events[row.event_number] for row in told[1:]] == [row.kind for row in told[1:]]


# What the reader wants, as it is when the mail would leave


def wishes(user: User, **fields: Any) -> None:
    Preference.objects.update_or_create(user=user, defaults=fields)


def state(row: Notification) -> tuple[str, datetime | None]:
    row.refresh_from_db()
    return str(row.mail), row.mail_after


def test_what_comes_in_quiet_hours_leaves_at_their_end(cast: Cast, outbox: Notification) -> None:
    # Half past ten in the reader's zone; quiet from ten to seven.
    User.objects.filter(pk=cast.femke.pk).update(time_zone="Asia/Tokyo")
    wishes(cast.femke, quiet_from=19 * 60, quiet_until=7 * 60)
    assert deliver_due(SOON) == 0 and mail.outbox == []
    ends = datetime(2026, 3, 10, 22, 0, tzinfo=UTC)
    assert state(outbox) == ("pending", ends) and outbox.mail_attempts == 0
    assert deliver_due(ends - timedelta(seconds=1)) == 0
    assert deliver_due(ends) == 1 and state(outbox)[0] == "sent"


def test_a_demo_lead_breaks_quiet_hours(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke, kind="demo_request")
    wishes(cast.femke, quiet_from=0, quiet_until=1439, quiet_weekends=True)
    assert deliver_due(SOON) == 1
    Handoff.objects.filter(pk=handoff.pk).update(lead_type="standard", raised_at=NOW)
    message(cast.femke, handoff, "triggered_again", NOW).save()
    assert deliver_due(SOON) == 1


def test_wishes_hold_at_once(cast: Cast, outbox: Notification) -> None:
    wishes(cast.femke, quiet_from=9 * 60, quiet_until=12 * 60)
    assert deliver_due(SOON) == 0
    wishes(cast.femke, mail="none")
    assert deliver_due(NOW + timedelta(hours=2)) == 0 and state(outbox) == ("none", None)


def test_what_is_not_wanted_by_mail_stays_in_the_app(cast: Cast, outbox: Notification) -> None:
    wishes(cast.femke, mail="urgent")
    waits = message(cast.femke, outbox.handoff, "triggered_again", NOW)
    waits.save()
    assert deliver_due(SOON) == 1
    assert (state(outbox)[0], state(waits)[0]) == ("sent", "none")
    assert Notification.objects.filter(user=cast.femke, read_at__isnull=True).count() == 2


def test_what_was_read_meanwhile_is_not_mailed(outbox: Notification) -> None:
    Notification.objects.update(read_at=NOW + timedelta(seconds=5))
    assert deliver_due(SOON) == 0 and state(outbox) == ("none", None)


def test_what_was_answered_meanwhile_is_not_mailed(cast: Cast, outbox: Notification) -> None:
    wishes(cast.femke, quiet_from=9 * 60, quiet_until=12 * 60)
    assert deliver_due(SOON) == 0
    lifecycle.accept(outbox.handoff_id, lifecycle.Act(NOW + timedelta(hours=1), cast.femke))
    assert deliver_due(NOW + timedelta(hours=3)) == 0 and state(outbox) == ("none", None)


def test_nobody_is_mailed_what_went_to_somebody_else(cast: Cast, outbox: Notification) -> None:
    act = lifecycle.Act(NOW + timedelta(seconds=2), cast.mia)
    lifecycle.reassign(outbox.handoff_id, act, to=cast.jonas.email, reason="Holiday")
    assert deliver_due(SOON + timedelta(seconds=5)) == 1
    assert [sent.to for sent in mail.outbox] == [["jonas@handoff.example.com"]]
    assert state(outbox) == ("none", None)


# What is no longer true when the quiet hours end


@pytest.fixture
def quiet(cast: Cast) -> datetime:
    """Everybody's quiet hours, of which this is the end."""
    for user in cast:
        wishes(user, quiet_from=9 * 60, quiet_until=20 * 60)
    return NOW + timedelta(hours=10)


def mailed(now: datetime) -> list[tuple[str, str]]:
    deliver_due(now)
    return [(sent.to[0].split("@")[0], sent.subject.split(":")[0][10:]) for sent in mail.outbox]


def test_of_a_discarded_lead_no_data_are_missing(cast: Cast, quiet: datetime) -> None:
    handoff = factories.make_handoff("incomplete")
    lifecycle.fire(handoff.pk, NOW + timedelta(hours=5))
    assert set(Notification.objects.values_list("kind", flat=True)) == {"incomplete", "completion_breach"}
    lifecycle.discard(handoff.pk, lifecycle.Act(NOW + timedelta(hours=6), cast.otto), reason="spam")
    assert mailed(quiet) == []


def test_what_was_claimed_waits_for_nobody(cast: Cast, quiet: datetime) -> None:
    handoff = factories.make_handoff("queued")
    handoff.queue.members.add(cast.rosa)
    assert Notification.objects.filter(kind="queued").exists()
    lifecycle.accept(handoff.pk, lifecycle.Act(NOW + timedelta(minutes=2), cast.rosa))
    assert mailed(quiet) == []


def test_nobody_is_asked_to_contact_who_was_contacted(cast: Cast, held: Handoff, quiet: datetime) -> None:
    lifecycle.fire(held.pk, NOW + timedelta(hours=5))
    told = Notification.objects.filter(user=cast.mia).values_list("kind", flat=True)
    assert {"accept_breach", "unacknowledged", "contact_breach", "no_activity"} <= set(told)
    act = lifecycle.Act(NOW + timedelta(hours=6), cast.femke)
    lifecycle.contact(held.pk, act, channel="phone", outcome="reached")
    assert mailed(quiet) == []


def test_who_held_a_lead_once_is_not_asked_for_others_answers(
    cast: Cast, held: Handoff, quiet: datetime
) -> None:
    lifecycle.fire(held.pk, NOW + timedelta(minutes=100))
    told = set(Notification.objects.values_list("user__name", "kind"))
    assert {("Femke de Boer", "accept_80"), ("Femke de Boer", "contact_breach")} <= told
    act = lifecycle.Act(NOW + timedelta(minutes=101), cast.mia)
    lifecycle.reassign(held.pk, act, to=cast.jonas.email, reason="Holiday")
    # The lead's own clock ran out for the manager all the same; the new holder has a window of their own.
    assert mailed(quiet) == [("mia", "Not contacted in time"), ("jonas", "Handed to you")]


def test_a_breach_reaches_the_manager_though_the_ladder_moved_the_lead(
    cast: Cast, held: Handoff, quiet: datetime
) -> None:
    """At the breach itself, in one firing: whoever let it lapse hears of it in the app alone."""
    Notification.objects.all().delete()
    for user in (cast.femke, cast.mia):
        message(user, held, "accept_breach", NOW + timedelta(hours=2)).save()
    Handoff.objects.filter(pk=held.pk).update(
        assignee=cast.jonas, window=2, held_since=NOW + timedelta(hours=2)
    )
    assert mailed(quiet) == [("mia", "Not answered in time")]


def test_who_stands_in_is_told_of_what_they_do_not_see(cast: Cast, held: Handoff, quiet: datetime) -> None:
    Notification.objects.all().delete()
    away = {"starts_at": NOW - timedelta(days=1), "ends_at": NOW + timedelta(days=9)}
    Absence.objects.create(user=cast.mia, cover=cast.rosa, **away)
    assert not Handoff.objects.visible_to(cast.rosa).filter(pk=held.pk).exists()
    lifecycle.fire(held.pk, NOW + timedelta(hours=3))
    assert ("rosa", "Nobody has answered") in mailed(quiet)


def test_the_lead_is_never_mailed(cast: Cast, outbox: Notification) -> None:
    """Somebody of the house who filled in a form is a lead like any other."""
    lead = outbox.handoff.lead
    lead.email, lead.email_key = "Femke@Handoff.example.com", "femke@handoff.example.com"
    lead.save()
    assert deliver_due(SOON) == 0 and state(outbox) == ("none", None)


def test_a_person_without_an_address_is_no_recipient(cast: Cast, outbox: Notification) -> None:
    User.objects.filter(pk=cast.femke.pk).update(email="")
    assert deliver_due(SOON) == 0 and state(outbox) == ("none", None)


# The digest


@pytest.fixture
def digested(cast: Cast, held: Handoff) -> list[Notification]:
    """Four messages that can wait, for Femke who has her digest at four in the afternoon."""
    Notification.objects.all().delete()
    wishes(cast.femke, digest_minute=16 * 60)
    kinds = ("triggered_again", "existing_customer", "stale", "triggered_again")
    rows = [
        message(cast.femke, held, kind, NOW, event_number=number) for number, kind in enumerate(kinds, 50)
    ]
    rows.append(message(cast.femke, None, "rule_review", NOW, {"rule": "EMEA", "due_on": "2026-03-31"}))
    return Notification.objects.bulk_create(rows)


FOUR = datetime(2026, 3, 10, 16, 0, tzinfo=UTC)


def test_a_digest_is_one_mail_grouped_by_what_to_do(digested: list[Notification]) -> None:
    assert deliver_due(SOON) == 0
    assert {state(row) for row in digested} == {("digest", FOUR)}
    assert deliver_due(FOUR - timedelta(seconds=1)) == 0
    assert deliver_due(FOUR) == 1 and deliver_due(FOUR + timedelta(days=3)) == 0
    [sent] = mail.outbox
    assert sent.subject == "[Handoff] Your digest: 5 messages"
    titles = [line for line in sent.body.splitlines() if line in {todo.value for todo in Todo}]
    assert titles == [Todo.TALK.value, Todo.REVIEW.value, Todo.KNOW.value]
    assert sent.body.count("\n- ") == 5 and "more." not in sent.body
    assert {state(row)[0] for row in digested} == {"sent"}


def test_what_is_urgent_does_not_wait_for_the_digest(cast: Cast, digested: list[Notification]) -> None:
    Handoff.objects.filter(pk=digested[0].handoff_id).update(contact_due_at=NOW)
    message(cast.femke, digested[0].handoff, "contact_breach", NOW).save()
    assert deliver_due(SOON) == 1
    assert mail.outbox[0].subject.startswith("[Handoff] Not contacted in time:")


def test_a_digest_leaves_out_what_was_read(cast: Cast, digested: list[Notification]) -> None:
    deliver_due(SOON)
    Notification.objects.filter(pk__in=[row.pk for row in digested[:4]]).update(read_at=FOUR)
    assert deliver_due(FOUR) == 1
    assert mail.outbox[0].subject == "[Handoff] Your digest: 1 message"
    Notification.objects.update(mail="digest", mail_after=FOUR, read_at=FOUR)
    assert deliver_due(FOUR) == 0 and set(Notification.objects.values_list("mail", flat=True)) == {"none"}


def test_nobody_gets_a_digest_who_wants_no_mail(cast: Cast, digested: list[Notification]) -> None:
    deliver_due(SOON)
    wishes(cast.femke, mail="none")
    assert deliver_due(FOUR) == 0 and mail.outbox == []


def test_a_long_digest_names_fifty_and_counts_the_rest(cast: Cast, digested: list[Notification]) -> None:
    handoff = digested[0].handoff
    Notification.objects.bulk_create(message(cast.femke, handoff, "stale", NOW) for _ in range(58))
    deliver_due(SOON)
    assert deliver_due(FOUR) == 1
    [sent] = mail.outbox
    assert sent.subject == "[Handoff] Your digest: 63 messages"
    assert sent.body.count("\n- ") == 50 and "And 13 more." in sent.body
    assert set(Notification.objects.values_list("mail", flat=True)) == {"sent"}


def test_what_no_digest_can_count_stays_in_the_app(
    digested: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_due(SOON)
    monkeypatch.setattr(delivery, "MOST_IN_DIGEST", 3)
    assert deliver_due(FOUR) == 1 and deliver_due(FOUR + timedelta(days=2)) == 0
    assert mail.outbox[0].subject == "[Handoff] Your digest: 3 messages"
    assert [state(row)[0] for row in digested] == ["sent"] * 3 + ["none"] * 2


def test_each_person_has_a_digest_of_their_own(cast: Cast, digested: list[Notification]) -> None:
    wishes(cast.jonas, digest_minute=16 * 60)
    message(cast.jonas, digested[0].handoff, "stale", NOW).save()
    deliver_due(SOON)
    assert deliver_due(FOUR) == 2
    assert sorted(sent.to[0].split("@")[0] for sent in mail.outbox) == ["femke", "jonas"]


def test_a_failing_digest_is_tried_five_times(digested: list[Notification], settings: Any) -> None:
    deliver_due(SOON)
    settings.EMAIL_BACKEND = f"{__name__}.Failing"
    at = FOUR
    for attempt in range(1, 6):
        assert deliver_due(at) == 0
        digested[0].refresh_from_db()
        assert digested[0].mail_attempts == attempt
        at = digested[0].mail_after
    assert {state(row)[0] for row in digested} == {"failed"}
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert deliver_due(at + timedelta(days=9)) == 0 and mail.outbox == []


def test_a_second_worker_that_read_the_same_digest_sends_nothing(
    digested: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_due(SOON)
    real, raced = delivery._preference, []

    def preference(user: User) -> Preference:
        if not raced:
            raced.append(user)
            assert deliver_due(FOUR) == 1
        return real(user)

    monkeypatch.setattr(delivery, "_preference", preference)
    assert deliver_due(FOUR) == 0
    assert len(mail.outbox) == 1


def test_what_comes_into_the_digest_while_it_is_made_is_not_lost(
    cast: Cast, digested: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_due(SOON)
    real, late = delivery._preference, []

    def preference(user: User) -> Preference:
        if not late:
            row = message(cast.femke, digested[0].handoff, "stale", NOW)
            row.mail, row.mail_after = Notification.Mail.DIGEST, FOUR
            row.save()
            late.append(row)
        return real(user)

    monkeypatch.setattr(delivery, "_preference", preference)
    assert deliver_due(FOUR) == 2 and state(late[0])[0] == "sent"
    assert [sent.subject for sent in mail.outbox] == [
        "[Handoff] Your digest: 5 messages",
        "[Handoff] Your digest: 1 message",
    ]


def test_of_more_than_is_claimed_at_once_the_rest_is_another_digest(
    digested: list[Notification], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_due(SOON)
    monkeypatch.setattr(delivery, "MOST_CLAIMED", 3)
    assert deliver_due(FOUR) == 2
    assert {state(row)[0] for row in digested} == {"sent"}


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


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_four_workers_send_each_digest_once(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    Notification.objects.all().delete()
    for user in cast:
        wishes(user, digest_minute=16 * 60)
        Notification.objects.bulk_create(message(user, handoff, "stale", NOW) for _ in range(9))
    Notification.objects.update(mail="digest", mail_after=FOUR)

    def work() -> int:
        try:
            return deliver_due(FOUR)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sent = [future.result() for future in [pool.submit(work) for _ in range(4)]]
    assert sum(sent) == len(mail.outbox) == len(list(cast))
    assert {sent.subject for sent in mail.outbox} == {"[Handoff] Your digest: 9 messages"}
    assert set(Notification.objects.values_list("mail", "mail_attempts")) == {("sent", 1)}
