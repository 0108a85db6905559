"""The move from SQLite into PostgreSQL: every row, in one transaction, compared before it is kept.

Owns the order: pause the triggers, stream each table by COPY, set the sequences, let the database check its
references, count both sides. On any difference nothing is kept. Triggers of ours are paused because they
guard how rows come to be (a definition is signed first; none that comes says it was there before), and these
rows did, under the same triggers on SQLite; checks, unique and foreign keys hold throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from handoff_site.keeping import counting, databases, postgresql, sqlite
from handoff_site.keeping.counting import Counted, Table
from handoff_site.keeping.databases import Config, Refused, first_line

# What `migrate` writes into every database; the rows of the other side take their place. In the order in
# which they may go.
FROM_MIGRATE = ("auth_permission", "django_content_type")


def move(source: Config, target: Config) -> dict[str, Counted]:
    """All rows of a SQLite database into an empty, migrated PostgreSQL. Raises Refused, keeping nothing."""
    if (databases.vendor(source), databases.vendor(target)) != ("sqlite", "postgresql"):
        raise Refused("a move goes from sqlite:///... to postgres://... (DATABASE_URL is where it goes)")
    path = Path(source["NAME"])
    if not path.exists():
        raise Refused(f"there is no database {path}")
    sqlite.check(path)
    with databases.opened(source) as old, databases.opened(target) as new:
        tables = counting.known()
        _refuse_unlike(old, new)
        _refuse_full(target, new, tables)
        with _moment(old), _all_or_nothing(new):
            expected = _fill(old, new, tables)
            if wrong := counting.differences(expected, counting.count(new, tables)):
                raise Refused(f"nothing was kept, for it did not come out the same: {'; '.join(wrong[:5])}")
        postgresql.analyze(new)
    return expected


def _refuse_unlike(old: BaseDatabaseWrapper, new: BaseDatabaseWrapper) -> None:
    """Both have to be of this version; otherwise columns would be left out without a word."""
    known = databases.known()
    for wrapper in (old, new):
        there, name = set(databases.applied(wrapper)), databases.named(wrapper.settings_dict)
        if missing := sorted(known - there):
            raise Refused(f"{name} lacks {missing[0]}: run `manage.py migrate` there first")
        if unknown := sorted(there - known):
            raise Refused(f"{name} is of another version of Handoff: {unknown[0]} is not known here")


def _refuse_full(target: Config, new: BaseDatabaseWrapper, tables: list[Table]) -> None:
    quote = new.ops.quote_name
    with new.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {quote(table.name)})")  # noqa: S608
            if cursor.fetchone()[0] and table.name not in FROM_MIGRATE:
                raise Refused(
                    f"{databases.named(target)} is not empty: {table.name} has rows. Move into a database "
                    "where nothing but `manage.py migrate` has run"
                )


def _fill(old: BaseDatabaseWrapper, new: BaseDatabaseWrapper, tables: list[Table]) -> dict[str, Counted]:
    """Copy every table; what was counted of the old ones."""
    quote = new.ops.quote_name
    with new.cursor() as cursor:
        guarded = _guarded(cursor)
        for name in guarded:
            cursor.execute(f"ALTER TABLE {quote(name)} DISABLE TRIGGER USER")
        for name in FROM_MIGRATE:
            cursor.execute(f"DELETE FROM {quote(name)}")  # noqa: S608
        numbers = _last_numbers(old)
        for table in tables:
            _copy(old, cursor, new, table)
            _go_on_from(cursor, new, table, numbers.get(table.name, 0))
        # References were to be looked at when the transaction ends; a table with some open cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in guarded:
            cursor.execute(f"ALTER TABLE {quote(name)} ENABLE TRIGGER USER")
    return counting.count(old, tables)


def _copy(old: BaseDatabaseWrapper, cursor: Any, new: BaseDatabaseWrapper, table: Table) -> None:
    """Stream a table. What the database generates it generates again."""
    quote = new.ops.quote_name
    columns = [name for name in table.columns if name not in table.generated]
    statement = f"COPY {quote(table.name)} ({', '.join(map(quote, columns))}) FROM STDIN"
    try:
        with cursor.copy(statement) as copy:
            for row in counting.rows(old, table, columns):
                copy.write_row(row)
    except (psycopg.Error, DatabaseError) as error:
        raise Refused(f"nothing was kept: {table.name}: {first_line(error)}") from None


def _go_on_from(cursor: Any, new: BaseDatabaseWrapper, table: Table, last: int) -> None:
    """The next number is one that was never given, also to a row that is gone: others may still name it."""
    if table.columns[table.key] != "integer":
        return
    quote = new.ops.quote_name
    cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [quote(table.name), table.key])
    (sequence,) = cursor.fetchone()
    if sequence is None:
        return
    cursor.execute(f"SELECT COALESCE(MAX({quote(table.key)}), 0) FROM {quote(table.name)}")  # noqa: S608
    highest = max(last, cursor.fetchone()[0])
    cursor.execute("SELECT setval(%s, %s, %s)", [sequence, max(highest, 1), highest > 0])


def _last_numbers(old: BaseDatabaseWrapper) -> dict[str, int]:
    with old.cursor() as cursor:
        cursor.execute("SELECT name, seq FROM sqlite_sequence")
        return dict(cursor.fetchall())


def _guarded(cursor: Any) -> list[str]:
    """The tables that have triggers of ours."""
    cursor.execute(
        "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal AND pg_table_is_visible(c.oid) ORDER BY 1"
    )
    return [name for (name,) in cursor.fetchall()]


@contextmanager
def _moment(old: BaseDatabaseWrapper) -> Iterator[None]:
    """One state of the old database for all that is read; a plain transaction, for Django's would lock it."""
    with old.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        with old.cursor() as cursor:
            cursor.execute("ROLLBACK")


@contextmanager
def _all_or_nothing(new: BaseDatabaseWrapper) -> Iterator[None]:
    new.set_autocommit(False)
    try:
        yield
        new.commit()
    except DatabaseError as error:
        new.rollback()
        raise Refused(f"nothing was kept: {first_line(error)}") from None
    except BaseException:
        new.rollback()
        raise
    finally:
        new.set_autocommit(True)
