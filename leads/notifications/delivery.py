"""The sending of mail: each message once, late enough to be undone, when its reader wants it.

Owns the claim before the attempt, the backoff, and the look at the reader's wishes as they are then: what
comes in quiet hours waits, what can wait goes into the digest, what was read or overtaken meanwhile is not
mailed. That is chosen here and not when a message is written, so that telling costs no query and wishes hold
at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.core import mail as django_mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.db.models import QuerySet

from leads.choices import LeadType
from leads.identity import normalise_email
from leads.models import Handoff, Notification, Preference
from leads.notifications import mails
from leads.notifications.urgency import UNDO_FOR, Mail, has_changed_hands, is_overtaken, leaves_at
from leads.notifications.words import zone_of
from routing.locking import locked_first
from routing.people import User

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
# Waits after the first, second, ... attempt. The wait is set before the attempt, so a crash costs one.
BACKOFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
# A task has 60 seconds and one mail may take EMAIL_TIMEOUT of them.
SENDING_SECONDS = 30.0
# A digest names fifty and counts the rest up to here; what is beyond stays in the app alone.
MOST_IN_DIGEST = 1000
# What is claimed at once. Of whoever has still more waiting the rest makes another digest.
MOST_CLAIMED = 10_000
CONTEXT = ("user__preference", "handoff__lead__company", "handoff__assignee", "handoff__queue")


def deliver_due(now: datetime, limit: int = 200) -> int:
    """Send the mail that is due, message by message and then digests, at most `limit` mails or as many as
    half a minute allows.

    Returns how many were sent. The attempt is counted, and the next one set, before it is made: a crash
    sends nothing twice within the backoff. After five attempts a message is given up. When the mail server
    cannot be reached at all nothing is claimed, and no attempt is used up.
    """
    if not _due(Mail.PENDING, now).values("pk").union(_due(Mail.DIGEST, now).values("pk"), all=True).exists():
        return 0
    ends, sent = time.monotonic() + SENDING_SECONDS, 0
    backend = django_mail.get_connection()
    try:
        backend.open()
    except OSError:
        logger.exception("the mail server cannot be reached; pending mail waits")
        return 0
    claims: tuple[Callable[[datetime], list[Notification] | None], ...] = (_claim, _claim_digest)
    attempts = 0
    try:
        for claim in claims:
            while attempts < limit and time.monotonic() < ends and (claimed := claim(now)) is not None:
                if claimed:
                    attempts += 1
                    sent += _send(claimed, backend, now)
    finally:
        backend.close()
    return sent


def _due(state: Mail, now: datetime) -> QuerySet[Notification]:
    return Notification.objects.filter(mail=state, mail_after__lte=now)


@transaction.atomic
def _claim(now: datetime) -> list[Notification] | None:
    """The oldest due message, its attempt counted and its next one set. Empty when its mail is not to leave
    now after all; None when no message is due."""
    due = _due(Mail.PENDING, now).select_related(*CONTEXT).order_by("mail_after", "pk")
    skips = connection.features.has_select_for_update_skip_locked
    row = locked_first(due, skip_locked=skips)
    if row is None:
        return None
    # Conditional on what was read: where rows are not locked, one of two workers updates nothing.
    mine = _due(Mail.PENDING, now).filter(pk=row.pk, mail_attempts=row.mail_attempts)
    if row.mail_attempts >= MOST_ATTEMPTS:
        mine.update(mail=Mail.FAILED if row.user.is_active else Mail.NONE)
        return []
    # As if it were told just long enough ago to leave now.
    state, at = _fate(row, now - UNDO_FOR)
    if state != Mail.PENDING or at is None or at > now:
        mine.update(mail=state, mail_after=at)
        return []
    return [row] if _count_attempt(mine, [row], now) == 1 else []


@transaction.atomic
def _claim_digest(now: datetime) -> list[Notification] | None:
    """What is due in the digest of one person, claimed as one. Empty when nothing of it is left to tell; None
    when no digest is due."""
    user = _due(Mail.DIGEST, now).order_by("mail_after", "pk").values_list("user", flat=True).first()
    if user is None:
        return None
    due = _due(Mail.DIGEST, now).filter(user=user).order_by("pk")
    # Not skipping what is locked: a second worker waits for the first and finds nothing, not the other half.
    claimed = list(due.select_for_update().values_list("pk", flat=True)[:MOST_CLAIMED])
    rows = list(due.filter(pk__in=claimed[:MOST_IN_DIGEST]).select_related(*CONTEXT))
    told, attempt = [], max((row.mail_attempts for row in rows), default=0)
    for row in rows:
        # The day's choice was made when it went into the digest; no mail at all is obeyed at once.
        wants_none = _preference(row.user).mail == Preference.Mail.NONE
        if not wants_none and not _is_idle(row):
            told.append(row)
    # By the ids that were read: what another worker puts into the digest meanwhile is not looked at yet.
    kept = {row.pk for row in told}
    due.filter(pk__in=[pk for pk in claimed if pk not in kept]).update(mail=Mail.NONE, mail_after=None)
    left = due.filter(pk__in=kept)
    if attempt >= MOST_ATTEMPTS:
        left.update(mail=Mail.FAILED)
        return []
    for row in told:
        row.mail_attempts = attempt
    return told if _count_attempt(left, told, now) == len(told) else []


def _count_attempt(mine: QuerySet[Notification], rows: list[Notification], now: datetime) -> int:
    """Count this attempt and set the next one; how many rows that was."""
    if not rows:
        return 0
    attempt = rows[0].mail_attempts + 1
    for row in rows:
        row.mail_attempts = attempt
    return mine.update(mail_attempts=attempt, mail_after=now + BACKOFF[min(attempt, len(BACKOFF)) - 1])


def _fate(row: Notification, now: datetime) -> tuple[Mail, datetime | None]:
    """How and when the mail of this message leaves, by what is known now."""
    if _is_idle(row):
        return Mail.NONE, None
    is_demo = row.handoff is not None and row.handoff.effective_type == LeadType.DEMO
    return leaves_at(row.kind, is_demo, _preference(row.user), zone_of(row.user).key, now)


def _is_idle(row: Notification) -> bool:
    """Whether nobody is left to be mailed: gone, without an address, has read it, or is the lead themself;
    or what it asks for was done, or is out of their reach."""
    user, handoff = row.user, row.handoff
    if not user.is_active or not user.email or row.read_at is not None:
        return True
    if handoff is None:
        return False
    if handoff.lead.email_key and handoff.lead.email_key == normalise_email(user.email):
        return True
    holds = handoff.assignee_id == user.pk
    if is_overtaken(row.kind, handoff, holds, row.created_at):
        return True
    # Who stands in for somebody, or is named by a step, may be told of what they do not see; but whoever held
    # it, or led its holder, before it went to others can do nothing about it any more.
    if holds or not has_changed_hands(row.kind, handoff, row.created_at):
        return False
    return not Handoff.objects.visible_to(user).filter(pk=handoff.pk).exists()


def _preference(user: User) -> Preference:
    """What this person wants; the defaults where they never said."""
    return getattr(user, "preference", None) or Preference()


def _send(rows: list[Notification], backend: BaseEmailBackend, now: datetime) -> int:
    """Make the one attempt that was claimed for these messages; 1 when their mail went out."""
    mine = Notification.objects.filter(pk__in=[row.pk for row in rows], mail=rows[0].mail)
    try:
        email = _composed(rows, now)
        email.connection = backend
        email.send()
    except (OSError, ValueError):
        # SMTP errors are OSErrors; a header that cannot be written is a ValueError.
        logger.exception("mail of notifications %s was not sent", [row.pk for row in rows][:5])
        if rows[0].mail_attempts >= MOST_ATTEMPTS:
            mine.update(mail=Mail.FAILED)
        # After an error the connection may be half open; the next message opens a new one.
        backend.close()
        return 0
    mine.update(mail=Mail.SENT)
    return 1


def _composed(rows: list[Notification], now: datetime) -> EmailMultiAlternatives:
    if rows[0].mail == Mail.DIGEST:
        return mails.digest(rows[0].user, rows)
    return mails.single(rows[0], now)
