"""An import as it is read: a line on the list, the columns to map, what rows would become, the result.

Owns the words. The figures are `leads.imports`'. Pure: names come in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.choices import Check
from leads.imports import Would
from leads.imports.running import FAILED, HANDED, HELD, IGNORED, REPEATED, TAKEN
from leads.models import ImportFailure, LeadImport
from leads.presenters import times
from leads.presenters.signals import cut

SHOWN_OF_CELL, SHOWN_OF_NAME = 60, 80
SAMPLES = 3
ENDS = (TAKEN, HANDED, HELD, IGNORED, REPEATED, FAILED)
_IGNORED = {
    "below_threshold": "the score is below the threshold",
    "no_crossing": "no crossing of the threshold",
    "stale": "newer facts are known",
    "suppressed": "suppressed; marketing decides in Triage",
    "cool_off": "in its cool-off",
}


@dataclass(frozen=True, slots=True)
class Line:
    """An import on the list."""

    id: int
    name: str
    by: str
    when: str
    exact: str
    status: str
    tone: str
    result: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column to be mapped: its heading, some of what it holds, what it is read as."""

    place: int
    heading: str
    held: Sequence[str]
    target: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it would end: who, what comes of it, and each thing that is wrong with it."""

    number: int
    who: str
    sub: str
    what: str
    tone: str
    note: str
    problems: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    value: str
    note: str = ""


def line(run: LeadImport, now: datetime) -> Line:
    if run.status == LeadImport.Status.MAPPING:
        result = f"{rows(run.total)}; nothing has been taken in yet"
    elif run.status in (LeadImport.Status.WAITING, LeadImport.Status.RUNNING):
        result = f"{run.done:,} of {rows(run.total)} so far"
    elif run.status == LeadImport.Status.FAILED:
        result = cut(run.error, 160)
    else:
        result = in_words(run)
    tone = {"failed": "late", "done": "", "stopped": "soon"}.get(run.status, "line")
    return Line(
        id=run.pk,
        name=cut(run.name, SHOWN_OF_NAME),
        by=str(run.created_by) if run.created_by else "the system",
        when=times.day(run.created_at, now),
        exact=times.exact(run.created_at, now),
        status="" if run.status == LeadImport.Status.DONE else str(run.get_status_display()),
        tone=tone,
        result=result,
    )


HEADER = ("import", "file", "by", "at", "status", "rows", "looked at", *ENDS, "quiet", "error")


def as_cells(run: LeadImport) -> tuple[Any, ...]:
    """An import as a line of a file."""
    by = str(run.created_by) if run.created_by else ""
    ends = (run.counts.get(name, 0) for name in ENDS)
    status = run.get_status_display()
    return (run.pk, run.name, by, run.created_at, status, run.total, run.done, *ends, run.is_quiet, run.error)


def rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def in_words(run: LeadImport) -> str:
    """What came of it, in a sentence."""
    said = ((TAKEN, "taken in"), (REPEATED, "repeated"), (IGNORED, "opened nothing"), (FAILED, "failed"))
    told = [f"{count:,} {words}" for name, words in said if (count := run.counts.get(name, 0))]
    if run.status == LeadImport.Status.STOPPED:
        told.append(f"{run.total - run.done:,} left out")
    return ", ".join(told) or "No rows"


def shape(run: LeadImport) -> str:
    """What was found out about the file."""
    told = [rows(run.total), f"{len(run.header)} column{'' if len(run.header) == 1 else 's'}"]
    if run.shape.get("kind") == "xlsx":
        told.append(f"sheet “{cut(run.shape.get('sheet', ''), 40)}”")
        if others := run.shape.get("others"):
            told.append(f"{others} other sheet{'' if others == '1' else 's'} not read")
    else:
        told += [run.shape.get("encoding", ""), f"parted by {run.shape.get('delimiter', 'comma')}"]
    return ", ".join(part for part in told if part)


def columns(run: LeadImport, samples: Sequence[Sequence[str]]) -> list[Column]:
    found = []
    for place, heading in enumerate(run.header):
        held = dict.fromkeys(
            cut(" ".join(row[place].split()), SHOWN_OF_CELL) for row in samples if row[place]
        )
        found.append(Column(place, heading, list(held)[:SAMPLES], run.targets[place]))
    return found


def would(found: Would, run: LeadImport, names: Mapping[str, str]) -> Row:
    """`names` are people by e-mail address."""
    who, sub = _who(found.row, run)
    problems = [problem.to_json() for problem in found.problems]
    if found.answer is None:
        return Row(found.number, who, sub, "Is left out", "late", "", problems)
    answer = found.answer
    if answer["status"] == "invalid":
        told = [{"column": "", "message": item["detail"]} for item in answer["errors"]]
        return Row(found.number, who, sub, "Is left out", "late", "", told)
    if answer["status"] == "duplicate":
        return Row(found.number, who, sub, "Came before", "", "nothing changes", [])
    known = "a new lead" if found.is_new else "known already"
    handoff = answer["handoff"]
    if answer["status"] == "ignored":
        reason = _IGNORED.get(answer["reason"], str(answer["reason"] or "").replace("_", " "))
        return Row(found.number, who, sub, "Opens nothing", "", f"{known}; {reason}", [])
    if handoff is None:
        return Row(found.number, who, sub, "Is kept", "", f"{known}; nobody is asked to do anything", [])
    if handoff["state"] == "incomplete":
        lacks = ", ".join(str(Check(code).label).lower() for code in handoff["missing"])
        return Row(found.number, who, sub, "Waits for data", "soon", f"{known}; missing: {lacks}", [])
    holder = handoff["assignee"] or handoff["queue"] or ""
    holder = names.get(holder, holder.removeprefix("queue:"))
    rule = f", rule “{cut(handoff['rule'], 60)}”" if handoff["rule"] else ""
    where = f"goes to {holder}" if handoff["assignee"] else f"waits in {holder}"
    return Row(found.number, who, sub, "Is handed over", "line", f"{known}; {where}{rule}", [])


def failed(failure: ImportFailure, run: LeadImport) -> Row:
    """A row that was left out, as it is kept."""
    who, sub = _who(failure.cells, run)
    return Row(failure.row, who, sub, "", "", "", failure.problems)


def _who(row: Sequence[str], run: LeadImport) -> tuple[str, str]:
    held = {code: cell for code, cell in zip(run.targets, row, strict=False) if code}
    name = held.get("full_name") or f"{held.get('first_name', '')} {held.get('last_name', '')}".strip()
    address = held.get("email") or held.get("record_id") or ""
    sub = ", ".join(part for part in (address if name else "", held.get("company", "")) if part)
    return cut(name or address or "Nobody", SHOWN_OF_NAME), cut(sub, SHOWN_OF_NAME)


def tiles(run: LeadImport) -> list[Tile]:
    counts: Mapping[str, Any] = run.counts
    handed, held = counts.get(HANDED, 0), counts.get(HELD, 0)
    found = [
        Tile("Taken in", f"{counts.get(TAKEN, 0):,}", f"of {rows(run.total)}"),
        Tile("Handed over", f"{handed:,}", f"{held:,} more wait for data" if held else ""),
        Tile("Opened nothing", f"{counts.get(IGNORED, 0):,}", "kept, but nobody is asked"),
        Tile("Came before", f"{counts.get(REPEATED, 0):,}", "changed nothing"),
        Tile("Failed", f"{counts.get(FAILED, 0):,}", "left out"),
    ]
    if run.status != LeadImport.Status.DONE:
        found.append(Tile("Not looked at", f"{run.total - run.done:,}"))
    return found


def earlier(run: LeadImport | None, now: datetime) -> str:
    """That this very file was taken before, "" when it was not."""
    if run is None or run.started_at is None:
        return ""
    by = str(run.created_by) if run.created_by else "the system"
    return f"by {by}, {times.day(run.started_at, now)}"
