"""A file as it comes: bytes in, a header and rows of text out.

Owns telling what kind of file it is by its content (never by its name), the bounds, and the words for a file
that cannot be read. Separated text is `leads.imports.separated`, a workbook `leads.imports.workbook`. Knows
nothing of leads and stores nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from leads.imports.separated import read_text
from leads.imports.table import MOST_BYTES, Bounds, FileProblem, Numbered
from leads.imports.workbook import read_workbook

MOST_ROWS = 50_000
MOST_COLUMNS = 200
MOST_CELLS = 2_000_000
MOST_CHARACTERS = 60_000_000
LONGEST_CELL = 32_767
LONGEST_HEADING = 200
# Reading happens while somebody waits for the page.
MOST_SECONDS = 20.0

_NOT_OURS = (
    (b"\xd0\xcf\x11\xe0", "This is an old Excel file (.xls) or has a password. Save it as XLSX without one."),
    (b"%PDF", "This is a PDF, not a table."),
    (b"{\\rtf", "This is a text document, not a table."),
    (b"\x1f\x8b", "This is packed with gzip. Unpack it first."),
    (b"7z\xbc\xaf", "This is an archive. Unpack it first."),
    (b"Rar!", "This is an archive. Unpack it first."),
)


@dataclass
class Table:
    """The header, and the rows that hold anything. `shape` says what was found out about the file."""

    header: list[str]
    shape: dict[str, str]
    rows: list[Numbered] = field(default_factory=list)


def read(content: bytes, seconds: float = MOST_SECONDS) -> Table:
    """The table in these bytes. Raises FileProblem with what is wrong, for whoever chose the file."""
    if len(content) > MOST_BYTES:
        raise FileProblem(f"The file is larger than {MOST_BYTES // 1_000_000} MB; take it in parts.")
    if not content.strip():
        raise FileProblem("The file is empty.")
    for start, words in _NOT_OURS:
        if content.startswith(start):
            raise FileProblem(words)
    bounds = Bounds(MOST_ROWS, MOST_COLUMNS, time.monotonic() + seconds)
    if content.startswith(b"PK"):
        shape, lines = read_workbook(content, bounds)
    else:
        shape, lines = read_text(content, bounds)
    return _table(shape, lines, bounds)


def _table(shape: dict[str, str], lines: Iterator[Numbered], bounds: Bounds) -> Table:
    first = next((cells for _, cells in lines if any(cells)), None)
    if first is None:
        raise FileProblem("The file is empty.")
    header = _header(first)
    table = Table(header, shape)
    cells_read = characters = 0
    for number, cells in lines:
        if number % 1000 == 0:
            bounds.look_at_the_clock()
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        if not any(cells):
            continue
        if len(table.rows) == MOST_ROWS:
            raise FileProblem(f"The file has more than {MOST_ROWS:,} rows; take it in parts.")
        _look_at(number, cells, header)
        cells_read += len(cells)
        characters += sum(map(len, cells))
        if cells_read > MOST_CELLS or characters > MOST_CHARACTERS:
            raise FileProblem("The file holds too much; leave columns away, or take it in parts.")
        cells += [""] * (len(header) - len(cells))
        table.rows.append((number, cells))
    if not table.rows:
        raise FileProblem("The file has a header and no rows.")
    return table


def _header(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells.pop()
    if len(cells) > MOST_COLUMNS:
        raise FileProblem(f"The file has more than {MOST_COLUMNS} columns; leave some away.")
    if any("@" in cell and "." in cell for cell in cells):
        raise FileProblem("The first row must name the columns; this one holds an address.")
    return [
        " ".join(cell.split())[:LONGEST_HEADING] or f"Column {place}"
        for place, cell in enumerate(cells, start=1)
    ]


def _look_at(number: int, cells: list[str], header: list[str]) -> None:
    longest = max(map(len, cells))
    if longest > LONGEST_CELL:
        place = next(place for place, cell in enumerate(cells) if len(cell) == longest)
        name = header[place] if place < len(header) else f"Column {place + 1}"
        raise FileProblem(
            f"Row {number}, {name}: the cell has {longest:,} characters. Is a quote left open before it?"
        )
