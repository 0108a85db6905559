"""The minute's work for the dashboard: settle the marks, count its first page, prune.

Owns what is counted ahead: what those who see everything find when they open the dashboard. Whoever opens
another view counts it themselves.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from leads.models import Handoff
from metrics import kept, pulse
from metrics.address import WEEKS, Asked
from metrics.counted import Counted
from metrics.filters import NO_FILTERS
from metrics.periods import Week, WeekRange
from metrics.words import SHOWN


def refresh(now: datetime) -> None:
    """Only weeks that moved are counted; at rest this is a handful of look-ups."""
    zone = settings.ORG_TIME_ZONE
    kept.prune(now)
    if not pulse.settle(zone):
        return
    weeks = WeekRange.ending(Week.of(now, zone), WEEKS, zone)
    asked = Asked(now, None, weeks, NO_FILTERS, SHOWN["acceptance_rate"])
    Counted(asked, Handoff.objects.all()).first_page()
