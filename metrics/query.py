"""A question to the figures as command, API and page ask it, and the one way from a question to an answer.

Owns the rows of a span (by the index on `mql_at`), the terms that hold, and the reading of weeks, days and
moments from text. What counts is `metrics.measures`; who may ask, the caller's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import Count

from leads import agreeing
from leads.history.rows import parse_time
from leads.models import Handoff
from leads.querysets import HandoffQuerySet
from metrics import counting, figures, measures, weekly, whose
from metrics.figures import Figures
from metrics.filters import NO_FILTERS, Filters
from metrics.periods import EVERYTHING, Span, Week, WeekRange, days
from metrics.terms import Target, Terms
from metrics.whose import Chosen

GROUPS = ("source", "rep", "team", "type", "week")
MAX_WEEKS = 520
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def within(span: Span, as_of: datetime, handoffs: HandoffQuerySet | None = None) -> HandoffQuerySet:
    """The handoffs whose trigger fired in the span, up to the moment; None is of all."""
    rows = (Handoff.objects.all() if handoffs is None else handoffs).filter(mql_at__lte=as_of)
    if span.start is not None:
        rows = rows.filter(mql_at__gte=span.start)
    return rows if span.end is None else rows.filter(mql_at__lt=span.end)


def terms(as_of: datetime) -> Terms:
    """What handoffs are judged by, as of a moment: each by the agreement in force at its `mql_at`; one
    query."""
    versions = agreeing.versions()
    if not versions:
        return Terms(as_of)
    targets = []
    for place, version in enumerate(reversed(versions)):
        # The oldest stands for all time before it.
        starts_at = version.in_force_from if place else None
        ends_at = versions[-place - 2].in_force_from if place + 1 < len(versions) else None
        targets.append(Target(starts_at, ends_at, version.contact, version.accept, version.number))
    return Terms(as_of, tuple(targets))


@dataclass(frozen=True)
class Question:
    """As of which moment, over which span of `mql_at`, by which group (None: by all), and of what only."""

    as_of: datetime
    span: Span = EVERYTHING
    by: str | None = None
    filters: Filters = NO_FILTERS


@dataclass(frozen=True)
class Asked:
    """The handoffs of a question, what they are judged by, and to whom they are narrowed."""

    rows: HandoffQuerySet
    terms: Terms
    filters: Filters
    people: Chosen | None
    # Before the first `mql_at` of the rows; None is not known.
    since: datetime | None = None

    @classmethod
    def of(cls, question: Question, handoffs: HandoffQuerySet | None = None) -> Asked:
        """`handoffs` limits them to what somebody may see; None is all."""
        rows = counting.pick(question.filters, within(question.span, question.as_of, handoffs))
        people = whose.chosen(question.filters)
        return cls(rows, terms(question.as_of), question.filters, people, question.span.start)

    def total(self) -> Figures:
        return counting.total(self.rows, self.terms, self.people)

    def by(self, dimension: str, span: Span | None = None) -> dict[str, Figures]:
        """The figures of each group; `span` narrows them to a part of the question's."""
        rows = self.rows if span is None else within(span, self.terms.as_of, self.rows)
        return counting.by(dimension, rows, self.terms, settings.ORG_TIME_ZONE, self.people)

    def listed(self, measure: str, part: str) -> HandoffQuerySet:
        """The handoffs behind a figure: `part` is all, hits or misses."""
        found = self.rows.filter(measures.listed(measure, part, self.terms))
        if self.people is None:
            return found
        return found.filter(self.people.condition(measures.MEASURES[measure].who, self.terms))

    def reasons(self) -> dict[str, int]:
        """How often each reason was given, by code: acts of rejection up to the moment that were not
        undone. A handoff rejected twice counts twice: reasons count acts, rates count handoffs. A rep's or
        team's are those that they did."""
        acts = self.acts().values_list("reason__code").annotate(count=Count("pk"))
        return dict(acts.order_by())

    def acts(self) -> Any:
        """The acts of rejection that are counted."""
        return weekly.acted(self.rows, self.terms, self.people, self.since)


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
    asked = Asked.of(question, handoffs)
    names = GROUPS if question.by is None else (question.by,)
    answer: dict[str, Any] = {"as_of": question.as_of.isoformat().replace("+00:00", "Z")}
    answer |= figures.report(asked.total(), {name: asked.by(name) for name in names})
    if question.by is None:
        counts = asked.reasons().items()
        answer["rejections_by_reason"] = dict(sorted(counts, key=lambda pair: (-pair[1], pair[0])))
    return answer


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
