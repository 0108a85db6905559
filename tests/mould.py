"""Rows that many tests start from: made once by the real code, poured in by plain writes ever after.

Owns how rows are taken down and put in again. Never shares a row between tests: each pouring is inside the
test's own transaction, and what it hands back is a copy of its own.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Model

Made = TypeVar("Made")
Row = tuple[Any, ...]
Write = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Mould(Generic[Made]):
    """`writes` are statements with their parameters, `made` is what the maker returned, pickled."""

    writes: tuple[Write, ...]
    made: bytes

    def pour(self) -> Made:
        # In one transaction: rows may stand before those that they point to.
        with transaction.atomic(), connection.cursor() as cursor:
            for statement, parameters in self.writes:
                cursor.execute(statement, parameters)
        made: Made = pickle.loads(self.made)
        return made


def take(make: Callable[[], Made]) -> Mould[Made]:
    """What `make` does to the database, which is left as it was. It may add rows and change some."""
    before = _rows()
    with transaction.atomic():
        made = pickle.dumps(make())
        after = _rows()
        transaction.set_rollback(True)
    writes = []
    for model, rows in after.items():
        old, key = set(before[model]), _columns(model).index(model._meta.pk.column)
        were, new = {row[key] for row in old}, [row for row in rows if row not in old]
        assert were <= {row[key] for row in rows}, f"{model._meta.label} lost rows"
        # Changed before others come: of some there may be one at a time.
        writes += [_update(model, row, key) for row in new if row[key] in were]
        if added := [row for row in new if row[key] not in were]:
            writes.append(_insert(model, added))
    return Mould(tuple(writes), made)


def _columns(model: type[Model]) -> list[str]:
    # What the database generates, it generates again.
    return [field.column for field in model._meta.local_concrete_fields if not field.generated]


def _rows() -> dict[type[Model], list[Row]]:
    """Every row as the database's driver has it, in the order of the keys."""
    found: dict[type[Model], list[Row]] = {}
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if model._meta.managed and not model._meta.proxy:
                names, key = ", ".join(map(quote, _columns(model))), quote(model._meta.pk.column)
                cursor.execute(f"SELECT {names} FROM {quote(model._meta.db_table)} ORDER BY {key}")
                found[model] = cursor.fetchall()
    return found


def _update(model: type[Model], row: Row, key: int) -> Write:
    quote = connection.ops.quote_name
    named = [f"{quote(column)} = %s" for column in _columns(model)]
    statement = f"UPDATE {quote(model._meta.db_table)} SET {', '.join(named)} WHERE {named[key]}"
    return statement, (*row, row[key])


def _insert(model: type[Model], rows: list[Row]) -> Write:
    quote = connection.ops.quote_name
    columns = _columns(model)
    one = f"({', '.join(['%s'] * len(columns))})"
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, columns))}) VALUES "
    return statement + ", ".join([one] * len(rows)), tuple(chain.from_iterable(rows))
