"""Many rows into the database by a statement written to SQL once a process and planned once a connection.

Owns `pour` (new rows), `repour` (changed ones) and `made` (a row in memory), for the rows that each event
brings. Django's own ways weigh every value by itself, which takes longer than the database takes to write it;
PostgreSQL gets the rows as one JSON text here. Elsewhere Django writes them. Values are plain, and what a row
points at is saved before: neither is looked at. Never decides what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, models, transaction
from django.db.models.base import ModelState

from routing.prepared import planned

M = TypeVar("M", bound=models.Model)

# What JSON says by itself, or as a text that PostgreSQL reads.
_POURED = frozenset(
    {models.BigAutoField, models.ForeignKey, models.CharField, models.BooleanField, models.JSONField}
    | {models.IntegerField, models.PositiveBigIntegerField, models.PositiveIntegerField}
    | {models.PositiveSmallIntegerField, models.DateTimeField, models.DecimalField}
)
# Within a value of JSON a moment or an amount is refused, and a key that is no plain text becomes one.
_AS_DJANGO = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS


class Unfit(TypeError):
    """A model has a field of a kind that is not poured. Said at its first row, which is what tests do."""


def made(model: type[M], **values: Any) -> M:
    """A new row by the names of its columns (`lead_id`) and of what it points at (`lead`), as the model's own
    call makes it at a tenth of the work: for what events bring by the dozen. No signal is sent."""
    columns, fresh = _defaults(model)
    row = model.__new__(model)
    row.__dict__ = {"_state": ModelState(), **columns, **values}
    for name, make in fresh:
        if name not in values:
            row.__dict__[name] = make()
    for name in values.keys() - columns.keys():
        field, there = model._meta.get_field(name), row.__dict__.pop(name)
        if not isinstance(field, models.ForeignKey):
            raise TypeError(f"{model.__name__} has no column {name}")
        row.__dict__[field.attname] = None if there is None else there.pk
        field.set_cached_value(row, there)
    return row


def pour(rows: Iterable[models.Model], *, ignore_conflicts: bool = False) -> None:
    """Insert new rows of one model, in their order; as `bulk_create` it sets their ids and what the database
    works out. Rows that are there already raise IntegrityError, or are passed over and then none gets an id.
    """
    rows = list(rows)
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows, ignore_conflicts=ignore_conflicts)
        return
    found = _written(_insert(model, ignore_conflicts), rows)
    names = [field.attname for field in model._meta.db_returning_fields]
    for row, values in zip(rows, found, strict=False):
        row.__dict__.update(zip(names, values, strict=True))
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def repour(rows: Collection[models.Model], names: Iterable[str]) -> None:
    """Write these fields of saved rows of one model, which are locked already."""
    if not rows:
        return
    model = type(next(iter(rows)))
    if connection.vendor == "postgresql":
        _written(_update(model, tuple(sorted(names))), rows)
        return
    # An upsert by id costs a fraction of a bulk update's CASE for each column and row.
    model._default_manager.bulk_create(
        rows, update_conflicts=True, unique_fields=["id"], update_fields=list(names)
    )


class _Shape:
    """How a model's rows are put as JSON: objects whose keys are the columns' numbers."""

    def __init__(self, fields: Sequence[models.Field[Any, Any]]) -> None:
        if unfit := [field for field in fields if type(field) not in _POURED]:
            raise Unfit(f"{unfit[0]} is a {type(unfit[0]).__name__}")
        columns = {str(number): field for number, field in enumerate(fields)}
        self.keys = list(columns)
        self.of_json = [key for key, field in columns.items() if type(field) is models.JSONField]
        self.cells = itemgetter(*(field.attname for field in fields))
        kinds = (f'"{key}" {field.cast_db_type(connection)}' for key, field in columns.items())
        self.source = f"json_to_recordset(%s::json) AS v({', '.join(kinds)})"

    def text(self, rows: Iterable[models.Model]) -> str:
        # Past Django's attributes, which ask around for each column that names another row.
        found = [dict(zip(self.keys, self.cells(vars(row)), strict=True)) for row in rows]
        for key in self.of_json:
            for cells in found:
                cells[key] = orjson.Fragment(orjson.dumps(cells[key], option=_AS_DJANGO))
        return orjson.dumps(found, default=_amount).decode()


def _amount(value: Any) -> str:
    """A decimal number as text; whatever else JSON does not know has no place in a row."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a {type(value).__name__} is not poured")


@cache
def _insert(model: type[models.Model], ignore_conflicts: bool) -> tuple[str, _Shape]:
    fields = [f for f in model._meta.concrete_fields if not (f.generated or f.primary_key)]
    shape = _Shape(fields)
    names = ", ".join(map(_column, fields))
    sql = f"INSERT INTO {_table(model)} ({names}) SELECT * FROM {shape.source}"  # noqa: S608 - our own names
    if ignore_conflicts:
        return f"{sql} ON CONFLICT DO NOTHING", shape
    return f"{sql} RETURNING {', '.join(map(_column, model._meta.db_returning_fields))}", shape


@cache
def _update(model: type[models.Model], names: tuple[str, ...]) -> tuple[str, _Shape]:
    fields: list[Any] = [model._meta.pk, *map(model._meta.get_field, names)]
    shape = _Shape(fields)
    own, *sets = (f'{_column(field)} = v."{number}"' for number, field in enumerate(fields))
    head = f"UPDATE {_table(model)} AS t SET {', '.join(sets)}"  # noqa: S608 - our own names
    return f"{head} FROM {shape.source} WHERE t.{own}", shape


@cache
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """What a row's columns hold that are not given, and how those are made that each row has of its own."""
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    # A field without a default has one of Django's own: an empty text, or nothing.
    fresh = [field for field in fields if field.has_default() and callable(field.default)]
    return (
        {field.attname: field.get_default() for field in fields},
        [(field.attname, field.get_default) for field in fresh],
    )


def _written(statement: tuple[str, _Shape], rows: Iterable[models.Model]) -> list[tuple[Any, ...]]:
    """Write the rows; what the statement gives back for each."""
    sql, shape = statement
    with transaction.atomic(savepoint=False), planned() as cursor:
        cursor.execute(sql, [shape.text(rows)])
        return cursor.fetchall() if cursor.description else []


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _column(field: models.Field[Any, Any]) -> str:
    return connection.ops.quote_name(str(field.column))
