"""What the events of a wave mean: which of them is a trigger, by our own definition.

Owns the reading of what was known before (`Known`) and the verdict on each event: a trigger, or why
there is none. Never writes a handoff; suppressed leads' forms go to triage from here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q, QuerySet

from leads import cases, identity, qualification
from leads.cases import LeadFacts
from leads.choices import CLOSED, NOT_A_SIGNAL, TRIGGERS, State, TriggerKind
from leads.intake.taken import IGNORED, Taken
from leads.models import Handoff, MqlDefinition, Score, TriageItem
from leads.qualification import ScorePoint, Trigger
from routing.locking import locked, whole
from routing.pouring import pour
from routing.prepared import prepared

OPENING_TYPES = frozenset({"lead.qualified", "lead.scored", "lead.activity"})


@dataclass
class Known:
    """What was known of a wave's leads before it, by lead id. Scores are in order of time; facts are whole
    where a handoff may open.

    `open` holds open handoffs and rejected ones whose follow-up waits; `latest` is for opportunities.
    """

    definitions: list[MqlDefinition]
    facts: dict[int, LeadFacts] = field(default_factory=dict)
    scores: dict[int, list[ScorePoint]] = field(default_factory=dict)
    open: dict[int, Handoff] = field(default_factory=dict)
    latest: dict[int, Handoff] = field(default_factory=dict)
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
    pour(new_scores)
    known.facts = {pk: LeadFacts() for pk in ids}
    known.facts |= cases.lead_facts([i.lead.pk for i in taken if not i.is_new and _may_open(i)])
    for pk in identity.with_open_duplicate(known.facts.keys() - set(returning)):
        known.facts[pk].has_duplicate = True
    if returning:
        known.had_handoff = set(_had_handoff(returning))
    if known.had_handoff:
        leads = known.had_handoff
        for handoff in whole(_standing_locked(leads), lambda: _standing(leads)):
            if handoff.is_open or handoff.lead_id not in known.open:
                known.open[handoff.lead_id] = handoff
    known.latest = _latest(taken, known)
    for item in taken:
        fresh = known.facts[item.lead.pk]
        fresh.has_signal |= any(a.kind not in NOT_A_SIGNAL for a in item.activities)
        if item.score is not None and (fresh.score is None or item.score.scored_at >= fresh.score.scored_at):
            fresh.score = item.score
        for handoffs in (known.open, known.latest):
            if (found := handoffs.get(item.lead.pk)) is not None:
                found.lead = item.lead
    return known


@prepared
def _had_handoff(leads: Collection[int]) -> QuerySet[Handoff, int]:
    return Handoff.objects.live().filter(lead_id__in=leads).order_by().values_list("lead_id", flat=True)


def _standing(leads: Collection[int]) -> QuerySet[Handoff]:
    """Handoffs of these leads that are open, or rejected with a follow-up that waits."""
    over = Q(state__in=CLOSED, follow_up_at__isnull=True) | Q(is_history=True)
    rows = Handoff.objects.exclude(over).filter(lead_id__in=leads).order_by("pk")
    return rows.select_related("queue__owner", "assignee__calendar", "assignee__team__calendar")


@prepared
def _standing_locked(leads: Collection[int]) -> QuerySet[Handoff]:
    return _standing(leads).select_for_update(of=("self",))


def _may_open(item: Taken) -> bool:
    """Whether a handoff may open by this event. What a lead did is mostly no form, and needs no facts."""
    if item.event.type == "lead.activity":
        return any(row.kind in TRIGGERS for row in item.activities)
    return item.event.type in OPENING_TYPES


def _latest(taken: Sequence[Taken], known: Known) -> dict[int, Handoff]:
    """The handoff that each event of an opportunity speaks of: the one that has it, else the open one, else
    the latest."""
    asked = {item.lead.pk: item.event.data.opportunity for item in taken if item.event.data.opportunity}
    if not asked:
        return {}
    present = {handoff.pk: handoff for handoff in known.open.values()}
    rows = (
        Handoff.objects.filter(lead_id__in=asked)
        .exclude(state__in=(State.MERGED, State.ERASED))
        .select_related("queue__owner", "assignee__calendar", "assignee__team__calendar")
        .order_by("mql_at", "pk")
    )
    found: dict[int, Handoff] = {}
    ranks: dict[int, tuple[bool, bool]] = {}
    for row in locked(rows):
        number = asked[row.lead_id].external_id
        rank = (bool(number) and row.opportunity_id == number, row.is_open)
        if rank >= ranks.get(row.lead_id, (False, False)):
            found[row.lead_id], ranks[row.lead_id] = present.get(row.pk, row), rank
    return found


def judge(taken: Sequence[Taken], known: Known, now: datetime) -> list[TriageItem]:
    """Decide for each event whether a trigger fired, by our own definition; what must not vanish instead."""
    held_back: list[TriageItem] = []
    for item in taken:
        if item.event.type in OPENING_TYPES:
            item.trigger = _fired(item, known, now)
            if item.lead.pk not in known.open:
                held_back += hold_back(item, now)
    return held_back


def _fired(item: Taken, known: Known, now: datetime) -> Trigger | None:
    given, score = item.event.data.trigger, item.score
    if item.event.type == "lead.activity":
        return _form_among(item, now)
    if given is not None and given.kind != TriggerKind.SCORE_THRESHOLD:
        return _trigger(item, now, given.kind)
    qualified = item.event.type == "lead.qualified"
    # A sender that says "qualified" about somebody who never was handed off is not turned away because
    # the score stood above the threshold before. After a handoff it takes a new crossing.
    is_first = qualified and item.lead.pk not in known.had_handoff
    judged = score or (known.facts[item.lead.pk].score if given is not None else None)
    if judged is None:
        # Nothing to judge by: it is taken at its word and held for what is missing.
        return _trigger(item, now, given.kind if given else "") if qualified else None
    definition = qualification.in_force(known.definitions, judged.scored_at)
    if definition is None:
        return None
    if judged.total < definition.threshold:
        if qualified:
            item.status, item.reason = IGNORED, "below_threshold"
        return None
    crossed = False
    if score is not None:
        point = ScorePoint(score.total, score.scored_at)
        around = known.scores.get(item.lead.pk, [])
        earlier = next((p for p in reversed(around) if p.scored_at <= point.scored_at), None)
        later = next((p for p in around if p.scored_at > point.scored_at), None)
        if later is not None:
            item.status, item.reason = IGNORED, "stale"
            return None
        previous = item.event.data.score.previous_total if item.event.data.score else None
        crossed = qualification.crosses(point, earlier, later, previous, definition)
    if crossed or is_first:
        return _trigger(item, now, TriggerKind.SCORE_THRESHOLD)
    if qualified and item.lead.pk not in known.open:
        item.status, item.reason = IGNORED, "no_crossing"
    return None


def _form_among(item: Taken, now: datetime) -> Trigger | None:
    """The earliest high-intent form among the new activities."""
    forms = [row for row in item.activities if row.kind in TRIGGERS]
    if not forms:
        return None
    first = min(forms, key=lambda row: row.occurred_at)
    _, clamped = qualification.clamp(item.stated.get(id(first)) or item.event.time, now)
    return Trigger(first.kind, first.title, first.occurred_at, first, clamped)


def _trigger(item: Taken, now: datetime, kind: str) -> Trigger:
    """mql_at: the trigger's time, else the triggering activity's, else the score's, else the event's."""
    data = item.event.data
    named = data.trigger.activity_id if data.trigger else ""
    carrier = item.known_activities.get(named) if named else None
    if carrier is None and kind in TRIGGERS:
        carrier = next((row for row in item.activities if row.kind == kind), None)
    at = data.trigger.occurred_at if data.trigger else None
    if at is None and carrier is not None:
        # An activity that came without a time says nothing of when.
        at = item.stated.get(id(carrier), carrier.occurred_at)
    if at is None and data.score is not None:
        at = data.score.scored_at
    moment, clamped = qualification.clamp(at or item.event.time, now)
    return Trigger(kind, data.trigger.reason if data.trigger else "", moment, carrier, clamped)


def hold_back(item: Taken, now: datetime) -> list[TriageItem]:
    """Suppression and cool-off of a lead without an open handoff: crossings are held back, forms and flags
    of the suppressed go to triage."""
    lead, trigger = item.lead, item.trigger
    if trigger is None:
        return []
    by_score = trigger.kind == TriggerKind.SCORE_THRESHOLD
    if lead.suppressed_at is not None:
        item.trigger, item.status, item.reason = None, IGNORED, "suppressed"
        data = {"trigger": trigger.kind, "at": trigger.at.isoformat(), "reason": lead.suppressed_reason}
        return [] if by_score else [TriageItem(lead=lead, kind="suppressed", data=data, at=now)]
    if by_score and lead.cool_off_until is not None and trigger.at < lead.cool_off_until:
        item.trigger, item.status, item.reason = None, IGNORED, "cool_off"
    return []
