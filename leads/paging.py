"""Keyset paging: a page of rows, where the next one begins, and a count that stops counting.

Owns the cursor. A page far down the list costs the same as the first, and rows that come in above move
nothing. Never orders or filters: the caller's query does, by columns that are never null.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)

MOST_COUNTED = 10_000
_LONGEST_CURSOR = 400


class Page(Generic[M]):
    """Rows of one page. `next` is the cursor of the page after it, "" on the last; `after` is where this
    page began, "" on the first."""

    def __init__(self, rows: list[M], next_cursor: str, after: str) -> None:
        self.rows, self.next, self.after = rows, next_cursor, after


def page(
    rows: QuerySet[M], order: Sequence[str], after: str, size: int, whole: QuerySet[M] | None = None
) -> Page[M]:
    """The page of `rows` that begins behind the cursor. `order` names columns ("-updated_at", "-id") or what
    `rows` is annotated with; the last is unique and all go the same way. A cursor that cannot be read begins
    at the first row. With `whole`, those rows alone that stand on the page are read from there, with what is
    joined to them; of the others that had to be put in order no more than their place was read."""
    if _behind(rows, order, after) is None:
        after = ""
    ordered = begun(rows, order, after)[: size + 1]
    if whole is not None:
        ordered = whole.filter(pk__in=ordered.values("pk")).order_by(*order)
    return cut(list(ordered), order, size, after)


def begun(rows: QuerySet[M], order: Sequence[str], after: str) -> QuerySet[M]:
    """The rows in their order, from the cursor on; all of them without one."""
    behind = _behind(rows, order, after)
    return rows.order_by(*order) if behind is None else rows.filter(behind).order_by(*order)


def cut(found: list[M], order: Sequence[str], size: int, after: str = "") -> Page[M]:
    """The page of rows that were read in this order, one more than `size` when there are more."""
    more = len(found) > size
    found = found[:size]
    return Page(found, _cursor(found[-1], order) if more else "", after)


def count(rows: QuerySet[Any], page: Page[Any] | None = None, most: int = MOST_COUNTED) -> int:
    """How many there are, at most one more than `most`: the count of a large list stops there.

    `page` is the page that was just read of them; if that is all there is, nothing is counted.
    """
    if page is not None and not page.next and not page.after:
        return len(page.rows)
    return rows.order_by()[: most + 1].count()


def count_words(found: int, most: int = MOST_COUNTED) -> str:
    """A count from `count` in words: "1,204", "10,000+"."""
    return f"{most:,}+" if found > most else f"{found:,}"


def _cursor(row: Model, order: Sequence[str]) -> str:
    values = [getattr(row, name.lstrip("-")) for name in order]
    text = [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(text).encode()).decode().rstrip("=")


def _behind(rows: QuerySet[Any], order: Sequence[str], cursor: str) -> Q | None:
    """What lies behind a cursor, by the columns of the order; None for no cursor or one that is broken."""
    if not cursor or len(cursor) > _LONGEST_CURSOR:
        return None
    try:
        given = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(given, list) or len(given) != len(order):
            return None
        values = [_column(rows, name).to_python(str(value)) for name, value in zip(order, given, strict=True)]
    except (ValueError, binascii.Error, ValidationError, RecursionError):
        return None
    if not all(_is_sound(value) for value in values):
        return None
    found, same = Q(pk__in=()), Q()
    for name, value in zip(order, values, strict=True):
        column = name.lstrip("-")
        found |= same & Q(**{f"{column}__{'lt' if name.startswith('-') else 'gt'}": value})
        same &= Q(**{column: value})
    # Said once more of the first column alone: that is what an index can begin at.
    first = order[0]
    return Q(**{f"{first.lstrip('-')}__{'lte' if first.startswith('-') else 'gte'}": values[0]}) & found


def _column(rows: QuerySet[Any], name: str) -> Any:
    name = name.lstrip("-")
    annotated = rows.query.annotations.get(name)
    return annotated.output_field if annotated is not None else rows.model._meta.get_field(name)


def _is_sound(value: Any) -> bool:
    """Whether a value from a cursor can be compared with a column."""
    if isinstance(value, datetime):
        return value.tzinfo is not None
    return value is not None and not (isinstance(value, int) and abs(value) >= 2**63)
