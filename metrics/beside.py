"""What stands beside the five: each share with its list, its interval, and the twelve weeks before.

Owns the words of these figures and their comparison: mature weeks against mature weeks, and no word of a
change where chance may have made it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from metrics import cohorts, intervals, words
from metrics.figures import Figures
from metrics.periods import WeekRange
from metrics.words import SHOWN, Reading, Shown

# Gives the address of the list behind a figure: (shown, part, weeks, filters on top of the page's own).
Behind = Callable[[Shown, str, WeekRange, Mapping[str, str]], str]

ASIDE: dict[str, Shown] = {
    key: Shown(key, title, key, counted=counted, hits=hits, misses=misses, about=about)
    for key, title, counted, hits, misses, about in (
        (
            "acknowledged_in_time",
            "Acknowledged in time",
            "acknowledged",
            "in time",
            "late",
            "Accepted, rejected or deferred within the agreed time of the assignment, nights and all",
        ),
        (
            "acknowledged_by_deadline",
            "Acknowledged in staffed hours",
            "acknowledged or due",
            "in time",
            "late or not at all",
            "Acknowledged by the holder's deadline, which counts staffed hours",
        ),
        (
            "contacted_in_time",
            "Contacted in time",
            "contacted",
            "in time",
            "late",
            "First contact within the agreed time of the MQL, nights and all, both types together",
        ),
        (
            "contacted_by_deadline",
            "Contacted in staffed hours",
            "contacted or due",
            "in time",
            "late or not at all",
            "First contact by the deadline of the lead's clock, which counts staffed hours",
        ),
        (
            "disposed_in_time",
            "Disposition in time",
            "with a disposition",
            "in time",
            "late",
            "One of the four outcomes within the agreed time of the MQL, nights and all",
        ),
        (
            "disposed_by_deadline",
            "Disposition in staffed hours",
            "with one or due",
            "in time",
            "late or none",
            "One of the four outcomes by the deadline of the lead's clock; silence is none",
        ),
        (
            "personalised",
            "Personal first contact",
            "first contacts",
            "referred to a signal",
            "generic",
            "First contacts that referred to something the lead did",
        ),
        (
            "rejected_after_acceptance",
            "Rejected after acceptance",
            "accepted",
            "rejected later",
            "not rejected",
            "Rejected at or after acceptance; they stay accepted in the acceptance rate",
        ),
        (
            "logged_late",
            "Logged late",
            "first contacts",
            "logged late",
            "logged at once",
            "First contacts written down more than an hour after they were made",
        ),
        (
            "complete_at_once",
            "Complete at once",
            "checked MQLs",
            "complete",
            "held for data",
            "Passed every pre-flight check without a stay in completion",
        ),
        ("discarded", "Discarded", "MQLs", "discarded", "kept", "Discarded by marketing ops"),
        (
            "went_silent",
            "Went silent",
            "assigned",
            "silent",
            "not silent",
            "With the no-activity flag standing: viewed or not, nobody did anything",
        ),
    )
}
_ORDER: tuple[Shown, ...] = (SHOWN["clean_handoff_rate"], *ASIDE.values())


@dataclass(frozen=True)
class Aside:
    """One figure. `all_href` and `hits_href` are "" where there is nothing to list."""

    shown: Shown
    value: str
    between: str
    numerator: str
    denominator: str
    hits_href: str
    all_href: str
    before: str
    before_of: str
    change: str


def rows(
    found: Mapping[str, Figures], now: WeekRange, before: WeekRange, as_of: datetime, behind: Behind
) -> list[Aside]:
    """The figures of the mature weeks of `now`, compared with those of `before`."""
    return [_row(found, shown, now, before, as_of, behind) for shown in _ORDER]


def _row(
    found: Mapping[str, Figures],
    shown: Shown,
    now: WeekRange,
    before: WeekRange,
    as_of: datetime,
    behind: Behind,
) -> Aside:
    mature, earlier = (_mature(weeks, shown, as_of) for weeks in (now, before))
    reading, old = (_pooled(found, shown, weeks) for weeks in (mature, earlier))
    listed = mature is not None and reading.denominator
    return Aside(
        shown=shown,
        value=words.told(reading, shown),
        between=words.between(reading),
        numerator=f"{reading.numerator:,}",
        denominator=f"{reading.denominator:,}",
        hits_href=behind(shown, "hits", mature, {}) if mature and reading.numerator else "",
        all_href=behind(shown, "all", mature, {}) if mature and listed else "",
        before=words.told(old, shown),
        before_of=f"{old.numerator:,} of {old.denominator:,}" if old.denominator else "",
        change=change(reading, old),
    )


def change(now: Reading, before: Reading) -> str:
    """The difference in words. Only intervals that lie apart are told as a change."""
    if now.value is None or before.value is None:
        return "nothing to compare"
    if min(now.denominator, before.denominator) < words.ENOUGH:
        return "too few to compare"
    low, high = intervals.wilson(now.numerator, now.denominator)
    old_low, old_high = intervals.wilson(before.numerator, before.denominator)
    points = round(abs(now.value - before.value) * 100)
    if low <= old_high and old_low <= high:
        return "no clear change"
    way = "up" if now.value > before.value else "down"
    return f"{way} {points} points" if points != 1 else f"{way} 1 point"


def _mature(weeks: WeekRange, shown: Shown, as_of: datetime) -> WeekRange | None:
    """The weeks up to the last mature one; None when none is."""
    last = cohorts.last_mature(weeks, shown.measure, weeks.zone, as_of)
    return None if last is None else WeekRange(weeks.first, last, weeks.zone)


def _pooled(found: Mapping[str, Figures], shown: Shown, weeks: WeekRange | None) -> Reading:
    each = [words.read(found.get(week.name), shown) for week in weeks or ()]
    hits, of = (sum(getattr(one, name) for one in each) for name in ("numerator", "denominator"))
    return Reading(hits / of if of else None, hits, of)
