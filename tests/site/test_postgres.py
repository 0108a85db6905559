"""The quicker lists and moments say what psycopg's and Django's own say."""

import json
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from hypothesis import given
from hypothesis import strategies as st
from psycopg import adapters
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.array import ListDumper
from psycopg.types.json import Jsonb

from handoff_site.postgres import PLANS, QuickListDumper, QuickMomentLoader

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
ELEMENTS = st.one_of(st.none(), TEXTS, st.sampled_from(['"', "\\", '\\"', "{}", ",", "NULL", " ", 'a"b\\c']))


def dumped(kind: type[ListDumper], values: list) -> bytes:
    dumper = kind(list, Transformer())
    return bytes(dumper.upgrade(values, PyFormat.TEXT).dump(values) or b"")


@given(st.lists(ELEMENTS, max_size=8))
def test_text(values):
    assert dumped(QuickListDumper, values) == dumped(ListDumper, values)


@given(st.lists(st.dictionaries(TEXTS, TEXTS, max_size=3), min_size=1, max_size=4))
def test_json(values):
    as_json = [Jsonb(value, dumps=json.dumps) for value in values]
    assert dumped(QuickListDumper, as_json) == dumped(ListDumper, as_json)


def test_it_is_in_use():
    assert adapters.get_dumper(list, PyFormat.TEXT) is QuickListDumper


class DjangosLoader(BaseTzLoader):
    timezone = UTC


def read(kind: type[BaseTzLoader], text: str) -> datetime:
    return kind(psycopg.postgres.types["timestamptz"].oid).load(memoryview(text.encode()))


@given(st.datetimes(), st.integers(0, 6))
def test_a_moment_is_read_as_django_reads_it(moment, digits):
    """PostgreSQL leaves out what is nothing at the end of a second's parts."""
    text = (
        f"{moment:%Y-%m-%d %H:%M:%S}".zfill(19)
        + f".{moment.microsecond:06}"[: digits + 1].rstrip(".")
        + "+00"
    )
    assert read(QuickMomentLoader, text) == read(DjangosLoader, text)
    assert read(QuickMomentLoader, text).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00+00"]
)
def test_a_moment_that_no_datetime_is_fails_as_it_does_there(text):
    with pytest.raises(psycopg.DataError) as ours:
        read(QuickMomentLoader, text)
    with pytest.raises(psycopg.DataError) as theirs:
        read(DjangosLoader, text)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="psycopg is PostgreSQL's driver")
def test_a_connection_reads_moments_by_it(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT '2026-10-14 10:44:00.5+02'::timestamptz")
        assert cursor.fetchone()[0] == datetime(2026, 10, 14, 8, 44, 0, 500000, tzinfo=UTC)
        oid = psycopg.postgres.types["timestamptz"].oid
        assert connection.connection.adapters.get_loader(oid, psycopg.pq.Format.TEXT) is QuickMomentLoader


@pytest.mark.skipif(connection.vendor != "postgresql", reason="psycopg is PostgreSQL's driver")
def test_a_connection_keeps_the_plans_of_all_our_statements(db):
    with connection.cursor():
        assert connection.connection.prepared_max == PLANS
