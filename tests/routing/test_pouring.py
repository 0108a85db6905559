"""Rows poured into the database: the same as Django's own bulk insert writes, and refused for the same."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.db import DataError, IntegrityError, connection, models, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from leads.choices import CompanyStage
from leads.models import (
    Activity,
    Company,
    Complaint,
    Connection,
    ContactAttempt,
    Deferral,
    EnrichmentAttempt,
    Event,
    ExternalId,
    FiredStep,
    Handoff,
    Inspection,
    Lead,
    LeadAlias,
    Note,
    Notification,
    Receipt,
    Rejection,
    RoutingDecision,
    Score,
    SearchWord,
    TriageItem,
)
from routing.models import Pool, PoolMember, Turn
from routing.pouring import Unfit, made, pour, repour
from tests.conftest import NOW, Cast

# What stands for something else in JSON, in an array or in COPY, and what is longer than it looks.
AWKWARD = (
    "", " ", "\\", "\\N", "\\\\", '"', "'", "{}", "{a,b}", "NULL", "null", "a\tb", "a\nb", "a\r\nb", "%s",
    "%%", "$1", "\u2028", "Łukasz 😀 Weiß", "e\u0301", "\x7f", "0", "true",
)  # fmt: skip
# Every model of which an event or an act brings rows.
POURED = (
    Activity, Company, Event, ExternalId, Handoff, Inspection, Lead, LeadAlias, Notification, Receipt,
    RoutingDecision, Score, SearchWord, TriageItem, Turn,
    Complaint, ContactAttempt, Deferral, EnrichmentAttempt, FiredStep, Note, Rejection,
)  # fmt: skip


def _company(name: str, **more: Any) -> Company:
    return Company(name=name, created_at=NOW, updated_at=NOW, **more)


def _stored(model: type[models.Model]) -> list[dict[str, Any]]:
    """All rows but for their ids, as they are read back."""
    names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    return list(model._default_manager.order_by("pk").values(*names))


def _both_ways(make: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is stored of the rows that `make` gives: poured, and by Django's own way."""
    found = []
    for write in (pour, lambda rows: type(rows[0])._default_manager.bulk_create(rows)):
        with transaction.atomic():
            rows = make()
            write(rows)
            found.append(_stored(type(rows[0])))
            transaction.set_rollback(True)
    return found[0], found[1]


class TestAgainstDjango(TestCase):
    """Companies have a column of nearly each kind."""

    @given(
        facts=st.lists(
            st.tuples(
                st.sampled_from(AWKWARD)
                | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
                st.none() | st.integers(0, 2**62),
                st.none() | st.decimals(0, 10**12, places=2),
                st.recursive(
                    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.sampled_from(AWKWARD),
                    lambda inner: (
                        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(AWKWARD), inner)
                    ),
                    max_leaves=6,
                ),
                st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
                st.booleans(),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_the_same_is_stored(self, facts: list[tuple[Any, ...]]) -> None:
        def make() -> list[Company]:
            return [
                Company(
                    name=text[:300],
                    employee_count=count,
                    revenue_amount=amount,
                    news=[value],
                    field_times={"said": value},
                    created_at=at,
                    updated_at=at,
                    is_named_account=named,
                )
                for text, count, amount, value, at, named in facts
            ]

        poured, plain = _both_ways(make)
        assert poured == plain


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_texts_come_back(cast: Cast, text: str) -> None:
    pour([_company(text, news=[text], field_times={text: text})])
    [row] = Company.objects.all()
    assert (row.name, row.news, row.field_times) == (text, [text], {text: text})


def test_rows_know_their_ids_and_what_the_database_works_out(cast: Cast) -> None:
    rows = [_company(f"Firm {n}", account_key=f"firm {n}") for n in range(3)]
    with CaptureQueriesContext(connection) as asked:
        pour(rows)
    assert len([one for one in asked if "INSERT" in one["sql"]]) == 1
    assert [row.pk for row in rows] == list(Company.objects.order_by("pk").values_list("pk", flat=True))
    assert [row.name for row in Company.objects.order_by("pk")] == ["Firm 0", "Firm 1", "Firm 2"]
    assert [row.account_start for row in rows] == [
        row.account_start for row in Company.objects.order_by("pk")
    ]
    assert {(row._state.adding, row._state.db) for row in rows} == {(False, "default")}


def test_no_rows_ask_nothing(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as asked:
        pour([])
        repour([], ["name"])
    assert len(asked) == 0


@pytest.mark.parametrize("model", POURED)
def test_every_model_that_events_and_acts_bring_can_be_poured(cast: Cast, model: type[models.Model]) -> None:
    # Empty as it is, it may be refused for what it lacks, but not for the kinds of its fields.
    with contextlib.suppress(IntegrityError), transaction.atomic():
        pour([made(model)])
        transaction.set_rollback(True)


def test_a_kind_that_is_not_poured_says_so(cast: Cast) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("Django writes any kind")
    with pytest.raises(Unfit, match=r"Connection\.slug is a SlugField"):
        pour([made(Connection)])


def test_what_is_there_already_is_the_same_error(cast: Cast) -> None:
    pour([_company("Firm", domain="firm.example")])
    with pytest.raises(IntegrityError), transaction.atomic():
        pour([_company("Other", domain="other.example"), _company("Again", domain="firm.example")])
    assert [row["name"] for row in _stored(Company)] == ["Firm"]


def test_after_an_error_the_transaction_is_over(cast: Cast) -> None:
    pour([_company("Firm", domain="firm.example")])
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            pour([_company("Again", domain="firm.example")])
        with pytest.raises(TransactionManagementError):
            Company.objects.count()
        transaction.set_rollback(True)


def test_conflicts_are_passed_over_where_that_is_wanted(cast: Cast) -> None:
    pour([_company("Firm", domain="firm.example")])
    pour(
        [_company("Again", domain="firm.example"), _company("Other", domain="other.example")],
        ignore_conflicts=True,
    )
    assert [row["name"] for row in _stored(Company)] == ["Firm", "Other"]


def test_nul_is_refused(cast: Cast) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps it")
    for row in (_company("a\x00b"), _company("Firm", news=["a\x00b"])):
        with pytest.raises(DataError), transaction.atomic():
            pour([row])


def test_what_is_too_long_or_too_large_is_refused(cast: Cast) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps it")
    for row in (_company("x" * 10_000), _company("Firm", employee_count=2**63)):
        with pytest.raises(DataError), transaction.atomic():
            pour([row])


@pytest.mark.parametrize("value", [NOW, Decimal("1.5"), {1, 2}])
def test_json_that_is_no_json_is_refused(cast: Cast, value: Any) -> None:
    with pytest.raises(TypeError):
        pour([_company("Firm", news=[value])])


def test_keys_of_json_that_are_no_plain_text_are_stored_as_django_stores_them(cast: Cast) -> None:
    said = {CompanyStage.CUSTOMER: 1, 7: {SafeString("safe"): 2}, None: 3, True: 4}
    poured, plain = _both_ways(lambda: [_company("Firm", field_times=said)])
    assert poured == plain
    assert poured[0]["field_times"] == {"customer": 1, "7": {"safe": 2}, "null": 3, "true": 4}


def test_changed_rows_and_no_other_field_of_them(cast: Cast) -> None:
    rows = [_company(f"Firm {n}", revenue_amount=Decimal(n), news=[n]) for n in range(3)]
    pour(rows)
    for row in rows[:2]:
        row.name, row.revenue_amount, row.news = f"{row.name} \\N", Decimal("12345678.90"), [{"a": None}]
        row.industry, row.employee_count, row.updated_at = "unsaid", None, NOW + timedelta(days=1)
    with CaptureQueriesContext(connection) as asked:
        repour(rows[:2], ["name", "revenue_amount", "news", "employee_count"])
    assert len([one for one in asked if "UPDATE" in one["sql"]]) == 1
    assert list(
        Company.objects.order_by("pk").values_list("name", "revenue_amount", "news", "industry", "updated_at")
    ) == [
        ("Firm 0 \\N", Decimal("12345678.90"), [{"a": None}], "", NOW),
        ("Firm 1 \\N", Decimal("12345678.90"), [{"a": None}], "", NOW),
        ("Firm 2", Decimal(2), [2], "", NOW),
    ]


def test_seats_keep_all_twelve_places(cast: Cast) -> None:
    pool = Pool.objects.create(slug="dach", name="DACH")
    seat = PoolMember.objects.create(pool=pool, user=cast.jonas, cap_open=7)
    seat.accrued, seat.taken, seat.cap_open = Decimal("1.333333333334"), 2, 1
    repour([seat], ["accrued", "taken"])
    seat.refresh_from_db()
    assert (seat.accrued, seat.taken, seat.cap_open) == (Decimal("1.333333333334"), 2, 7)


@pytest.mark.parametrize("model", POURED)
def test_a_row_made_is_as_the_model_makes_it(model: type[models.Model]) -> None:
    one, other = made(model), model()
    own = [field.attname for field in model._meta.concrete_fields if not field.generated]
    assert [getattr(one, name) for name in own] == [getattr(other, name) for name in own]
    assert (one._state.adding, one._state.db) == (other._state.adding, other._state.db)


def test_rows_made_share_nothing() -> None:
    one, other = made(Activity, title="One"), made(Activity)
    one.properties["a"] = 1
    assert (one.title, other.title, other.properties) == ("One", "", {})


def test_a_row_made_knows_what_it_points_at() -> None:
    lead = Lead(pk=7)
    row = made(Activity, lead=lead)
    assert (row.lead is lead, row.lead_id) == (True, 7)


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(FieldDoesNotExist, match="titel"):
        made(Activity, titel="One")
    with pytest.raises(TypeError, match="account_start"):
        made(Company, account_start="firm")
