"""A query that is written to SQL once a process, planned once a connection, and then only asked.

Owns `prepared`, and `planned`: the cursor whose statements PostgreSQL keeps. To write the SQL of a page's
query takes Django longer than the database takes to answer it, and so does planning it. What is kept is text
and a plan, never an answer: rows are read anew each time. Never shapes a query by a value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import update_wrapper
from inspect import signature
from itertools import count
from typing import Any, Generic, ParamSpec, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError

P = ParamSpec("P")
T = TypeVar("T")

# Values that no query of ours has of its own: they show where a value stands in the SQL.
_NUMBER, _MOMENT, _TEXT = 2**62, datetime(9000, 1, 1, tzinfo=UTC), "\ue000 a text that nobody writes "
# Lists are filled up to one of these lengths: by their last value once more, an empty one by what no row has.
_LENGTHS, _NOBODY = (4, 16, 64, 128, 256, 512, 1024, 4096, 16384), -1


class Unfit(TypeError):
    """This query cannot be prepared. Said when it is first asked, which is what tests do."""


def prepared(make: Callable[P, QuerySet[Any, T]]) -> Prepared[P, T]:
    """For a function that makes a queryset of whole numbers, moments, texts and lists of ids or texts: called
    like it, each value in its place, this gives the rows as a list, and `first` the first of them or None.

    The function is asked once and so decides nothing by a value, but by True and False, which make statements
    of their own. What is counted from a value (a day before a moment) comes as a value of its own.
    """
    return Prepared(make)


@contextmanager
def planned(alias: str = DEFAULT_DB_ALIAS) -> Iterator[Any]:
    """A cursor for a statement that is asked again and again. PostgreSQL gets the values beside it and plans
    it once a connection (the option `prepare_threshold`). What only constants tell, such as that an index of
    some rows will do, has to stand in the text."""
    connection: Any = connections[alias]
    if not _keeps_plans(connection):
        with connection.cursor() as cursor:
            yield cursor
        return
    with _own_cursor(connection, psycopg.Cursor) as cursor:
        yield cursor


def _keeps_plans(connection: Any) -> bool:
    """Whether statements go to PostgreSQL with their values beside them. A log of queries has them within."""
    return connection.vendor == "postgresql" and not connection.queries_logged


@contextmanager
def _own_cursor(connection: Any, kind: type[psycopg.Cursor[Any]]) -> Iterator[Any]:
    # As Django opens its own, which would be thrown away.
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        own = kind(connection.connection)
    with connection.make_cursor(own) as cursor:
        yield cursor


class Prepared(Generic[P, T]):
    """The query of one function, once for each length of its lists and each True and False."""

    def __init__(self, make: Callable[P, QuerySet[Any, T]]) -> None:
        self._make: Callable[..., QuerySet[Any, T]] = make
        # What an empty list holds, which itself does not say of what it is.
        kinds = (str(parameter.annotation) for parameter in signature(make).parameters.values())
        self._fillers = [_TEXT if "[str]" in kind else _NOBODY for kind in kinds]
        self._written: dict[tuple[Any, ...], _Written] = {}
        update_wrapper(self, make)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        if kwargs:
            raise Unfit(f"{self._make.__name__}: values come by their place")
        values = list(map(_filled, args, self._fillers))
        if any(isinstance(value, list) and len(value) > _LENGTHS[-1] for value in values):
            # To write it is the least of what so long a list costs.
            return list(self._make(*args))
        shape = tuple(_shape(value) for value in values)
        written = self._written.get(shape)
        if written is None:
            written = self._written[shape] = self._write(values)
        try:
            return written.ask(_flat(values))
        except OverflowError:
            # A number that no column holds: Django knows what no row can be equal to.
            return list(self._make(*args))

    def first(self, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """The first of these rows, for a query that has one or none."""
        return next(iter(self(*args, **kwargs)), None)

    def _write(self, values: Sequence[Any]) -> _Written:
        """The query with marks for the values. Written twice with different marks, so that whatever follows
        from a value in another way than by standing there is found out."""
        many = len(_flat(values))
        first, second = self._marked(values, count(0)), self._marked(values, count(many))
        both = zip(first.params, second.params, strict=False)
        unlike = {place for place, (one, other) in enumerate(both) if one != other}
        stands = unlike == first.places.keys() and set(first.places.values()) == set(range(many))
        if first.sql != second.sql or not stands:
            raise Unfit(f"{self._make.__name__}: its values do more than stand in the query")
        first.fix()
        return first

    def _marked(self, values: Sequence[Any], numbers: Iterator[int]) -> _Written:
        marks = [_mark(value, numbers) for value in values]
        rows = self._make(*marks)
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        known = {_adapted(compiler.connection, mark): number for number, mark in enumerate(_flat(marks))}
        places = {place: known[value] for place, value in enumerate(params) if _is_one_of(value, known)}
        columns = [column for column, *_ in compiler.select[: compiler.col_count]]
        return _Written(rows, compiler, sql, tuple(params), places, compiler.get_converters(columns))


@dataclass(slots=True)
class _Written:
    """A query as SQL. `places` says which of its parameters is which value, `converters` how a column is read
    that the database gives otherwise; `numbered` is it as PostgreSQL itself writes it, $1 for the first."""

    rows: QuerySet[Any, Any]
    compiler: Any
    sql: str
    params: tuple[Any, ...]
    places: dict[int, int]
    converters: dict[int, Any]
    numbered: str = ""

    def fix(self) -> None:
        """The constants into the text: only values are left to be sent."""
        if self.compiler.connection.vendor != "postgresql":
            return
        ops = self.compiler.connection.ops
        stand = [
            "%s" if place in self.places else ops.compose_sql("%s", (param,)).replace("%", "%%")
            for place, param in enumerate(self.params)
        ]
        numbers = count(1)
        numbered = tuple(f"${next(numbers)}" if text == "%s" else text for text in stand)
        doubled = self.sql.replace("%%", "%%%%")
        self.sql, self.numbered = doubled % tuple(stand), (doubled % numbered).replace("%%", "%")
        self.params = tuple(param for place, param in enumerate(self.params) if place in self.places)
        self.places = dict(enumerate(self.places.values()))

    def ask(self, values: Sequence[Any]) -> list[Any]:
        """The rows for these values. What Django reads them with is copied: threads share the original."""
        connection = connections[self.rows.db]
        if self.rows.query.select_for_update and _locks_nothing(connection):
            # Django says so while it writes the SQL, which is once.
            raise TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        params = list(self.params)
        for place, number in self.places.items():
            params[place] = _adapted(connection, values[number])
        # In a text with many %s psycopg would look for them each time; the numbered one it takes as it is.
        has_numbers = _keeps_plans(connection)
        opened = _own_cursor(connection, psycopg.RawCursor) if has_numbers else connection.cursor()
        with opened as cursor:
            cursor.execute(self.numbered if has_numbers else self.sql, params)
            read = cursor.fetchall()
        if not read:
            return []
        if self.compiler.has_extra_select:
            # What only the order needed.
            read = [row[: self.compiler.col_count] for row in read]
        compiler = _twin(self.compiler)
        compiler.connection = connection
        compiler.execute_sql = lambda *_, **__: None
        if self.converters:
            read = list(map(tuple, compiler.apply_converters(read, self.converters)))
        compiler.results_iter = lambda *_, **__: iter(read)
        query = _twin(self.rows.query)
        query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        rows: Any = QuerySet(self.rows.model, query)
        rows._fields, rows._iterable_class = self.rows._fields, self.rows._iterable_class  # type: ignore[attr-defined]
        return list(rows._iterable_class(rows))


def _twin(original: T) -> T:
    """As `copy.copy` makes it, which asks around for a quarter of what a small query takes."""
    twin = object.__new__(type(original))
    twin.__dict__.update(original.__dict__)
    return twin


def _locks_nothing(connection: Any) -> bool:
    """Whether a lock would be let go with the statement that takes it."""
    return bool(connection.features.has_select_for_update and connection.get_autocommit())


def _filled(value: Any, filler: Any) -> Any:
    """A list with more of the same, so that few lengths occur."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Collection):
        return value
    given = list(value) or [filler]
    length = next((length for length in _LENGTHS if length >= len(given)), len(given))
    return given + given[-1:] * (length - len(given))


def _shape(value: Any) -> Any:
    """What of a value makes a statement of its own."""
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, bool) else None


def _flat(values: Sequence[Any]) -> list[Any]:
    """The values that stand in the query."""
    lists = (value if isinstance(value, list) else [value] for value in values)
    return [one for ones in lists for one in ones if not isinstance(one, bool)]


def _mark(value: Any, numbers: Iterator[int]) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, list):
        if len({isinstance(one, str) for one in value}) > 1 or not all(map(_is_listed, value)):
            raise Unfit("a list holds whole numbers or texts")
        return [_mark(one, numbers) for one in value]
    if isinstance(value, datetime):
        return _MOMENT + timedelta(days=next(numbers))
    if isinstance(value, int):
        return _NUMBER + next(numbers)
    if isinstance(value, str):
        return f"{_TEXT}{next(numbers)}"
    raise Unfit(f"a {type(value).__name__} is no whole number, no moment and no text")


def _is_listed(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _adapted(connection: Any, value: Any) -> Any:
    """A value as this database takes it; numbers all as wide, so that one statement does for them."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, str):
        return value
    return connection.ops.adapt_integerfield_value(value, "BigIntegerField")


def _is_one_of(value: Any, marks: dict[Any, int]) -> bool:
    return isinstance(value, (int, str, datetime)) and value in marks
