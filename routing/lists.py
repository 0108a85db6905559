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
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import tldextract

from routing.conditions.operators import text
from routing.models import NamedList

MOST_VALUES = 10_000
MOST_BYTES = 1024 * 1024
MOST_PROBLEMS = 100
LONGEST_WORD = 200
LONGEST_POSTAL = 12
LONGEST_SHOWN = 60

# The list of public suffixes that the library ships with: nothing is fetched, nothing is written.
_SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?")
_DELIMITERS = re.compile(r"[;,\t]")
_POSTAL = re.compile(r"[0-9A-Z-]+")
# What a spreadsheet would run, and what stands before the lines of a list in a text.
_LEADING = "=+-@*\u2022 '"
_HEADERS = {
    NamedList.Kind.DOMAINS: ("domain", "domains", "company domain", "website", "url", "e-mail", "email"),
    NamedList.Kind.POSTAL: ("postal code", "postal codes", "postcode", "zip", "zip code", "plz", "prefix"),
    NamedList.Kind.WORDS: ("word", "words", "value", "values", "name", "term"),
}


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


def read(source: str | bytes, kind: str, *, registrable_only: bool = False) -> Reading:
    """The values of a list of this kind (NamedList.Kind) from text or the bytes of a file.

    Bytes are UTF-8 (with or without its mark), else Windows-1252. Values stand one a line or apart by comma,
    semicolon or tab; with a header that names the kind ("domain", "website", "postal code", ...) only that
    column is read. Control characters, bullets and the beginnings that a spreadsheet would run (= + - @) are
    dropped. Domains stay hosts as given; `registrable_only` makes "shop.example.com" "example.com", which is
    how the domain of a company is known.
    """
    clean = _registrable if registrable_only and kind == NamedList.Kind.DOMAINS else _CLEAN[kind]
    size = len(source) if isinstance(source, bytes) else len(source.encode("utf-8", "replace"))
    if size > MOST_BYTES:
        reason = f"This is larger than {MOST_BYTES // 1024:,} KiB; take it in parts or as a list of its own."
        return Reading((), 0, (Problem(0, "", reason),), 1)
    found: dict[str, str] = {}
    problems: list[Problem] = []
    repeated = left_out = 0
    try:
        for line, cell in _cells(_decoded(source), NamedList.Kind(kind)):
            raw = _neutral(cell)
            if not raw:
                continue
            value, reason = clean(raw)
            if not reason and text(value) in found:
                repeated += 1
                continue
            if not reason and len(found) >= MOST_VALUES:
                reason = f"a list holds at most {MOST_VALUES:,} values"
            if reason:
                left_out += 1
                if len(problems) < MOST_PROBLEMS:
                    problems.append(Problem(line, _shown(raw), reason))
            else:
                found[text(value)] = value
    except csv.Error as error:
        left_out += 1
        problems.append(Problem(0, "", f"The rest cannot be read as a table: {error}."))
    return Reading(tuple(found.values()), repeated, tuple(problems), left_out)


def domain(value: str) -> str | None:
    """The host of a domain, URL or e-mail address, lower-cased and without "www."; None when it is none."""
    host = value.strip().lower()
    host = (host.partition("://")[2] or host).removeprefix("//")
    host = re.split(r"[/?#]", host, maxsplit=1)[0].rpartition("@")[2].partition(":")[0].strip(".")
    host = host.removeprefix("www.")
    try:
        labels = (host if host.isascii() else host.encode("idna").decode("ascii")).split(".")
    except UnicodeError:
        return None
    if len(host) > 253 or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return host if _SUFFIXES(host).suffix else None


def registrable(value: str) -> str | None:
    """The registrable part of a domain, URL or address ("https://shop.a.co.uk/x" gives "a.co.uk")."""
    host = domain(value)
    return _SUFFIXES(host).top_domain_under_public_suffix or None if host else None


def _domain(raw: str) -> tuple[str, str]:
    host = domain(raw)
    if host is None:
        return "", "is no domain; an example is example.com"
    if not _SUFFIXES(host).domain:
        return "", "is a whole suffix, under which anybody can have a domain"
    return host, ""


def _registrable(raw: str) -> tuple[str, str]:
    host, reason = _domain(raw)
    return ("", reason) if reason else (registrable(host) or host, "")


def _postal(raw: str) -> tuple[str, str]:
    value = "".join(raw.split()).upper()
    if len(value) > LONGEST_POSTAL:
        return "", f"is longer than {LONGEST_POSTAL} characters"
    if not _POSTAL.fullmatch(value):
        return "", "has characters that no postal code has; letters, digits and hyphens are fine"
    return value, ""


def _word(raw: str) -> tuple[str, str]:
    if len(raw) > LONGEST_WORD:
        return "", f"is longer than {LONGEST_WORD} characters"
    return raw, ""


_CLEAN: dict[str, Callable[[str], tuple[str, str]]] = {
    NamedList.Kind.DOMAINS: _domain,
    NamedList.Kind.POSTAL: _postal,
    NamedList.Kind.WORDS: _word,
}


def _decoded(source: str | bytes) -> str:
    if isinstance(source, str):
        return source.removeprefix("\ufeff")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError:
        # The bytes that this code page leaves open become the sign for "not readable".
        return source.decode("cp1252", "replace")


def _cells(content: str, kind: NamedList.Kind) -> Iterator[tuple[int, str]]:
    """Line number and text of each cell that may hold a value."""
    first = content.lstrip().partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    if not first.count(delimiter):
        # A pasted list may be one value a line at first and several on a later one.
        delimiter = max(";\t,", key=content.count)
    rows = csv.reader(io.StringIO(content.replace("\0", " "), newline=""), delimiter=delimiter)
    column: int | None = None
    is_first = True
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if is_first:
            is_first = False
            names = [cell.strip().casefold() for cell in row]
            column = next((names.index(name) for name in _HEADERS[kind] if name in names), None)
            if column is not None:
                continue
        wanted = row if column is None else row[column : column + 1]
        # A quote that is never closed makes one cell of many lines.
        for part in (part for cell in wanted for part in cell.splitlines()):
            # Only a word can hold what parts the others.
            apart = [part] if kind == NamedList.Kind.WORDS else _DELIMITERS.split(part)
            yield from ((rows.line_num, value) for value in apart)


def _neutral(cell: str) -> str:
    """A cell without what a spreadsheet would run and without characters that do not print."""
    kinds = ((char, unicodedata.category(char)) for char in cell[: 4 * LONGEST_WORD])
    # What has no width (format characters) goes; a control character parts what stands around it.
    printed = "".join(" " if kind[0] == "C" else char for char, kind in kinds if kind != "Cf")
    return " ".join(printed.split()).lstrip(_LEADING)


def _shown(raw: str) -> str:
    return raw if len(raw) <= LONGEST_SHOWN else raw[: LONGEST_SHOWN - 1] + "\u2026"
