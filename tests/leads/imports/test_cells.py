"""Cells as people and products write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from leads.imports import cells

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("read", "cell", "value"),
    [
        (cells.email, " Ada@Lovelace.com ", "Ada@Lovelace.com"),
        (cells.email, "Ada Lovelace <ada@lovelace.com>", "ada@lovelace.com"),
        (cells.whole, "1,234", 1234),
        (cells.whole, "1.234", 1234),
        (cells.whole, "12 345", 12345),
        (cells.whole, "80.0", 80),
        (cells.whole, "-3", -3),
        (cells.money, "52000000", "52000000"),
        (cells.money, "12.500,50 €", "12500.50"),
        (cells.money, "$1,234.56", "1234.56"),
        (cells.money, "EUR 1.234", "1234"),
        (cells.money, "1.2 Mio", "1200000.00"),
        (cells.money, "5.2M", "5200000.00"),
        (cells.money, "99.5", "99.5"),
        (cells.employees, "420", 420),
        (cells.employees, "51-200", "51-200"),
        (cells.employees, "1,001-5,000", "1001-5000"),
        (cells.employees, "10001+", "10001+"),
        (cells.employees, "25-50", "11-50"),
        (cells.employees, "1000+", "1001-5000"),
        (cells.employees, "11 - 50 employees", "11-50"),
        (cells.yes, "TRUE", True),
        (cells.yes, "Nein", False),
        (cells.country, "de", "DE"),
        (cells.country, "Deutschland", "DE"),
        (cells.country, "The Netherlands", "NL"),
        (cells.country, "États-Unis", "US"),
        (cells.country, "Österreich", "AT"),
        (cells.country, "GBR", "GB"),
        (cells.names, "Django; htmx , ", ["Django", "htmx"]),
        (cells.trigger, "Demo Request", "demo_request"),
        (cells.trigger, "Contact sales", "demo_request"),
        (cells.activity, "Webinar attendance", "webinar_attendance"),
        (cells.activity, "Attended a webinar", "webinar_attendance"),
        (cells.activity, "Visited the booth", "other"),
        (cells.activity, "Request a demo", "demo_request"),
        (cells.activity, "Preisanfrage", "pricing_inquiry"),
        (cells.activity, "Pricing", "other"),
        (cells.activity, "Score", "other"),
    ],
)
def test_what_a_cell_means(read, cell: str, value: object) -> None:
    assert read(cell) == value


@pytest.mark.parametrize(
    ("read", "cell", "words"),
    [
        (cells.email, "ada@", "not an e-mail address"),
        (cells.whole, "eighty", "not a whole number"),
        (cells.whole, "8.5", "not a whole number"),
        (cells.money, "a lot", "not an amount"),
        (cells.employees, "many", "neither a number"),
        (cells.yes, "maybe", "neither yes nor no"),
        (cells.country, "Narnia", "not a country"),
        (cells.trigger, "full moon", "no trigger"),
        (cells.text, "#N/A", "error of the spreadsheet"),
    ],
)
def test_what_is_wrong_with_a_cell(read, cell: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(cell)


@pytest.mark.parametrize(
    ("cell", "dates", "value"),
    [
        ("2026-03-10", "", "2026-03-10T00:00:00+01:00"),
        ("2026-03-10T10:00:00Z", "", "2026-03-10T10:00:00+00:00"),
        ("2026-07-10 10:00", "", "2026-07-10T10:00:00+02:00"),
        ("10.03.2026", "", "2026-03-10T00:00:00+01:00"),
        ("10/03/2026", "day_first", "2026-03-10T00:00:00+01:00"),
        ("03/10/2026 2:05 PM", "month_first", "2026-03-10T14:05:00+01:00"),
        ("31/03/26", "", "2026-03-31T00:00:00+02:00"),
        ("04/04/2026", "", "2026-04-04T00:00:00+02:00"),
    ],
)
def test_dates(cell: str, dates: str, value: str) -> None:
    assert cells.moment(cell, dates, BERLIN) == value


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("03/10/2026", "two ways"),
        ("31.02.2026", "not a date"),
        ("soon", "not a date"),
        ("46091", "not a date"),
    ],
)
def test_dates_that_are_none(cell: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cells.moment(cell, "", BERLIN)


def test_the_order_of_dates_is_told_by_one_that_can_be_read_in_one_way_only() -> None:
    assert cells.order_of_dates(["03/10/2026", "25/10/2026"]) == "day_first"
    assert cells.order_of_dates(["03/10/2026", "10/25/2026"]) == "month_first"
    assert cells.order_of_dates(["03/10/2026", "2026-03-25", "25.10.2026"]) == ""
