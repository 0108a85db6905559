"""Open proposals of the agreement, as a report lists them.

Owns the question and the plain values of the answer, which the report keeps. Never decides who may sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from leads import agreeing
from leads.agreement import Terms
from leads.choices import Side
from metrics import agreed
from metrics.reports.gathering import Proposal


def open_ones(now: datetime) -> Sequence[Proposal]:
    """The proposals that waited for the other side at this moment, the oldest first; two queries at most."""
    rows = agreeing.open_proposals().filter(created_at__lte=now)
    rows = rows.select_related("changes__definition", "proposed_by").order_by("created_at", "pk")
    return [
        Proposal(
            title=agreed.summary(Terms.of(row.changes), Terms.of(row)),
            by=str(row.proposed_by),
            side=str(Side(row.side).label).lower(),
            since=_day(row.created_at),
            href=reverse("metrics:proposal", args=[row.pk]),
        )
        for row in rows[: agreeing.MOST_OPEN]
    ]


def _day(at: datetime) -> str:
    local = at.astimezone(ZoneInfo(settings.ORG_TIME_ZONE))
    return f"{local.day} {local:%B %Y}"
