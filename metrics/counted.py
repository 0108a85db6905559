"""The figures that the dashboard's page and parts show, each counted when it is asked for, or kept.

Owns which counts a part of the page needs. Counts are `metrics.weekly`, `metrics.shapes` and
`metrics.counting`; what is kept is `metrics.kept`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from django.conf import settings

from leads.querysets import HandoffQuerySet
from metrics import counting, figures, process, query, shapes, weekly, whose
from metrics.address import Asked
from metrics.figures import Figures, Rate
from metrics.kept import Kept
from metrics.periods import Week, WeekRange
from metrics.terms import Terms
from routing.models import User

Count = Callable[[HandoffQuerySet, Terms, str, Any], Any]


class Counted:
    """The counts behind an address, of what somebody may see (`handoffs`)."""

    def __init__(self, asked: Asked, handoffs: HandoffQuerySet) -> None:
        self.weeks = asked.weeks
        self.zone = settings.ORG_TIME_ZONE
        self.terms, self.people = query.terms(asked.as_of), whose.chosen(asked.filters)
        rows = counting.pick(asked.filters, handoffs)
        self._kept = Kept(rows, self.terms, self.people, self.zone, is_live=asked.back is None)

    # The five

    @cached_property
    def counts(self) -> Mapping[str, Any]:
        """All that the page itself is drawn from, as it was counted: `weekly.page`."""
        return self._kept.weekly(
            "page", self.weeks, lambda rows: self._count(weekly.page, rows), tells_until=True
        )

    @property
    def mark(self) -> str | None:
        """What tells these `counts` from others without reading them; None when nothing does."""
        return self._kept.mark("page", list(self.weeks))

    @property
    def good_until(self) -> datetime | None:
        """Until when the mark of what was read means the same counts; None for ever."""
        return self._kept.good_until

    def first_page(self) -> None:
        """Count all that the page itself shows, so that it is kept."""
        _ = self.counts

    @cached_property
    def by_week(self) -> dict[str, Figures]:
        """The five and clean handoffs of each week, by its name; a week of nothing is left out."""
        found = {
            name: weekly.figures(self._of(name).values(), each.get(weekly.TIMES, {}))
            for name, each in self.counts.items()
        }
        return {week.name: found[week.name] for week in self.weeks if not found[week.name].is_empty}

    @cached_property
    def by_source(self) -> dict[str, Figures]:
        """The shares of each source over all the weeks, without times."""
        return weekly.groups(map(self._of, self.counts))

    def by_source_in(self, week: Week) -> dict[str, Figures]:
        return weekly.groups([self._of(week.name)])

    def _of(self, week: str) -> Mapping[str, Mapping[str, Any]]:
        """The shares of a week by source."""
        found: Mapping[str, Mapping[str, Any]] = self.counts[week].get(weekly.GROUPS, {})
        return found

    def reasons(self, codes: Sequence[str]) -> dict[str, int]:
        """Acts of rejection by reason, `codes` being those that there are."""
        found: Counter[str] = Counter()
        for acts in self.acts(codes, self.weeks).values():
            found.update({code: sum(sources.values()) for code, sources in acts.items()})
        return dict(found)

    def acts(self, codes: Sequence[str], weeks: WeekRange) -> dict[Week, Mapping[str, Mapping[str, int]]]:
        """{week: {reason code: {source: acts of rejection}}}, `codes` being the reasons that there are."""
        count = partial(weekly.reasons, since=weeks.span.start)
        found = self._weekly("reasons", count, weeks, codes)
        return {week: found[week.name] for week in weeks}

    # Beside them

    def beside(self, weeks: WeekRange) -> dict[str, Figures]:
        """What stands beside the five, of each week."""
        found = self._kept.weekly(
            "beside", weeks, lambda rows: self._count(weekly.beside, rows), deadlines=True
        )
        return {name: weekly.figures([shares], {}) for name, shares in found.items()}

    # For the diagnosis

    def bands(self, weeks: WeekRange) -> dict[Week, Mapping[str, Any]]:
        """{week: {score band: counts of `process.BANDED`}}."""
        count = partial(process.bands, since=weeks.span.start)
        found = self._kept.weekly(
            "bands", weeks, lambda rows: self._count(count, rows), tells_until=True, deadlines=True
        )
        return {week: found[week.name].get(weekly.GROUPS, {}) for week in weeks}

    def decided(self, weeks: WeekRange) -> dict[str, Rate]:
        """Rejected of decided by source."""
        found: dict[str, Rate] = {}
        for sources in self._weekly("decided", process.decided, weeks).values():
            for source, counts in sources.items():
                found[source] = found.get(source, Rate()).plus(Rate(*counts))
        return found

    def medians(self, weeks: WeekRange) -> dict[str, float | None]:
        """The median minutes of each step, by what ends it."""
        found = self._kept.whole(
            "medians", weeks, lambda rows: self._count(process.medians, rows), deadlines=True
        )
        return dict(found)

    # By one dimension

    def by(self, dimension: str) -> dict[str, Figures]:
        """The figures of each group of a dimension over all the weeks together."""

        def count(rows: HandoffQuerySet) -> Any:
            found = counting.by(dimension, rows, self.terms, self.zone, self.people, _COLUMNS)
            return {name: figures.as_kept(each) for name, each in found.items()}

        extra = _who_is_who() if dimension in counting.PERSONAL else []
        found = self._kept.whole(f"by {dimension}", self.weeks, count, extra)
        return {name: figures.from_kept(found[name]) for name in sorted(found)}

    # Shapes

    def spread(self) -> dict[str, list[int]]:
        """How many were contacted in each bucket of waits, by lead type."""
        found = {kind: [0] * (len(shapes.BORDERS) + 1) for kind in figures.KINDS}
        for kinds in self._weekly("spread", shapes.spread, self.weeks).values():
            for kind, buckets in kinds.items():
                for place, count in buckets.items():
                    found[kind][int(place)] += count
        return found

    def hours(self) -> dict[tuple[int, int], list[int]]:
        """MQLs, contacted and within target by weekday (1 is Monday) and hour."""
        found = {(day, hour): [0, 0, 0] for day in range(1, 8) for hour in range(24)}
        for cells in self._weekly("hours", shapes.hours, self.weeks).values():
            for name, counts in cells.items():
                day, hour = map(int, name.split("-"))
                found[day, hour] = [sum(pair) for pair in zip(found[day, hour], counts, strict=True)]
        return found

    def dispositions(self, by: str) -> dict[str, Counter[str]]:
        """What became of MQLs, `by` the name of the week or the source."""
        found: dict[str, Counter[str]] = {week.name: Counter() for week in self.weeks} if by == "week" else {}
        for week, sources in self._weekly("dispositions", shapes.dispositions, self.weeks).items():
            for source, counts in sources.items():
                found.setdefault(week if by == "week" else source, Counter()).update(counts)
        return found

    def stages(self) -> dict[str, list[Any]]:
        """How many came to each stage, and the median minutes from the one before."""
        found = self._kept.whole("stages", self.weeks, lambda rows: self._count(shapes.stages, rows))
        return dict(found)

    def _weekly(self, what: str, count: Count, weeks: WeekRange, extra: Sequence[str] = ()) -> dict[str, Any]:
        return self._kept.weekly(what, weeks, lambda rows: self._count(count, rows), extra)

    def _count(self, count: Count, rows: HandoffQuerySet) -> Any:
        return count(rows, self.terms, self.zone, self.people)


# What the table of a dimension shows.
_COLUMNS = ("mqls", "time_to_first_contact", *(figures.RATES))


def _who_is_who() -> list[str]:
    """Everybody with their address and team: whose figures a table by person or team puts where."""
    people = User.objects.order_by("pk").values_list("pk", "email", "team__name")
    return [f"{pk} {email} {team}" for pk, email, team in people]
