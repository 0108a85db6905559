"""What happened to the leads of each rule lately, for rule health; which leads no rule was meant for; and
which are in two territories.

Owns the counting over decisions, handoffs and rejections. What follows from it is `routing.health`. Kept a
minute, since a page asks for it more often than it changes. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count

from leads import cases
from leads.choices import Check
from leads.models import Handoff, Rejection, RoutingDecision
from routing import health, overlap
from routing.facts import Facts, InvalidFacts
from routing.models import Ruleset
from routing.overlap import Overlap

OVER = timedelta(days=health.UNUSED_DAYS)
KEPT = 60  # seconds
OUT_OF_TERRITORY = "out_of_territory"
# Leads that are looked at one by one, the latest: what repeats itself shows in these.
MOST_LOOKED_AT = 2000


def counts(now: datetime) -> dict[str, health.Count]:
    """Leads routed by each rule in the last 90 days, and how many of them were rejected as out of
    territory, by rule id; two queries a minute."""
    kept: dict[str, health.Count] | None = cache.get("rule-health")
    if kept is None:
        recent = Handoff.objects.live().filter(mql_at__gte=now - OVER).exclude(rule_id="")
        routed = dict(recent.order_by().values_list("rule_id").annotate(n=Count("pk")))
        acts = Rejection.objects.filter(
            at__gte=now - OVER, reason__code=OUT_OF_TERRITORY, undone_at__isnull=True
        )
        wrong = dict(
            acts.order_by().values_list("handoff__rule_id").annotate(n=Count("handoff", distinct=True))
        )
        kept = {pk: health.Count(count, wrong.get(pk, 0)) for pk, count in routed.items()}
        cache.set("rule-health", kept, KEPT)
    return kept


def coverage(now: datetime) -> health.Coverage:
    """Which segments of the last 90 days fell to overflow or matched nothing."""
    kept: health.Coverage | None = cache.get("rule-coverage")
    if kept is None:
        found = health.coverage([*_overflown(now), *_unmatched(now)])
        routed = RoutingDecision.objects.filter(at__gte=now - OVER).values("handoff").distinct().count()
        kept = replace(found, routed=routed + found.nothing)
        cache.set("rule-coverage", kept, KEPT)
    return kept


def overlaps(ruleset: Ruleset | None, now: datetime) -> list[Overlap]:
    """Territories in force that hold the same leads, with how many of the latest they shared. An example is
    the handoff of one of these."""
    if ruleset is None:
        return []
    key = f"territory-overlaps-{ruleset.pk}"
    kept: list[Overlap] | None = cache.get(key)
    if kept is None:
        kept = overlap.overlaps(ruleset.document, _latest(now))
        cache.set(key, kept, KEPT)
    return kept


def _latest(now: datetime) -> Iterator[tuple[int, Facts]]:
    """Handoff and facts of the latest decisions, each lead once."""
    rows = RoutingDecision.objects.filter(at__gte=now - OVER).order_by("-at", "-pk")
    seen: set[int] = set()
    for handoff_id, facts in rows.values_list("handoff_id", "facts")[:MOST_LOOKED_AT]:
        if handoff_id not in seen:
            seen.add(handoff_id)
            yield from ((handoff_id, read) for read in _readable(facts))


def _readable(facts: Any) -> list[Facts]:
    """The facts of a decision; none where an older version wrote what is none of them now."""
    try:
        return [Facts.from_json(facts)]
    except InvalidFacts:
        return []


def _overflown(now: datetime) -> Iterator[tuple[Facts, str]]:
    """The first decision of each lead that ended in overflow because nobody whom a rule names could."""
    rows = RoutingDecision.objects.filter(at__gte=now - OVER, outcome__in=("queue", "nobody"))
    seen: set[int] = set()
    for handoff_id, facts, candidates in rows.order_by("-at", "-pk").values_list(
        "handoff_id", "facts", "candidates"
    )[:MOST_LOOKED_AT]:
        took = [row.get("took") for row in candidates if isinstance(row, dict) and "took" in row]
        if handoff_id in seen or (took and took[0] != "overflow"):
            continue
        seen.add(handoff_id)
        yield from ((read, "overflow") for read in _readable(facts))


def _unmatched(now: datetime) -> Iterator[tuple[Facts, str]]:
    """Leads that wait because no rule matches them: they have no decision yet."""
    waiting = Handoff.objects.incomplete().filter(mql_at__gte=now - OVER).select_related("lead__company")
    rows = [
        row for row in waiting.order_by("-mql_at")[:MOST_LOOKED_AT] if str(Check.ROUTING_RULE) in row.missing
    ]
    for case in cases.load(rows):
        yield case.facts(), "nothing"
