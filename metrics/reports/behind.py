"""The handoffs behind a report's figures, kept with it: their numbers, and the facts that its lists show.

Owns which are kept. The same conditions make figure and list (`metrics.measures`). Never a lead's name or
address: a report is never edited, and what may have to be erased is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Case, IntegerField, Value, When

from leads.models import Handoff
from metrics import measures, query
from metrics.periods import Week
from metrics.query import Asked
from metrics.reports.tabled import Lists
from metrics.words import MQLS, SHOWN, Shown
from routing.people import User

# Of a figure; those to talk about first, the rest is counted.
MOST_LISTED = 300
LONGEST_SOURCE = 200
FIGURES = SHOWN | {MQLS.key: MQLS}
# Where a hit is the bad news.
_BAD_HITS = frozenset({"rejection_rate", "black_hole_rate"})
_PEOPLE = ("first_holder", "accepted_by", "rejected_by", "holder_at_24h", "first_contact_by")
_MOMENTS = ("assigned_at", "accepted_at", "rejected_at", "first_contact_at", "opportunity_at")


def lists(asked: Asked, weeks: Mapping[str, Week | None], zone: str) -> Lists:
    """By figure the handoffs that count in the week given for it as [number, is a hit], those to talk about
    first, then in the order of their numbers."""
    return {
        key: [] if week is None else _counted(asked, FIGURES[key], week, zone) for key, week in weeks.items()
    }


def kept(found: Lists, as_of: datetime) -> dict[str, Any]:
    """The lists as a report keeps them: with the facts of each handoff once."""
    ids = {number for rows in found.values() for number, _ in rows}
    return {"counted": found, "facts": _facts(ids, as_of)}


def _counted(asked: Asked, shown: Shown, week: Week, zone: str) -> list[list[int]]:
    measure = measures.MEASURES[shown.measure]
    rows = query.within(week.span(zone), asked.terms.as_of, asked.rows)
    rows = rows.filter(measure.counts(asked.terms))
    if shown.lead_type:
        rows = rows.filter(lead_type=shown.lead_type)
    hit = Case(When(measure.hit(asked.terms), then=Value(1)), default=Value(0), output_field=IntegerField())
    first = "-is_hit" if shown.key in _BAD_HITS else "is_hit"
    ordered = rows.annotate(is_hit=hit).order_by(first, "pk").values_list("pk", "is_hit")
    return [list(pair) for pair in ordered[:MOST_LISTED]]


def _facts(ids: set[int], as_of: datetime) -> dict[str, Any]:
    """What the lists show, by number. What had not happened yet is absent."""
    columns = ("pk", "lead_type", "lead_source", "mql_at", "rejection_reason__label")
    people = [f"{name}_id" for name in _PEOPLE]
    rows = list(Handoff.objects.filter(pk__in=ids).order_by("pk").values(*columns, *people, *_MOMENTS))
    wanted = {row[name] for row in rows for name in people} - {None}
    known = User.objects.filter(pk__in=wanted).order_by().values_list("pk", "name", "email")
    names = {pk: name or email for pk, name, email in known}
    facts: dict[str, Any] = {}
    for row in rows:
        seen = {name: row[name] for name in _MOMENTS if row[name] is not None and row[name] <= as_of}
        fact: dict[str, Any] = {
            "type": row["lead_type"],
            "source": row["lead_source"][:LONGEST_SOURCE],
            "mql_at": _text(row["mql_at"]),
            "holder": names.get(row["holder_at_24h_id"] or row["first_holder_id"], ""),
        }
        fact |= {name: _text(at) for name, at in seen.items()}
        if "accepted_at" in seen:
            fact["decided_by"] = names.get(row["accepted_by_id"], "")
        elif "rejected_at" in seen:
            fact["decided_by"] = names.get(row["rejected_by_id"], "")
            fact["reason"] = row["rejection_reason__label"] or ""
        if "first_contact_at" in seen:
            fact["contacted_by"] = names.get(row["first_contact_by_id"], "")
        facts[str(row["pk"])] = fact
    return facts


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
