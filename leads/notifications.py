"""Who is told, in which words, and the sending of the mail.

Owns the way from a role ("manager") to named people, the sentences of each kind of message, and the
delivery of pending mail. Words are made when read, from what the handoff says then and the codes kept with
the message. Never decides that somebody is to be told (`leads.lifecycle` does) and never moves a handoff.
"""

from __future__ import annotations

import logging
import time
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import mail as django_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.dateparse import parse_date, parse_datetime

from leads.choices import Check, State, TriggerKind
from leads.models import Handoff, Notification
from routing.models import Absence, Queue, Team
from routing.people import ADMIN, MARKETING, User

logger = logging.getLogger(__name__)

# An act can be undone for ten seconds; until then nothing leaves the system.
UNDO_FOR = timedelta(seconds=10)
MOST_ATTEMPTS = 5
# The kind of a message that is about a queue, not about a handoff.
QUEUE_GIVEN = "queue_given"
# Waits after the first, second, ... attempt. The wait is set before the attempt, so a crash costs one.
BACKOFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
# A task has 60 seconds and one mail may take EMAIL_TIMEOUT of them.
SENDING_SECONDS = 30.0
LONGEST_NAME = 80
# Format characters that names in Persian and Hindi are written with.
_JOINERS = "\u200c\u200d"


def recipients(handoff: Handoff, who: Iterable[str], now: datetime) -> list[User]:
    """The active people behind "rep", "manager", "queue_owner" and "marketing", each once, in that order.

    "manager" is the assignee's team's manager, or their cover while they are away, else the queue's owner,
    else the active admins: as long as there is one admin, it is never nobody.
    """
    found: dict[int, User] = {}
    for role in who:
        for user in _BEHIND[role](handoff, now):
            found.setdefault(user.pk, user)
    return list(found.values())


def _rep(handoff: Handoff, now: datetime) -> list[User]:
    user = handoff.assignee if handoff.assignee_id else None
    return [user] if user is not None and user.is_active else []


def _manager(handoff: Handoff, now: datetime) -> list[User]:
    user = handoff.assignee if handoff.assignee_id else None
    if user is not None and user.team_id:
        team = Team.objects.select_related("manager").get(pk=user.team_id)
        if (somebody := present(team.manager, now)) is not None:
            return [somebody]
    return _queue_owner(handoff, now)


def _queue_owner(handoff: Handoff, now: datetime) -> list[User]:
    """The owner of the queue that holds it, or their cover. Waiting for data is the completion queue."""
    queue = handoff.queue if handoff.queue_id else None
    if queue is None and handoff.state == State.INCOMPLETE:
        queue = Queue.objects.select_related("owner").filter(kind=Queue.Kind.COMPLETION).first()
    if queue is not None:
        # A queue always has a named owner: away without a cover, it is still theirs.
        somebody = present(queue.owner, now) or queue.owner
        if somebody.is_active:
            return [somebody]
    return admins()


def _marketing(handoff: Handoff, now: datetime) -> list[User]:
    return list(User.objects.filter(is_active=True, groups__name=MARKETING).order_by("pk")) or admins()


_BEHIND = {"rep": _rep, "manager": _manager, "queue_owner": _queue_owner, "marketing": _marketing}


def admins() -> list[User]:
    """The active people of the admin role and the active superusers."""
    people = Q(groups__name=ADMIN) | Q(is_superuser=True)
    return list(User.objects.filter(people, is_active=True).distinct().order_by("pk"))


def present(user: User | None, now: datetime) -> User | None:
    """This person, or the active cover of an absence; None when neither can be told."""
    if user is None or not user.is_active:
        return None
    absences = list(Absence.objects.at(now).filter(user=user).select_related("cover"))
    if not absences:
        return user
    away = frozenset(
        Absence.objects.at(now)
        .filter(user_id__in=[absence.cover_id for absence in absences])
        .values_list("user_id", flat=True)
    )
    covers = (absence.cover for absence in absences)
    return next((cover for cover in covers if cover and cover.is_active and cover.pk not in away), None)


def message(
    user: User,
    handoff: Handoff | None,
    kind: str,
    now: datetime,
    data: dict[str, Any] | None = None,
    mail: bool = True,
) -> Notification:
    """A message to one person, not saved. `data` holds ids and codes, never personal data.

    Its mail leaves after ten seconds, when the act behind it can no longer be undone.
    """
    return Notification(
        user=user,
        handoff=handoff,
        kind=kind,
        data=dict(data or {}),
        created_at=now,
        mail=Notification.Mail.PENDING if mail else Notification.Mail.NONE,
        mail_after=now + UNDO_FOR if mail else None,
    )


@dataclass(frozen=True)
class Words:
    """A message in words: one line, some sentences, and the path of the page it is about."""

    subject: str
    text: str
    url: str


@dataclass(frozen=True)
class Wording:
    """Subject and text of a kind. Fields: lead, holder, by, rule, kind, trigger, missing, due (of the step),
    accept_due, contact_due, completion_due. What fills them is never read as a template again."""

    subject: str
    text: str


WORDINGS: dict[str, Wording] = {
    "assigned": Wording("New lead for you: {lead}", "{lead} is yours. Your answer is due {accept_due}."),
    "reassigned": Wording(
        "Handed to you: {lead}", "{lead} was handed to you{by}. Your answer is due {accept_due}."
    ),
    "claimed": Wording("Claimed: {lead}", "{lead} was claimed for {holder}."),
    "repaired": Wording(
        "Now yours: {lead}", "{lead} had nobody to answer for it and is now yours, due {accept_due}."
    ),
    "queued": Wording("Waiting in your queue: {lead}", "{lead} waits for somebody to claim it."),
    "incomplete": Wording(
        "Data missing: {lead}", "{lead} cannot go to sales yet. Missing: {missing}. Due {completion_due}."
    ),
    "bad_data": Wording(
        "Bad data reported: {lead}", "A rep sent {lead} back because of its data. Due {completion_due}."
    ),
    "triggered_again": Wording("New signal: {lead}", "{lead} did it again: {trigger}."),
    "raised": Wording(
        "Now urgent: {lead}", "{lead} asked for a conversation. The first contact is due {contact_due}."
    ),
    "accept_50": Wording("Half the time is gone: {lead}", "Your answer on {lead} is due {accept_due}."),
    "accept_80": Wording("Nearly due: {lead}", "Your answer on {lead} is due {accept_due}."),
    "accept_breach": Wording(
        "Not answered in time: {lead}", "The answer on {lead} was due {due}. It is with {holder}."
    ),
    "unacknowledged": Wording(
        "Nobody has answered: {lead}", "{lead} is still not acknowledged. It is with {holder}."
    ),
    "contact_breach": Wording(
        "Not contacted in time: {lead}",
        "The first contact with {lead} was due {due}. It is with {holder}.",
    ),
    "no_activity": Wording("Nothing happens: {lead}", "{holder} has not touched {lead} for too long."),
    "black_hole": Wording(
        "Black hole: {lead}", "Nobody in sales has done anything about {lead} since it was assigned."
    ),
    "completion_breach": Wording(
        "Data still missing: {lead}", "The data of {lead} was due {due}. Missing: {missing}."
    ),
    "delivered_late": Wording(
        "Delivered late: {lead}", "{lead} reached sales after its first deadlines. It is with {holder}."
    ),
    "resumed": Wording(
        "Back from a deferral: {lead}", "The time {lead} asked for is over. Your answer is due {accept_due}."
    ),
    "converted_elsewhere": Wording(
        "Opportunity recorded: {lead}", "{lead} has an opportunity that was recorded in another system."
    ),
    "stale": Wording("Closed after silence: {lead}", "{lead} had no activity for 60 days and was closed."),
    "out_of_territory": Wording(
        "Rule to review: {lead}", "A rep called {lead} out of territory. Review the rule{rule}."
    ),
    "released": Wording(
        "Taken over: {lead}", "{lead} is now with {holder}, because the one who held it no longer can."
    ),
    "existing_customer": Wording(
        "Your customer came in as a lead: {lead}", "Sales says that {lead} is already a customer of yours."
    ),
}
UNKNOWN = Wording("News about {lead}", "Something happened to {lead}: {kind}.")


def words(notification: Notification) -> Words:
    """The message in plain words (handoff with lead, company, assignee and queue loaded, or queries follow).

    Names the lead and the company, no other personal data. Plain text: whoever shows it escapes it.
    """
    handoff, data = notification.handoff, notification.data
    if handoff is None:
        return (_about_queue if notification.kind == QUEUE_GIVEN else _about_rule)(notification)
    wording = WORDINGS.get(notification.kind, UNKNOWN)
    zone = ZoneInfo(notification.user.time_zone or settings.ORG_TIME_ZONE)
    by = plain(str(data.get("by") or ""))
    fields = {
        "lead": lead_words(handoff),
        "holder": holder_words(handoff),
        "by": f" by {by}" if by else "",
        "rule": f" \u201c{plain(str(data['rule']))}\u201d" if data.get("rule") else "",
        "kind": notification.kind.replace("_", " "),
        "trigger": _label(TriggerKind, data.get("trigger") or handoff.trigger),
        "missing": ", ".join(_label(Check, code) for code in handoff.missing) or "nothing any more",
        "due": _moment(data.get("due_at"), handoff.next_due_at, zone),
        "accept_due": _moment(data.get("accept_due_at"), handoff.accept_due_at, zone),
        "contact_due": _moment(data.get("contact_due_at"), handoff.contact_due_at, zone),
        "completion_due": _moment(data.get("completion_due_at"), handoff.completion_due_at, zone),
    }
    url = reverse("leads:handoff", args=[handoff.pk])
    return Words(wording.subject.format_map(fields), wording.text.format_map(fields), url)


def _about_rule(notification: Notification) -> Words:
    """A message that is about a rule: what it is called, and by when it is to be looked at again."""
    data = notification.data
    rule = plain(str(data.get("rule") or "a rule"))
    day = parse_date(str(data.get("due_on") or ""))
    due = f"{day.day} {day:%B %Y}" if day else "the end of the quarter"
    pk = data.get("rule_id")
    said = ("Review overdue", "was") if data.get("overdue") else ("Review due", "is")
    return Words(
        f"{said[0]}: {rule}",
        f"The routing rule \u201c{rule}\u201d {said[1]} to be reviewed by {due}. Look whether it still fits"
        " the territories and people of today.",
        reverse("leads:rule", args=[pk]) if isinstance(pk, int) else reverse("leads:routing"),
    )


def _about_queue(notification: Notification) -> Words:
    """A message that a queue has another owner now."""
    queue = plain(str(notification.data.get("queue") or "a queue"))
    return Words(
        f"Your queue now: {queue}",
        f"Nobody answers for the queue \u201c{queue}\u201d any more, so it was given to you. What waits there"
        " is yours to hand out, until somebody gives the queue to another owner.",
        reverse("leads:inbox"),
    )


def lead_words(handoff: Handoff) -> str:
    """The lead's name and company on one line; "a lead" when neither is known."""
    lead = handoff.lead
    name = plain(lead.full_name)
    company = plain(lead.company.name or lead.company.domain or "") if lead.company else ""
    if name and company:
        return f"{name} ({company})"
    return name or (f"a lead of {company}" if company else "a lead without a name")


def holder_words(handoff: Handoff) -> str:
    """Who holds it: a person, a queue, or whoever completes data."""
    if handoff.assignee_id and handoff.assignee is not None:
        return plain(str(handoff.assignee))
    if handoff.queue_id and handoff.queue is not None:
        return f"the queue {plain(handoff.queue.name)}"
    return "data completion" if handoff.state == State.INCOMPLETE else "nobody"


def plain(text: str, longest: int = LONGEST_NAME) -> str:
    """Hostile text made safe for one line of mail: no control or format characters, no address that a mail
    program turns into a link, cut at `longest` characters."""
    kept = "".join(char if _prints(char) else " " for char in text[:2000])
    line = " ".join(kept.replace("://", " ").split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "\u2026"


def _prints(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char)[0] not in "CZ"


def _label(choices: Any, code: Any) -> str:
    known = dict(choices.choices)
    return str(known.get(code, plain(str(code).replace("_", " "), 40))).lower()


def _moment(kept: Any, stored: datetime | None, zone: ZoneInfo) -> str:
    """An instant in the reader's zone: the one kept with the message, else the handoff's."""
    at = parse_datetime(kept) if isinstance(kept, str) else None
    at = at or stored
    if at is None:
        return "as agreed"
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %H:%M} {local.tzname()}"


def deliver_due(now: datetime, limit: int = 200) -> int:
    """Send the mail that is due, one message each, at most `limit` or as many as half a minute allows.

    Returns how many were sent. The attempt is counted, and the next one set, before it is made: a crash
    sends nothing twice within the backoff. After five attempts a message is given up. When the mail server
    cannot be reached at all nothing is claimed, and no attempt is used up.
    """
    if not _pending(now).exists():
        return 0
    started, sent = time.monotonic(), 0
    backend = django_mail.get_connection()
    try:
        backend.open()
    except OSError:
        logger.exception("the mail server cannot be reached; pending mail waits")
        return 0
    try:
        for _ in range(limit):
            if time.monotonic() - started > SENDING_SECONDS or (claimed := _claim(now)) is None:
                break
            sent += _send(claimed, backend)
    finally:
        backend.close()
    return sent


def _pending(now: datetime) -> QuerySet[Notification]:
    return Notification.objects.filter(mail=Notification.Mail.PENDING, mail_after__lte=now)


def _claim(now: datetime) -> Notification | None:
    """The oldest due message, its attempt counted and its next one set; None when none is left."""
    skips = connection.features.has_select_for_update_skip_locked
    while True:
        with transaction.atomic():
            due = _pending(now).order_by("mail_after", "pk")
            row = due.select_for_update(of=("self",), skip_locked=skips).first()
            if row is None:
                return None
            attempt = row.mail_attempts + 1
            if attempt > MOST_ATTEMPTS or not row.user.is_active:
                given_up = Notification.Mail.FAILED if row.user.is_active else Notification.Mail.NONE
                _pending(now).filter(pk=row.pk).update(mail=given_up)
                continue
            wait = BACKOFF[min(attempt, len(BACKOFF)) - 1]
            # Conditional on what was read: where rows are not locked, one of two workers updates nothing.
            claimed = _pending(now).filter(pk=row.pk, mail_attempts=row.mail_attempts)
            if claimed.update(mail_attempts=attempt, mail_after=now + wait) != 1:
                continue
        context = Notification.objects.select_related(
            "user", "handoff__lead__company", "handoff__assignee", "handoff__queue"
        )
        return context.get(pk=row.pk)


def _send(notification: Notification, backend: BaseEmailBackend) -> int:
    said = words(notification)
    body = f"{said.text}\n\n{settings.PUBLIC_URL}{said.url}\n"
    email = django_mail.EmailMessage(
        subject=f"[{plain(settings.ORG_NAME, 40)}] {said.subject}",
        body=body,
        to=[notification.user.email],
        connection=backend,
        headers={"Auto-Submitted": "auto-generated"},
    )
    mine = Notification.objects.filter(pk=notification.pk, mail=Notification.Mail.PENDING)
    try:
        email.send()
    except (OSError, ValueError):
        # SMTP errors are OSErrors; a header that cannot be written is a ValueError.
        logger.exception("mail of notification %s was not sent", notification.pk)
        if notification.mail_attempts >= MOST_ATTEMPTS:
            mine.update(mail=Notification.Mail.FAILED)
        # After an error the connection may be half open; the next message opens a new one.
        backend.close()
        return 0
    mine.update(mail=Notification.Mail.SENT)
    return 1
