"""The making of a report: gathered, frozen as text, never touched again. A second look is a new edition.

Owns who makes which edition once, however many try at once. What is in it is `metrics.reports.gathering`; who
is mailed, `metrics.reports.mailing`.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from leads.models import Handoff
from metrics.models import Report, ReportSchedule
from metrics.periods import Week, WeekRange
from metrics.reports import calls, gathering, mailing, proposals
from metrics.reports.schedule import Schedule, is_over, last_due, last_over
from routing.people import User


class NotYet(ValueError):
    """The week cannot be reported; the text says why."""


def plan() -> tuple[Schedule, bool]:
    """When reports are made, and whether they are."""
    row = ReportSchedule.objects.filter(pk=1).first() or ReportSchedule()
    return Schedule(row.weekday, row.hour, settings.ORG_TIME_ZONE), row.is_on


def content(week: Week, now: datetime) -> str:
    """What a report of this week is as of now: canonical JSON, so that the same content is the same bytes."""
    kept = gathering.gather(week, now, calls.before(week, now), proposals.open_ones(now))
    return frozen(kept)


def frozen(kept: dict[str, Any]) -> str:
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def make(week: Week, now: datetime, user: User | None, edition: int | None = None) -> Report:
    """Make a report of a week, as its next edition; NotYet when it is not over or has nothing in it.

    `edition` is the one that was asked for: if it is there already, it is what is given back and nothing is
    written. So is the schedule's own (`user` None), of which a week has one.
    """
    zone = settings.ORG_TIME_ZONE
    if not is_over(week, now, zone):
        raise NotYet(f"{week.name} is not over yet.")
    if (there := _there(week, user, edition)) is not None:
        return there
    span = WeekRange.ending(week, gathering.WEEKS, zone).span
    if not Handoff.objects.filter(mql_at__gte=span.start, mql_at__lt=span.end, mql_at__lte=now).exists():
        raise NotYet(f"No lead became an MQL in the {gathering.WEEKS} weeks to {week.name}.")
    kept = content(week, now)
    digest = hashlib.sha256(kept.encode()).hexdigest()
    last = Report.objects.filter(week=week.name).aggregate(last=Max("edition"))["last"] or 0
    try:
        with transaction.atomic():
            report = Report.objects.create(
                week=week.name,
                edition=min(edition or last + 1, last + 1),
                made_at=now,
                made_by=user,
                kept=kept,
                digest=digest,
            )
            if user is None:
                mailing.enqueue(report, now)
    except IntegrityError:
        # Somebody was quicker; theirs is as good.
        return Report.objects.filter(week=week.name).latest("edition")
    return report


def make_due(now: datetime) -> Report | None:
    """The report that the schedule wants by now, if it is not there yet; None when there is nothing to do.

    A worker that was down makes the latest one when it is back, and none of those it missed before.
    """
    schedule, is_on = plan()
    if not is_on:
        return None
    week = last_over(last_due(now, schedule), schedule.zone)
    if _there(week, None, None) is not None:
        return None
    try:
        return make(week, now, None)
    except NotYet:
        return None


def _there(week: Week, user: User | None, edition: int | None) -> Report | None:
    found = Report.objects.filter(week=week.name)
    if edition is not None:
        return found.filter(edition=edition).first()
    return found.filter(made_by=None).first() if user is None else None
