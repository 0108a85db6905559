"""The sync audit in words: a run and its figures, groups of findings, one line of the list.

Owns labels and shapes for the pages and the file. What was found is `leads.audit`; the sides of one finding
are `leads.presenters.sides`. Pure, but for what is loaded with the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime

from leads.audit.checks import ABOUT, Code
from leads.audit.reporting import by_connection
from leads.models import Finding, SyncRun
from leads.presenters import people, times
from leads.presenters.signals import cut

TONES = {"high": "late", "medium": "soon", "low": ""}
_GRAVEST = tuple(str(value) for value in Finding.Severity.values)
# What a line of the list is loaded with.
WITH = ("connection", "lead", "resolved_by")


@dataclass(frozen=True, slots=True)
class Run:
    """A run in the list of the last ones. `agreement` is over all connections, `percent` the same as a
    number for its bar."""

    id: int
    when: str
    exact: str
    by: str
    status: str
    handoffs: str
    coverage: str
    agreement: str
    percent: float
    new: int
    took: str
    of: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """A connection in a run; lags are "" where nothing was delivered on the day before."""

    slug: str
    name: str
    compared: str
    agreed: str
    differed: str
    in_flight: str
    unreachable: str
    coverage: str
    agreement: str
    percent: float
    lags: Sequence[str]
    version: str


@dataclass(frozen=True, slots=True)
class Group:
    """What is open under one name in one connection."""

    code: str
    words: str
    cause: str
    fix: str
    severity: str
    tone: str
    count: int
    connection: str
    slug: str
    since: str


@dataclass(frozen=True, slots=True)
class Line:
    """A finding in the list. `ours` and `theirs` are the values that differ."""

    id: int
    words: str
    severity: str
    tone: str
    connection: str
    who: str
    ours: str
    theirs: str
    age: str
    when: str
    exact: str
    state: str
    note: str
    is_open: bool


def percent(share: float | None) -> str:
    """A share in percent, never rounded up to all; "–" of nothing."""
    return "–" if share is None else f"{int(share * 1000) / 10:g} %"


def run(row: SyncRun, now: datetime) -> Run:
    numbers = by_connection(row).values()
    compared = sum(one["compared"] for one in numbers)
    agreed = sum(one["agreed"] for one in numbers)
    unread = sum(one["unreachable"] for one in numbers)
    agreement = agreed / compared if compared else None
    return Run(
        id=row.pk,
        when=times.day(row.created_at, now),
        exact=times.exact(row.created_at, now),
        by=str(row.created_by) if row.created_by else "by itself",
        status=str(SyncRun.Status(row.status).label),
        handoffs=f"{row.handoffs:,}",
        coverage=percent(compared / (compared + unread) if compared + unread else None),
        agreement=percent(agreement),
        percent=round((agreement or 0) * 100, 1),
        new=row.new_findings,
        took=times.length(row.finished_at - row.created_at) if row.finished_at else "",
        of=row.system,
    )


def numbers(row: SyncRun, names: Mapping[str, str]) -> list[Numbers]:
    """Each connection of a finished run; `names` by slug."""
    return [
        Numbers(
            slug=slug if slug in names else "",
            name=names.get(slug, slug),
            **{name: f"{one[name]:,}" for name in _COUNTS},
            coverage=percent(one["coverage"]),
            agreement=percent(one["agreement"]),
            percent=round((one["agreement"] or 0) * 100, 1),
            lags=lags(row.lags.get(slug)),
            version=str(row.versions.get(slug, "")),
        )
        for slug, one in by_connection(row).items()
    ]


_COUNTS = ("compared", "agreed", "differed", "in_flight", "unreachable")


def lags(measured: Mapping[str, Any] | None) -> list[str]:
    """p50, p95 and p99 in words; [] where nothing was measured."""
    if not measured or not measured.get("n"):
        return []
    return [times.length(timedelta(seconds=measured[name])) for name in ("p50", "p95", "p99")]


def groups(rows: Sequence[Mapping[str, Any]], now: datetime) -> list[Group]:
    """From rows of code, severity, connection, slug, count and since: the gravest first, then the most."""
    return [
        Group(
            code=row["check_code"],
            words=about(row["check_code"]).words,
            cause=about(row["check_code"]).cause,
            fix=about(row["check_code"]).fix,
            severity=str(Finding.Severity(row["severity"]).label),
            tone=TONES[row["severity"]],
            count=row["count"],
            connection=row["connection__name"],
            slug=row["connection__slug"],
            since=times.length(now - row["since"]),
        )
        for row in sorted(rows, key=lambda row: (_GRAVEST.index(row["severity"]), -row["count"]))
    ]


def about(code: str) -> Any:
    return ABOUT[Code(code)]


def line(row: Finding, now: datetime, *, personal: bool) -> Line:
    return Line(
        id=row.pk,
        words=about(row.check_code).words,
        severity=str(row.get_severity_display()),
        tone=TONES[row.severity] if row.resolved_at is None else "",
        connection=row.connection.name,
        who=people.name_of(row.lead, personal=personal) if row.lead else "",
        ours=value(row.values.get("ours")),
        theirs=value(row.values.get("theirs")),
        age=times.length((row.resolved_at or now) - row.first_seen_at),
        when=times.day(row.last_seen_at, now),
        exact=times.exact(row.last_seen_at, now),
        state=state(row),
        note=row.note,
        is_open=row.resolved_at is None,
    )


def value(given: Any) -> str:
    return cut(str(given or ""), 80)


def state(row: Finding) -> str:
    """Open, or what became of it and by whom."""
    if row.resolved_at is None:
        return "Open"
    words = str(row.get_resolution_display())
    return f"{words}, {row.resolved_by}" if row.resolved_by else words


def past(row: Finding, names: Mapping[int, str], now: datetime) -> list[tuple[str, str, str, str]]:
    """How it was settled before it opened again, newest first: when, exactly, how and by whom, the note.
    `names` by key of a person."""
    found = []
    for at, by, how, note in reversed(row.past):
        moment = parse_datetime(str(at))
        when, exact = (times.day(moment, now), times.exact(moment, now)) if moment else ("", "")
        words = str(dict(Finding.Resolution.choices).get(how, how))
        found.append((when, exact, f"{words}, {names.get(by, 'somebody')}" if by else words, note))
    return found


HEADER = (
    "finding", "check", "severity", "connection", "handoff", "lead", "field", "ours", "theirs", "cause",
    "first seen at", "last seen at", "times seen", "settled at", "settled how", "settled by", "note",
)  # fmt: skip


def as_cells(row: Finding) -> Sequence[Any]:
    """A finding as a line of a file; no lead's name or address."""
    values = row.values
    return (
        row.pk, row.check_code, row.severity, row.connection.name, row.handoff_id, row.lead_id,
        values.get("field", ""), values.get("ours", ""), values.get("theirs", ""), row.cause,
        row.first_seen_at, row.last_seen_at, row.times_seen, row.resolved_at,
        str(row.get_resolution_display()), str(row.resolved_by or ""), row.note,
    )  # fmt: skip
