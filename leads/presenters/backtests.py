"""A back-test as it is read: tiles, who would have had how many, what each rule would have taken, each move.

Owns the words and the bars. The figures are `leads.backtesting`'s. Pure: names come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.explaining import BY
from leads.models import Backtest, BacktestMove
from leads.presenters import times
from leads.presenters.signals import cut
from leads.presenters.why import SKIPPED

Name = Callable[[str, str], str]

KINDS = {
    "moved": "Somebody else",
    "queue": "Waits in a queue",
    "unrouted": "Nobody chosen",
    "routed": "No longer in overflow",
    "rule": "Same person, other rule",
    "history": "Imported, differs",
}
TONES = {"unrouted": "late", "queue": "soon", "history": "soon"}
HELD = "it would have been theirs since an earlier decision"
MOST_CANDIDATES = 12


@dataclass(frozen=True, slots=True)
class Line:
    """A run on the list."""

    id: int
    what: str
    span: str
    by: str
    when: str
    exact: str
    status: str
    result: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of a table with its two bars in percent of the longest."""

    name: str
    before: int
    after: int
    change: str
    left: float
    right: float
    peak_before: int = 0
    peak_after: int = 0
    cap: str = ""
    is_over: bool = False
    late_before: int = 0
    late_after: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    before: str
    after: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One move: whose lead, when, who had it and who would have had it, by which rule each, and why."""

    handoff: int
    name: str
    sub: str
    when: str
    exact: str
    kind: str
    tone: str
    before: str
    before_rule: str
    after: str
    after_rule: str
    why_before: Sequence[str]
    why_after: Sequence[str]


def what(run: Backtest) -> str:
    """What was tested (its ruleset loaded)."""
    return "The draft" if run.ruleset is None else f"Version {run.ruleset.version}"


def line(run: Backtest, now: datetime) -> Line:
    days = (run.until - run.since).days
    result = ""
    if run.status == Backtest.Status.DONE:
        moved, of = run.result.get("moved", 0), run.result.get("replayed", 0)
        result = f"{moved:,} of {of:,} decisions would have ended elsewhere"
    elif run.status == Backtest.Status.FAILED:
        result = cut(run.error, 160)
    elif run.total:
        result = f"{run.replayed:,} of {run.total:,} so far"
    return Line(
        id=run.pk,
        what=what(run),
        span=f"{days} day{'' if days == 1 else 's'}",
        by=str(run.created_by) if run.created_by else "the system",
        when=times.day(run.created_at, now),
        exact=times.exact(run.created_at, now),
        status=str(run.get_status_display()),
        result=result,
    )


def tiles(result: Mapping[str, Any]) -> list[Tile]:
    overflow, late, of = result["overflow"], result["late"], result["replayed"]
    return [
        Tile("To overflow", f"{overflow['before']:,}", f"{overflow['after']:,}"),
        Tile("Expected late", f"{late['before']:,}", f"{late['after']:,}", "no working time in the window"),
        Tile("Change hands", "", f"{result['moved']:,}", f"of {of:,} decision{'' if of == 1 else 's'}"),
        Tile("Agreement", "", share(result["agreement"]), "same rule and same holder"),
    ]


def share(value: float | None) -> str:
    """A share in percent; 100 % only for all of them."""
    if value is None:
        return "–"
    percent = int(value * 1000) / 10
    return "100 %" if value == 1 else f"{min(percent, 99.9):.1f} %"


def people(result: Mapping[str, Any]) -> list[Pair]:
    """Everybody, then the queues."""
    reps, queues = result["by_rep"], result["by_queue"]
    most = max((max(row["before"], row["after"]) for row in (*reps, *queues)), default=0)
    found = []
    for row in reps:
        cap = row["cap"]
        found.append(
            _pair(
                row,
                row["name"],
                most,
                peak_before=row["peak_before"],
                peak_after=row["peak_after"],
                cap="" if cap is None else f"{cap:,}",
                is_over=cap is not None and row["peak_after"] > max(cap, row["peak_before"]),
            )
        )
    found += [
        _pair(row, f"Queue {row['name']}", most, note="overflow" if row["is_overflow"] else "")
        for row in queues
    ]
    return found


def rules(result: Mapping[str, Any]) -> list[Pair]:
    rows = result["by_rule"]
    most = max((max(row["before"], row["after"]) for row in rows), default=0)
    return [
        _pair(
            row,
            row["name"],
            most,
            note="" if row["is_in_ruleset"] or not row["rule"] else "not in these rules",
        )
        for row in rows
    ]


def _pair(row: Mapping[str, Any], name: str, most: int, **more: Any) -> Pair:
    change = row["after"] - row["before"]
    return Pair(
        name=cut(name, 80),
        before=row["before"],
        after=row["after"],
        change=f"{'+' if change > 0 else '−'}{abs(change):,}" if change else "0",
        left=round(100 * row["before"] / most, 1) if most else 0,
        right=round(100 * row["after"] / most, 1) if most else 0,
        late_before=row.get("late_before", 0),
        late_after=row.get("late_after", 0),
        **more,
    )


def holder(place: Mapping[str, Any], name: Name) -> str:
    """Who has or would have it; a pool stands beside its member."""
    kind, pk = place.get("kind"), str(place.get("id") or "")
    if kind in (None, "nobody") or not pk:
        return "nobody"
    who = name(str(kind), pk)
    return f"{who}, by {name('pool', str(place['pool']))}" if place.get("pool") else who


def looked(candidates: Iterable[Mapping[str, Any]], name: Name) -> list[str]:
    """Everybody who was looked at, a sentence each; of many who were passed over the first few."""
    rows = list(candidates)
    told = [_looked(row, name) for row in rows if "took" not in row][:MOST_CANDIDATES]
    more = sum("took" not in row for row in rows) - len(told)
    if more:
        told.append(f"{more} more could not.")
    return told + [_looked(row, name) for row in rows if "took" in row]


def _looked(row: Mapping[str, Any], name: Name) -> str:
    if "user" in row:
        who = name("rep", str(row["user"]))
    elif "pool" in row:
        who = name("pool", str(row["pool"]))
    else:
        who = name("queue", str(row.get("queue")))
    if "took" in row:
        return f"Taken by {who}, {BY.get(str(row['took']), str(row['took']))}."
    why = str(row.get("skipped"))
    return f"Not {who}: {SKIPPED.get(why, why).removeprefix('is ')}."


def told(
    move: BacktestMove,
    name: Name,
    who: str,
    sub: str,
    now: datetime,
    why_before: Sequence[str],
    why_after: Sequence[str],
) -> Told:
    """`who` and `sub` name the lead; the reasons are sentences."""
    return Told(
        handoff=move.handoff_id,
        name=who,
        sub=sub,
        when=times.day(move.at, now),
        exact=times.exact(move.at, now),
        kind=KINDS.get(move.kind, move.kind),
        tone=TONES.get(move.kind, ""),
        before=holder(move.before, name),
        before_rule=rule_words(move.before),
        after=holder(move.after, name),
        after_rule=rule_words(move.after),
        why_before=why_before,
        why_after=why_after,
    )


def rule_words(place: Mapping[str, Any]) -> str:
    """The rule of a move's one side: its name, "no rule" where none matched, "" where nobody asked one."""
    if place.get("name"):
        return f"“{cut(str(place['name']), 80)}”"
    return "no rule" if place.get("rule") == "" else ""
