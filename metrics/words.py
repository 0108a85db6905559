"""Figures in words: shares, minutes, weeks, and whether a figure is where it should be.

Owns the limits of the practice (70 % accepted, 10 % black holes, 60 % rejected of a source) and the wording
around them. The times that a first contact is held against are agreed: a version of the agreement
(`metrics.terms`) is given along. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from leads.presenters import times
from metrics import intervals
from metrics.figures import Figures
from metrics.periods import Span, Week
from metrics.terms import Target, Terms

NOTHING = "–"
ACCEPTANCE_TARGET, ACCEPTANCE_ALARM = 0.70, 0.50
BLACK_HOLE_LIMIT = 0.10
SOURCE_ALARM = 0.60
# No verdict and no alarm from fewer cases: five are the least of which none at all lies wholly beyond an
# alarm of 50 % (the 95 % interval of 0 of 5 ends at 43 %). Two of three say nothing.
ENOUGH = 5
FEW = "Too few to judge"
# MQL to opportunity is an alarm when it is down by this share of its own baseline.
DOWN = 1 / 3


@dataclass(frozen=True)
class Shown:
    """A figure that the dashboard shows: a measure, for time to first contact of one lead type.

    `hits` and `misses` name the two halves of what counts; `counted` the whole. `goal` is a share: a time is
    held against what was agreed (`goal_of`).
    """

    key: str
    title: str
    measure: str
    counted: str
    hits: str
    misses: str
    about: str
    goal: float | None = None
    lead_type: str = ""

    @property
    def is_time(self) -> bool:
        return bool(self.lead_type)


SHOWN = {
    shown.key: shown
    for shown in (
        Shown(
            "acceptance_rate",
            "Acceptance rate",
            "acceptance_rate",
            counted="decided",
            hits="accepted",
            misses="rejected",
            about="Accepted of what sales decided on",
            goal=ACCEPTANCE_TARGET,
        ),
        Shown(
            "contact_demo",
            "First contact, demo",
            "time_to_first_contact",
            counted="contacted",
            hits="within target",
            misses="late",
            about="Median time from MQL to the first attempt, demo leads",
            lead_type="demo",
        ),
        Shown(
            "contact_standard",
            "First contact, standard",
            "time_to_first_contact",
            counted="contacted",
            hits="within target",
            misses="late",
            about="Median time from MQL to the first attempt, standard leads",
            lead_type="standard",
        ),
        Shown(
            "mql_to_opportunity",
            "MQL to opportunity",
            "mql_to_opportunity",
            counted="accepted",
            hits="with an opportunity",
            misses="without one",
            about="Accepted leads that became an opportunity",
        ),
        Shown(
            "rejection_rate",
            "Rejection rate",
            "rejection_rate",
            counted="decided",
            hits="rejected",
            misses="accepted",
            about="Rejected of what sales decided on",
        ),
        Shown(
            "black_hole_rate",
            "Black holes",
            "black_hole_rate",
            counted="assigned",
            hits="without activity in 24 h",
            misses="with activity",
            about="Assigned leads that nobody touched within 24 hours",
            goal=BLACK_HOLE_LIMIT,
        ),
        Shown(
            "clean_handoff_rate",
            "Clean handoffs",
            "clean_handoff_rate",
            counted="MQLs",
            hits="accepted and contacted",
            misses="not complete",
            about="MQLs that were accepted and contacted",
        ),
    )
}

# Not a tile of its own, but a figure with a list behind it like any other.
MQLS = Shown(
    "mqls",
    "MQLs",
    "mqls",
    counted="handoffs",
    hits="handoffs",
    misses="handoffs",
    about="Leads whose trigger fired",
)


@dataclass(frozen=True)
class Reading:
    """A figure's value with what is behind it: a share, or a median in minutes. None: nothing counts."""

    value: float | None
    numerator: int
    denominator: int


@dataclass(frozen=True)
class Status:
    """A verdict on a figure. tone: "ok", "soon", "late" or "" (no verdict)."""

    tone: str
    text: str

    @property
    def icon(self) -> str:
        return {"ok": "check", "soon": "half", "late": "warn"}.get(self.tone, "")


def read(figures: Figures | None, shown: Shown) -> Reading:
    """The value of a figure in a group; of an empty group there is none."""
    figures = figures or Figures()
    if shown.is_time:
        spread = figures.contact[shown.lead_type]
        return Reading(spread.median, spread.within.numerator, spread.n)
    rate = figures.rate(shown.measure)
    return Reading(rate.value, rate.numerator, rate.denominator)


def goal_of(shown: Shown, target: Target) -> tuple[float | None, str]:
    """What a figure is held against, as a share or in minutes, and in words; (None, "") for what has only its
    own baseline."""
    if shown.is_time:
        most = target.contact[shown.lead_type]
        return most / timedelta(minutes=1), agreed(most)
    return (None, "") if shown.goal is None else (shown.goal, share(shown.goal))


def agreed(most: timedelta) -> str:
    """A target as people say it: "5 min", "60 min", "4 h"."""
    whole = most / timedelta(minutes=1)
    return f"{whole:.0f} min" if whole.is_integer() and whole <= 90 else minutes(whole)


def judged_by(terms: Terms, span: Span, zone: str) -> str:
    """Which version of the agreement the times of a span are held against, and which held before it inside
    the span, in sentences."""
    *before, target = terms.within(span)
    if not target.version:
        return f"First contact is held against the targets as shipped: {_times(target)}"
    if not before or target.starts_at is None:
        return f"First contact is held against version {target.version} of the agreement: {_times(target)}"
    day = target.starts_at.astimezone(ZoneInfo(zone))
    if all(each.contact == target.contact for each in before):
        return (
            f"Version {target.version} of the agreement holds since {day.day} {day:%B %Y}; first contact is "
            f"held against the same times as before it: {_times(target)}"
        )
    earlier = "; ".join(f"version {each.version or 'as shipped'}, {_times(each)}" for each in before)
    return (
        f"Version {target.version} of the agreement holds since {day.day} {day:%B %Y}: {_times(target)}. "
        f"Before it in these weeks {earlier}. Each handoff is judged by the version of its time; the targets "
        "and verdicts are those of the last one"
    )


def _times(target: Target) -> str:
    return ", ".join(f"{kind} {agreed(most)}" for kind, most in sorted(target.contact.items()))


def text(value: float | None, shown: Shown) -> str:
    return minutes(value) if shown.is_time else share(value)


def told(reading: Reading, shown: Shown) -> str:
    """The value in words; of fewer than ENOUGH cases the counts, which is all that is known."""
    if not shown.is_time and 0 < reading.denominator < ENOUGH:
        return f"{reading.numerator} of {reading.denominator}"
    return text(reading.value, shown)


def between(reading: Reading) -> str:
    """The 95 % interval of a share, "55 to 67 %"; "" of nothing."""
    if not reading.denominator:
        return ""
    low, high = intervals.wilson(reading.numerator, reading.denominator)
    return f"{low * 100:.0f} to {high * 100:.0f} %"


def share(value: float | None) -> str:
    """A share as a percentage, with a decimal only where a whole number would say 0 or 100 wrongly."""
    if value is None:
        return NOTHING
    percent = value * 100
    if 0 < percent < 1 or 99 < percent < 100:
        return f"{percent:.1f} %" if 0.05 <= percent < 99.95 else ("< 0.1 %" if percent < 1 else "> 99.9 %")
    return f"{percent:.0f} %"


def minutes(value: float | None) -> str:
    """A length: "40 s", "6:40" (under ten minutes), "42 min", "3 h 28", "2 days 4 h"."""
    if value is None:
        return NOTHING
    span = timedelta(minutes=value)
    if timedelta(minutes=1) <= span < timedelta(minutes=10):
        return times.ticking(span)
    return times.length(span)


def days_of(week: Week) -> str:
    """The days of a week: "6 to 12 October", "29 September to 5 October"."""
    first, last = week.monday, week.sunday
    if first.month == last.month:
        return f"{first.day} to {last.day} {last:%B}"
    return f"{first.day} {first:%B} to {last.day} {last:%B}"


def short(week: Week) -> str:
    return f"W{week.number:02d}"


def many(count: int, one: str, more: str = "") -> str:
    """A count with its noun: "1 lead", "1,204 leads"."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def judge_acceptance(reading: Reading) -> Status:
    """Above 70 % is on target, below 50 % an alarm."""
    if reading.value is None:
        return Status("", "No data")
    if reading.denominator < ENOUGH:
        return Status("", FEW)
    if reading.value > ACCEPTANCE_TARGET:
        return Status("ok", "On target")
    if reading.value < ACCEPTANCE_ALARM:
        return Status("late", "Alarm")
    return Status("soon", "Below target")


def judge_time(median: Reading, most: float) -> Status:
    """Of one lead type: an alarm when the median is over the minutes agreed."""
    if median.value is None:
        return Status("", "No data")
    if median.denominator < ENOUGH:
        return Status("", FEW)
    return Status("late", "Over target") if median.value > most else Status("ok", "On target")


def judge_contact(demo: Reading, standard: Reading, target: Target) -> Status:
    """Of both lead types: an alarm when one of them is over its target."""
    if demo.value is None and standard.value is None:
        return Status("", "No data")
    if max(demo.denominator, standard.denominator) < ENOUGH:
        return Status("", FEW)
    over = [
        kind.capitalize()
        for kind, reading in (("demo", demo), ("standard", standard))
        if judge_time(reading, target.contact[kind] / timedelta(minutes=1)).tone == "late"
    ]
    if not over:
        return Status("ok", "On target")
    return Status("late", "Both over" if len(over) == 2 else f"{over[0]} over")


def judge_opportunity(reading: Reading, baseline: float | None) -> Status:
    """An alarm when it is down by a third against the own baseline."""
    if reading.value is None or baseline is None:
        return Status("", "No data")
    if reading.denominator < ENOUGH:
        return Status("", FEW)
    if reading.value <= baseline * (1 - DOWN) and baseline > 0:
        return Status("late", "Down by a third")
    return Status("ok", "As usual")


def judge_rejection(sources: Sequence[Reading]) -> Status:
    """Looks at the sources: one above 60 % with enough decided is an alarm."""
    decided = [reading for reading in sources if reading.value is not None]
    if not decided:
        return Status("", "No data")
    if max(reading.denominator for reading in decided) < ENOUGH:
        return Status("", FEW)
    over = sum(is_over(reading) for reading in decided)
    return Status("soon", f"{many(over, 'source')} over") if over else Status("ok", "No source over")


def is_over(reading: Reading) -> bool:
    """Whether a source's rejection rate is an alarm."""
    return reading.value is not None and reading.value > SOURCE_ALARM and reading.denominator >= ENOUGH


def judge_black_holes(reading: Reading) -> Status:
    """Below 10 % is on target, above is an alarm."""
    if reading.value is None:
        return Status("", "No data")
    if reading.denominator < ENOUGH:
        return Status("", FEW)
    if reading.value < BLACK_HOLE_LIMIT:
        return Status("ok", "On target")
    return Status("late", "Alarm") if reading.value > BLACK_HOLE_LIMIT else Status("soon", "At the limit")
