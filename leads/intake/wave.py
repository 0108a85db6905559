"""One wave: a set of events about different people, taken in together.

Owns the set-wise path from valid events to leads, scores, activities, handoffs and receipts: a single
event is a wave of one. Runs inside a transaction that `leads.intake.receiving` opens and locks. Never
moves a handoff itself: `leads.lifecycle` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from leads import cases, identity, preflight, qualification
from leads.cases import LeadFacts
from leads.choices import CLOSED, NOT_A_SIGNAL, TriggerKind
from leads.identity import Match
from leads.intake.fields import apply_company, apply_lead
from leads.intake.schema import ActivityIn, EventIn
from leads.lifecycle.book import Book
from leads.lifecycle.opening import Opening, add_trigger, open_all
from leads.lifecycle.placing import Item, advance
from leads.lifecycle.working import record_opportunity
from leads.models import (
    Activity,
    Company,
    EnrichmentAttempt,
    ExternalId,
    Handoff,
    Lead,
    LeadAlias,
    MqlDefinition,
    Score,
    TriageItem,
)
from leads.qualification import ScorePoint, Trigger

PROCESSED, IGNORED = "processed", "ignored"
OPENING_TYPES = {"lead.qualified", "lead.scored", "lead.activity"}


@dataclass
class Taken:
    """One event on its way through the wave, and what became of it."""

    event: EventIn
    match: Match
    at: datetime
    lead: Lead = field(init=False)
    is_new: bool = False
    changed: set[str] = field(default_factory=set)
    score: Score | None = None
    activities: list[Activity] = field(default_factory=list)
    trigger: Trigger | None = None
    handoff: Handoff | None = None
    status: str = PROCESSED
    reason: str = ""


class Wave:
    """The events of one wave and everything they need, read once."""

    def __init__(self, events: Sequence[EventIn], matches: Sequence[Match], book: Book, quiet: bool) -> None:
        self.book, self.now, self.quiet = book, book.now, quiet
        self.words = preflight.placeholder_words(book.preflight_settings())
        self.definitions = qualification.definitions()
        # Facts from the future would lock a field for ever, so they count as of now.
        self.taken = [
            Taken(event, match, min(event.time, self.now))
            for event, match in zip(events, matches, strict=True)
        ]
        self.changed_companies: set[int] = set()
        self.known: dict[int, LeadFacts] = {}

    def run(self) -> list[Taken]:
        """Take everything in; the handoffs are saved when this returns."""
        self._companies()
        self._leads()
        self._activities()
        self._duplicates()
        self._earlier_facts()
        self._judge()
        self._move()
        return self.taken

    # Who and what

    def _companies(self) -> None:
        """Find or make each event's company: by registrable domain, else by name among those without one."""
        self._companies_by_event: list[Company | None] = []
        domains: list[str | None] = []
        names: set[str] = set()
        for item in self.taken:
            given = item.event.data.company
            stated = (given.domain or given.website or "") if given else ""
            email = identity.normalise_email(item.event.data.lead.email or "")
            domain = identity.company_domain(email, stated)
            domains.append(domain)
            if domain is None and given and given.name:
                names.add(identity.text_key(given.name)[:300])
        wanted = {domain for domain in domains if domain}
        found = Company.objects.filter(domain__in=wanted) if wanted else Company.objects.none()
        by_domain = {company.domain: company for company in found}
        by_name: dict[str, Company] = {}
        if names:
            same = Company.objects.filter(domain__isnull=True, name_key__in=names).order_by("-pk")
            by_name = {company.name_key: company for company in same}
        before = {id(c): dict(c.field_times) for c in (*by_domain.values(), *by_name.values())}
        touched: dict[int, Company] = {}
        for item, domain in zip(self.taken, domains, strict=True):
            given = item.event.data.company
            key = identity.text_key(given.name)[:300] if given and given.name else ""
            company = by_domain.get(domain) if domain else by_name.get(key)
            if company is None and domain is None and item.match.lead is not None:
                company = item.match.lead.company
                if company is not None:
                    before.setdefault(id(company), dict(company.field_times))
            if company is None and (domain or key):
                company = Company(domain=domain, created_at=self.now, updated_at=self.now)
                if domain:
                    by_domain[domain] = company
                else:
                    by_name[key] = company
            if company is not None and given is not None:
                changed = apply_company(company, given, item.at, self.words)
                if changed:
                    company.updated_at = self.now
                    if company.pk is not None:
                        self.changed_companies.add(company.pk)
            if company is not None:
                touched[id(company)] = company
            self._companies_by_event.append(company)
        new = [company for company in touched.values() if company.pk is None]
        Company.objects.bulk_create(sorted(new, key=lambda company: company.domain or ""))
        stale = [
            company
            for company in touched.values()
            if id(company) in before and company.field_times != before[id(company)]
        ]
        _save_all(sorted(stale, key=lambda company: company.pk), Company)

    def _leads(self) -> None:
        """Make or update each event's lead, with its ids and addresses."""
        new: list[Lead] = []
        changed: list[Lead] = []
        aliases: list[LeadAlias] = []
        for item, company in zip(self.taken, self._companies_by_event, strict=True):
            who = item.event.identity()
            lead = item.match.lead
            item.is_new = lead is None
            if lead is None:
                lead = Lead(created_at=self.now, updated_at=self.now)
                new.append(lead)
            item.lead = lead
            times = dict(lead.field_times)
            item.changed = apply_lead(lead, item.event, item.at, self.words)
            item.changed |= self._address(lead, item, who.email_key, aliases)
            if company is not None and lead.company_id != company.pk:
                lead.company = company
                item.changed.add("company")
            if not item.is_new and (item.changed or lead.field_times != times):
                lead.updated_at = self.now
                changed.append(lead)
        Lead.objects.bulk_create(new)
        _save_all(changed, Lead)
        LeadAlias.objects.bulk_create(aliases, ignore_conflicts=True)
        rows = [
            ExternalId(lead=item.lead, system=system, object=kind, value=value)
            for item in self.taken
            for system, kind, value in item.event.identity().external_ids
            if (system, kind, value) not in item.match.known_ids
        ]
        ExternalId.objects.bulk_create(rows)
        clashes = {
            (min(item.lead.pk, item.match.clash.pk), max(item.lead.pk, item.match.clash.pk)): {"same": "id"}
            for item in self.taken
            if item.match.clash is not None
        }
        if clashes:
            identity.raise_pairs(clashes, self.now)

    def _address(self, lead: Lead, item: Taken, key: str, aliases: list[LeadAlias]) -> set[str]:
        """A newer address replaces the older, which stays as an alias. Another lead's is never moved."""
        stamp = item.at.isoformat()
        if not key or item.match.clash is not None or lead.field_times.get("email", "") > stamp:
            return set()
        lead.field_times["email"] = stamp
        shown = (item.event.data.lead.email or "").strip()
        if lead.email_key == key and lead.email == shown:
            return set()
        if lead.email_key and lead.email_key != key:
            aliases.append(LeadAlias(lead=lead, email_key=lead.email_key, added_at=self.now))
        lead.email, lead.email_key = shown, key
        return {"email"}

    def _activities(self) -> None:
        """Store new activities, a high-intent trigger among them, and new scores."""
        known: dict[int, set[str]] = {}
        returning = [item.lead.pk for item in self.taken if not item.is_new and item.event.data.activities]
        ids = {a.id for item in self.taken for a in item.event.data.activities if a.id}
        if returning and ids:
            rows = Activity.objects.filter(lead_id__in=returning, external_id__in=ids)
            for lead_id, external_id in rows.values_list("lead_id", "external_id"):
                known.setdefault(lead_id, set()).add(external_id)
        scores: list[Score] = []
        for item in self.taken:
            seen = set(known.get(item.lead.pk, ()))
            for given in item.event.data.activities:
                if given.id and given.id in seen:
                    continue
                seen.add(given.id)
                item.activities.append(self._activity(item, given))
            self._trigger_activity(item)
            if item.event.data.score is not None:
                item.score = _score(item, self.now)
                scores.append(item.score)
        Activity.objects.bulk_create([row for item in self.taken for row in item.activities])
        self._new_scores = scores

    def _activity(self, item: Taken, given: ActivityIn) -> Activity:
        at, _ = qualification.clamp(given.occurred_at or item.event.time, self.now)
        return Activity(
            lead=item.lead,
            external_id=given.id,
            kind=given.kind,
            occurred_at=at,
            received_at=self.now,
            title=given.title,
            url=given.url,
            campaign=given.campaign,
            points=given.points,
            properties=given.properties,
        )

    def _trigger_activity(self, item: Taken) -> None:
        """A high-intent trigger is itself an activity of its kind, unless the event brought that along."""
        trigger = item.event.data.trigger
        forms = (TriggerKind.DEMO_REQUEST, TriggerKind.PRICING_INQUIRY)
        if trigger is None or trigger.kind not in forms:
            return
        if any(given.kind == trigger.kind for given in item.event.data.activities):
            return
        at, _ = qualification.clamp(trigger.occurred_at or item.event.time, self.now)
        item.activities.append(
            Activity(
                lead=item.lead,
                external_id=f"trigger:{item.event.source}:{item.event.id}"[:200],
                kind=trigger.kind,
                occurred_at=at,
                received_at=self.now,
                title=trigger.reason,
            )
        )

    def _duplicates(self) -> None:
        suspects = {"first_name", "last_name", "phone", "country_code", "company"}
        leads = [item.lead for item in self.taken if item.is_new or item.changed & suspects]
        if leads:
            identity.find_duplicates(leads, self.now)

    def _earlier_facts(self) -> None:
        """What was known of these leads before: scores around the new one, signals, open handoffs."""
        ids = [item.lead.pk for item in self.taken]
        returning = [item.lead.pk for item in self.taken if not item.is_new]
        self._scores: dict[int, list[ScorePoint]] = {}
        if returning and self._new_scores:
            rows = Score.objects.filter(lead_id__in=returning).order_by("scored_at", "pk")
            for lead_id, total, at in rows.values_list("lead_id", "total", "scored_at"):
                self._scores.setdefault(lead_id, []).append(ScorePoint(total, at))
        Score.objects.bulk_create(self._new_scores)
        self.known = {pk: LeadFacts() for pk in ids} | cases.lead_facts(returning)
        for pk in identity.with_open_duplicate(ids):
            self.known[pk].has_duplicate = True
        self._open: dict[int, Handoff] = {}
        self._had_handoff: set[int] = set()
        if returning:
            self._had_handoff = set(
                Handoff.objects.live().filter(lead_id__in=returning).values_list("lead_id", flat=True)
            )
        if self._had_handoff:
            still = Q(state__in=CLOSED, follow_up_at__isnull=True) | Q(is_history=True)
            rows = (
                Handoff.objects.exclude(still)
                .filter(lead_id__in=self._had_handoff)
                .select_related("queue__owner", "assignee__calendar", "assignee__team__calendar")
                .select_for_update(of=("self",))
                .order_by("pk")
            )
            self._open = {handoff.lead_id: handoff for handoff in rows}
        for item in self.taken:
            fresh = self.known[item.lead.pk]
            fresh.has_signal |= any(a.kind not in NOT_A_SIGNAL for a in item.activities)
            if item.score is not None and (
                fresh.score is None or item.score.scored_at >= fresh.score.scored_at
            ):
                fresh.score = item.score
            if (handoff := self._open.get(item.lead.pk)) is not None:
                handoff.lead = item.lead

    # What it means

    def _judge(self) -> None:
        """Decide for each event whether a trigger fired, by our own definition."""
        for item in self.taken:
            if item.event.type in OPENING_TYPES:
                item.trigger = self._fired(item)
                if item.trigger is not None:
                    self._held_back(item)

    def _fired(self, item: Taken) -> Trigger | None:
        data, score = item.event.data, item.score
        if item.event.type == "lead.activity":
            return self._form_among(item)
        given = data.trigger
        if given is not None and given.kind != TriggerKind.SCORE_THRESHOLD:
            return self._trigger(item, given.kind, given.reason, given.occurred_at, given.activity_id)
        judged = score or (self.known[item.lead.pk].score if given is not None else None)
        if judged is None:
            # Nothing to judge by: it is taken at its word and held for what is missing.
            if item.event.type == "lead.qualified":
                kind = given.kind if given else ""
                return self._trigger(item, kind, given.reason if given else "", given and given.occurred_at)
            return None
        definition = qualification.in_force(self.definitions, judged.scored_at)
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
            return self._trigger(item, TriggerKind.SCORE_THRESHOLD, reason, told_at)
        point = ScorePoint(score.total, score.scored_at)
        around = self._scores.get(item.lead.pk, [])
        earlier = next((p for p in reversed(around) if p.scored_at <= point.scored_at), None)
        later = next((p for p in around if p.scored_at > point.scored_at), None)
        previous = data.score.previous_total if data.score else None
        crossed = qualification.crosses(point, earlier, later, previous, definition)
        if later is not None:
            item.status, item.reason = IGNORED, "stale"
            return None
        # A sender that says "qualified" about somebody who never was handed off is not turned away
        # because the score stood above the threshold before.
        if crossed or (qualified and item.lead.pk not in self._had_handoff):
            return self._trigger(item, TriggerKind.SCORE_THRESHOLD, reason, told_at)
        return None

    def _form_among(self, item: Taken) -> Trigger | None:
        forms = [row for row in item.activities if row.kind in TriggerKind.values]
        if not forms:
            return None
        first = min(forms, key=lambda row: row.occurred_at)
        return Trigger(first.kind, first.title, first.occurred_at, first.external_id)

    def _trigger(
        self, item: Taken, kind: str, reason: str, at: datetime | None, activity_id: str = ""
    ) -> Trigger:
        """mql_at: the trigger's time, else the triggering activity's, else the score's, else the event's."""
        carried = next((a for a in item.activities if activity_id and a.external_id == activity_id), None)
        if carried is None:
            carried = next((a for a in item.activities if a.kind == kind), None)
        if at is None and carried is not None:
            at = carried.occurred_at
        if at is None and item.event.data.score is not None:
            at = item.event.data.score.scored_at
        moment, clamped = qualification.clamp(at or item.event.time, self.now)
        return Trigger(kind, reason, moment, carried.external_id if carried else "", clamped)

    def _held_back(self, item: Taken) -> None:
        """Suppression and cool-off: crossings are held back, forms and flags go to triage."""
        lead, trigger = item.lead, item.trigger
        if trigger is None or self._open.get(lead.pk) is not None:
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
                TriageItem.objects.create(lead=lead, kind="suppressed", data=data, at=self.now)
        elif by_score and lead.cool_off_until is not None and trigger.at < lead.cool_off_until:
            item.trigger, item.status, item.reason = None, IGNORED, "cool_off"

    # What is done

    def _move(self) -> None:
        openings: list[tuple[Taken, Opening]] = []
        again: dict[int, Item] = {}
        for item in self.taken:
            existing = self._open.get(item.lead.pk)
            item.handoff = existing
            definition = self._definition(item)
            carried = self._carrier(item)
            superseded = None
            if item.trigger is not None and existing is not None:
                kept = add_trigger(self.book, existing, item.trigger, definition, carried)
                if kept is not None:
                    item.trigger = None
                else:
                    superseded = existing if existing.state == "superseded" else None
            if item.trigger is not None:
                openings.append((item, self._opening(item, definition, carried, superseded)))
            elif item.handoff is not None and item.handoff.state == "incomplete":
                again[item.handoff.pk] = Item(item.handoff, cases.load([item.handoff])[0])
            if item.event.type.startswith("opportunity."):
                self._opportunity(item)
        if any(opening.re_engaged_from for _, opening in openings):
            # The old handoff must be closed in the database before the new one is inserted.
            self.book.save()
        for (item, _), handoff in zip(
            openings, open_all(self.book, [opening for _, opening in openings]), strict=True
        ):
            item.handoff = handoff
        advance(self.book, [*again.values(), *self._waiting_colleagues(again)])
        self.book.save()

    def _definition(self, item: Taken) -> MqlDefinition | None:
        at = item.score.scored_at if item.score is not None else item.at
        if item.trigger is not None and item.score is None:
            at = item.trigger.at
        return qualification.in_force(self.definitions, at)

    def _carrier(self, item: Taken) -> Activity | None:
        if item.trigger is None:
            return None
        named = item.trigger.activity_external_id
        for row in item.activities:
            if (named and row.external_id == named) or (not named and row.kind == item.trigger.kind):
                return row
        return None

    def _opening(
        self,
        item: Taken,
        definition: MqlDefinition | None,
        carried: Activity | None,
        superseded: Handoff | None,
    ) -> Opening:
        known = self.known[item.lead.pk]
        company = item.lead.company
        if company is None or not (company.size_band or company.employee_count):
            # The company directory was asked: what is known of the domain is the row itself.
            self.book.add(
                EnrichmentAttempt(
                    lead=item.lead,
                    provider="directory",
                    result=EnrichmentAttempt.Result.NOTHING,
                    detail="no size known for the domain",
                    at=self.now,
                )
            )
            known.enrichment_attempted = True
        if item.trigger is None:
            raise ValueError("only an event with a trigger opens a handoff")
        return Opening(
            lead=item.lead,
            trigger=item.trigger,
            definition=definition,
            score=known.score,
            known=known,
            activity=carried,
            received_at=self.now,
            is_quiet=self.quiet,
            re_engaged_from=superseded,
        )

    def _waiting_colleagues(self, done: dict[int, Item]) -> list[Item]:
        """Incomplete handoffs of other leads at companies that just became better known."""
        if not self.changed_companies:
            return []
        rows = (
            Handoff.objects.incomplete()
            .filter(lead__company_id__in=self.changed_companies)
            .exclude(pk__in=done)
            .exclude(lead_id__in=[item.lead.pk for item in self.taken])
            .select_related("lead__company")
            .select_for_update(of=("self",), skip_locked=False)
            .order_by("pk")[:200]
        )
        waiting = list(rows)
        return [Item(handoff, case) for handoff, case in zip(waiting, cases.load(waiting), strict=True)]

    def _opportunity(self, item: Taken) -> None:
        given = item.event.data.opportunity
        latest = item.handoff or (
            Handoff.objects.filter(lead=item.lead)
            .select_related("assignee", "queue")
            .select_for_update(of=("self",))
            .order_by("-mql_at", "-pk")
            .first()
        )
        if latest is None or given is None:
            item.status, item.reason = IGNORED, "no_handoff"
            return
        latest.lead = item.lead
        item.handoff = latest
        stage = given.stage or item.event.type.removeprefix("opportunity.")
        when = min(item.event.time, self.now)
        if latest.state in CLOSED and latest.opportunity_at is None and not latest.is_history:
            data: dict[str, Any] = {"handoff": latest.pk, "state": str(latest.state)}
            TriageItem.objects.create(lead=item.lead, kind="won_anyway", data=data, at=self.now)
        record_opportunity(self.book, latest, given.external_id, given.amount, given.currency, stage, when)


def _score(item: Taken, now: datetime) -> Score:
    given = item.event.data.score
    if given is None:
        raise ValueError("the event has no score")
    scored_at, _ = qualification.clamp(given.scored_at or item.event.time, now)
    parts = {"fit": given.fit, "intent": given.intent, "behavior": given.behavior}
    score = Score(lead=item.lead, total=given.total, scored_at=scored_at, received_at=now)
    for name, part in parts.items():
        if part is not None:
            setattr(score, name, part.score)
            setattr(score, f"{name}_max", part.max)
            score.reasons[name] = [reason.model_dump() for reason in part.reasons]
    return score


def _save_all(rows: Sequence[Lead] | Sequence[Company], model: type[Lead] | type[Company]) -> None:
    """Write changed rows: an upsert by id, which costs a fraction of a bulk update's CASE per column."""
    if not rows:
        return
    names = [f.name for f in model._meta.concrete_fields if not f.primary_key and f.name != "created_at"]
    if len(rows) == 1:
        rows[0].save(update_fields=names)
        return
    model._default_manager.bulk_create(
        rows, update_conflicts=True, unique_fields=["id"], update_fields=names
    )
