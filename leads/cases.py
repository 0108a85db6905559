"""Gathers what the checks and the rules look at, set-wise: five queries for any number of leads.

Owns the reading side of a `preflight.Case`. Never writes, never decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, Max

from leads import accounts, identity, refusals
from leads.choices import NOT_A_SIGNAL
from leads.models import (
    Activity,
    Complaint,
    EnrichmentAttempt,
    FiredStep,
    Handoff,
    Lead,
    Rejection,
    Score,
    Waiver,
)
from leads.preflight import Case

_NO_SIGNAL = [str(kind) for kind in NOT_A_SIGNAL]


@dataclass
class LeadFacts:
    """What is known about a lead beyond its own row."""

    score: Score | None = None
    has_signal: bool = False
    has_duplicate: bool = False
    enrichment_attempted: bool = False
    complaints: tuple[str, ...] = ()
    rejections: list[Rejection] = field(default_factory=list)


def lead_facts(lead_ids: Collection[int]) -> dict[int, LeadFacts]:
    """Facts by lead id, for each of these ids."""
    found = {pk: LeadFacts() for pk in lead_ids}
    if not found:
        return found
    for pk, score in latest_scores(lead_ids).items():
        found[pk].score = score
    signals = Activity.objects.filter(lead_id__in=lead_ids).exclude(kind__in=_NO_SIGNAL)
    for pk in signals.values_list("lead_id", flat=True).distinct():
        found[pk].has_signal = True
    for pk in identity.with_open_duplicate(lead_ids):
        found[pk].has_duplicate = True
    attempts = EnrichmentAttempt.objects.filter(lead_id__in=lead_ids)
    for pk in attempts.values_list("lead_id", flat=True).distinct():
        found[pk].enrichment_attempted = True
    for complaint in Complaint.objects.filter(lead_id__in=lead_ids, cleared_at__isnull=True).order_by("at"):
        found[complaint.lead_id].complaints += (complaint.text,)
    acts = Rejection.objects.filter(handoff__lead_id__in=lead_ids, undone_at__isnull=True)
    acts = acts.select_related("reason").annotate(lead_id=F("handoff__lead_id"))
    for act in acts.order_by("at", "pk"):
        found[act.lead_id].rejections.append(act)
    return found


def latest_scores(lead_ids: Collection[int]) -> dict[int, Score]:
    """The latest score of each of these leads (by scored_at, then by receipt)."""
    newest = Score.objects.filter(lead_id__in=lead_ids).values("lead_id").annotate(at=Max("scored_at"))
    moments = {row["lead_id"]: row["at"] for row in newest}
    rows = Score.objects.filter(lead_id__in=lead_ids, scored_at__in=set(moments.values())).order_by("pk")
    return {score.lead_id: score for score in rows if score.scored_at == moments[score.lead_id]}


def of_handoff(handoff: Handoff, lead: Lead, known: LeadFacts, now: datetime | None = None) -> Case:
    """A case without its account, waivers and lapsed windows; `load` adds those. Without `now` no date that
    a rejection names has passed."""
    refused = refusals.holding(known.rejections, lead, handoff.pk, handoff.effective_type, now)
    return Case(
        lead=lead,
        company=lead.company,
        trigger=handoff.trigger,
        trigger_reason=handoff.trigger_reason,
        lead_type=handoff.effective_type,
        score=known.score,
        lead_source=handoff.lead_source,
        channel=handoff.channel,
        campaign=handoff.campaign,
        has_signal=known.has_signal,
        has_duplicate=known.has_duplicate,
        enrichment_attempted=known.enrichment_attempted,
        complaints=known.complaints,
        rejected_by=tuple(sorted(refused)),
        refused=refused,
    )


def load(handoffs: Iterable[Handoff], now: datetime | None = None) -> list[Case]:
    """The cases of these saved handoffs, in order (lead and company loaded). For `now` see `of_handoff`."""
    rows = list(handoffs)
    known = lead_facts({handoff.lead_id for handoff in rows})
    ids = [handoff.pk for handoff in rows]
    waived: dict[int, dict[str, str]] = {}
    for pk, check, reason in Waiver.objects.filter(handoff_id__in=ids).values_list(
        "handoff_id", "check_code", "reason"
    ):
        waived.setdefault(pk, {})[check] = reason
    lapsed: dict[int, set[int]] = {}
    ended = FiredStep.objects.filter(handoff_id__in=ids, lapsed__isnull=False)
    for pk, lapsed_id in ended.values_list("handoff_id", "lapsed_id"):
        lapsed.setdefault(pk, set()).add(lapsed_id)
    cases = []
    for handoff in rows:
        case = of_handoff(handoff, handoff.lead, known[handoff.lead_id], now)
        case.waived = waived.get(handoff.pk, {})
        case.lapsed_by = tuple(sorted(lapsed.get(handoff.pk, ())))
        cases.append(case)
    accounts.match(cases)
    return cases
