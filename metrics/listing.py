"""The order of a list behind a figure, and what of it fits the words somebody types.

Owns the orders, and how they page. Never decides what counts: that is `metrics.measures`. A person who is not
shown addresses cannot find by them either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Lower

from leads import permissions
from leads.models import Lead
from leads.presenters import heads
from leads.querysets import HandoffQuerySet
from leads.search import finding
from metrics.measures import EVERY, contacted, happened
from metrics.spans import Minutes
from metrics.terms import Terms
from routing.people import User

# What a list goes by, and which handoffs have it; the others come last either way round.
KEYS: dict[str, tuple[Combinable, Callable[[Terms], Q]]] = {
    "lead": (F("lead__name_key"), lambda terms: ~Q(lead__name_key="")),
    "source": (Lower("lead_source"), lambda terms: ~Q(lead_source="")),
    "type": (F("lead_type"), lambda terms: EVERY),
    "mql": (F("mql_at"), lambda terms: EVERY),
    "contact": (Minutes(F("first_contact_at"), F("mql_at")), contacted),
    "opportunity": (F("opportunity_at"), lambda terms: happened("opportunity_at", terms)),
}
# Where there is none of it, something to compare: all of those are alike.
_STANDS_IN: dict[str, Combinable] = {
    "lead": Value(""),
    "source": Value(""),
    "contact": Value(0.0),
    "opportunity": F("mql_at"),
}
_LONGEST_NUMBER = 18
ORDERS = frozenset(f"{way}{name}" for name in KEYS for way in ("", "-"))
FIRST = "-mql"
# The columns in the order of the page: (label, what it goes by or "", the way round of the first press).
COLUMNS = (
    ("Lead", "lead", "lead"),
    ("Company", "", ""),
    ("Source", "source", "source"),
    ("Type", "type", "type"),
    ("MQL", "mql", "-mql"),
    ("Held by", "", ""),
    ("Answer", "", ""),
    ("First contact", "contact", "-contact"),
    ("Opportunity", "opportunity", "-opportunity"),
)


def columns(own: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """The heads of the table; `own` is the address without its page."""
    return [
        heads.head(label, sort, own, ORDERS, FIRST, usual=usual) if sort else {"label": label}
        for label, sort, usual in COLUMNS
    ]


def in_order(rows: HandoffQuerySet, sort: str, terms: Terms) -> tuple[HandoffQuerySet, tuple[str, ...]]:
    """The handoffs with what they go by, and the names of that for `leads.paging`: the order that is asked
    for, else the newest first."""
    sort = sort if sort in ORDERS else FIRST
    name = sort.removeprefix("-")
    key, has = KEYS[name]
    if has(terms) == EVERY:
        rows = rows.annotate(goes_by=key)
        return rows, ("-goes_by", "-id") if sort.startswith("-") else ("goes_by", "id")
    # Null is no value for a cursor: what there is none of has a place of its own, the last one.
    there, not_there = Value(1), Value(0)
    if sort.startswith("-"):
        rows = rows.annotate(has_it=Case(When(has(terms), then=there), default=not_there))
        rows = rows.annotate(goes_by=Case(When(has(terms), then=key), default=_STANDS_IN[name]))
        return rows, ("-has_it", "-goes_by", "-id")
    rows = rows.annotate(lacks_it=Case(When(has(terms), then=not_there), default=there))
    rows = rows.annotate(goes_by=Case(When(has(terms), then=key), default=_STANDS_IN[name]))
    return rows, ("lacks_it", "goes_by", "id")


def fitting(rows: HandoffQuerySet, typed: str, user: User) -> HandoffQuerySet:
    """Those whose lead the words find as they do on the other lists; all of them without words."""
    words = finding.plain(typed)
    if not words:
        return rows
    leads = Lead.objects.filter(finding.matching(words, permissions.sees_personal_data(user))).order_by()
    found = Q(lead__in=leads.values("pk"))
    number = words.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER:
        found |= Q(pk=int(number))
    return rows.filter(found)
