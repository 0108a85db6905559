"""Routing as it is in force: the rules in order, read aloud, with who gets what and how often each fired.

Owns the page. It reads the published document; drafts are edited elsewhere. Never decides on a lead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads.models import Handoff
from leads.presenters import rules, times
from leads.views import access
from leads.views.shell import address, shell_of
from routing import publish
from routing.conditions import sentence
from routing.models import Absence, Pool, PoolMember, Queue, User
from routing.people import ADMIN, MANAGER, MARKETING

COUNTED_OVER = timedelta(days=90)
KEPT = 60  # seconds for which the counts stand


@dataclass(frozen=True, slots=True)
class PoolLine:
    """A pool with its members and what each has open and may have."""

    name: str
    method: str
    cap: str
    members: tuple[str, ...]


@require_safe
def routing(request: HttpRequest) -> HttpResponse:
    """The live ruleset, its territories and pools."""
    user = access.only(request, MARKETING, MANAGER, ADMIN)
    now = shell_of(request).now
    live = publish.live()
    document: Mapping[str, Any] = live.document if live is not None else {}
    seats = list(PoolMember.objects.select_related("user", "pool").filter(user__is_active=True))
    names = _names(document, seats, now)
    overflow = document.get("overflow")
    draft = address("admin:routing_rule_changelist")
    values = {
        "live": live,
        "published": times.day(live.published_at, now) if live is not None else "",
        "published_exact": times.exact(live.published_at, now) if live is not None else "",
        "rules": rules.lines(document, _fired(now), names),
        "overflow": rules.place(overflow, names, {}) if overflow else "",
        "account_first": document.get("account_first", True) is not False,
        "territories": [
            {
                "name": str(row.get("name") or slug),
                "when": sentence(row.get("when")),
                "owner": names.people.get(str(row.get("owner")), "no owner"),
            }
            for slug, row in sorted((document.get("territories") or {}).items())
        ],
        "pools": _pools(seats),
        "draft_href": draft if user.has_perm("routing.change_rule") else "",
    }
    return render(request, "leads/routing/routing.html", values)


def _fired(now: datetime) -> dict[str, int]:
    """How many leads each rule routed in the last 90 days, by the rule's id; counted once a minute."""
    kept: dict[str, int] | None = cache.get("rules-fired")
    if kept is None:
        recent = Handoff.objects.live().filter(mql_at__gte=now - COUNTED_OVER).exclude(rule_id="")
        kept = dict(recent.order_by().values_list("rule_id").annotate(n=Count("pk")))
        cache.set("rules-fired", kept, KEPT)
    return kept


def _names(document: Mapping[str, Any], seats: list[PoolMember], now: datetime) -> rules.Names:
    """Names of everything the document points at; four queries."""
    wanted = {
        str(place.get("id"))
        for rule in document.get("rules") or ()
        for place in (rule.get("target"), rule.get("fallback"))
        if place and place.get("kind") == "rep"
    }
    wanted |= {str(row.get("owner")) for row in (document.get("territories") or {}).values()}
    ids = [int(who) for who in wanted if who.isdigit()]
    people = list(User.objects.filter(pk__in=ids))
    away = Absence.objects.at(now).filter(user__in=ids).values_list("user_id", flat=True)
    members: dict[str, tuple[str, ...]] = {}
    for seat in seats:
        if seat.is_active:
            members[str(seat.pool_id)] = (*members.get(str(seat.pool_id), ()), str(seat.user))
    return rules.Names(
        people={str(person.pk): str(person) for person in people},
        pools={str(pk): name for pk, name in Pool.objects.values_list("pk", "name")},
        queues={str(pk): name for pk, name in Queue.objects.values_list("pk", "name")},
        members=members,
        inactive=frozenset(str(person.pk) for person in people if not person.is_active),
        away=frozenset(str(pk) for pk in away),
    )


def _pools(seats: list[PoolMember]) -> list[PoolLine]:
    by_pool: dict[int, list[PoolMember]] = {}
    for seat in seats:
        by_pool.setdefault(seat.pool_id, []).append(seat)
    found = []
    for rows in by_pool.values():
        pool = rows[0].pool
        members = tuple(
            f"{seat.user}{f', weight {seat.weight}' if seat.weight != 1 else ''}"
            f"{'' if seat.is_active else ', not in rotation'}"
            for seat in sorted(rows, key=lambda seat: str(seat.user))
        )
        cap = f"at most {pool.cap_open} open each" if pool.cap_open is not None else "no cap"
        found.append(PoolLine(pool.name, str(pool.get_method_display()), cap, members))
    return sorted(found, key=lambda line: line.name)
