"""A query that is written to SQL once a process and then only asked, each time with other values.

Owns `prepared`. To write the SQL of a page's query takes Django longer than the database takes to answer it.
What is kept is text, never an answer: rows are read anew each time. Never shapes a query by a value.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

P = ParamSpec("P")
T = TypeVar("T")

# Values that no query of ours has of its own: they show where a value stands in the SQL.
_NUMBER, _MOMENT = 2**62, datetime(9000, 1, 1, tzinfo=UTC)


class Unfit(TypeError):
    """This query cannot be prepared. Said when it is first asked, which is what tests do."""


def prepared(make: Callable[P, QuerySet[Any, T]]) -> Prepared[P, T]:
    """For a function that makes a queryset of whole numbers and moments: called like it, in order of place,
    this gives the rows as a list.

    The function is asked once and so decides nothing by a value. What is counted from a value (a day before a
    moment) comes as a value of its own.
    """
    return Prepared(make)


class Prepared(Generic[P, T]):
    """The query of one function."""

    def __init__(self, make: Callable[P, QuerySet[Any, T]]) -> None:
        self._make: Callable[..., QuerySet[Any, T]] = make
        self._written: _Written | None = None
        update_wrapper(self, make)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        if kwargs:
            raise Unfit(f"{self._make.__name__}: values come by their place")
        if self._written is None:
            self._written = self._write(args)
        return self._written.ask(args)

    def _write(self, args: Sequence[Any]) -> _Written:
        """The query with marks for the values. Written twice with different marks, so that whatever follows
        from a value in another way than by standing there is found out."""
        first, second = self._marked(args, 0), self._marked(args, len(args))
        unlike = {
            place for place, (a, b) in enumerate(zip(first.params, second.params, strict=False)) if a != b
        }
        if (
            first.sql != second.sql
            or unlike != first.places.keys()
            or len(set(first.places.values())) < len(args)
        ):
            raise Unfit(f"{self._make.__name__}: its values do more than stand in the query")
        return first

    def _marked(self, args: Sequence[Any], start: int) -> _Written:
        marks = [_mark(value, start + place) for place, value in enumerate(args)]
        rows = self._make(*marks)
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        known = {_adapted(compiler.connection, mark): number for number, mark in enumerate(marks)}
        places = {place: known[value] for place, value in enumerate(params) if _is_one_of(value, known)}
        return _Written(rows, compiler, sql, tuple(params), places)


@dataclass(frozen=True, slots=True)
class _Written:
    """A query as SQL. `places` says which of its parameters is which value."""

    rows: QuerySet[Any, Any]
    compiler: Any
    sql: str
    params: tuple[Any, ...]
    places: dict[int, int]

    def ask(self, args: Sequence[Any]) -> list[Any]:
        """The rows for these values. What Django reads them with is copied: threads share the original."""
        connection = connections[DEFAULT_DB_ALIAS]
        params = list(self.params)
        for place, number in self.places.items():
            params[place] = _adapted(connection, args[number])
        compiler = copy.copy(self.compiler)
        compiler.connection = connection
        compiler.as_sql = lambda: (self.sql, params)
        query = copy.copy(self.rows.query)
        query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        rows: Any = QuerySet(self.rows.model, query)
        rows._fields, rows._iterable_class = self.rows._fields, self.rows._iterable_class  # type: ignore[attr-defined]
        return list(rows._iterable_class(rows))


def _mark(value: Any, number: int) -> Any:
    if isinstance(value, datetime):
        return _MOMENT + timedelta(days=number)
    if isinstance(value, int) and not isinstance(value, bool):
        return _NUMBER + number
    raise Unfit(f"a {type(value).__name__} is no whole number and no moment")


def _adapted(connection: Any, value: Any) -> Any:
    """A value as this database takes it."""
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _is_one_of(value: Any, marks: dict[Any, int]) -> bool:
    return isinstance(value, (int, str, datetime)) and value in marks
