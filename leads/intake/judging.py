"""What the events of a wave mean: which of them is a trigger, by our own definition.

Owns the reading of what was known before (`Known`) and the verdict on each event: a trigger, or why
there is none. Never writes a handoff; suppressed leads' forms go to triage from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from leads import cases, identity, qualification
from leads.cases import LeadFacts
from leads.choices import CLOSED, NOT_A_SIGNAL, TriggerKind
from leads.intake.taken import IGNORED, Taken
from leads.models import Handoff, MqlDefinition, Score, TriageItem
from leads.qualification import ScorePoint, Trigger

OPENING_TYPES = frozenset({"lead.qualified", "lead.scored", "lead.activity"})


@dataclass
class Known:
    """What was known of a wave's leads before it, by lead id. Scores are in order of time."""

    definitions: list[MqlDefinition]
    facts: dict[int, LeadFacts] = field(default_factory=dict)
    scores: dict[int, list[ScorePoint]] = field(default_factory=dict)
    open: dict[int, Handoff] = field(default_factory=dict)
    had_handoff: set[int] = field(default_factory=set)


def read_known(taken: Sequence[Taken]) -> Known:
    """Read what was known, then store the wave's new scores; open handoffs come locked."""
    known = Known(qualification.definitions())
    ids = [item.lead.pk for item in taken]
    returning = [item.lead.pk for item in taken if not item.is_new]
    new_scores = [item.score for item in taken if item.score is not None]
    if returning and new_scores:
        points = Score.objects.filter(lead_id__in=returning).order_by("scored_at", "pk")
        for lead_id, total, at in points.values_list("lead_id", "total", "scored_at"):
            known.scores.setdefault(lead_id, []).append(ScorePoint(total, at))
    Score.objects.bulk_create(new_scores)
    known.facts = {pk: LeadFacts() for pk in ids} | cases.lead_facts(returning)
    for pk in identity.with_open_duplicate(ids):
        known.facts[pk].has_duplicate = True
    if returning:
        known.had_handoff = set(
            Handoff.objects.live().filter(lead_id__in=returning).values_list("lead_id", flat=True)
        )
    if known.had_handoff:
        still = Q(state__in=CLOSED, follow_up_at__isnull=True) | Q(is_history=True)
        rows = (
            Handoff.objects.exclude(still)
            .filter(lead_id__in=known.had_handoff)
            .select_related("queue__owner", "assignee__calendar", "assignee__team__calendar")
            .select_for_update(of=("self",))
            .order_by("pk")
        )
        known.open = {handoff.lead_id: handoff for handoff in rows}
    for item in taken:
        fresh = known.facts[item.lead.pk]
        fresh.has_signal |= any(a.kind not in NOT_A_SIGNAL for a in item.activities)
        if item.score is not None and (fresh.score is None or item.score.scored_at >= fresh.score.scored_at):
            fresh.score = item.score
        if (handoff := known.open.get(item.lead.pk)) is not None:
            handoff.lead = item.lead
    return known


def judge(taken: Sequence[Taken], known: Known, now: datetime) -> None:
    """Decide for each event whether a trigger fired, by our own definition."""
    for item in taken:
        if item.event.type in OPENING_TYPES:
            item.trigger = _fired(item, known, now)
            if item.trigger is not None:
                _held_back(item, known, now)


def _fired(item: Taken, known: Known, now: datetime) -> Trigger | None:
    data, score = item.event.data, item.score
    if item.event.type == "lead.activity":
        return _form_among(item)
    given = data.trigger
    if given is not None and given.kind != TriggerKind.SCORE_THRESHOLD:
        return _trigger(item, now, given.kind, given.reason, given.occurred_at, given.activity_id)
    judged = score or (known.facts[item.lead.pk].score if given is not None else None)
    if judged is None:
        # Nothing to judge by: it is taken at its word and held for what is missing.
        if item.event.type == "lead.qualified":
            kind = given.kind if given else ""
            told_at = given.occurred_at if given else None
            return _trigger(item, now, kind, given.reason if given else "", told_at)
        return None
    definition = qualification.in_force(known.definitions, judged.scored_at)
    if definition is None:
        return None
    qualified = item.event.type == "lead.qualified"
    if judged.total < definition.threshold:
        if qualified:
            item.status, item.reason = IGNORED, "below_threshold"
        return None
    reason = given.reason if given else ""
    told_at = given.occurred_at if given else None
    if score is None:
        return _trigger(item, now, TriggerKind.SCORE_THRESHOLD, reason, told_at)
    point = ScorePoint(score.total, score.scored_at)
    around = known.scores.get(item.lead.pk, [])
    earlier = next((p for p in reversed(around) if p.scored_at <= point.scored_at), None)
    later = next((p for p in around if p.scored_at > point.scored_at), None)
    previous = data.score.previous_total if data.score else None
    crossed = qualification.crosses(point, earlier, later, previous, definition)
    if later is not None:
        item.status, item.reason = IGNORED, "stale"
        return None
    # A sender that says "qualified" about somebody who never was handed off is not turned away
    # because the score stood above the threshold before.
    if crossed or (qualified and item.lead.pk not in known.had_handoff):
        return _trigger(item, now, TriggerKind.SCORE_THRESHOLD, reason, told_at)
    return None


def _form_among(item: Taken) -> Trigger | None:
    forms = [row for row in item.activities if row.kind in TriggerKind.values]
    if not forms:
        return None
    first = min(forms, key=lambda row: row.occurred_at)
    return Trigger(first.kind, first.title, first.occurred_at, first.external_id)


def _trigger(
    item: Taken, now: datetime, kind: str, reason: str, at: datetime | None, activity_id: str = ""
) -> Trigger:
    """mql_at: the trigger's time, else the triggering activity's, else the score's, else the event's."""
    carried = next((a for a in item.activities if activity_id and a.external_id == activity_id), None)
    if carried is None:
        carried = next((a for a in item.activities if a.kind == kind), None)
    if at is None and carried is not None:
        at = carried.occurred_at
    if at is None and item.event.data.score is not None:
        at = item.event.data.score.scored_at
    moment, clamped = qualification.clamp(at or item.event.time, now)
    return Trigger(kind, reason, moment, carried.external_id if carried else "", clamped)


def _held_back(item: Taken, known: Known, now: datetime) -> None:
    """Suppression and cool-off: crossings are held back, forms and flags go to triage."""
    lead, trigger = item.lead, item.trigger
    if trigger is None or known.open.get(lead.pk) is not None:
        return
    by_score = qualification.is_score_trigger(trigger.kind)
    if lead.suppressed_at is not None:
        item.trigger, item.status, item.reason = None, IGNORED, "suppressed"
        if not by_score:
            data = {
                "trigger": trigger.kind,
                "at": trigger.at.isoformat(),
                "reason": lead.suppressed_reason,
            }
            TriageItem.objects.create(lead=lead, kind="suppressed", data=data, at=now)
    elif by_score and lead.cool_off_until is not None and trigger.at < lead.cool_off_until:
        item.trigger, item.status, item.reason = None, IGNORED, "cool_off"
