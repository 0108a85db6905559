"""What was counted once is kept and given again while it is certainly still right.

A snapshot is found by what was counted, of which handoffs, by which terms and formulas: the very statement
that selects the rows (what somebody may see, and the filters), the people that a filter stands for, the
agreed targets, the zone, and the text of the rooms that count are all in its key, so nobody is given what was
counted for another, and a changed formula finds nothing. It is right while the marks of its weeks are the
same (`metrics.pulse`: no event came) and the next moment at which time alone changes it has not come
(`metrics.horizon`). Marks are read before anything is counted: what comes between is counted and not yet in
the marks, so at the worst it is counted once more. A closed week stays; of the weeks of a page only those
that moved are counted.

After a day all is counted anew: a net for tables that were edited by hand. Never keeps a look back at an
earlier moment, nor what has no bound.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import DatabaseError, transaction

from leads import choices
from leads.models import Handoff
from leads.querysets import HandoffQuerySet
from metrics import (
    counting,
    figures,
    filters,
    horizon,
    measures,
    process,
    pulse,
    shapes,
    spans,
    stages,
    tallying,
    terms,
    weekly,
    whose,
)
from metrics.models import Snapshot
from metrics.periods import Week, WeekRange
from metrics.pulse import Pulse
from metrics.terms import Terms
from metrics.whose import Chosen

AGE = timedelta(days=1)
# What is longer than this many characters is counted each time: it would fill the table for one reader.
LONGEST = 200_000
# The table's bound: the oldest go first.
MOST = 50_000
_ROOMS = (
    choices, counting, figures, filters, horizon, measures, process, shapes, spans, stages, tallying, terms,
    weekly, whose,
)  # fmt: skip

# Counts the handoffs given to it; the answer can be written as JSON.
Count = Callable[[HandoffQuerySet], Any]


class Kept:
    """The counts over some handoffs as of now: from what is kept, else counted and kept."""

    def __init__(
        self,
        rows: HandoffQuerySet,
        look: Terms,
        people: Chosen | None,
        zone: str,
        *,
        is_live: bool,
    ) -> None:
        """`rows` are those that are visible and filtered for, of all weeks; `is_live` says that the moment
        is now."""
        self.rows = rows
        self.now = look.as_of
        self.zone = zone
        self.pulse: Pulse | None = pulse.read(zone) if is_live else None
        self._statement = _statement(rows)
        self._of = [formulas(), zone, self._statement, _ids(people), look.mark]
        # The first moment at which something given by weeks may be another.
        self.good_until: datetime | None = None
        self._until: dict[bool, dict[Week, datetime | None]] = {False: {}, True: {}}

    def weekly(
        self,
        what: str,
        weeks: Iterable[Week],
        count: Count,
        extra: Sequence[str] = (),
        *,
        tells_until: bool = False,
        deadlines: bool = False,
    ) -> dict[str, Any]:
        """What is counted of each week, by its name. `count` answers by the names of the weeks; one that it
        leaves out has nothing. `extra` is what else the answer hangs on; `tells_until` says that each week's
        answer holds the next moment of the rows (`weekly.UNTIL`), `deadlines` that it judges the undone."""
        wanted = list(weeks)
        key = self._key(what, extra)
        found = {}
        if self.pulse is not None:
            for snapshot in self._good(key, [week.monday for week in wanted], 1):
                week = Week.holding(snapshot.first)
                if snapshot.marks == self.pulse.of([week]):
                    found[week.name] = snapshot.payload
                    self._given(snapshot.made_at, snapshot.good_until)
        missing = [week for week in wanted if week.name not in found]
        if missing:
            counted = count(self.rows.filter(horizon.within(missing, self.zone), mql_at__lte=self.now))
            if tells_until and self._statement == _statement(Handoff.objects.all()):
                self._learn(missing, counted, deadlines)
            until = self._horizon(missing, deadlines)
            fresh = {week: counted.get(week.name, {}) for week in missing}
            self._keep(key, [([week], until[week], payload) for week, payload in fresh.items()])
            for moment in until.values():
                self._given(self.now, moment)
            found |= {week.name: payload for week, payload in fresh.items()}
        return found

    def whole(
        self,
        what: str,
        weeks: WeekRange,
        count: Count,
        extra: Sequence[str] = (),
        *,
        deadlines: bool = False,
    ) -> Any:
        """What is counted over all these weeks together."""
        key, every = self._key(what, extra), list(weeks)
        if self.pulse is not None:
            for snapshot in self._good(key, [weeks.first.monday], len(every)):
                if snapshot.marks == self.pulse.of(every):
                    return snapshot.payload
        until = [moment for moment in self._horizon(every, deadlines).values() if moment is not None]
        payload = count(self.rows.filter(horizon.within(every, self.zone), mql_at__lte=self.now))
        self._keep(key, [(every, min(until, default=None), payload)])
        return payload

    def mark(self, what: str, weeks: Sequence[Week]) -> str | None:
        """All that `weekly` answers by but time, as one text, before anything is read of it: the same mark is
        the same answer until `good_until`. None when that cannot be known."""
        return None if self.pulse is None else f"{self._key(what, ())} {self.pulse.of(weeks)}"

    def _given(self, made_at: datetime, until: datetime | None) -> None:
        ends = [made_at + AGE, *filter(None, (until, self.good_until))]
        self.good_until = min(ends)

    def _learn(self, weeks: Sequence[Week], counted: Mapping[str, Any], deadlines: bool) -> None:
        """The next moments that counting all handoffs has shown by the way."""
        if self.pulse is None:
            return
        told = {
            week: datetime.fromisoformat(text)
            for week in weeks
            if (text := counted.get(week.name, {}).get(weekly.UNTIL))
        }
        until = horizon.with_others(told, weeks, self.now, self.zone)
        self._until[deadlines] |= until
        self._keep(_HORIZONS[deadlines], [([week], until[week], {}) for week in weeks])

    def _key(self, what: str, extra: Sequence[str]) -> str:
        said = json.dumps([what, *self._of, *extra], ensure_ascii=False)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    def _good(self, key: str, mondays: Sequence[date], weeks: int) -> list[Snapshot]:
        """What is kept and not overtaken by time."""
        rows = Snapshot.objects.filter(key=key, first__in=mondays, weeks=weeks)
        return [
            snapshot
            for snapshot in rows
            if self.now - AGE < snapshot.made_at <= self.now
            and (snapshot.good_until is None or self.now < snapshot.good_until)
        ]

    def _horizon(self, weeks: Sequence[Week], deadlines: bool = False) -> Mapping[Week, datetime | None]:
        """The next moment of each week; nothing is kept of them when the marks are not known."""
        if self.pulse is None:
            return dict.fromkeys(weeks)
        until = self._until[deadlines]
        if not deadlines:
            # What holds with the deadlines watched holds without.
            until |= {week: moment for week, moment in self._until[True].items() if week not in until}
        asked = [week for week in weeks if week not in until]
        until |= self._known(asked, _HORIZONS[deadlines])
        rest = [week for week in asked if week not in until]
        if rest:
            counted = horizon.of(rest, self.now, self.zone, deadlines=deadlines)
            until |= counted
            self._keep(_HORIZONS[deadlines], [([week], moment, {}) for week, moment in counted.items()])
        return until

    def _known(self, weeks: Sequence[Week], key: str) -> dict[Week, datetime | None]:
        assert self.pulse is not None  # noqa: S101 - asked for only then
        found = {}
        for snapshot in self._good(key, [week.monday for week in weeks], 1) if weeks else ():
            week = Week.holding(snapshot.first)
            if snapshot.marks == self.pulse.of([week]):
                found[week] = snapshot.good_until
        return found

    def _keep(self, key: str, made: Sequence[tuple[Sequence[Week], datetime | None, Any]]) -> None:
        if self.pulse is None:
            return
        rows = [
            Snapshot(
                key=key,
                first=weeks[0].monday,
                weeks=len(weeks),
                marks=self.pulse.of(weeks),
                made_at=self.now,
                good_until=until,
                payload=payload,
            )
            for weeks, until, payload in made
            if (until is None or until > self.now) and len(json.dumps(payload)) <= LONGEST
        ]
        try:
            with transaction.atomic():
                Snapshot.objects.bulk_create(
                    rows,
                    update_conflicts=True,
                    unique_fields=["key", "first", "weeks"],
                    update_fields=["marks", "made_at", "good_until", "payload"],
                )
        except DatabaseError:
            # The page has its figures; that they could not be kept (a busy SQLite) is nobody's loss.
            return


# The horizon of a week is that of all handoffs: no figure of anybody's is in it.
_HORIZONS = {False: "horizon", True: "horizon with deadlines"}


def prune(now: datetime) -> int:
    """Delete what is too old to be given, and what is older than the MOST newest; how many."""
    gone = Snapshot.objects.filter(made_at__lt=now - AGE).delete()[0]
    border = Snapshot.objects.order_by("-made_at").values_list("made_at", flat=True)[MOST : MOST + 1]
    for made_at in border:
        gone += Snapshot.objects.filter(made_at__lt=made_at).delete()[0]
    return gone


@cache
def formulas() -> str:
    """A mark of the text of all rooms that count: another text may count otherwise."""
    text = "".join(inspect.getsource(room) for room in _ROOMS)
    return hashlib.sha256(text.encode()).hexdigest()


def _statement(rows: HandoffQuerySet) -> str:
    """The statement that selects these rows, with its values."""
    try:
        return str(rows.order_by().values("pk").query)
    except EmptyResultSet:
        return "none"


def _ids(people: Chosen | None) -> list[int] | None:
    return None if people is None else [int(people.nobody), *sorted(people.ids)]
