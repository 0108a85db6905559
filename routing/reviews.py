"""Reviews of rules: a dated task for each rule in force, once a quarter.

Owns when a review is due, that each rule in force has exactly one open, who is still to be told of one, and
its end. Telling is `leads` (which has the messages); what a review finds out is `routing.health`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from routing import publish, standing
from routing.draft import signed
from routing.models import Rule, RuleReview
from routing.people import User
from routing.publish import LONGEST_NOTE

# Told once this long before the day, and once more when it is over.
AHEAD = timedelta(days=14)
NO_LONGER = "The rule is no longer in force"


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


@transaction.atomic
def ensure_reviews(now: datetime) -> int:
    """Give each rule in force that has none its open review, and end those of rules that no longer are in
    force; returns how many were made. Safe to repeat, and from two processes at once."""
    live = publish.live()
    if live is None:
        return 0
    states = standing.rule_states(live.document)
    open_rows = RuleReview.objects.filter(done_at__isnull=True)
    open_rows.exclude(rule__in=[int(pk) for pk in states]).update(
        done_at=now, outcome=RuleReview.Outcome.RETIRED, note=NO_LONGER
    )
    day = today(now)
    missing = [
        RuleReview(rule_id=int(pk), created_at=now, due_on=due_on(state.last_reviewed, state.since, day))
        for pk, state in states.items()
        if state.due_on is None
    ]
    # The other of two processes finds the open review there and makes none.
    RuleReview.objects.bulk_create(missing, ignore_conflicts=True)
    return len(missing)


def to_tell(now: datetime) -> list[RuleReview]:
    """Open reviews of which somebody is to be told now, the earliest first: two weeks ahead, and once more
    when they are overdue. Each is told once by whoever gets it through `claim`."""
    day = today(now)
    rows = RuleReview.objects.filter(done_at__isnull=True, due_on__lte=day + AHEAD)
    rows = rows.select_related("rule__owner").order_by("due_on", "pk")
    return [row for row in rows if _is_untold(row, day)]


def claim(review: RuleReview, now: datetime) -> bool:
    """Note that it is told now; False when another process told it meanwhile."""
    rows = RuleReview.objects.filter(pk=review.pk, done_at__isnull=True, told_at=review.told_at)
    return bool(rows.update(told_at=now))


def _is_untold(review: RuleReview, day: date) -> bool:
    if review.told_at is None:
        return True
    return review.due_on < day and today(review.told_at) <= review.due_on


@transaction.atomic
def done(review: RuleReview, user: User, now: datetime, outcome: str, note: str = "") -> RuleReview:
    """End a review with what came of it (RuleReview.Outcome); the rule counts as reviewed today, and its next
    review is set while it is in force. A review that is done already is given back as it is."""
    outcome = RuleReview.Outcome(outcome)
    ended = RuleReview.objects.filter(pk=review.pk, done_at__isnull=True).update(
        done_at=now, done_by=user, outcome=outcome, note=" ".join(note.split())[:LONGEST_NOTE]
    )
    stored = RuleReview.objects.select_related("rule", "done_by").get(pk=review.pk)
    if not ended:
        return stored
    rule = Rule.objects.select_for_update().get(pk=stored.rule_id)
    rule.last_reviewed = today(now)
    signed(rule, user, now, f"Reviewed: {outcome.label}")
    rule.save(update_fields=["last_reviewed"])
    ensure_reviews(now)
    stored.rule = rule
    return stored
