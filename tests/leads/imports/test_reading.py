"""Files as they come: told by content, any delimiter and encoding, bounded; hostile ones refused in words."""

from __future__ import annotations

import io
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import date, datetime

import openpyxl
import pytest

from leads import exports
from leads.imports import reading
from leads.imports.table import FileProblem
from tests.leads.imports.books import SHEET, book, saved, sheet_of, with_part, with_strings

HEADER = ["E-Mail", "Name", "Größe"]
ROW = ["ada@lovelace-engines.com", "Ada Lovelace", "420 €"]


def text(delimiter: str = ",", *rows: list[str]) -> str:
    return "".join(delimiter.join(row) + "\r\n" for row in (HEADER, *(rows or (ROW,))))


def refused(content: bytes) -> str:
    with pytest.raises(FileProblem) as told:
        reading.read(content)
    return str(told.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_any_delimiter_and_encoding(delimiter: str, codec: str, name: str) -> None:
    table = reading.read(text(delimiter).encode(codec))
    assert (table.header, table.rows) == (HEADER, [(2, ROW)])
    assert table.shape["encoding"] == name


def test_the_delimiter_is_the_one_that_makes_rows_of_one_width() -> None:
    content = "email;size;note\na@b.de;1,5;x, y, z\nc@d.de;2,5;p, q\n"
    assert reading.read(content.encode()).rows[0] == (2, ["a@b.de", "1,5", "x, y, z"])
    assert reading.read(b"email\na@b.de\n").rows == [(2, ["a@b.de"])]
    told = reading.read(b"sep=|\nemail|a,b,c\na@b.de|1,2,3\n")
    assert (told.header, told.rows) == (["email", "a,b,c"], [(3, ["a@b.de", "1,2,3"])])


def test_rows_keep_the_numbers_a_spreadsheet_shows() -> None:
    content = b'email,note\n\na@b.de,"two\nlines"\n,\nc@d.de,x\n'
    assert [number for number, _ in reading.read(content).rows] == [3, 5]


def test_rows_of_other_widths() -> None:
    table = reading.read(b"email,name\na@b.de\nc@d.de,C,more\ne@f.de,E,,\n")
    assert [cells for _, cells in table.rows] == [["a@b.de", ""], ["c@d.de", "C", "more"], ["e@f.de", "E"]]


def test_cells_made_harmless_are_as_they_were_before() -> None:
    assert exports.plain(str(exports.cell("+49 30 1234"))) == "+49 30 1234"
    assert [exports.plain(value) for value in ("'=1+1", "'tis", "O'Hara", "'")] == [
        "=1+1",
        "'tis",
        "O'Hara",
        "'",
    ]
    assert reading.read(b"email,phone\na@b.de,'+49 30 1234\n").rows[0][1][1] == "+49 30 1234"


def test_a_workbook_by_its_content_whatever_its_name() -> None:
    content = book(
        ["email", "count", "when", "day", "yes", "share"],
        ["a@b.de", 420, datetime(2026, 3, 10, 9, 30), date(2026, 3, 10), True, 0.25],
        [None, None, None, None, None, None],
        ["c@d.de", 4.0, None, None, False, None],
        more=["Other"],
    )
    table = reading.read(content)
    assert table.header == ["email", "count", "when", "day", "yes", "share"]
    assert table.rows == [
        (2, ["a@b.de", "420", "2026-03-10 09:30:00", "2026-03-10", "true", "0.25"]),
        (4, ["c@d.de", "4", "", "", "false", ""]),
    ]
    assert table.shape == {"kind": "xlsx", "sheet": "Leads", "others": "1"}


def test_the_first_visible_sheet_and_the_last_value_of_a_formula() -> None:
    made = openpyxl.Workbook()
    made.active.title, made.active.sheet_state = "Hidden", "hidden"
    sheet = made.create_sheet("Shown")
    sheet.append(["email", "sum"])
    sheet.append(["a@b.de", "=1+1"])
    table = reading.read(saved(made))
    assert (table.shape["sheet"], table.rows) == ("Shown", [(2, ["a@b.de", ""])])
    rows = (
        '<row><c t="inlineStr"><is><t>email</t></is></c></row><row><c t="str"><f>X</f><v>a@b.de</v></c></row>'
    )
    assert reading.read(with_part(saved(made), "xl/worksheets/sheet2.xml", sheet_of(rows))).rows == [
        (2, ["a@b.de"])
    ]


def test_shared_strings_as_excel_writes_them() -> None:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    words = (
        "<si><t>email</t></si><si><r><t>a@</t></r><r><t>b.de</t></r><rPh sb='0' eb='1'><t>x</t></rPh></si>"
    )
    strings = f'<sst xmlns="{space}">{words}</sst>'.encode()
    rows = '<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="3"><c r="A3" t="s"><v>1</v></c></row>'
    content = with_strings(with_part(book(["x"]), SHEET, sheet_of(rows)), strings)
    table = reading.read(content)
    assert (table.header, table.rows) == (["email"], [(3, ["a@b.de"])])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \n \n", "empty"),
        (b"email,name\n", "header and no rows"),
        (b"a@b.de,Ada\nc@d.de,Bob\n", "must name the columns"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "old Excel"),
        (b"<html><table><tr><td>email", "web page"),
        (b'{"email": "a@b.de"}', "JSON"),
        (b"email\x00,name\na@b.de,x\n", "neither text"),
        (b"\xff\xfe" + b"e\x00m", "says it is UTF-16"),
        (b"email,name\n\x81\x8d@b.de,x\n", "neither UTF-8"),
        (b'email,name\na@b.de,"open\nc@d.de,x\n', "Row 2, line 2: a quote is opened here"),
        (b'email,name\na@b.de,"a"b\n', "Row 2, line 2: a quote stands in the middle"),
        (b"PK\x03\x04 and then nothing of an archive", "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(content: bytes, words: str) -> None:
    assert words in refused(content)


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "200 columns" in refused(
        (",".join(f"c{n}" for n in range(201)) + "\n" + "x," * 200 + "x\n").encode()
    )
    assert "32,768 characters" in refused(b"email,note\na@b.de," + b"x" * 32_768 + b"\n")
    assert "too long" in refused(b"email,note\na@b.de," + b"x" * 140_000 + b"\n")
    assert "20 MB" in refused(b"x" * 20_000_001)
    with pytest.raises(FileProblem, match="takes too long"):
        reading.read(b"email\n" + b"a@b.de\n" * 1200, seconds=-1)
    monkeypatch.setattr(reading, "MOST_ROWS", 3)
    assert "more than 3 rows" in refused(b"email\n" + b"a@b.de\n" * 4)
    assert len(reading.read(b"email\n" + b"a@b.de\n" * 3 + b"\n\n").rows) == 3
    monkeypatch.setattr(reading, "MOST_CELLS", 2)
    assert "holds too much" in refused(b"email\n" + b"a@b.de\n" * 3)


GOOD = book(["email"], ["a@b.de"])


def other_archive(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue()


# Made by the test that reads it: one of them takes seconds to pack, and every worker collects all of them.
UNREADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "another archive": (
        lambda: other_archive(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), "OpenDocument",
    ),
    "no workbook": (lambda: other_archive(readme=b"x"), "no XLSX workbook"),
    "half of it": (lambda: GOOD[: len(GOOD) // 2], "cannot be read"),
    "half a sheet": (lambda: with_part(GOOD, SHEET, b"<worksheet><sheetData><row>"), "cannot be read"),
    "nonsense": (lambda: with_part(GOOD, "xl/workbook.xml", b"nonsense"), "cannot be read"),
    "a row far below": (
        lambda: with_part(GOOD, SHEET, sheet_of('<row r="9999999999"><c><v>1</v></c></row>')),
        "cannot be read",
    ),
    "a string that is not there": (
        lambda: with_part(GOOD, SHEET, sheet_of('<row><c t="s"><v>99</v></c></row>')), "cannot be read",
    ),
    "a long number": (
        lambda: with_part(GOOD, SHEET, sheet_of("<row><c><v>" + "9" * 200_000 + "</v></c></row>")),
        "unpacks to",
    ),
    "many tags": (lambda: with_part(GOOD, "xl/styles.xml", b"<a>" * 500_000), "unpacks to"),
    "much of nothing": (
        lambda: with_part(GOOD, "xl/media/large.bin", b"0" * 170_000_000), "unpacks to",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_workbook_that_cannot_be_read_says_why(make: Callable[[], bytes], words: str) -> None:
    assert words in refused(make())


def test_entities_are_refused_not_expanded() -> None:
    lol = '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    cell = '<row><c t="inlineStr"><is><t>&b;</t></is></c></row>'
    assert "cannot be read" in refused(with_part(GOOD, SHEET, sheet_of(cell, lol)))
    strings = f'<?xml version="1.0"?>{lol}<sst><si><t>&b;</t></si></sst>'.encode()
    assert "cannot be read" in refused(with_strings(GOOD, strings))


@pytest.mark.parametrize(
    "rows",
    [
        "<row>" + "<c><v>1</v></c>" * 1_000_000 + "</row>",
        "<row/>" * 1_000_000,
        '<row r="1048576"/>' + "<row><row><c/></row>" * 200_000 + "</row>" * 200_000,
    ],
    ids=["one row of millions of cells", "millions of empty rows", "rows in rows"],
)  # fmt: skip
def test_a_bomb_takes_little_memory(rows: str) -> None:
    content = with_part(GOOD, SHEET, sheet_of(rows))
    assert len(content) < 1_000_000
    del rows
    tracemalloc.start()
    try:
        told = refused(content)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert re.search("columns|empty|cannot be read|takes too long", told), told
    assert most < 30_000_000
