"""A report as files: the figures are there, and no cell is a formula."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

from openpyxl import load_workbook

from leads import exports
from leads.models import Handoff
from metrics.periods import Week
from metrics.reports import calls, files, making
from tests.conftest import NOW, Cast

WEEK = Week(2026, 8)
FORMULA = '=HYPERLINK("http://x.example","Win")'


def test_the_csv_has_each_figure_with_its_counts(cast: Cast, some: list[Handoff]) -> None:
    kept = json.loads(making.make(WEEK, NOW, None).kept)
    rows = list(csv.DictReader(io.StringIO("".join(exports.lines(files.HEADER, files.lines(kept))))))
    found = {(row["name"], row["week"]): row for row in rows if row["\ufeffsection"] == "Figure"}
    assert len(found) == 72
    acceptance = found["Acceptance rate", "2026-W08"]
    assert [acceptance[name] for name in ("numerator", "denominator", "value", "mature")] == [
        "3",
        "4",
        "0.75",
        "yes",
    ]
    assert found["First contact, demo", "2026-W08"]["value"] == "1.0"
    sections = {row["\ufeffsection"] for row in rows}
    assert {"MQLs", "Reason", "Funnel", "Black holes", "Rejection by source"} <= sections


def test_no_cell_of_either_file_is_a_formula(cast: Cast, some: list[Handoff]) -> None:
    Handoff.objects.update(lead_source=FORMULA)
    cast.jonas.name = FORMULA
    cast.jonas.save()
    for week in (WEEK, WEEK.plus(-1)):
        values = {"kind": "decision", "text": FORMULA, "owner": cast.jonas, "until": date(2026, 3, 20)}
        calls.write(week, cast.otto, NOW, **values)
    report = making.make(WEEK, NOW, None)
    kept, said = json.loads(report.kept), calls.of_week(WEEK)
    text = "".join(exports.lines(files.HEADER, files.lines(kept, said)))
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith("=")]
    assert cells.count(f"'{FORMULA}") >= 4
    book = load_workbook(io.BytesIO(files.workbook(report, kept, said)))
    every = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in every if cell.data_type == "f"]
    assert [cell.value for cell in every].count(f"'{FORMULA}") >= 4


def test_the_workbook_has_a_sheet_a_subject_and_numbers_are_numbers(cast: Cast, some: list[Handoff]) -> None:
    report = making.make(WEEK, NOW, None)
    book = load_workbook(io.BytesIO(files.workbook(report, json.loads(report.kept))))
    assert book.sheetnames == [
        "Report", "Figures", "Sources", "Reasons", "First contact", "Black holes", "Funnel",
        "Decisions before", "This call", "Handoffs",
    ]  # fmt: skip
    rows = [[cell.value for cell in row] for row in book["Figures"].iter_rows()]
    assert ["Acceptance rate", "2026-W08", 3, 4, 0.75, "yes"] in rows
    assert book["Sources"]["A2"].value == "Webinar" and book["Sources"]["C2"].value == 1
    listed = [row[1].value for row in book["Handoffs"].iter_rows(min_row=2)]
    assert some[0].pk in listed
