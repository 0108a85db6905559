"""Reading the values of a named list from pasted text or an uploaded file.

Owns what a domain, a postal prefix and a word look like, the bounds of a list, and the problems that are
shown beside the form, line by line: a wrong value keeps no right one out. Pure: it stores nothing, asks no
network and runs nothing that stands in a cell.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import tldextract

from routing.conditions.operators import postal, text
from routing.models import NamedList

MOST_VALUES = 10_000
MOST_BYTES = 1024 * 1024
MOST_PROBLEMS = 100
LONGEST_WORD = 200
LONGEST_POSTAL = 12


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that was left out: on which line (0 for the whole), what it was, and why."""

    line: int
    value: str
    reason: str

    def __str__(self) -> str:
        return f"Line {self.line}, {self.value}: {self.reason}" if self.line else self.reason


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: the values in their order, each once; how many came again; and what was left out.

    `problems` holds the first of them, `left_out` counts them all.
    """

    values: tuple[str, ...]
    repeated: int
    problems: tuple[Problem, ...]
    left_out: int


def read(source: str | bytes, kind: str) -> Reading:
    """The values of a list of this kind (NamedList.Kind) from text or the bytes of a file.

    Bytes are UTF-8 (with or without its mark), else Windows-1252. Values stand one a line or apart by comma,
    semicolon or tab; with a header that names the kind ("domain", "website", "postal code", ...) only that
    column is read. Control characters and the beginnings that a spreadsheet would run (= + - @) are dropped.
    """
