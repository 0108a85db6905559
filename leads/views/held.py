"""The figures beside the completion list: marketing's own clock, and what is missing most often, by source.

Owns the counts; they stand for a minute. Never writes, and never shows a lead: each figure links to the list.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Count, F, Q

from leads.choices import EventKind
from leads.models import Event, FiredStep, Handoff
from leads.presenters import repair, times
from leads.views.waiting import Params

SOURCES_OVER = timedelta(days=30)
MOST_HELD = 1000
MOSTLY = 3  # checks named for a source
KEPT = 60  # seconds for which the figures stand


@dataclass(frozen=True)
class Missing:
    """A check that held leads of a source: how many, and where those that still wait are listed."""

    label: str
    count: int
    href: str


@dataclass(frozen=True)
class SourceRow:
    """What was missing most often in the leads of one source. `share`: percent of all that were held."""

    name: str
    mostly: tuple[Missing, ...]
    href: str
    leads: int
    share: int


@dataclass(frozen=True)
class Beside:
    """The figures beside the list: this week's, and what was missing by source over 30 days."""

    clean: str
    clean_words: str
    median: str
    late: int
    sources: tuple[SourceRow, ...]
    is_cut: bool


def beside(now: datetime) -> Beside:
    """The figures beside the list; they stand for a minute."""
    kept: Beside | None = cache.get("completion-beside")
    if kept is None:
        kept = _beside(now)
        cache.set("completion-beside", kept, KEPT)
    return kept


def _beside(now: datetime) -> Beside:
    monday = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    week = Handoff.objects.live().filter(mql_at__gte=monday)
    counts = week.aggregate(all=Count("pk"), clean=Count("pk", filter=Q(completion_visits=0)))
    spans = week.filter(completion_visits__gt=0, ready_at__isnull=False).annotate(
        took=F("ready_at") - F("received_at")
    )
    took = list(spans.values_list("took", flat=True)[:MOST_HELD])
    late = FiredStep.objects.filter(handoff__in=week, code="completion_breach").count()
    sources, is_cut = _sources(now)
    share = round(100 * counts["clean"] / counts["all"]) if counts["all"] else None
    return Beside(
        clean="none" if share is None else f"{share} %",
        clean_words=f"{counts['clean']:,} of {counts['all']:,} passed every check on arrival."
        if counts["all"]
        else "Nothing has come in this week.",
        median=times.length(statistics.median(took)) if took else "none",
        late=late,
        sources=sources,
        is_cut=is_cut,
    )


def _sources(now: datetime) -> tuple[tuple[SourceRow, ...], bool]:
    """By source, how many leads were held when they came, and which checks held them most often."""
    held = (
        Handoff.objects.live()
        .filter(mql_at__gte=now - SOURCES_OVER, completion_visits__gt=0)
        .order_by("-mql_at")
        .values_list("pk", "lead_source")[: MOST_HELD + 1]
    )
    source_of = dict(held)
    events = Event.objects.filter(handoff__in=list(source_of)[:MOST_HELD], kind=EventKind.HELD)
    first: dict[int, list[str]] = {}
    for pk, data in events.order_by("handoff", "number").values_list("handoff_id", "data"):
        changed = data.get("set") if isinstance(data, dict) else None
        missing = changed.get("missing") if isinstance(changed, dict) else None
        if isinstance(missing, list):
            first.setdefault(pk, [str(code) for code in missing])
    by_source: dict[str, Counter[str]] = {}
    leads: Counter[str] = Counter()
    for pk, missing in first.items():
        leads[source_of[pk]] += 1
        by_source.setdefault(source_of[pk], Counter()).update(missing)
    rows = tuple(
        SourceRow(
            name=source or "No source",
            mostly=tuple(
                Missing(repair.label_of(code), n, Params(show=code, source=source).query())
                for code, n in by_source[source].most_common(MOSTLY)
            ),
            href=Params(source=source).query(),
            leads=count,
            share=round(100 * count / len(first)),
        )
        for source, count in leads.most_common(8)
    )
    return rows, len(source_of) > MOST_HELD
