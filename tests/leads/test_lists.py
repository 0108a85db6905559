"""Paging by keyset, and cells that no spreadsheet runs."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from leads import exports, paging
from leads.models import Lead
from tests.conftest import NOW
from tests.factories import make_lead

ORDER = ("-updated_at", "-id")


def walk(size: int, order: tuple[str, ...] = ORDER) -> list[int]:
    seen: list[int] = []
    cursor = ""
    while True:
        page = paging.page(Lead.objects.all(), order, cursor, size)
        seen += [lead.pk for lead in page.rows]
        cursor = page.next
        if not cursor:
            return seen


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("order", [ORDER, ("updated_at", "id"), ("-id",), ("id",)])
def test_every_row_once_and_in_order(db: None, size: int, order: tuple[str, ...]) -> None:
    # Times that are equal, and that differ in the last digit.
    for micro in (0, 0, 0, 1, 1, 2, 999_999):
        make_lead(company=None, updated_at=NOW + timedelta(microseconds=micro))
    assert walk(size, order) == list(Lead.objects.order_by(*order).values_list("pk", flat=True))


def test_rows_that_come_in_above_move_nothing(db: None) -> None:
    for _ in range(3):
        make_lead(company=None)
    first = paging.page(Lead.objects.all(), ORDER, "", 2)
    make_lead(company=None, updated_at=NOW + timedelta(hours=1))
    second = paging.page(Lead.objects.all(), ORDER, first.next, 2)
    assert len(second.rows) == 1
    assert not {lead.pk for lead in first.rows} & {lead.pk for lead in second.rows}


def cursor_of(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%%%",
        "A" * 9999,
        base64.urlsafe_b64encode(b"null").decode(),
        cursor_of(),
        cursor_of(1),
        cursor_of("2026", "1"),
        cursor_of("2026-03-10T10:00:00", "1"),
        cursor_of("2026-03-10T10:00:00Z", "9" * 20),
        cursor_of("2026-03-10T10:00:00Z", None),
        cursor_of("2026-03-10T10:00:00Z", {}),
    ],
)
def test_a_cursor_that_cannot_be_read_begins_at_the_first(db: None, cursor: str) -> None:
    lead = make_lead(company=None)
    page = paging.page(Lead.objects.all(), ORDER, cursor, 5)
    assert ([row.pk for row in page.rows], page.after) == ([lead.pk], "")


def test_a_long_list_is_not_counted_to_its_end(db: None) -> None:
    for _ in range(4):
        make_lead(company=None)
    assert paging.count(Lead.objects.all(), most=2) == 3
    assert paging.count_words(3, 2) == "2+"
    assert paging.count_words(1204) == "1,204"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "＋1", "|calc", "%0A", "-", "\n=1"],
)
def test_text_that_begins_like_a_formula_is_text(text: str) -> None:
    assert str(exports.cell(text)).startswith("'")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        ("Acme", "Acme"),
        ("a=b", "a=b"),
        (-5, -5),
        (Decimal("-1.50"), Decimal("-1.50")),
        (True, "yes"),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T10:00:00Z"),
        ("a\x00b\x1bc\ud800", "a b c "),
        ("x" * 40_000, "x" * 32_000),
    ],
)
def test_values_as_cells(value: Any, shown: Any) -> None:
    assert exports.cell(value) == shown


def test_the_file_says_that_it_is_unicode_and_quotes_what_must_be() -> None:
    text = "".join(exports.lines(["name", "note"], [["Núñez", 'a "b", c\nd'], ["=x", None]]))
    assert text == '\ufeffname,note\r\nNúñez,"a ""b"", c\nd"\r\n\'=x,\r\n'
    response = exports.download("leads.csv", ["a"], [[datetime(2026, 1, 1, tzinfo=UTC)]])
    assert response["Content-Disposition"] == 'attachment; filename="leads.csv"'
    assert response["Content-Type"] == "text/csv; charset=utf-8"
