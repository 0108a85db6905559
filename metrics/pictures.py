"""The figures below the fold in words and places: how waits spread, where stages leak, when leads come.

Counts in, values for the templates out: a figure, what it finds in a sentence, and the rows of the table
beside it. Pure. Places are `metrics.charts`, counts `metrics.shapes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from leads.choices import Disposition
from metrics import intervals, shapes, words
from metrics.charts.funnel import Funnel, Stage, funnel
from metrics.charts.heat import Heat, heat
from metrics.charts.spread import Series, Spread, spread
from metrics.charts.stack import Stack, shares
from metrics.figures import KINDS
from metrics.periods import Week
from metrics.terms import Target

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# The borders that are named on the axis.
NAMED = (
    (timedelta(seconds=25), "25 s"),
    (timedelta(minutes=5), "5 min"),
    (timedelta(hours=1), "1 h"),
    (timedelta(hours=12), "12 h"),
    (timedelta(days=6), "6 days"),
)
STAGE_NAMES = {
    "mql": "MQL",
    "ready": "Complete",
    "assigned": "Assigned",
    "acknowledged": "Acknowledged",
    "contacted": "Contacted",
}
# Drawn with the pattern of the page: what is lost is told from what was won without colours too.
HATCHED = "hatched"
# What became of an MQL, in the order of the bars: (disposition, its name, the tone that it is drawn in).
OUTCOMES = (
    (Disposition.ACCEPTED_CONTACTED.value, "Accepted and contacted", "d-a"),
    (Disposition.ACCEPTED_ATTEMPTED.value, "Accepted and attempted", "d-b"),
    (Disposition.DEFERRED.value, "Deferred", "d-c"),
    (Disposition.REJECTED.value, "Rejected", HATCHED),
    (shapes.NONE_YET, "None yet", "d-0"),
)
MOST_ROWS = 12


@dataclass(frozen=True)
class Waits:
    """The spread of waits; the table's rows are (up to, demo, standard)."""

    figure: Spread
    spoken: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    is_empty: bool


@dataclass(frozen=True)
class Stages:
    """The funnel; the table's rows are (stage, came so far, of MQLs, lost, median of the step)."""

    figure: Funnel
    spoken: str
    rows: tuple[tuple[str, ...], ...]
    is_empty: bool


@dataclass(frozen=True)
class Hours:
    """When leads come, and when the answer is late; the table's rows are (hour, one cell a day)."""

    arrivals: Heat
    late: Heat
    spoken: str
    late_spoken: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    is_empty: bool


@dataclass(frozen=True)
class Outcomes:
    """What became of the MQLs; the table's rows are (week or source, counts, total)."""

    figure: Stack
    spoken: str
    legend: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, tuple[str, ...], str], ...]
    left_out: int
    is_empty: bool


def waits(counts: Mapping[str, Sequence[int]], target: Target) -> Waits:
    """Counts by bucket of each lead type, with the target in force at the end of the weeks."""
    series, said = [], []
    for kind in KINDS:
        most = target.contact[kind]
        of = sum(counts[kind])
        border = next((n for n, each in enumerate(shapes.BORDERS) if each == most), None)
        name = words.agreed(most)
        note = words.many(of, "first contact")
        if border is not None and of:
            share = words.share(sum(counts[kind][: border + 1]) / of)
            note += f", {share} within {name}"
            said.append(f"{kind} {share} within {name}")
        series.append(Series(kind.capitalize(), counts[kind], note, most, f"target {name}"))
    rows = []
    for number in range(len(shapes.BORDERS) + 1):
        rows.append((_bucket(number), tuple(f"{counts[kind][number]:,}" for kind in KINDS)))
    is_empty = not any(sum(counts[kind]) for kind in KINDS)
    spoken = f"Time to first contact: {'; '.join(said)}" if said else "Time to first contact by lead type"
    return Waits(spread(series, shapes.BORDERS, NAMED), spoken, tuple(rows), is_empty)


def stages(counts: Mapping[str, Sequence[Any]]) -> Stages:
    """How many came to each stage, with the median minutes of each step."""
    whole = counts[shapes.STAGES[0]][0]
    shown, rows, leak = [], [], (0, "")
    before = whole
    for place, stage in enumerate(shapes.STAGES):
        count, median = counts[stage]
        of = words.share(count / whole) if whole else words.NOTHING
        lost = before - count
        share = words.share(lost / before) if before else words.NOTHING
        took = words.minutes(median)
        note = f"{lost:,} lost ({share}); median {took}" if place else ""
        shown.append(Stage(STAGE_NAMES[stage], count, f"{count:,}, {of}", note))
        rows.append(
            (STAGE_NAMES[stage], f"{count:,}", of, f"{lost:,}" if place else "", took if place else "")
        )
        if place and lost > leak[0]:
            leak = (lost, f"most are lost before {STAGE_NAMES[stage].lower()}: {lost:,} ({share})")
        before = count
    spoken = f"Of {words.many(whole, 'MQL')} {leak[1] or 'none is lost on the way'}"
    return Stages(funnel(shown), spoken, tuple(rows), not whole)


def hours(counts: Mapping[tuple[int, int], Sequence[int]]) -> Hours:
    """MQLs, contacted and within target by weekday (1 is Monday) and hour of the organisation's zone."""
    arrivals, late = {}, {}
    for (day, hour), (mqls, contacted, within) in counts.items():
        when = f"{DAYS[day - 1]} {hour}:00 to {hour + 1}:00"
        missed = contacted - within
        arrivals[day, hour] = (float(mqls), f"{when}: {words.many(mqls, 'MQL')}")
        # The lower end of the interval: one of one is not drawn as dark as ten of ten.
        sure = intervals.wilson(missed, contacted)[0] if contacted else 0.0
        late[day, hour] = (sure, f"{when}: {missed:,} of {contacted:,} first contacts late")
    most = max((value for value, _ in arrivals.values()), default=0.0)
    busiest = max(arrivals, key=lambda cell: arrivals[cell][0], default=None)
    spoken = f"Most MQLs come {arrivals[busiest][1]}" if busiest and most else "No MQLs"
    every = [sum(each[place] for each in counts.values()) for place in (1, 2)]
    all_late = words.share((every[0] - every[1]) / every[0]) if every[0] else words.NOTHING
    rows = tuple(
        (f"{hour}:00", tuple(_hour(counts.get((day, hour), (0, 0, 0))) for day in range(1, 8)))
        for hour in range(24)
    )
    return Hours(
        heat(arrivals, DAYS, most),
        heat(late, DAYS, 1.0),
        spoken,
        f"{all_late} of all first contacts were late, by the hour at which the lead came",
        rows,
        not most,
    )


def outcomes(counts: Mapping[str, Mapping[str, int]], by: str) -> Outcomes:
    """What became of MQLs by week (in order of time) or by source (the most MQLs first)."""
    ordered = list(counts)
    if by == "source":
        ordered.sort(key=lambda name: (-sum(counts[name].values()), name))
    drawn, rows = [], []
    together = dict.fromkeys((outcome for outcome, _, _ in OUTCOMES), 0)
    for name in ordered:
        each = [counts[name].get(outcome, 0) for outcome, _, _ in OUTCOMES]
        label = words.short(Week.parse(name)) if by == "week" else name or "No source"
        drawn.append((label, each))
        rows.append((label, tuple(f"{count:,}" for count in each), f"{sum(each):,}"))
        for (outcome, _, _), count in zip(OUTCOMES, each, strict=True):
            together[outcome] += count
    total = sum(together.values())
    most = max(OUTCOMES, key=lambda outcome: together[outcome[0]])
    spoken = f"{most[1]}: {words.share(together[most[0]] / total)} of {total:,}" if total else "No MQLs"
    return Outcomes(
        shares(drawn[:MOST_ROWS], [tone for _, _, tone in OUTCOMES]),
        spoken,
        tuple((label, tone) for _, label, tone in OUTCOMES),
        tuple(rows[:50]),
        max(0, len(ordered) - MOST_ROWS),
        not total,
    )


def _bucket(number: int) -> str:
    if number == len(shapes.BORDERS):
        return f"over {words.minutes(shapes.BORDERS[-1] / timedelta(minutes=1))}"
    return f"up to {words.minutes(shapes.BORDERS[number] / timedelta(minutes=1))}"


def _hour(cell: Sequence[int]) -> str:
    mqls, contacted, within = cell
    if not mqls:
        return ""
    return f"{mqls:,} ({contacted - within:,} late)" if contacted else f"{mqls:,}"
