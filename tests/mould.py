"""Rows that many tests start from: made once by the real code, poured in by plain inserts ever after.

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


@dataclass(frozen=True)
class Mould(Generic[Made]):
    """`inserts` are statements with their parameters, `made` is what the maker returned, pickled."""

    inserts: tuple[tuple[str, tuple[Any, ...]], ...]
    made: bytes

    def pour(self) -> Made:
        # In one transaction: rows may stand before those that they point to.
        with transaction.atomic(), connection.cursor() as cursor:
            for statement, parameters in self.inserts:
                cursor.execute(statement, parameters)
        made: Made = pickle.loads(self.made)
        return made


def take(make: Callable[[], Made]) -> Mould[Made]:
    """What `make` adds to the database, which is left as it was. It may only add rows."""
    before = _rows()
    with transaction.atomic():
        made = pickle.dumps(make())
        after = _rows()
        transaction.set_rollback(True)
    inserts = []
    for model, rows in after.items():
        old = set(before[model])
        assert old <= set(rows), f"{model._meta.label} lost rows: a mould only adds"
        if new := [row for row in rows if row not in old]:
            inserts.append(_insert(model, new))
    return Mould(tuple(inserts), made)


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


def _insert(model: type[Model], rows: list[Row]) -> tuple[str, tuple[Any, ...]]:
    quote = connection.ops.quote_name
    columns = _columns(model)
    one = f"({', '.join(['%s'] * len(columns))})"
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, columns))}) VALUES "
    return statement + ", ".join([one] * len(rows)), tuple(chain.from_iterable(rows))
