"""The tables of a kept report in values, each row with the key of the list behind it and its bars.

Pure: the kept content in, words and places out. A report that kept no list of a row has "" for its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from metrics import charts, words
from metrics.reports import opening
from metrics.words import NOTHING

MOST_BARS = 8
KIND = {"demo": "Demo", "standard": "Standard"}


@dataclass(frozen=True)
class Source:
    name: str
    mqls: str
    share: str
    of: str
    week: str
    is_over: bool
    key: str


@dataclass(frozen=True)
class Step:
    """A stage of the funnel: how many reached it, of all, what was lost since the stage before, and the
    median time of the step."""

    stage: str
    count: str
    share: str
    lost: str
    took: str
    key: str


@dataclass(frozen=True)
class Reason:
    """How often a reason was given, its share, and what it makes with those above it."""

    label: str
    count: str
    share: str
    together: str
    key: str


@dataclass(frozen=True)
class Contact:
    """Time to first contact of a lead type; `cells` are contacted, median, 90th percentile, mean, share
    within target, target."""

    kind: str
    cells: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Holder:
    """Black holes of whoever held them, of what was assigned."""

    rep: str
    count: str
    of: str
    key: str


def sources(kept: dict[str, Any]) -> tuple[tuple[Source, ...], charts.Bars, str]:
    alarm = words.share(words.SOURCE_ALARM)
    rows: list[Source] = []
    bars: list[charts.Share] = []
    over: list[str] = []
    ordered = sorted(
        enumerate(kept["sources"]),
        key=lambda row: (row[1]["of"] < words.ENOUGH, -share_of(row[1]["n"], row[1]["of"]), row[1]["name"]),
    )
    for place, each in ordered:
        share = each["n"] / each["of"] if each["of"] else None
        own = each["week_n"] / each["week_of"] if each["week_of"] else None
        enough = each["of"] >= words.ENOUGH
        is_over = enough and share is not None and share > words.SOURCE_ALARM
        name = each["name"] or "No source"
        of = f"{each['n']:,} of {each['of']:,}"
        week = (
            f"{words.share(own)}, {each['week_n']:,} of {each['week_of']:,}" if own is not None else NOTHING
        )
        rows.append(
            Source(
                name,
                f"{each['mqls']:,}",
                words.share(share),
                of,
                week,
                is_over,
                opening.has(kept, f"source.{place}"),
            )
        )
        if enough and len(bars) < MOST_BARS:
            bars.append(charts.Share(name, share or 0.0, words.share(share), of, own, is_over))
        if is_over:
            over.append(name)
    spoken = f"No source is above the alarm of {alarm}"
    if over:
        spoken = f"Above the alarm of {alarm}: {', '.join(over[:3])}"
        spoken += f" and {len(over) - 3} more" if len(over) > 3 else ""
    return tuple(rows), charts.bars(bars, words.SOURCE_ALARM, f"alarm {alarm}"), spoken


def reasons(kept: dict[str, Any]) -> tuple[tuple[Reason, ...], charts.Pareto, str]:
    total = sum(each["count"] for each in kept["reasons"])
    together, rows = 0, []
    for place, each in enumerate(kept["reasons"]):
        together += each["count"]
        shares = words.share(each["count"] / total), words.share(together / total)
        key = opening.has(kept, f"reason.{place}")
        rows.append(Reason(each["label"], f"{each['count']:,}", *shares, key))
    chart = charts.pareto([(each["label"], each["count"]) for each in kept["reasons"][:MOST_BARS]], total)
    spoken = "Nothing was rejected"
    if rows:
        spoken = f"Most often: {rows[0].label}, {rows[0].share} of {words.many(total, 'rejection')}"
    return tuple(rows), chart, spoken


def contact(kept: dict[str, Any]) -> tuple[Contact, ...]:
    found = []
    for each in kept["contact"]:
        within = share_of(each["within"], each["n"]) if each["n"] else None
        times = (words.minutes(each[name]) for name in ("median", "p90", "mean"))
        cells = (
            f"{each['n']:,}",
            *times,
            words.share(within),
            words.agreed(timedelta(minutes=each["target"])),
        )
        key = opening.has(kept, f"contact_{each['type']}") if each["n"] else ""
        found.append(Contact(KIND.get(each["type"], each["type"]), cells, key))
    return tuple(found)


def holders(kept: dict[str, Any]) -> tuple[Holder, ...]:
    """Those with a black hole, most first."""
    return tuple(
        Holder(
            each["rep"] or "Nobody in person",
            f"{each['n']:,}",
            f"{each['of']:,}",
            opening.has(kept, f"holder.{place}"),
        )
        for place, each in enumerate(kept["black_holes"])
        if each["n"]
    )


def funnel(kept: dict[str, Any]) -> tuple[tuple[Step, ...], charts.Bars, str]:
    steps: list[Step] = []
    bars: list[charts.Share] = []
    whole = kept["funnel"][0]["count"] if kept["funnel"] else 0
    before = whole
    worst, most = "", 0
    for place, each in enumerate(kept["funnel"]):
        count, lost = each["count"], before - each["count"]
        share = words.share(count / whole if whole else None)
        steps.append(
            Step(
                each["stage"],
                f"{count:,}",
                share,
                f"{lost:,}" if lost else "",
                "" if each["median"] is None else words.minutes(each["median"]),
                opening.has(kept, f"stage.{place}"),
            )
        )
        bars.append(charts.Share(each["stage"], share_of(count, whole), f"{count:,}", share))
        if lost > most:
            worst, most = each["stage"], lost
        before = count
    spoken = "No MQL in that week" if not whole else "No stage lost a lead"
    if worst:
        spoken = f"Most are lost before “{worst}”: {words.share(most / whole)} of {words.many(whole, 'MQL')}"
    return tuple(steps), charts.bars(bars), spoken


def share_of(hits: int, of: int) -> float:
    return hits / of if of else 0.0
