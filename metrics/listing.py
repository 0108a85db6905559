"""The order of a list behind a figure, and what of it fits the words somebody types.

Owns the orders and the two queries that ask leads for what a fact does not carry: its name, and whether words
find it. Never decides what counts: that is `metrics.measures`. A person who is not shown addresses cannot
find by them either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from leads import permissions
from leads.models import Lead
from leads.presenters import heads
from leads.querysets import HandoffQuerySet
from leads.search import finding
from metrics.facts import Fact
from routing.people import User

# What a list goes by, of one fact; None for what it does not have, which comes last either way round.
KEYS: dict[str, Callable[[Fact], Any]] = {
    "source": lambda fact: fact.lead_source.casefold() or None,
    "type": lambda fact: fact.lead_type,
    "mql": lambda fact: fact.mql_at,
    "contact": lambda fact: None if fact.first_contact_at is None else fact.first_contact_at - fact.mql_at,
    "opportunity": lambda fact: fact.opportunity_at,
}
NAME = "lead"
ORDERS = frozenset(f"{way}{name}" for name in (*KEYS, NAME) for way in ("", "-"))
FIRST = "-mql"
# The columns in the order of the page: (label, what it goes by or "", the way round of the first press).
COLUMNS = (
    ("Lead", NAME, NAME),
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


def in_order(facts: Iterable[Fact], sort: str, handoffs: HandoffQuerySet) -> list[Fact]:
    """The facts in the order that is asked for, else the newest first; those alike, the newest first too.

    `handoffs` are those that the facts were made of; only the order by name asks them, once.
    """
    sort = sort if sort in ORDERS else FIRST
    name = sort.removeprefix("-")
    key = _by_name(handoffs) if name == NAME else KEYS[name]
    newest = sorted(facts, key=lambda fact: (fact.mql_at, fact.id), reverse=True)
    having = [fact for fact in newest if key(fact) is not None]
    # A stable sort: what is alike stays the newest first, whichever way round.
    having.sort(key=key, reverse=sort.startswith("-"))
    return having + [fact for fact in newest if key(fact) is None]


def _by_name(handoffs: HandoffQuerySet) -> Callable[[Fact], Any]:
    names = dict(handoffs.order_by().values_list("pk", "lead__name_key").iterator(5000))
    return lambda fact: names.get(fact.id) or None


def fitting(facts: Iterable[Fact], typed: str, handoffs: HandoffQuerySet, user: User) -> list[Fact]:
    """Those whose lead the words find as they do on the other lists; all of them without words."""
    words = finding.plain(typed)
    if not words:
        return list(facts)
    leads = Lead.objects.filter(finding.matching(words, permissions.sees_personal_data(user))).order_by()
    found = set(handoffs.filter(lead__in=leads.values("pk")).order_by().values_list("pk", flat=True))
    number = words.removeprefix("#")
    return [fact for fact in facts if fact.id in found or str(fact.id) == number]
