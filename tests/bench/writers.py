"""Rows as text: cells with places for what each copy has of its own, by COPY on PostgreSQL, VALUES on SQLite.

Owns escaping and the writing of ready rows. What stands in a row is `moulds`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, models

SQL_BYTES = 400_000
# Marks of what a copy fills in; private-use letters never occur in the moulds' own text. A bare mark stands
# for a number inside JSON, whose quotes go.
OPEN, CLOSE, BARE = "\ue000", "\ue001", "\ue002"
_MARK = re.compile(f"{OPEN}([a-z]+[0-9]*){CLOSE}")
_BARE_MARK = re.compile(f'"{BARE}([a-z]+[0-9]*){CLOSE}"')


def columns(model: type[models.Model]) -> list[models.Field]:
    """The columns that are written; what the database works out by itself is not."""
    return [field for field in model._meta.concrete_fields if not field.generated]


def row(cells: Sequence[Any]) -> str:
    """A row as this database takes it, for the % operator to fill."""
    if connection.vendor == "postgresql":
        return "\t".join(_copy_cell(cell) for cell in cells) + "\n"
    return f"({','.join(_values_cell(cell) for cell in cells)})"


def writer() -> Writer:
    return Copy() if connection.vendor == "postgresql" else Values()


@contextmanager
def indexes_later(tables: Sequence[type[models.Model]]) -> Iterator[None]:
    """On PostgreSQL: these tables are without the indexes that no constraint needs until the end, when they
    are made at one go, which is quicker than to keep them with each row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
            " WHERE i.indrelid = ANY(%s::regclass[]) AND NOT i.indisunique"
            " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
            [[model._meta.db_table for model in tables]],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f"DROP INDEX {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET maintenance_work_mem = '512MB'")
            for _, definition in found:
                cursor.execute(definition)
            cursor.execute("RESET maintenance_work_mem")


@dataclass(frozen=True)
class Mark:
    name: str


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Json:
    value: Any


def _places(text: str) -> str:
    """Escaped text with its marks as places of the % operator."""
    return _MARK.sub(r"%(\1)s", text.replace("%", "%%"))


def _json(cell: Json) -> str:
    return json.dumps(cell.value, ensure_ascii=False)


def _bare(text: str) -> str:
    return _BARE_MARK.sub(rf"{OPEN}\1{CLOSE}", text)


def _copy_cell(cell: Any) -> str:
    """A cell in the text form of COPY."""
    if cell is None:
        return "\\N"
    if isinstance(cell, Mark):
        return f"%({cell.name})s"
    if isinstance(cell, bool):
        return "t" if cell else "f"
    if isinstance(cell, int | Decimal):
        return str(cell)
    text = _bare(_json(cell)) if isinstance(cell, Json) else cell.text
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return _places(text)


def _values_cell(cell: Any) -> str:
    """A cell as an SQLite literal."""
    if cell is None:
        return "NULL"
    if isinstance(cell, Mark):
        return f"'%({cell.name})s'" if re.fullmatch(r"t\d+", cell.name) else f"%({cell.name})s"
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, Decimal):
        return f"'{cell}'"
    text = _bare(_json(cell)) if isinstance(cell, Json) else cell.text
    return "'" + _places(text.replace("'", "''")) + "'"


class Writer:
    """Writes texts of rows into a table."""

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def time(self, at: datetime) -> str:
        raise NotImplementedError

    def write(self, model: type[models.Model], rows: list[str]) -> None:
        raise NotImplementedError


class Copy(Writer):
    """COPY on PostgreSQL. Foreign keys are the moulds' affair, so their checks are left out where allowed."""

    def __enter__(self) -> Writer:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            self.may = bool(cursor.fetchone()[0])
            if self.may:
                cursor.execute("SET session_replication_role = replica")
        return self

    def __exit__(self, *error: object) -> None:
        if self.may:
            with connection.cursor() as cursor:
                cursor.execute("SET session_replication_role = DEFAULT")

    def time(self, at: datetime) -> str:
        return at.isoformat()

    def write(self, model: type[models.Model], rows: list[str]) -> None:
        names = ", ".join(f'"{column.column}"' for column in columns(model))
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {model._meta.db_table} ({names}) FROM STDIN") as copy,
        ):
            copy.write("".join(rows))


class Values(Writer):
    """Many rows a statement on SQLite, one transaction a chunk."""

    def time(self, at: datetime) -> str:
        return str(at.replace(tzinfo=None))

    def write(self, model: type[models.Model], rows: list[str]) -> None:
        names = ", ".join(f'"{column.column}"' for column in columns(model))
        head = f"INSERT INTO {model._meta.db_table} ({names}) VALUES "
        for part in _parts(rows):
            connection.connection.execute(head + ",".join(part))


def _parts(rows: Sequence[str]) -> Iterator[list[str]]:
    """The rows in parts that are not too long for one statement."""
    part: list[str] = []
    size = 0
    for row in rows:
        if part and (size + len(row) > SQL_BYTES or len(part) >= 400):
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row)
    if part:
        yield part
