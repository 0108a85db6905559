"""The list behind a figure of a kept report, in words: of what it is, how many, and what each counts as.

Pure: the kept content in, words out. A list goes by its figure's key, by "this." and the key for the own
week of the report, or by a table and a place in it (`metrics.reports.tabled`). What no list was kept of has
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metrics import words
from metrics.periods import Week
from metrics.reports import behind
from metrics.reports.tabled import HIT, MISS, NEITHER

THIS = "this."


@dataclass(frozen=True)
class Opened:
    """`rows` are (number of the handoff, what it counts as); `total` is how many the figure counts."""

    title: str
    about: str
    total: int
    rows: tuple[tuple[int, str], ...]

    @property
    def left(self) -> int:
        return max(0, self.total - len(self.rows))


def opened(kept: Mapping[str, Any], key: str) -> Opened | None:
    """The list behind a figure, None when the report has none of this name."""
    rows = kept["lists"]["counted"].get(key)
    if rows is None:
        return None
    name = key.removeprefix(THIS)
    if name in behind.FIGURES:
        return _of_figure(kept, key, name, rows)
    table, _, place = key.partition(".")
    describe = {"source": _source, "reason": _reason, "holder": _holder, "stage": _stage}[table]
    return describe(kept, int(place), rows)


def has(kept: Mapping[str, Any], key: str) -> str:
    """The key where the report kept its list, "" where it did not."""
    return key if key in kept["lists"]["counted"] else ""


def _of_figure(kept: Mapping[str, Any], key: str, name: str, rows: list[list[int]]) -> Opened:
    shown = behind.FIGURES[name]
    own = next((each for each in kept["metrics"] if each["key"] == name), None)
    week = (
        {"of": kept["mqls"], "week": kept["week"]} if own is None else own["this" if key != name else "last"]
    )
    total = week["of"] if week else 0
    where = f", {_short(week['week'])}" if week else ""
    said = {HIT: shown.hits, MISS: shown.misses}
    return _opened(f"{shown.title}: {total:,} {shown.counted}", f"{shown.about}{where}", total, rows, said)


def _source(kept: Mapping[str, Any], place: int, rows: list[list[int]]) -> Opened:
    row = kept["sources"][place]
    about = f"{row['n']:,} rejected of {row['of']:,} decided, {_weeks(kept)}"
    said = {HIT: "rejected", MISS: "accepted", NEITHER: "not decided"}
    title = f"{row['name'] or 'No source'}: {words.many(row['mqls'], 'MQL')}"
    return _opened(title, about, row["mqls"], rows, said)


def _reason(kept: Mapping[str, Any], place: int, rows: list[list[int]]) -> Opened:
    row = kept["reasons"][place]
    about = f"Acts of rejection with this reason, the latest first, {_weeks(kept)}"
    title = f"{row['label']}: {words.many(row['count'], 'rejection')}"
    return _opened(title, about, row["count"], rows, {HIT: "rejected"})


def _holder(kept: Mapping[str, Any], place: int, rows: list[list[int]]) -> Opened:
    row = kept["black_holes"][place]
    last = next(each for each in kept["metrics"] if each["key"] == "black_hole_rate")["last"]
    shown = behind.FIGURES["black_hole_rate"]
    title = (
        f"{row['rep'] or 'Nobody in person'}: {words.many(row['n'], 'black hole')} of {row['of']:,} assigned"
    )
    about = f"Held 24 hours after they were assigned, {_short(last['week'])}"
    return _opened(title, about, row["of"], rows, {HIT: shown.hits, MISS: shown.misses})


def _stage(kept: Mapping[str, Any], place: int, rows: list[list[int]]) -> Opened:
    steps = kept["funnel"]
    before = steps[max(0, place - 1)]
    count = steps[place]["count"]
    title = f"{steps[place]['stage']}: {count:,} of {before['count']:,}"
    about = (
        f"MQLs of {_short(kept['anchor'])} that came to “{before['stage']}”, those who got no further first"
    )
    return _opened(title, about, before["count"], rows, {HIT: "reached", MISS: "lost before it"})


def _opened(title: str, about: str, total: int, rows: list[list[int]], said: Mapping[int, str]) -> Opened:
    return Opened(title, about, total, tuple((number, said[code]) for number, code in rows))


def _weeks(kept: Mapping[str, Any]) -> str:
    weeks = kept["metrics"][0]["weeks"]
    return f"{_short(weeks[0]['week'])} to {_short(weeks[-1]['week'])}"


def _short(name: str) -> str:
    return words.short(Week.parse(name))
