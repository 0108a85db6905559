"""What reading a file shares: the bounds, the word for a file that cannot be read, a numbered row."""

from __future__ import annotations

import time
from dataclasses import dataclass

# What the web process takes at all is more; a form around it needs room too.
MOST_BYTES = 20_000_000
DAMAGED = "This workbook cannot be read; it may be damaged. Open it and save it again, or save it as CSV."
TOO_LARGE = "This workbook unpacks to too much; save the sheet as CSV, or take it in parts."

# A row's number as a spreadsheet shows it, the header being 1, and its cells.
Numbered = tuple[int, list[str]]


class FileProblem(ValueError):
    """The file cannot be read; the message says why, in words for whoever chose it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read at most: rows, columns, and until when (of the monotonic clock)."""

    rows: int
    columns: int
    until: float

    def look_at_the_clock(self) -> None:
        """Raises FileProblem when it took too long."""
        if time.monotonic() > self.until:
            raise FileProblem("Reading the file takes too long; save it as CSV, or take it in parts.")
