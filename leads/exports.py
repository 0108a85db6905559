"""Lists as files for a spreadsheet.

Owns what makes a cell harmless: lead data comes from public forms, and a cell that begins like a formula
would run on the desk of whoever opens the file. Never decides who may see a row or a column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse

# Spreadsheets skip blanks before these; some read their full-width twins as the same.
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20|%]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Excel takes a file without this mark for something older than UTF-8.
_MARK = "\ufeff"
LONGEST_CELL = 32_000


def plain(text: str) -> str:
    """A cell of a file as it was before `cell` made it harmless."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text, 1) else text


class _Line:
    """What csv.writer writes to: gives each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def cell(value: Any) -> str | int | float | Decimal:
    """A value as a cell. Numbers stay numbers, times are UTC to the second, text cannot be a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    text = _UNPRINTABLE.sub(" ", str(value))[:LONGEST_CELL]
    return f"'{text}" if _FORMULA.match(text) else text


def lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of the file, the byte order mark first."""
    writer = csv.writer(_Line())
    yield _MARK + writer.writerow([cell(name) for name in header])
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def download(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """An answer that is saved as `name` (plain ASCII, such as "leads.csv"), written as the rows come."""
    response = StreamingHttpResponse(lines(header, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
