"""The figures that the dashboard's page and parts show, each counted when it is asked for, or kept.

Owns which counts a part of the page needs. Counts are `metrics.weekly`, `metrics.shapes` and
`metrics.counting`; what is kept is `metrics.kept`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.conf import settings

from leads.querysets import HandoffQuerySet
from metrics import counting, figures, query, shapes, weekly
from metrics.address import Asked
from metrics.figures import Figures
from metrics.kept import Kept
from metrics.periods import Week, WeekRange
from metrics.query import Question
from metrics.terms import Terms
from routing.models import User

Count = Callable[[HandoffQuerySet, Terms, str, Any], Any]


class Counted:
    """The counts behind an address, of what somebody may see (`handoffs`)."""

    def __init__(self, asked: Asked, handoffs: HandoffQuerySet) -> None:
        self.weeks = asked.weeks
        self.zone = settings.ORG_TIME_ZONE
        look = query.Asked.of(Question(asked.as_of, filters=asked.filters), handoffs)
        self.terms, self.people = look.terms, look.people
        rows = counting.pick(asked.filters, handoffs)
        self._kept = Kept(rows, self.terms, self.people, self.zone, is_live=asked.back is None)

    # The five

    @cached_property
    def _rates(self) -> Mapping[str, Any]:
        found = self._kept.weekly(
            "rates", self.weeks, lambda rows: self._count(weekly.rates, rows), tells_until=True
        )
        return {name: each.get(weekly.GROUPS, {}) for name, each in found.items()}

    @cached_property
    def _times(self) -> Mapping[str, Any]:
        return self._weekly("contact", weekly.contact, self.weeks)

    @property
    def counts(self) -> list[Mapping[str, Any]]:
        """All that the page itself is drawn from, as it was counted."""
        return [self._rates, self._times]

    @cached_property
    def by_week(self) -> dict[str, Figures]:
        """The five and clean handoffs of each week, by its name; a week of nothing is left out."""
        rates = self._rates  # first: by the way it finds when they change
        times = self._times
        found = {
            week.name: weekly.figures(rates[week.name].values(), times[week.name]) for week in self.weeks
        }
        return {name: each for name, each in found.items() if not each.is_empty}

    @cached_property
    def by_source(self) -> dict[str, Figures]:
        """The shares of each source over all the weeks, without times."""
        return weekly.groups(self._rates.values())

    def by_source_in(self, week: Week) -> dict[str, Figures]:
        return weekly.groups([self._rates[week.name]])

    def reasons(self, codes: Sequence[str]) -> dict[str, int]:
        """Acts of rejection by reason, `codes` being those that there are."""
        found: Counter[str] = Counter()
        for counts in self._weekly("reasons", weekly.reasons, self.weeks, codes).values():
            found.update(counts)
        return dict(found)

    def first_page(self) -> tuple[dict[str, Figures], dict[str, Figures]]:
        """All that the page itself shows: by week, and by source."""
        return self.by_week, self.by_source

    # Beside them

    def beside(self, weeks: WeekRange) -> dict[str, Figures]:
        """What stands beside the five, of each week."""
        found = self._kept.weekly(
            "beside", weeks, lambda rows: self._count(weekly.beside, rows), deadlines=True
        )
        return {name: weekly.figures([shares], {}) for name, shares in found.items()}

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
