"""Workbooks: what an XLSX file holds, and the first visible sheet of it.

Owns the guard: a few hundred kilobytes can unpack to gigabytes. openpyxl reads the parts around the sheets
(manifest, strings, styles), each counted before it is read; it uses defusedxml when it is there. The rows
are `leads.imports.sheet`: openpyxl takes a row into memory, however long (one of five million cells, 150 kB
packed, took 2.2 GB), and needs four to five times as long, more than somebody waits for a page.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

from openpyxl import DEFUSEDXML
from openpyxl.packaging.relationship import get_rels_path
from openpyxl.reader.excel import ExcelReader, _find_workbook_part
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.xml.constants import ARC_CONTENT_TYPES, ARC_STYLE, SHARED_STRINGS

from leads.imports.sheet import Formats, Sheet
from leads.imports.table import DAMAGED, TOO_LARGE, Bounds, FileProblem, Numbered

MOST_ENTRIES = 2000
MOST_UNPACKED = 160_000_000
# Of a part that is read whole each tag becomes an object in memory. Shared strings may be more.
MOST_PART, MOST_TAGS = 10_000_000, 400_000
MOST_STRINGS, MOST_STRING_TAGS = 60_000_000, 4_000_000

if not DEFUSEDXML:
    raise ImportError("defusedxml is needed to read workbooks safely")


def read_workbook(content: bytes, bounds: Bounds) -> tuple[dict[str, str], Iterator[Numbered]]:
    """What was found out about the workbook, and its rows. Raises FileProblem, also while rows are taken."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _guard(archive)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _open(content, bounds)
    except FileProblem:
        raise
    except Exception as error:
        # Whatever a broken file makes of the libraries: it is the file.
        raise FileProblem(DAMAGED) from error


def _guard(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    # The library reads no more of an entry than its header says, so this sum holds.
    if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > MOST_UNPACKED:
        raise FileProblem(TOO_LARGE)
    if any(entry.flag_bits & 1 for entry in entries):
        raise FileProblem("This workbook has a password. Save it without one.")
    if "mimetype" in names and b"opendocument" in archive.read("mimetype")[:200]:
        raise FileProblem("This is an OpenDocument file. Save it as XLSX or CSV.")
    if ARC_CONTENT_TYPES not in names or not any(name.startswith("xl/") for name in names):
        raise FileProblem("This is an archive and no XLSX workbook. Unpack it first.")


def _open(content: bytes, bounds: Bounds) -> tuple[dict[str, str], Iterator[Numbered]]:
    reader = ExcelReader(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    archive = reader.archive
    _count(archive, ARC_CONTENT_TYPES)
    reader.read_manifest()
    strings = reader.package.find(SHARED_STRINGS)
    if strings is not None:
        _count(archive, strings.PartName[1:], MOST_STRINGS, MOST_STRING_TAGS)
    book = _find_workbook_part(reader.package).PartName[1:]
    for part in (book, get_rels_path(book), ARC_STYLE):
        _count(archive, part)
    reader.read_strings()
    reader.read_workbook()
    apply_stylesheet(archive, reader.wb)
    sheets = [
        (sheet, rel.target)
        for sheet, rel in reader.parser.find_sheets()
        if "chartsheet" not in rel.Type and rel.target in reader.valid_files
    ]
    visible = [found for found in sheets if found[0].state == "visible"] or sheets
    if not visible:
        raise FileProblem("This workbook has no sheet with cells.")
    sheet, path = visible[0]
    others = str(len(sheets) - 1) if len(sheets) > 1 else ""
    shape = {"kind": "xlsx", "sheet": str(sheet.name)[:100], "others": others}
    wb = reader.wb
    formats = Formats(frozenset(wb._date_formats), frozenset(wb._timedelta_formats), wb.epoch)
    return shape, _rows(archive, path, Sheet(reader.shared_strings, formats, bounds.columns + 1), bounds)


def _count(
    archive: zipfile.ZipFile, name: str, most_bytes: int = MOST_PART, most_tags: int = MOST_TAGS
) -> None:
    """Refuse a part that would be too much in memory; one that is not there is nobody's trouble here."""
    try:
        entry: Any = archive.getinfo(name)
    except KeyError:
        return
    if entry.file_size > most_bytes:
        raise FileProblem(TOO_LARGE)
    tags = 0
    with archive.open(entry) as part:
        while block := part.read(1 << 20):
            tags += block.count(b"<")
    if tags > most_tags:
        raise FileProblem(TOO_LARGE)


def _rows(archive: zipfile.ZipFile, path: str, sheet: Sheet, bounds: Bounds) -> Iterator[Numbered]:
    try:
        with archive, archive.open(path) as part:
            while block := part.read(1 << 18):
                yield from sheet.feed(block)
                bounds.look_at_the_clock()
            yield from sheet.feed(b"", last=True)
    except FileProblem:
        raise
    except Exception as error:
        raise FileProblem(f"After row {sheet.number}: {DAMAGED[0].lower()}{DAMAGED[1:]}") from error
