"""A question to the figures as command, API and page ask it: the queries, and the answer.

Owns the lean queries (by the index on `mql_at`), the reading of weeks, days and moments from text, and
the one way from a question to an answer. What counts is `metrics.measures`; who may ask, the caller's.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django.conf import settings

from leads.history.rows import parse_time
from leads.models import Handoff, Rejection
from leads.querysets import HandoffQuerySet
from metrics import measures
from metrics.facts import Fact, People, as_seen
from metrics.filters import NO_FILTERS, Filters
from metrics.periods import EVERYTHING, Span, Week, WeekFinder, WeekRange, days
from routing.people import User

GROUPS = ("source", "rep", "team", "type", "week")
MAX_WEEKS = 520
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Act(NamedTuple):
    """One act of rejection: of which handoff, its reason's code, its frozen source and type, by whom."""

    handoff_id: int
    reason: str
    lead_source: str
    lead_type: str
    by_id: int | None


def within(span: Span, as_of: datetime, handoffs: HandoffQuerySet | None) -> HandoffQuerySet:
    """The handoffs whose trigger fired in the span, up to the moment; None is of all."""
    rows = (Handoff.objects.all() if handoffs is None else handoffs).filter(mql_at__lte=as_of)
    if span.start is not None:
        rows = rows.filter(mql_at__gte=span.start)
    return rows if span.end is None else rows.filter(mql_at__lt=span.end)


def load(span: Span, as_of: datetime, handoffs: HandoffQuerySet | None = None) -> list[Fact]:
    """The facts of a span of `mql_at` as of a moment, in one query.

    `handoffs` limits them to what somebody may see; None is all.
    """
    rows = within(span, as_of, handoffs).order_by().values_list(*Fact._fields)
    return list(as_seen(map(Fact._make, rows.iterator(5000)), as_of))


def rejections(span: Span, as_of: datetime, handoffs: HandoffQuerySet | None = None) -> list[Act]:
    """Acts of rejection of the span's handoffs, up to the moment, that were not undone; one query.

    A handoff rejected twice counts twice: reasons count acts, rates count handoffs.
    """
    acts = Rejection.objects.filter(
        handoff__in=within(span, as_of, handoffs).order_by(), at__lte=as_of, undone_at__isnull=True
    ).order_by()
    fields = ("handoff_id", "reason__code", "handoff__lead_source", "handoff__lead_type", "by_id")
    return [Act(*row) for row in acts.values_list(*fields).iterator(5000)]


def people() -> People:
    """Everybody who can stand in a figure; one query."""
    rows = list(User.objects.values_list("pk", "email", "team__name"))
    return People(
        {pk: email for pk, email, _ in rows}, {pk: team for pk, _, team in rows if team is not None}
    )


@dataclass(frozen=True)
class Question:
    """As of which moment, over which span of `mql_at`, by which group (None: by all), and of what only."""

    as_of: datetime
    span: Span = EVERYTHING
    by: str | None = None
    filters: Filters = NO_FILTERS


def moment(text: str) -> datetime:
    """An ISO 8601 moment as a UTC instant; without a zone it is UTC. ValueError for anything else."""
    try:
        return parse_time(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is not a moment such as 2026-12-31T00:00:00Z") from None


def day(text: str) -> date:
    """An ISO date; ValueError for anything else."""
    try:
        parse_time(text.strip())
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a date such as 2026-12-31") from None


def last_weeks(count: int, as_of: datetime) -> Span:
    """The week that `as_of` falls in and the count - 1 before, in the organisation's zone.

    ValueError when the count is not between 1 and MAX_WEEKS.
    """
    if not 1 <= count <= MAX_WEEKS:
        raise ValueError(f"weeks must be between 1 and {MAX_WEEKS}, not {count}")
    zone = settings.ORG_TIME_ZONE
    return WeekRange.ending(Week.of(as_of, zone), count, zone).span


def between(first: str | None, last: str | None) -> Span:
    """From a day to a day, both included, in the organisation's zone; None is open."""
    return days(day(first) if first else None, day(last) if last else None, settings.ORG_TIME_ZONE)


def ask(question: Question, handoffs: HandoffQuerySet | None = None) -> dict[str, Any]:
    """The answer in the contract's shape: `as_of`, `total`, the groups asked for, `rejections_by_reason`.

    Without `by` all groups and the reasons; with it that group only. ValueError for an unknown group.
    """
    if question.by is not None and question.by not in GROUPS:
        raise ValueError(f"{question.by[:40]!r} is none of {', '.join(GROUPS)}")
    everybody = people()
    belongs = question.filters.belongs(everybody)
    every = measures.dimensions(everybody, WeekFinder(settings.ORG_TIME_ZONE))
    names = GROUPS if question.by is None else (question.by,)
    reasons = None
    if question.by is None:
        acts = rejections(question.span, question.as_of, handoffs)
        reasons = count_reasons(acts, question.filters, everybody)
    return measures.report(
        load(question.span, question.as_of, handoffs),
        question.as_of,
        {name: every[name] for name in names},
        reasons,
        belongs,
    )


def count_reasons(acts: Iterable[Act], filters: Filters, everybody: People) -> Counter[str]:
    """How often each reason was given, by code, among the acts that the filters let through."""
    return Counter(act.reason for act in passing(acts, filters, everybody))


def passing(acts: Iterable[Act], filters: Filters, everybody: People) -> Iterator[Act]:
    """The acts that the filters let through; a rep's or team's are those that they did."""
    return (act for act in acts if filters.fit(act.lead_source, act.lead_type, act.by_id, everybody))


def as_csv(answer: Mapping[str, Any]) -> str:
    """One row a group and measure: group, measure, numerator, denominator, value.

    Groups are "total", "source=Google" and so on; a time's denominator is the number of handoffs timed.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["group", "measure", "numerator", "denominator", "value"])
    for key, value in answer.items():
        if key == "total":
            _write_group(writer, "total", value)
        elif key.startswith("by_"):
            for name, each in value.items():
                _write_group(writer, f"{key.removeprefix('by_')}={name}", each)
        elif key == "rejections_by_reason":
            for code, count in value.items():
                writer.writerow(["total", safe(f"rejections.{code}"), count, "", count])
    return out.getvalue()


def safe(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return "'" + cell
    return cell


def _write_group(writer: Any, group: str, figures: Mapping[str, Any]) -> None:
    for measure, value in figures.items():
        if measure == "mqls":
            writer.writerow([safe(group), measure, value, "", value])
        elif measure == "time_to_first_contact":
            for kind, spread in value.items():
                for name in ("mean_minutes", "median_minutes", "p90_minutes"):
                    writer.writerow([safe(group), f"{measure}.{kind}.{name}", "", spread["n"], spread[name]])
                _write_rate(writer, group, f"{measure}.{kind}.within_target", spread["within_target"])
        else:
            _write_rate(writer, group, measure, value)


def _write_rate(writer: Any, group: str, measure: str, rate: Mapping[str, Any]) -> None:
    writer.writerow([safe(group), measure, rate["numerator"], rate["denominator"], rate["rate"]])
