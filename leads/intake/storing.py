"""Stores what a wave of events says about people, companies, scores and activities, set-wise.

Owns finding or making each event's company and lead, and the rows beside them. Which fact wins is
`leads.intake.fields`; what the facts mean is `leads.intake.judging`. Never touches a handoff.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from leads import identity, qualification
from leads.choices import TriggerKind
from leads.intake.fields import apply_company, apply_lead
from leads.intake.schema import ActivityIn
from leads.intake.taken import Taken
from leads.models import Activity, Company, ExternalId, Lead, LeadAlias, Score

FORMS = (TriggerKind.DEMO_REQUEST, TriggerKind.PRICING_INQUIRY)
# A change of one of these can make somebody look like somebody else.
SUSPECT = frozenset({"first_name", "last_name", "phone", "country_code", "company"})


def store_companies(taken: Sequence[Taken], words: frozenset[str], now: datetime) -> set[int]:
    """Find or make each event's company: by registrable domain, else by name among those without one.

    Returns the ids of companies known before that changed.
    """
    known_better: set[int] = set()
    domains: list[str | None] = []
    names: set[str] = set()
    for item in taken:
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
    for item, domain in zip(taken, domains, strict=True):
        given = item.event.data.company
        key = identity.text_key(given.name)[:300] if given and given.name else ""
        company = by_domain.get(domain) if domain else by_name.get(key)
        if company is None and domain is None and item.match.lead is not None:
            company = item.match.lead.company
            if company is not None:
                before.setdefault(id(company), dict(company.field_times))
        if company is None and (domain or key):
            company = Company(domain=domain, created_at=now, updated_at=now)
            if domain:
                by_domain[domain] = company
            else:
                by_name[key] = company
        if company is not None and given is not None:
            changed = apply_company(company, given, item.at, words)
            if changed:
                company.updated_at = now
                if company.pk is not None:
                    known_better.add(company.pk)
        if company is not None:
            touched[id(company)] = company
        item.company = company
    new = [company for company in touched.values() if company.pk is None]
    Company.objects.bulk_create(sorted(new, key=lambda company: company.domain or ""))
    stale = [
        company
        for company in touched.values()
        if id(company) in before and company.field_times != before[id(company)]
    ]
    _save_companies(sorted(stale, key=lambda company: company.pk))
    return known_better


def store_leads(taken: Sequence[Taken], words: frozenset[str], now: datetime) -> None:
    """Make or update each event's lead, with its ids and addresses."""
    new: list[Lead] = []
    changed: list[Lead] = []
    aliases: list[LeadAlias] = []
    for item in taken:
        who = item.event.identity()
        lead = item.match.lead
        item.is_new = lead is None
        if lead is None:
            lead = Lead(created_at=now, updated_at=now)
            new.append(lead)
        item.lead = lead
        times = dict(lead.field_times)
        item.changed = apply_lead(lead, item.event, item.at, words)
        item.changed |= _address(lead, item, who.email_key, aliases, now)
        if item.company is not None:
            if lead.company_id != item.company.pk:
                item.changed.add("company")
            # Also when it is the same row: a known lead was read with a company that the event changed.
            lead.company = item.company
        if not item.is_new and (item.changed or lead.field_times != times):
            lead.updated_at = now
            changed.append(lead)
    Lead.objects.bulk_create(new)
    _save_leads(changed)
    LeadAlias.objects.bulk_create(aliases, ignore_conflicts=True)
    rows = [
        ExternalId(lead=item.lead, system=system, object=kind, value=value)
        for item in taken
        for system, kind, value in item.event.identity().external_ids
        if (system, kind, value) not in item.match.known_ids
    ]
    ExternalId.objects.bulk_create(rows)
    clashes = {
        (min(item.lead.pk, item.match.clash.pk), max(item.lead.pk, item.match.clash.pk)): {"same": "id"}
        for item in taken
        if item.match.clash is not None
    }
    if clashes:
        identity.raise_pairs(clashes, now)
    suspects = [item.lead for item in taken if item.is_new or item.changed & SUSPECT]
    if suspects:
        identity.find_duplicates(suspects, now)


def _address(lead: Lead, item: Taken, key: str, aliases: list[LeadAlias], now: datetime) -> set[str]:
    """A newer address replaces the older, which stays as an alias. Another lead's is never moved."""
    stamp = item.at.isoformat()
    if not key or item.match.clash is not None or lead.field_times.get("email", "") > stamp:
        return set()
    lead.field_times["email"] = stamp
    shown = (item.event.data.lead.email or "").strip()
    if lead.email_key == key and lead.email == shown:
        return set()
    if lead.email_key and lead.email_key != key:
        aliases.append(LeadAlias(lead=lead, email_key=lead.email_key, added_at=now))
    lead.email, lead.email_key = shown, key
    return {"email"}


def store_activities(taken: Sequence[Taken], now: datetime) -> None:
    """Store new activities, a high-intent trigger among them; make (not store) each new score."""
    known: dict[int, set[str]] = {}
    returning = [item.lead.pk for item in taken if not item.is_new and item.event.data.activities]
    ids = {a.id for item in taken for a in item.event.data.activities if a.id}
    if returning and ids:
        rows = Activity.objects.filter(lead_id__in=returning, external_id__in=ids)
        for lead_id, external_id in rows.values_list("lead_id", "external_id"):
            known.setdefault(lead_id, set()).add(external_id)
    for item in taken:
        seen = set(known.get(item.lead.pk, ()))
        for given in item.event.data.activities:
            if given.id and given.id in seen:
                continue
            seen.add(given.id)
            item.activities.append(_activity(item, given, now))
        _trigger_activity(item, now)
        if item.event.data.score is not None:
            item.score = _score(item, now)
    Activity.objects.bulk_create([row for item in taken for row in item.activities])


def _activity(item: Taken, given: ActivityIn, now: datetime) -> Activity:
    at, _ = qualification.clamp(given.occurred_at or item.event.time, now)
    return Activity(
        lead=item.lead,
        external_id=given.id,
        kind=given.kind,
        occurred_at=at,
        received_at=now,
        title=given.title,
        url=given.url,
        campaign=given.campaign,
        points=given.points,
        properties=given.properties,
    )


def _trigger_activity(item: Taken, now: datetime) -> None:
    """A high-intent trigger is itself an activity of its kind, unless the event brought that along."""
    trigger = item.event.data.trigger
    if trigger is None or trigger.kind not in FORMS:
        return
    if any(given.kind == trigger.kind for given in item.event.data.activities):
        return
    at, _ = qualification.clamp(trigger.occurred_at or item.event.time, now)
    item.activities.append(
        Activity(
            lead=item.lead,
            external_id=f"trigger:{item.event.source}:{item.event.id}"[:200],
            kind=trigger.kind,
            occurred_at=at,
            received_at=now,
            title=trigger.reason,
        )
    )


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


def _save_companies(rows: Sequence[Company]) -> None:
    """An upsert by id: it costs a fraction of a bulk update's CASE per column."""
    if rows:
        names = _columns(Company)
        Company.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=names)


def _save_leads(rows: Sequence[Lead]) -> None:
    if rows:
        names = _columns(Lead)
        Lead.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=names)


def _columns(model: type[Lead] | type[Company]) -> list[str]:
    return [f.name for f in model._meta.concrete_fields if not f.primary_key and f.name != "created_at"]
