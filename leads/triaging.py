"""What opens no handoff and must not vanish: marketing looks at it and settles it.

Owns which rejections and items wait, what rejections of the last quarter say, the record that somebody let
one stand, and that of two who decide at once the second is told. A rejection whose reason says "triage"
waits until a `TriageItem` of the kind "rejected" stands for its closing, or until
`leads.lifecycle.settling` decides otherwise. Never moves a handoff or lead itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from leads.choices import EventKind, NextStep, State
from leads.lifecycle import Act, Refused
from leads.models import Event, Handoff, Lead, Rejection, TriageItem
from leads.patterns import Pattern, Said, patterns

REJECTED = "rejected"
# How far back rejections are listed and counted, how many are, and for how many seconds the count stands.
OVER = timedelta(days=90)
MOST_COUNTED = 2000
KEPT = 60
# What waits is counted no further: a badge says "99+".
MOST_WAITING = 100


def rejections() -> QuerySet[Handoff]:
    """Rejected handoffs that marketing has to decide on and that nobody has settled, newest first."""
    settled = TriageItem.objects.filter(
        lead=OuterRef("lead"), kind=REJECTED, at=OuterRef("closed_at"), settled_at__isnull=False
    )
    return (
        Handoff.objects.live()
        # One that can still be undone is not decided yet.
        .filter(state=State.REJECTED, next_step=NextStep.TRIAGE, follow_up_at__isnull=True)
        .filter(~Exists(settled))
    )


def lately(now: datetime) -> QuerySet[Handoff]:
    """All that was rejected in the last 90 days and is still, whatever followed; imported history too."""
    acts = Rejection.objects.filter(at__gte=now - OVER, undone_at__isnull=True)
    rows = Handoff.objects.filter(state=State.REJECTED, follow_up_at__isnull=True, closed_at__isnull=False)
    return rows.filter(pk__in=acts.values("handoff"))


def by_reason(now: datetime) -> list[tuple[str, str, int]]:
    """Reasons of what was rejected lately as (code, label, count), the most frequent first."""
    rows = lately(now).filter(rejection_reason__isnull=False).order_by()
    counted = rows.values_list("rejection_reason__code", "rejection_reason__label").annotate(n=Count("pk"))
    return sorted(counted, key=lambda row: (-row[2], row[1]))


@dataclass(frozen=True, slots=True)
class Before:
    """How often a lead was rejected and sent back to marketing, this time included."""

    rejected: int = 0
    recycled: int = 0


def before(lead_ids: Collection[int]) -> dict[int, Before]:
    """By lead; one query for any number."""
    acts = Rejection.objects.filter(handoff__lead__in=lead_ids, undone_at__isnull=True).order_by()
    counted = acts.values_list("handoff__lead").annotate(
        n=Count("pk"), back=Count("pk", filter=Q(next_step=NextStep.RECYCLED))
    )
    return {lead_id: Before(rejected, recycled) for lead_id, rejected, recycled in counted}


@dataclass(frozen=True)
class Findings:
    """What rejections of the last quarter say, imported ones too, by source and by rule; `total` acts were
    looked at."""

    total: int
    is_cut: bool
    sources: list[Pattern]
    rules: list[Pattern]


def findings(now: datetime) -> Findings:
    """See `Findings`; they stand for a minute."""
    kept: Findings | None = cache.get("triage-findings")
    if kept is None:
        kept = _findings(now)
        cache.set("triage-findings", kept, KEPT)
    return kept


def _findings(now: datetime) -> Findings:
    acts = Rejection.objects.filter(at__gte=now - OVER, undone_at__isnull=True)
    rows = list(
        acts.order_by("-at").values_list(
            "pk", "handoff", "reason__code", "reason__label", "handoff__lead_source", "handoff__rule_id",
            "handoff__rule_name",
        )[: MOST_COUNTED + 1]
    )  # fmt: skip
    is_cut, rows = len(rows) > MOST_COUNTED, rows[:MOST_COUNTED]
    # The rule as it was when somebody said no; what was routed again has another one since.
    told = Event.objects.filter(handoff__in={row[1] for row in rows}, kind=EventKind.REJECTED)
    rule_of: dict[Any, str] = {
        data.get("rejection"): str(data.get("rule") or "")
        for data in told.values_list("data", flat=True)
        if isinstance(data, dict)
    }
    names = {rule_id: name for *_, rule_id, name in rows}
    by_source = [Said(source, code, label) for _, _, code, label, source, _, _ in rows]
    rules = [(rule_of.get(pk, rule_id), code, label) for pk, _, code, label, _, rule_id, _ in rows]
    by_rule = [Said(names[rule], code, label) for rule, code, label in rules if names.get(rule)]
    return Findings(
        len(rows), is_cut, patterns(by_source, "from "), patterns(by_rule, "by the rule ", most=4)
    )


def settled_by(handoffs: Collection[Handoff]) -> dict[int, TriageItem]:
    """Who let a rejection stand, by handoff."""
    rows = TriageItem.objects.filter(
        lead__in={row.lead_id for row in handoffs}, kind=REJECTED, settled_at__isnull=False
    ).select_related("settled_by")
    closed: dict[Any, datetime | None] = {row.pk: row.closed_at for row in handoffs}
    return {
        row.data["handoff"]: row
        for row in rows
        if isinstance(row.data, dict) and closed.get(row.data.get("handoff")) == row.at
    }


def items() -> QuerySet[TriageItem]:
    """Forms and flags of suppressed leads, and opportunities on what had ended otherwise; oldest first."""
    return TriageItem.objects.filter(settled_at__isnull=True).order_by("at", "pk")


def waiting() -> QuerySet[Any, tuple[int]]:
    """What waits, of both kinds, to MOST_WAITING: a row for each."""
    found = rejections().order_by().values_list("pk")
    return found.union(items().order_by().values_list("pk"), all=True)[:MOST_WAITING]


@transaction.atomic
def settle_rejection(handoff: Handoff, act: Act) -> bool:
    """Somebody has looked at the rejection and it stands, with what followed. False when it was settled
    before."""
    _lock(handoff)
    closed_at = rejections().filter(pk=handoff.pk).values_list("closed_at", flat=True).first()
    if closed_at is None:
        return False
    TriageItem.objects.create(
        lead_id=handoff.lead_id,
        kind=REJECTED,
        data={"handoff": handoff.pk},
        at=closed_at,
        settled_at=act.now,
        settled_by=act.user,
    )
    return True


@transaction.atomic
def overrule(handoff: Handoff, act: Act, verb: Callable[[], object], *, is_waiting: bool) -> None:
    """Carry out a verb on the rejection. Where the page had shown it as waiting (`is_waiting`) and somebody
    else has let it stand since, Refused says who and when, and nothing is done: that is no event of the
    handoff, so its revision does not tell."""
    _lock(handoff)
    item = settled_by([handoff]).get(handoff.pk) if is_waiting else None
    if item is not None and item.settled_at is not None and (act.user is None or item.settled_by != act.user):
        raise Refused(
            f"{item.settled_by or 'Somebody'} let this rejection stand at"
            f" {item.settled_at:%Y-%m-%d %H:%M} UTC. Decide again if you must.",
            code="stale",
            state=str(handoff.state),
            by=item.settled_by.email if item.settled_by else "",
            at=item.settled_at,
        )
    verb()


def _lock(handoff: Handoff) -> None:
    """Whoever decides on this lead's rejections waits for whoever does so now."""
    Lead.objects.select_for_update(of=("self",)).filter(handoffs=handoff.pk).first()


def settle_item(item: TriageItem, act: Act) -> bool:
    """Somebody has dealt with it. False when it was settled before."""
    done: dict[str, Any] = {"settled_at": act.now, "settled_by": act.user}
    return bool(TriageItem.objects.filter(pk=item.pk, settled_at__isnull=True).update(**done))
