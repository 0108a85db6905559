"""A report beside another look at the same weeks: what has changed since it was made.

Pure but for the one count of what has come in. Two kept contents in, a row for each figure out. Never changes
either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leads.models import Event, Handoff
from metrics import words
from metrics.models import Report
from metrics.periods import Week, WeekRange
from metrics.reports import gathering
from metrics.words import SHOWN

MOST_COUNTED = 1000


@dataclass(frozen=True)
class Row:
    """A figure in a week, then and now; `changed` when they differ."""

    figure: str
    week: str
    then: str
    now: str

    @property
    def changed(self) -> bool:
        return self.then != self.now


def since(report: Report, zone: str) -> int:
    """How many facts about the report's weeks have come in since it was made, at most MOST_COUNTED and one
    more; one query, by what has changed since."""
    span = WeekRange.ending(Week.parse(report.week), gathering.WEEKS, zone).span
    moved = Handoff.objects.filter(
        updated_at__gte=report.made_at, mql_at__gte=span.start, mql_at__lt=span.end
    ).order_by()
    facts = Event.objects.filter(handoff__in=moved.values("pk"), recorded_at__gt=report.made_at).order_by()
    return facts.values("pk")[: MOST_COUNTED + 1].count()


def said(count: int) -> str:
    if count > MOST_COUNTED:
        return f"More than {MOST_COUNTED:,} facts have come in since."
    return f"{words.many(count, 'fact')} {'has' if count == 1 else 'have'} come in since."


def rows(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Row]:
    """The figures of each week, the sources and the reasons, as both say them; the later weeks first."""
    found = [Row("MQLs", _short(then["week"]), f"{then['mqls']:,}", f"{now['mqls']:,}")]
    for before, after in zip(then["metrics"], now["metrics"], strict=True):
        later = {week["week"]: week for week in after["weeks"]}
        for week in reversed(before["weeks"]):
            title = SHOWN[before["key"]].title
            texts = (_figure(week, before), _figure(later[week["week"]], after))
            found.append(Row(title, _short(week["week"]), *texts))
    for title, key, name in (("Rejected, ", "sources", "name"), ("Reason, ", "reasons", "label")):
        one = {each[name]: _count(each) for each in then[key]}
        two = {each[name]: _count(each) for each in now[key]}
        for each in [*one, *(label for label in two if label not in one)]:
            label = f"{title}{each or 'no source'}"
            found.append(Row(label, "all", one.get(each, words.NOTHING), two.get(each, words.NOTHING)))
    return found


def _figure(week: Mapping[str, Any], metric: Mapping[str, Any]) -> str:
    if not week["of"]:
        return words.NOTHING
    of = f"{week['n']:,} of {week['of']:,}"
    if metric["is_time"]:
        return f"{words.minutes(week['value'])}, {of} within target"
    return f"{words.share(week['n'] / week['of'])}, {of}"


def _count(each: Mapping[str, Any]) -> str:
    return f"{each['count']:,}" if "count" in each else f"{each['n']:,} of {each['of']:,}"


def _short(name: str) -> str:
    return words.short(Week.parse(name))
