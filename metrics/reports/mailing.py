"""The mail of a report to those who asked for it: one row a report and person, sent at most once.

Owns the rows and the sending. A row is marked as being sent before the mail server hears of it, and is
pending again only when that fails: after a crash in between nobody gets it twice, and the page says that one
may not have come. Never makes a report.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.core import mail as django_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.urls import reverse

from leads import notifications
from leads.roles import MAY, Can
from metrics.models import Report, ReportMail, ReportSubscription
from metrics.reports import showing
from routing.locking import locked_first
from routing.people import User

logger = logging.getLogger(__name__)

State = ReportMail.State
MOST_ATTEMPTS = 5
# Waits after the first, second, ... attempt that failed.
BACKOFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
# A task has 60 seconds, and one mail may take EMAIL_TIMEOUT of them.
SENDING_SECONDS = 25.0


def subscribe(user: User, is_on: bool, now: datetime) -> bool:
    """Switch a person's mail on or off; whether that changed anything."""
    if is_on:
        return ReportSubscription.objects.get_or_create(user=user, defaults={"since": now})[1]
    return bool(ReportSubscription.objects.filter(user=user).delete()[0])


def is_subscribed(user: User) -> bool:
    return ReportSubscription.objects.filter(user=user).exists()


def enqueue(report: Report, now: datetime) -> int:
    """A row for everybody who asked for it and may read it; returns how many. Repeating adds none."""
    ids = ReportSubscription.objects.filter(user__in=_readers()).values_list("user", flat=True)
    rows = [ReportMail(report=report, user_id=pk, after=now) for pk in ids.order_by("user")]
    ReportMail.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def deliver(now: datetime) -> int:
    """Send what is due, for at most half a minute; returns how many mails went out. When the mail server
    cannot be reached at all nothing is claimed."""
    if not ReportMail.objects.filter(state=State.PENDING, after__lte=now).exists():
        return 0
    ends, sent = time.monotonic() + SENDING_SECONDS, 0
    backend = django_mail.get_connection()
    try:
        backend.open()
    except OSError:
        logger.exception("the mail server cannot be reached; the report's mail waits")
        return 0
    try:
        while time.monotonic() < ends and (row := _claim(now)) is not None:
            sent += _send(row, backend, now)
    finally:
        backend.close()
    return sent


@transaction.atomic
def _claim(now: datetime) -> ReportMail | None:
    """The oldest due mail, marked as being sent and its attempt counted; None when none is due.

    What its reader does not want any more, or may not read any more, is dropped on the way.
    """
    due = ReportMail.objects.filter(state=State.PENDING, after__lte=now)
    may = User.objects.filter(pk__in=_readers(), report_subscription__isnull=False)
    due.exclude(user__in=may).update(state=State.DROPPED)
    skips = connection.features.has_select_for_update_skip_locked
    in_order = due.select_related("report", "user").order_by("after", "pk")
    row = locked_first(in_order, skip_locked=skips)
    if row is None:
        return None
    row.attempts += 1
    # Conditional on what was read: where rows are not locked, one of two workers updates nothing.
    mine = due.filter(pk=row.pk, attempts=row.attempts - 1)
    return row if mine.update(state=State.SENDING, attempts=row.attempts) else None


def _send(row: ReportMail, backend: BaseEmailBackend, now: datetime) -> int:
    mine = ReportMail.objects.filter(pk=row.pk, state=State.SENDING)
    try:
        page = showing.shown(row.report)
        about = f"Weekly report, {page.title_line}"
        values = {
            "page": page,
            "main": notifications.absolute(reverse("metrics:report", args=[row.report.week])),
            "off": notifications.absolute(reverse("metrics:reports")),
        }
        email = notifications.compose(
            row.user, about, "report", values, f"report-{row.report_id}-{row.user_id}"
        )
        email.connection = backend
        email.send()
    except (OSError, ValueError):
        # SMTP errors are OSErrors; a header that cannot be written is a ValueError.
        logger.exception("the report's mail %s was not sent", row.pk)
        backend.close()
        if row.attempts >= MOST_ATTEMPTS:
            mine.update(state=State.FAILED)
        else:
            mine.update(state=State.PENDING, after=now + BACKOFF[row.attempts - 1])
        return 0
    mine.update(state=State.SENT)
    return 1


def _readers() -> list[int]:
    """Who may read reports: active, with an address and a role for it."""
    people = User.objects.filter(is_active=True).exclude(email="")
    found = people.filter(groups__name__in=MAY[Can.READ_FIGURES]) | people.filter(is_superuser=True)
    return list(found.order_by("pk").values_list("pk", flat=True).distinct())
