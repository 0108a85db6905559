"""Separated text: which encoding, which delimiter, and the rows.

Owns the guessing of both. Quotes must close: one left open would swallow the rows after it, so the file is
refused with the line where it opens. Never guesses what a column means.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from leads import exports
from leads.imports.table import Bounds, FileProblem, Numbered

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# By how many of the first lines the delimiter is chosen.
LOOKED_AT = 40
_SEP = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
    (b"\xff\xfe\x00\x00", "utf-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "utf-32", "UTF-32"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)
# Longer than any cell we take; beyond it the library stops by itself.
csv.field_size_limit(131_072)


def read_text(content: bytes, bounds: Bounds) -> tuple[dict[str, str], Iterator[Numbered]]:
    """What was found out about the text, and its rows. Raises FileProblem, also while rows are taken."""
    text, encoding = _decoded(content)
    if "\0" in text:
        raise FileProblem("This is neither text nor an XLSX workbook.")
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype html", "<html", "<table", "<?xml")):
        raise FileProblem("This is a web page or XML, not a table, whatever its name says. Save it as CSV.")
    if start.startswith(("{", "[{")):
        raise FileProblem("This is JSON, not a table. The API takes it: see /api/v1/docs.")
    told = _SEP.match(text)
    if told is not None and told[1] in DELIMITERS:
        delimiter, text = told[1], text[told.end() :]
    else:
        delimiter = delimiter_of(text)
    shape = {"kind": "csv", "encoding": encoding, "delimiter": DELIMITERS[delimiter]}
    return shape, _rows(text, delimiter, first=2 if told is not None else 1)


def _decoded(content: bytes) -> tuple[str, str]:
    for mark, codec, name in _MARKS:
        if content.startswith(mark):
            try:
                return content.decode(codec).lstrip("\ufeff"), name
            except UnicodeDecodeError:
                raise FileProblem(f"The file says it is {name}, but it is not.") from None
    codecs = [("utf-8", "UTF-8"), ("cp1252", "Windows-1252")]
    # Western text in UTF-16 is every other byte a NUL, which no other encoding has.
    head = content[:2000]
    if head.count(0) > len(head) // 4:
        codecs = [("utf-16-le" if head[1:2] == b"\0" else "utf-16-be", "UTF-16")]
    for codec, name in codecs:
        try:
            return content.decode(codec), name
        except UnicodeDecodeError:
            continue
    raise FileProblem("The file is neither UTF-8, UTF-16 nor Windows-1252; save it as “CSV UTF-8”.")


def delimiter_of(text: str) -> str:
    """The delimiter by which most of the first rows have as many cells as the header, the more the better."""
    end = -1
    for _ in range(LOOKED_AT):
        found = text.find("\n", end + 1)
        if found < 0:
            end = len(text)
            break
        end = found
    start = text[: min(end, 200_000)]

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            rows = [row for row in csv.reader(io.StringIO(start, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            return (0.0, 0)
        width = len(rows[0]) if rows else 0
        if width < 2:
            return (0.0, 0)
        return (sum(len(row) == width for row in rows) / len(rows), width)

    return max(DELIMITERS, key=fit)


def _rows(text: str, delimiter: str, first: int) -> Iterator[Numbered]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number, line = first - 1, first
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "expected after" in str(error):
                words = "a quote stands in the middle of a cell; double it, or put the cell in quotes"
            else:
                words = "a quote is opened here and not closed, or a cell is too long"
            raise FileProblem(f"Row {number}, line {line}: {words}.") from None
        line = reader.line_num + first
        yield number, [exports.plain(cell).strip() for cell in cells]
