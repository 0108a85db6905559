"""The rows of one sheet of a workbook, as text, while its XML goes by.

Owns the reading of cells: shared strings, numbers, dates by their format, the last value of a formula. A row
is complete before the next begins and nothing else is kept, so memory grows neither with the sheet nor with
the length of a row. Knows nothing of archives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any
from xml.parsers import expat

from openpyxl.utils import column_index_from_string
from openpyxl.utils.datetime import from_excel

from leads.imports.table import DAMAGED, TOO_LARGE, FileProblem, Numbered

LAST_ROW = 1_048_576
_LONGEST_NUMBER = 40
# Excel takes 32,767 characters; more is told of where cells are looked at, and much more is not gathered.
_LONGEST_TEXT = 100_000


@dataclass(frozen=True, slots=True)
class Formats:
    """Which styles make a number a date or a span, and from which day dates count."""

    dates: frozenset[int]
    spans: frozenset[int]
    epoch: datetime


class Sheet:
    """Takes the XML in blocks and gives back complete rows. Cells past `columns` are left out."""

    def __init__(self, strings: Sequence[str], formats: Formats, columns: int) -> None:
        self.strings, self.formats, self.columns = strings, formats, columns
        self.number = 0
        self._found: list[Numbered] = []
        self._cells: dict[int, str] = {}
        self._column = self._style = 0
        self._kind, self._text = "n", ""
        self._takes = self._skips = False
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse
        self._parser = parser

    def feed(self, block: bytes, last: bool = False) -> list[Numbered]:
        """The rows that are complete after this block. Raises FileProblem, or expat's own error."""
        self._parser.Parse(block, last)
        found, self._found = self._found, []
        return found

    def _refuse(self, *declared: object) -> None:
        # No writer of workbooks declares entities; who does means harm.
        raise FileProblem(DAMAGED)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "c":
            where = attributes.get("r")
            self._column = _column(where.rstrip("0123456789")) if where else self._column + 1
            self._kind, self._style = attributes.get("t", "n"), int(attributes.get("s", 0))
            self._text = ""
        elif name == "v" or name == "t":
            self._takes = not self._skips
        elif name == "row":
            number = attributes.get("r")
            self.number = int(number[:_LONGEST_NUMBER]) if number else self.number + 1
            if self.number > LAST_ROW:
                raise FileProblem(DAMAGED)
            self._cells, self._column = {}, 0
        elif name == "rPh":
            # How a text is pronounced is no part of it.
            self._skips = True

    def _characters(self, text: str) -> None:
        if self._takes:
            self._text += text
            if len(self._text) > _LONGEST_TEXT:
                raise FileProblem(TOO_LARGE)

    def _end(self, name: str) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if name == "v" or name == "t":
            self._takes = False
        elif name == "c":
            if self._text and self._column <= self.columns:
                self._cells[self._column] = self._value()
        elif name == "row":
            if self._cells:
                width = max(self._cells)
                self._found.append((self.number, [self._cells.get(at, "") for at in range(1, width + 1)]))
                self._cells = {}
        elif name == "rPh":
            self._skips = False

    def _value(self) -> str:
        kind, text = self._kind, self._text
        if kind == "s":
            text = str(self.strings[int(text[:_LONGEST_NUMBER])])
        elif kind == "n":
            text = text.strip()
            return self._date(text) if self._style in self.formats.dates else _number(text)
        elif kind == "b":
            return "true" if text.strip() == "1" else "false"
        return text.replace("\0", "").strip()

    def _date(self, text: str) -> str:
        try:
            value = from_excel(
                float(text[:_LONGEST_NUMBER]),
                self.formats.epoch,
                timedelta=self._style in self.formats.spans,
            )
        except (OverflowError, ValueError):
            return "#VALUE!"
        return _typed(value)


def _typed(value: Any) -> str:
    """A date or a time as somebody would type it."""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _number(text: str) -> str:
    if text.isdigit() or not text:
        return text
    number = float(text[:_LONGEST_NUMBER])
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


@lru_cache(maxsize=20_000)
def _column(letters: str) -> int:
    return int(column_index_from_string(letters))
