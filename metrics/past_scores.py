"""The past that a proposed MQL definition is held against: 90 days of handoffs and scores.

Owns the queries, which are few and read by their indexes, and the form in which a back-test is kept with a
proposal: counts, and at most 200 ids a list, never a name. What is counted is `metrics.governance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet

from leads.choices import TriggerKind
from leads.models import Handoff, Score
from leads.querysets import HandoffQuerySet
from metrics import governance
from metrics.governance import Alike, Definition, Point

DAYS = 90
MOST_LISTED = 200
SCORE = str(TriggerKind.SCORE_THRESHOLD)


def back_test(old: Definition, new: Definition, now: datetime) -> dict[str, Any]:
    """Both definitions on the 90 days before `now`, as JSON; a handful of queries whatever there is.

    `later`: leads that the new one would have handed over at a later score; `newcomers`: leads that it would
    have handed over and sales never had in that time. Of both no outcome is known.
    """
    start = now - timedelta(days=DAYS)
    rows = Handoff.objects.filter(mql_at__gte=start, mql_at__lt=now).order_by()
    found = governance.compare(_alikes(rows, now), old, new)
    low, high = sorted((old.threshold, new.threshold))
    between = rows.filter(trigger=SCORE, score_total__gte=low, score_total__lt=high)
    is_raised = new.threshold > old.threshold
    kinds = set(old.high_intent) ^ set(new.high_intent)
    came = list(_newcomers(low, high, start, now)) if new.threshold < old.threshold else []
    return found.to_json() | {
        "since": start.isoformat(),
        "definitions": [definition._asdict() for definition in (old, new)],
        "later": _later(between, rows, new, now) if is_raised else 0,
        "newcomers": len(came),
        "lists": {
            "lost": _newest(between) if is_raised else [],
            "gained": _newest(between) if low < high and not is_raised else [],
            "retyped": _newest(rows.filter(trigger__in=kinds)) if kinds else [],
            "newcomers": came[-MOST_LISTED:][::-1],
        },
    }


def _alikes(rows: HandoffQuerySet, now: datetime) -> Iterator[Alike]:
    """The handoffs by trigger and score, with what is known of them now; one query."""
    accepted = Q(accepted_at__lte=now)
    undecided = Q(accepted_at__isnull=True) | Q(accepted_at__gt=now)
    counted = rows.values_list("trigger", "score_total").annotate(
        mqls=Count("pk"),
        accepted=Count("pk", filter=accepted),
        rejected=Count("pk", filter=undecided & Q(rejected_at__lte=now)),
        converted=Count("pk", filter=accepted & Q(opportunity_at__lte=now)),
    )
    return map(Alike._make, counted)


def _newest(rows: HandoffQuerySet) -> list[int]:
    return list(rows.order_by("-mql_at", "-pk").values_list("pk", flat=True)[:MOST_LISTED])


def _later(lost: HandoffQuerySet, rows: HandoffQuerySet, new: Definition, now: datetime) -> int:
    """Leads among the lost that reached the new threshold afterwards, and were not handed over then."""
    reached = Score.objects.filter(
        lead=OuterRef("lead"), scored_at__gt=OuterRef("mql_at"), scored_at__lt=now, total__gte=new.threshold
    )
    known = rows.filter(lead=OuterRef("lead"), mql_at__gt=OuterRef("mql_at"))
    known = known.exclude(trigger=SCORE, score_total__lt=new.threshold)
    return lost.filter(Exists(reached), ~Exists(known)).values("lead").distinct().count()


def _newcomers(new: int, old: int, start: datetime, now: datetime) -> Iterator[int]:
    """Leads that sales did not have, whose score came between the two thresholds; one query, streamed."""
    between = Score.objects.filter(scored_at__gte=start, scored_at__lt=now, total__gte=new, total__lt=old)
    had = Handoff.objects.filter(lead=OuterRef("lead"), mql_at__lt=now)
    had = had.filter(
        Q(mql_at__gte=start) | Q(closed_at__gte=start) | Q(closed_at__isnull=True, is_history=False)
    )
    rows: QuerySet[Score] = Score.objects.filter(
        ~Exists(had), lead__in=between.values("lead"), lead__merged_into__isnull=True, scored_at__lt=now
    )
    # Worked out by the database: reading three moments of each score took longer than all the rest.
    held = Q(lead__suppressed_at__lte=F("scored_at")) | Q(lead__cool_off_until__gt=F("scored_at"))
    values = rows.order_by("lead_id", "scored_at", "pk").values_list(
        "lead_id",
        "total",
        ExpressionWrapper(Q(scored_at__gte=start), BooleanField()),
        ExpressionWrapper(held, BooleanField()),
    )
    return governance.newcomers(map(Point._make, values.iterator(5000)), old, new)
