"""How many rows a table has and what they say, as a number and a checksum that both databases agree on.

Owns which tables and columns count, what a stored value is as a value and as text, and the checksum:
SHA-256 over the rows in the order of their keys, each a line of JSON. Reads a table once, some thousand
rows at a time; whoever needs one moment for all tables opens a transaction around it. Never writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from ipaddress import ip_address
from typing import Any, cast

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, ForeignKey, GeneratedField

CHUNK = 2000
# Wider than any number that JSON in PostgreSQL may hold, so that nothing is rounded.
EXACT = Context(prec=200_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
# SQLite keeps a decimal as a float; Django reads it back with this many digits.
AS_STORED = Context(prec=15)
KINDS = {
    "DateTimeField": "moment",
    "DateField": "day",
    "BooleanField": "truth",
    "JSONField": "json",
    "FloatField": "float",
    "BinaryField": "bytes",
    "GenericIPAddressField": "address",
    "CharField": "text",
    "TextField": "text",
    "SlugField": "text",
}


@dataclass(frozen=True)
class Table:
    """A table as it is read: its key, and its columns in order with the kind of each. `generated` are
    those of them that the database makes itself."""

    name: str
    key: str
    columns: dict[str, str]
    generated: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True)
class Counted:
    """What was found in a table."""

    table: Table
    rows: int
    checksum: str


def known() -> list[Table]:
    """Every table that this version writes, by name."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            fields = model._meta.local_concrete_fields
            columns = {str(one.column): _kind(one) for one in fields}
            generated = frozenset(str(one.column) for one in fields if one.generated)
            found.append(Table(model._meta.db_table, str(model._meta.pk.column), columns, generated))
    return sorted(found, key=lambda table: table.name)


def present(wrapper: BaseDatabaseWrapper) -> list[Table]:
    """Those of them, and of their columns, that a database has: one of an older version lacks some."""
    with wrapper.cursor() as cursor:
        names = set(wrapper.introspection.table_names(cursor))
        found = []
        for table in known():
            if table.name in names:
                has = {
                    column.name for column in wrapper.introspection.get_table_description(cursor, table.name)
                }
                columns = {name: kind for name, kind in table.columns.items() if name in has}
                found.append(Table(table.name, table.key, columns, table.generated & has))
    return found


def count(wrapper: BaseDatabaseWrapper, tables: Iterable[Table]) -> dict[str, Counted]:
    """Rows and checksum of each table, by its name."""
    return {table.name: _count(wrapper, table) for table in tables}


def differences(expected: dict[str, Counted], found: dict[str, Counted]) -> list[str]:
    """In words, one a table; empty when all are equal."""
    said = []
    for name in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(name), found.get(name)
        if wanted is None or there is None:
            said.append(f"{name} is on one side only")
        elif wanted.rows != there.rows:
            said.append(f"{name} has {there.rows} rows instead of {wanted.rows}")
        elif wanted.checksum != there.checksum:
            said.append(f"{name} has as many rows, but they say something else")
    return said


def rows(wrapper: BaseDatabaseWrapper, table: Table, columns: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """Its rows as values, in the order of the keys, read in chunks."""
    quote = wrapper.ops.quote_name
    names = list(columns)
    order = quote(table.key)
    if wrapper.vendor == "postgresql" and table.columns[table.key] == "text":
        order += ' COLLATE "C"'
    readers = [_reader(table.columns[name]) for name in names]
    statement = f"SELECT {', '.join(map(quote, names))} FROM {quote(table.name)} ORDER BY {order}"  # noqa: S608
    with wrapper.chunked_cursor() as cursor:
        cursor.execute(statement)
        while chunk := cursor.fetchmany(CHUNK):
            for row in chunk:
                yield tuple(
                    None if value is None else read(value) for read, value in zip(readers, row, strict=True)
                )


def checked_kind(kind: str) -> str:
    """The kind itself. Raises KeyError or ValueError for none that can be read."""
    _reader(kind)
    return kind


def _count(wrapper: BaseDatabaseWrapper, table: Table) -> Counted:
    digest, number = hashlib.sha256(), 0
    writers = [_WRITERS.get(kind.split()[0], str) for kind in table.columns.values()]
    for row in rows(wrapper, table, table.columns):
        texts = [None if value is None else write(value) for write, value in zip(writers, row, strict=True)]
        digest.update(json.dumps(texts).encode() + b"\n")
        number += 1
    return Counted(table, number, digest.hexdigest())


def _kind(of: Field[Any, Any]) -> str:
    if isinstance(of, ForeignKey):
        return _kind(of.target_field)
    if isinstance(of, GeneratedField):
        return _kind(cast("Field[Any, Any]", of.output_field))
    name = of.get_internal_type()
    if name == "DecimalField":
        return f"decimal {of.decimal_places}"  # type: ignore[attr-defined]
    if name.endswith(("IntegerField", "AutoField")):
        return "integer"
    return KINDS[name]


def _moment(value: datetime) -> datetime:
    """SQLite keeps no zone: what it has is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _decimal(places: int) -> Callable[[Any], Decimal]:
    unit = Decimal(1).scaleb(-places)

    def read(value: Any) -> Decimal:
        exact = AS_STORED.create_decimal_from_float(value) if isinstance(value, float) else Decimal(value)
        return exact.quantize(unit, context=EXACT)

    return read


def _number(text: str) -> str:
    """A number of JSON in the one form: PostgreSQL writes 1e2 as 100, and has no zero below zero."""
    number = Decimal(text).normalize(EXACT)
    return "0" if number.is_zero() else str(number)


def _json(text: str) -> str:
    """The document with its names in order and its numbers in one form."""
    loaded = json.loads(text, parse_float=_Number, parse_int=_Number)
    return json.dumps(loaded, sort_keys=True, default=str)


class _Number:
    """A number of a document, told from a text of the same digits."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"number {_number(self.text)}"


_READERS: dict[str, Callable[[Any], Any]] = {
    "moment": _moment,
    "truth": bool,
    "float": float,
    "bytes": bytes,
    "integer": int,
    "address": lambda value: str(ip_address(str(value))),
    "day": lambda value: value,
    "json": str,
    "text": str,
}
_WRITERS: dict[str, Callable[[Any], str]] = {
    "moment": lambda value: value.isoformat(timespec="microseconds"),
    "day": date.isoformat,
    "float": repr,
    "bytes": bytes.hex,
    "json": _json,
}


def _reader(kind: str) -> Callable[[Any], Any]:
    name, _, places = kind.partition(" ")
    return _decimal(int(places)) if name == "decimal" else _READERS[name]
