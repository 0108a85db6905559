"""Reads a history file row by row into typed, bounded values.

Pure: no database, no clock. A row is either a `Row` or the list of what is wrong with it; one bad row
spoils none of the others. Only a file that cannot be read at all raises `FileProblem`.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TextIO

from leads.choices import Channel, Outcome, TriggerKind
from leads.lifecycle.working import exact

TIMES = (
    "mql_at",
    "assigned_at",
    "accepted_at",
    "rejected_at",
    "deferred_at",
    "first_contact_at",
    "opportunity_at",
)
ACTS = ("accepted_at", "rejected_at", "deferred_at", "first_contact_at")
SCORES = ("score_fit", "score_intent", "score_behavior", "score_total")
# Text columns with the most characters that their database column takes.
TEXTS = {
    "external_id": 200,
    "email": 320,
    "first_name": 200,
    "last_name": 200,
    "company": 300,
    "lead_source": 200,
    "trigger": 16,
    "assignee": 254,
    "rejection_reason": 40,
    "contact_channel": 16,
    "contact_outcome": 12,
    "opportunity_currency": 3,
}
COLUMNS = (*TEXTS, *TIMES, *SCORES, "opportunity_amount")
REQUIRED = ("external_id", "mql_at")
MAX_ROWS = 200_000
MAX_SCORE = 1_000_000
_YEARS = range(1970, 2200)
_CURRENCY = re.compile(r"[A-Z]{3}")


class FileProblem(Exception):
    """The file as a whole cannot be read; the message says why in plain words."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row. `row` counts as a spreadsheet does: the header is row 1."""

    row: int
    column: str
    message: str


@dataclass(frozen=True)
class Row:
    """One past handoff. Times are UTC instants, scores points, the assignee a lower-cased e-mail."""

    number: int
    external_id: str
    mql_at: datetime
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    lead_source: str = ""
    trigger: str = TriggerKind.SCORE_THRESHOLD
    score_fit: int | None = None
    score_intent: int | None = None
    score_behavior: int | None = None
    score_total: int | None = None
    assigned_at: datetime | None = None
    assignee: str = ""
    accepted_at: datetime | None = None
    rejected_at: datetime | None = None
    rejection_reason: str = ""
    deferred_at: datetime | None = None
    first_contact_at: datetime | None = None
    contact_channel: str = ""
    contact_outcome: str = ""
    opportunity_at: datetime | None = None
    opportunity_amount: Decimal | None = None
    opportunity_currency: str = ""


def read(file: TextIO) -> Iterator[Row | list[Problem]]:
    """The rows of an open text file (`encoding="utf-8-sig", newline=""`), in order; blank lines are skipped.

    Comma or semicolon separated. Raises FileProblem for a file without the required columns, with a
    column twice, with more than MAX_ROWS rows, or that is not CSV in UTF-8.
    """
    try:
        header_line = file.readline(65_536)
        header = _header(header_line)
        separator = ";" if header_line.count(";") > header_line.count(",") else ","
        for number, cells in enumerate(csv.reader(file, delimiter=separator), start=2):
            if number > MAX_ROWS + 1:
                raise FileProblem(f"more than {MAX_ROWS:,} rows; split the file")
            if any(cell.strip() for cell in cells):
                yield _row(number, header, cells)
    except csv.Error as error:
        raise FileProblem(f"not readable as CSV: {error}") from None
    except UnicodeDecodeError as error:
        raise FileProblem(f"not UTF-8: {error.reason} at byte {error.start}") from None


def parse_time(text: str) -> datetime:
    """An ISO 8601 time as a UTC instant; a bare date is its midnight, a time without a zone is UTC.

    Raises ValueError for anything else and for years outside 1970 to 2199.
    """
    at = datetime.fromisoformat(text)
    if at.year not in _YEARS:
        raise ValueError("the year is out of range")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _header(line: str) -> list[str]:
    separator = ";" if line.count(";") > line.count(",") else ","
    names = [name.strip().lower() for name in next(csv.reader([line], delimiter=separator), [])]
    if missing := [name for name in REQUIRED if name not in names]:
        raise FileProblem(f"the header lacks {' and '.join(missing)}")
    if twice := sorted({name for name in names if name in COLUMNS and names.count(name) > 1}):
        raise FileProblem(f"the header has {', '.join(twice)} twice")
    return names


def _row(number: int, header: list[str], cells: list[str]) -> Row | list[Problem]:
    if len(cells) > len(header):
        return [Problem(number, "", f"{len(cells)} cells under {len(header)} columns")]
    values: dict[str, object] = {}
    problems: list[Problem] = []
    for name, cell in zip(header, cells, strict=False):
        text = cell.strip()
        if name not in COLUMNS or not text:
            continue
        try:
            values[name] = _value(name, text)
        except ValueError as error:
            problems.append(Problem(number, name, str(error)))
    known = {problem.column for problem in problems}
    problems += [
        Problem(number, name, "is required") for name in REQUIRED if name not in values.keys() | known
    ]
    if problems:
        return problems
    row = Row(number=number, **values)  # type: ignore[arg-type]
    return _out_of_order(row) + _incomplete(row) or row


def _value(name: str, text: str) -> object:
    """The typed value of one cell that is not empty; ValueError says what is wrong with it."""
    if name in TIMES:
        try:
            return parse_time(text)
        except (ValueError, OverflowError):
            raise ValueError(f"{text[:40]!r} is not a time such as 2026-03-31T14:05:00Z") from None
    if name in SCORES:
        return _score(text)
    if name == "opportunity_amount":
        return _amount(text)
    if any(unicodedata.category(char) == "Cc" for char in text):
        raise ValueError("has control characters")
    if len(text) > TEXTS[name]:
        raise ValueError(f"has {len(text)} characters, at most {TEXTS[name]} fit")
    if name == "assignee":
        return text.lower()
    if name == "opportunity_currency":
        if not _CURRENCY.fullmatch(text.upper()):
            raise ValueError(f"{text!r} is not a currency code such as EUR")
        return text.upper()
    words = {"trigger": TriggerKind, "contact_channel": Channel, "contact_outcome": Outcome}.get(name)
    if words is not None and text not in words.values:
        raise ValueError(f"{text!r} is none of {', '.join(words.values)}")
    return text


def _score(text: str) -> int:
    try:
        number = Decimal(text)
        if not number.is_finite() or number != number.to_integral_value() or abs(number) > MAX_SCORE:
            raise InvalidOperation
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is not a whole number of points") from None
    return int(number)


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
        if not amount.is_finite() or not 0 <= amount < Decimal(10) ** 18:
            raise InvalidOperation
        return exact(amount)
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is not an amount") from None


def _out_of_order(row: Row) -> list[Problem]:
    """Nothing happens before the trigger, and nobody acts on what they do not hold yet."""
    problems = [
        Problem(row.number, name, "is before mql_at")
        for name in TIMES
        if (at := getattr(row, name)) is not None and at < row.mql_at
    ]
    if problems or row.assigned_at is None:
        return problems
    return [
        Problem(row.number, name, "is before assigned_at")
        for name in ACTS
        if (at := getattr(row, name)) is not None and at < row.assigned_at
    ]


def _incomplete(row: Row) -> list[Problem]:
    """What makes no sense alone: a reason without a rejection, a person without a moment."""
    pairs = (
        ("rejected_at", "rejection_reason"),
        ("rejection_reason", "rejected_at"),
        ("contact_channel", "first_contact_at"),
        ("contact_outcome", "first_contact_at"),
        ("assignee", "assigned_at"),
        ("opportunity_amount", "opportunity_at"),
    )
    return [
        Problem(row.number, other, f"is required with {name}")
        for name, other in pairs
        if getattr(row, name) not in (None, "") and getattr(row, other) in (None, "")
    ]
