"""What rule health has to know of people, pools and rules at a moment, read set-wise from the rows.

Owns the reading only; what follows from it is `routing.health`, which is pure. The queries do not grow with
the number of rules, people or pools.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max, Min

from routing.health import Person, PoolState, RuleState, World
from routing.models import Absence, Pool, PoolMember, Rule, RuleReview, SlaPolicy, User


def world(document: Mapping[str, Any], now: datetime) -> World:
    """Everything the rules of this document point at, as it stands now; eight queries."""
    seats = list(PoolMember.objects.filter(is_active=True).order_by("pk").values_list("pool_id", "user_id"))
    members: dict[int, list[str]] = {}
    for pool, user in seats:
        members.setdefault(pool, []).append(str(user))
    return World(
        people=_people(_named(document) | {user for _, user in seats}, now),
        pools={
            str(pk): PoolState(name, tuple(members.get(pk, ())))
            for pk, name in Pool.objects.values_list("pk", "name")
        },
        rules=rule_states(document),
        policies=frozenset(SlaPolicy.objects.filter(is_live=True).values_list("slug", flat=True)),
    )


def rule_states(document: Mapping[str, Any]) -> dict[str, RuleState]:
    """What is known of each rule of a document by its id; three queries. It is there since it was
    made."""
    ids = [int(rule["id"]) for rule in document.get("rules") or () if str(rule["id"]).isdigit()]
    made = Rule.history.filter(id__in=ids).order_by().values_list("id").annotate(first=Min("history_date"))
    since = {pk: _day(first) for pk, first in made}
    due = dict(RuleReview.objects.filter(rule__in=ids, done_at__isnull=True).values_list("rule_id", "due_on"))
    rows = Rule.objects.filter(pk__in=ids).select_related("owner")
    return {
        str(row.pk): RuleState(
            since=since.get(row.pk),
            owner=str(row.owner) if row.owner is not None else None,
            last_reviewed=row.last_reviewed,
            due_on=due.get(row.pk),
        )
        for row in rows
    }


def _people(ids: set[int], now: datetime) -> dict[str, Person]:
    away = dict(
        Absence.objects.at(now).filter(user__in=ids).order_by().values_list("user").annotate(Max("ends_at"))
    )
    return {
        str(user.pk): Person(
            name=str(user),
            active=user.is_active,
            away_until=_day(away[user.pk]) if user.pk in away else None,
        )
        for user in User.objects.filter(pk__in=ids)
    }


def _named(document: Mapping[str, Any]) -> set[int]:
    """The people whom targets, fallbacks and territories name."""
    rules = document.get("rules") or ()
    places = [place for rule in rules for place in (rule.get("target"), rule.get("fallback")) if place]
    named = {str(place.get("id")) for place in places if place.get("kind") == "rep"}
    named |= {str(territory.get("owner")) for territory in (document.get("territories") or {}).values()}
    return {int(who) for who in named if who.isdigit()}


def _day(at: datetime) -> date:
    """The day in the organisation's zone."""
    return at.astimezone(ZoneInfo(settings.ORG_TIME_ZONE)).date()
