"""From which database a page reads: the primary, or, for a page of figures, the copy that follows it.

Owns the door (`of_figures`, before a view that only reads) and Django's router. Which it is, a page asks
once, and all that it counts comes from there: marks and rows of kept figures have to be of one database, the
marks first (`metrics.pulse`). A page that the copy fails is answered anew, whole, by the primary. Writes,
what is read in a transaction, people, sessions and permissions are the primary's always. Without a copy
nothing here does anything. Whether it is fit is `routing.replica`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import psycopg
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.http import HttpRequest, HttpResponse

from routing import replica
from routing.people import User
from routing.replica import COPY

P = ParamSpec("P")
_View = Callable[Concatenate[HttpRequest, P], HttpResponse]

_APPS = frozenset({"routing", "leads", "metrics"})
_from_copy: ContextVar[bool] = ContextVar("from_copy", default=False)


def of_figures(view: _View[P]) -> _View[P]:
    """For a view of figures that writes nothing but what it kept of them."""

    @wraps(view)
    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if _may() and (found := replica.verdict()) is not None and found.is_used:
            try:
                with from_copy():
                    return view(request, *args, **kwargs)
            except Error as error:
                # What took too long there takes as long here; all else may be the copy's alone: it ended, a
                # replayed change had to have a row that was read, or it does not have a new column yet.
                if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                    raise
                replica.doubt()
        return view(request, *args, **kwargs)

    return answer


@contextmanager
def from_copy() -> Iterator[None]:
    """What is read within comes from the copy; who asks knows that it is fit."""
    with _reading(True):
        yield


@contextmanager
def from_primary() -> Iterator[None]:
    """What is read within comes from the primary, whatever the page reads: it is to be as of now."""
    with _reading(False):
        yield


class Router:
    """Django's router, of a site that has a copy."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        # Never none: Django would then follow where an object was read from.
        is_ours = model._meta.app_label in _APPS and model is not User
        return COPY if is_ours and _from_copy.get() and _may() else DEFAULT_DB_ALIAS

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, database: str, app_label: str, **hints: Any) -> bool | None:
        return False if database == COPY else None


def _may() -> bool:
    """Whoever has a transaction open reads what it sees."""
    return not connections[DEFAULT_DB_ALIAS].in_atomic_block


@contextmanager
def _reading(is_copy: bool) -> Iterator[None]:
    token = _from_copy.set(is_copy)
    try:
        yield
    finally:
        _from_copy.reset(token)
