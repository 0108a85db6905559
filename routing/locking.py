"""Rows locked for a change, each with the rows that it names as they are then.

Of a row that it waited for PostgreSQL gives what is new, and of rows joined to it what was before the wait:
a lead whose company was changed meanwhile would come without one (documentation, 13.2.1, and the executor's
README on EvalPlanQual). Owns the one way of locking rows that are read with others: the few that this befell
are read once more. Never chooses what to lock, nor in which order: lead, handoff, seats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db.models import ForeignKey, Model, QuerySet

M = TypeVar("M", bound=Model)


def locked(
    rows: QuerySet[M], *, most: int | None = None, no_key: bool = False, skip_locked: bool = False
) -> list[M]:
    """These rows, at most so many, locked in their order; what `select_related` joins to them is not locked.

    One query, and one more where a row came to name another while this waited for it. `no_key` and
    `skip_locked` are those of `select_for_update`.
    """
    wanted = rows.select_for_update(of=("self",), no_key=no_key, skip_locked=skip_locked)
    return whole(wanted if most is None else wanted[:most], lambda: rows)


def locked_one(rows: QuerySet[M], pk: int) -> M:
    """The one of these with this id. Raises the model's DoesNotExist."""
    for row in locked(rows.filter(pk=pk)):
        return row
    raise rows.model.DoesNotExist(f"no {rows.model.__name__} {pk}")  # type: ignore[attr-defined]


def locked_first(rows: QuerySet[M], *, skip_locked: bool = False) -> M | None:
    """The first of these in their order, or None."""
    return next(iter(locked(rows, most=1, skip_locked=skip_locked)), None)


def whole(found: Iterable[M], rows: Callable[[], QuerySet[M]]) -> list[M]:
    """`found`, which this transaction has just locked, each with what it names; `rows` says how to read them
    anew, and is asked where that has to be. One that it has no more is left out."""
    found = list(found)
    torn = {row.pk for row in found if _is_torn(row)}
    if not torn:
        return found
    anew = {row.pk: row for row in rows().filter(pk__in=torn)}
    return [anew.get(row.pk, row) for row in found if row.pk not in torn or row.pk in anew]


def _is_torn(row: Model) -> bool:
    """Whether what was read beside it is not what it names."""
    for name, beside in row._state.fields_cache.items():
        key = row._meta.get_field(name)
        # What names the row, instead of being named by it, has no column here.
        if isinstance(key, ForeignKey):
            named = getattr(beside, key.target_field.attname, None)
            if getattr(row, key.attname) != named:
                return True
    return False
