"""The lower half of the dashboard: rejection by source, reasons, teams and reps. Values for the template.

Pure: figures in, plain values out. Each figure of a table leads to its handoffs, each name to the page
narrowed to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from leads.choices import TriggerKind
from metrics import charts, words
from metrics.figures import Figures
from metrics.words import MQLS, SHOWN, Reading, Shown

MOST_BARS = 10
MOST_ROWS = 50
# What a dimension is called, what its group without a name, and how its groups come about.
DIMENSIONS = {
    "team": ("Team", "No team", "A person's team is the one they are in now."),
    "rep": (
        "Rep",
        "Nobody",
        "Answers go to who decided, contact to who made it, black holes to who held it after 24 hours, MQLs"
        " to the first holder.",
    ),
    "source": ("Source", "No source", "As it was when the lead became an MQL."),
    "channel": ("Channel", "No channel", "As it was when the lead became an MQL."),
    "campaign": ("Campaign", "No campaign", "As it was when the lead became an MQL."),
    "trigger": ("Trigger", "No trigger", "What made the lead an MQL."),
    "territory": ("Territory", "No territory", "As routing decided."),
    "rule": ("Rule", "No rule", "The rule that decided who gets the lead."),
    "band": ("Score band", "No score", "The total score when the lead became an MQL."),
}
REJECTION = SHOWN["rejection_rate"]
COLUMNS = tuple(SHOWN.values())
# Gives the address of the list behind a figure: (shown, part, filters on top of the page's own).
Behind = Callable[[Shown, str, Mapping[str, str]], str]
# Gives the address of this page narrowed to one group: (kind, name).
Narrow = Callable[[str, str], str]


@dataclass(frozen=True)
class Cell:
    """A figure in a table: its value, what it is of, and where its handoffs are."""

    value: str
    of: str = ""
    href: str = ""
    between: str = ""
    is_bad: bool = False


@dataclass(frozen=True)
class Row:
    """A group of a dimension; `name` says so where it has none."""

    name: str
    href: str
    mqls: Cell
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Groups:
    """The groups of a dimension; `left_out` have no room, with so many MQLs together."""

    rows: tuple[Row, ...]
    left_out: int
    left_mqls: int


@dataclass(frozen=True)
class Sources:
    """Rejection rate by source: bars where enough was decided, a table of all, and the finding."""

    bars: charts.Bars
    spoken: str
    rows: tuple[Row, ...]
    left_out: int


@dataclass(frozen=True)
class Reason:
    label: str
    count: int
    share: str
    together: str
    href: str


@dataclass(frozen=True)
class Reasons:
    """Why leads were rejected, most frequent first; the chart shows the first MOST_BARS."""

    chart: charts.Pareto
    spoken: str
    total: int
    rows: tuple[Reason, ...]


def groups(found: Mapping[str, Figures], kind: str, behind: Behind, narrow: Narrow) -> Groups:
    """The groups of a dimension (`kind`) with their figures in the order of COLUMNS, most MQLs first."""
    ordered = sorted(found.items(), key=lambda pair: (-pair[1].mqls, pair[0]))
    rows = []
    for name, each in ordered[:MOST_ROWS]:
        cells = tuple(_cell(each, shown, kind, name, behind) for shown in COLUMNS)
        said = named(kind, name)
        rows.append(Row(said, narrow(kind, name), _mqls(each, kind, name, behind), cells))
    rest = ordered[MOST_ROWS:]
    return Groups(tuple(rows), len(rest), sum(each.mqls for _, each in rest))


def named(kind: str, name: str) -> str:
    """A group as people call it, also the one without a name."""
    if kind == "trigger" and name:
        return dict(TriggerKind.choices).get(name, name)
    return name or DIMENSIONS[kind][1]


def sources(
    found: Mapping[str, Figures], in_week: Mapping[str, Figures], behind: Behind, narrow: Narrow
) -> Sources:
    """Rejection rate by source over all weeks shown, the last mature week alone as the tick."""
    readings = {name: words.read(each, REJECTION) for name, each in found.items()}
    ordered = sorted(readings, key=lambda name: _by_rate(name, readings[name]))
    enough = [name for name in ordered if readings[name].denominator >= words.ENOUGH][:MOST_BARS]
    shares = [
        charts.Share(
            label=name or "No source",
            share=readings[name].value or 0.0,
            value=words.share(readings[name].value),
            detail=_of(readings[name]),
            own=words.read(in_week.get(name), REJECTION).value,
            is_bad=words.is_over(readings[name]),
        )
        for name in enough
    ]
    over = [name or "No source" for name in ordered if words.is_over(readings[name])]
    alarm = words.share(words.SOURCE_ALARM)
    spoken = (
        f"Above the alarm of {alarm}: {', '.join(over)}"
        if over
        else f"No source is above the alarm of {alarm}"
    )
    rows = []
    for name in ordered:
        whole, week = readings[name], words.read(in_week.get(name), REJECTION)
        href = behind(REJECTION, "hits", {"source": name}) if whole.numerator else ""
        cells = (
            Cell(words.share(whole.value), _of(whole), href, words.between(whole), words.is_over(whole)),
            Cell(words.share(week.value), _of(week)),
        )
        mqls = _mqls(found[name], "source", name, behind)
        rows.append(Row(named("source", name), narrow("source", name), mqls, cells))
    return Sources(
        charts.bars(shares, words.SOURCE_ALARM, f"alarm {alarm}"),
        spoken,
        tuple(rows),
        len(ordered) - len(enough),
    )


def reasons(counts: Mapping[str, int], labels: Mapping[str, str], behind: Callable[[str], str]) -> Reasons:
    """The acts of rejection by reason code, with the labels of the codes and where the list of each is."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    total = sum(counts.values())
    rows, together = [], 0
    for code, count in ordered:
        together += count
        shares = words.share(count / total), words.share(together / total)
        rows.append(Reason(labels.get(code, code), count, *shares, behind(code)))
    spoken = "Nothing was rejected"
    if rows:
        most = rows[0]
        spoken = f"{most.label} is the most frequent reason: {most.share} of {words.many(total, 'rejection')}"
    chart = charts.pareto([(row.label, row.count) for row in rows[:MOST_BARS]], total)
    return Reasons(chart, spoken, total, tuple(rows))


def _mqls(found: Figures, kind: str, name: str, behind: Behind) -> Cell:
    return Cell(f"{found.mqls:,}", href=behind(MQLS, "all", {kind: name}) if found.mqls else "")


def _cell(found: Figures, shown: Shown, kind: str, name: str, behind: Behind) -> Cell:
    reading = words.read(found, shown)
    if not reading.denominator:
        return Cell(words.NOTHING)
    of = f"of {reading.denominator:,}" if shown.is_time else _of(reading)
    between = "" if shown.is_time else words.between(reading)
    return Cell(words.text(reading.value, shown), of, behind(shown, "all", {kind: name}), between)


def _of(reading: Reading) -> str:
    return f"{reading.numerator:,} of {reading.denominator:,}" if reading.denominator else ""


def _by_rate(name: str, reading: Reading) -> tuple[bool, bool, float, str]:
    """The most rejected on top; what says little below, what says nothing last."""
    few = reading.denominator < words.ENOUGH
    return reading.denominator == 0, few, -(reading.value or 0.0), name
