"""A migration that is one transaction does all it does to tables at its end, in order, or nothing of it."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, connection

from handoff_site.migrating.together import together

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="locks of tables are PostgreSQL's"),
]
MAKE = "CREATE TABLE made_together (id int)"


def is_there() -> bool:
    """Asked past Django, which would have put off work done first."""
    row = connection.connection.execute("SELECT to_regclass('made_together') IS NOT NULL").fetchone()
    return bool(row[0])


def test_what_changes_tables_waits_for_the_end_and_what_was_deferred_comes_after_it() -> None:
    connection.ensure_connection()
    with together(connection):
        with connection.schema_editor() as editor:
            editor.deferred_sql.append("DROP TABLE made_together")
            editor.execute(MAKE)
            assert not is_there()
        assert not is_there()
        assert not connection.in_atomic_block
    # The one that made it came first, or there had been nothing to drop.


def test_whoever_asks_in_between_finds_done_what_came_before() -> None:
    connection.ensure_connection()
    with together(connection), connection.schema_editor() as editor:
        editor.execute(MAKE)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM made_together")
            assert cursor.fetchone() == (0,)
        editor.execute("DROP TABLE made_together")
    assert not is_there()


def test_what_fails_at_the_end_is_taken_back_whole() -> None:
    connection.ensure_connection()
    with together(connection):
        with pytest.raises(ProgrammingError, match="nowhere"), connection.schema_editor() as editor:
            editor.execute(MAKE)
            editor.deferred_sql.append("ALTER TABLE nowhere ADD COLUMN id int")
        assert not connection.in_atomic_block
        assert not is_there()
        # Nothing of it is left for the next.
        with connection.schema_editor() as editor:
            editor.execute(MAKE)
            editor.execute("DROP TABLE made_together")


def test_one_that_is_no_transaction_does_each_thing_at_once() -> None:
    connection.ensure_connection()
    with together(connection), connection.schema_editor(atomic=False) as editor:
        editor.execute(MAKE)
        assert is_there()
        editor.execute("DROP TABLE made_together")


def test_only_as_long_as_the_block_lasts() -> None:
    plain = connection.SchemaEditorClass
    with together(connection):
        assert connection.SchemaEditorClass is not plain
    assert connection.SchemaEditorClass is plain
