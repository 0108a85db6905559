"""The quicker lists say byte for byte what psycopg's own lists say."""

import json

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from psycopg import adapters
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.array import ListDumper
from psycopg.types.json import Jsonb

from handoff_site.postgres import PLANS, QuickListDumper

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


@pytest.mark.skipif(connection.vendor != "postgresql", reason="psycopg is PostgreSQL's driver")
def test_a_connection_keeps_the_plans_of_all_our_statements(db):
    with connection.cursor():
        assert connection.connection.prepared_max == PLANS
