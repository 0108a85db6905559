"""Stores what a wave of events says about people, companies, scores and activities, set-wise.

Owns finding or making each event's company and lead, and the rows beside them. Which fact wins is
`leads.intake.fields`; what the facts mean is `leads.intake.judging`. Never touches a handoff.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from leads import identity, qualification
from leads.choices import TriggerKind
from leads.intake.fields import COMPANY_FIELDS, apply_company, apply_lead, company_key
from leads.intake.schema import ActivityIn, EventIn
from leads.intake.taken import Taken
from leads.models import Activity, Company, Complaint, ExternalId, Lead, LeadAlias, Score
from leads.search import indexing
from routing.pouring import made, pour, repour
from routing.prepared import prepared

FORMS = (TriggerKind.DEMO_REQUEST, TriggerKind.PRICING_INQUIRY)
# A change of one of these can make somebody look like somebody else.
SUSPECT = frozenset({"first_name", "last_name", "phone", "country_code", "company"})
# What a report of wrong data calls the fields of the company.
_COMPANY_WORDS = {"name": "company_name"}
_FACTS = (*COMPANY_FIELDS, "news", "employee_count", "size_band", "revenue_amount", "revenue_currency")


def stated_domain(event: EventIn) -> str | None:
    """The domain by which an event names the company: stated, of the address, or of the website."""
    given = event.data.company
    stated, website = (given.domain or "", given.website or "") if given else ("", "")
    return identity.company_domain(event.identity().email_key, stated, website)


def store_companies(taken: Sequence[Taken], words: frozenset[str], now: datetime) -> set[int]:
    """Find or make each event's company: by registrable domain, else by name among those without one.

    Returns the ids of companies known before that changed.
    """
    directory = _Directory(taken, words, now)
    changed: dict[int, Company] = {}
    said_again: dict[int, Company] = {}
    for item in taken:
        company, given = directory.company_of(item), item.event.data.company
        item.company = company
        item.is_company_new = company is not None and company.pk is None
        if company is None or given is None:
            continue
        times = dict(company.field_times)
        item.company_changed = apply_company(company, given, item.at, words)
        if item.company_changed:
            company.updated_at = now
        if company.pk is None:
            continue
        if item.company_changed:
            changed[company.pk] = company
        elif company.field_times != times:
            said_again[company.pk] = company
    directory.new.sort(key=lambda company: company.domain or "")
    pour(directory.new)
    _save(Company, changed.values(), [row for pk, row in said_again.items() if pk not in changed])
    return set(changed)


class _Directory:
    """The companies that a wave may mean, read once and locked; each is one object."""

    def __init__(self, taken: Sequence[Taken], words: frozenset[str], now: datetime) -> None:
        self.words, self.now = words, now
        self.new: list[Company] = []
        self.domains = {id(item): stated_domain(item.event) for item in taken}
        self.keys = {id(item): self._key(item) for item in taken}
        domains = {domain for domain in self.domains.values() if domain}
        keys = {key for key in self.keys.values() if key}
        leads = (item.match.lead for item in taken if item.event.data.company)
        own = {lead.company_id for lead in leads if lead is not None and lead.company_id is not None}
        rows = _meant(domains, keys, own) if domains or keys or own else []
        self.by_id = {company.pk: company for company in rows}
        self.by_domain = {company.domain: company for company in rows if company.domain}
        # Of several the oldest, which comes last.
        self.by_name = {company.name_key: company for company in rows if not company.domain}

    def _key(self, item: Taken) -> str:
        given = item.event.data.company
        named = given is not None and self.domains[id(item)] is None
        return company_key(given.name, self.words) if given and named else ""

    def company_of(self, item: Taken) -> Company | None:
        """The company that the event means, made if need be; None when it says nothing of one."""
        domain, key, given = self.domains[id(item)], self.keys[id(item)], item.event.data.company
        own = item.match.lead.company if item.match.lead else None
        own = self.by_id.get(own.pk, own) if own is not None else None
        if own is not None and own.domain and not _says_where(item):
            return own
        if domain:
            return self.by_domain.get(domain) or self._make(domain, "", self._known_as(item, own))
        # A company that is known by nothing but its name is another one under another name.
        if own is not None and (own.domain or not key or own.name_key == key):
            return own
        if key:
            return self.by_name.get(key) or (own if own and not own.name_key else self._make(None, key))
        says = given is not None and any(getattr(given, name) for name in given.model_fields_set)
        return self._make(None, "") if says else None

    def _known_as(self, item: Taken, own: Company | None) -> Company | None:
        """The lead's company so far, if it is the one that now turns out to have a domain."""
        given = item.event.data.company
        name = company_key(given.name, self.words) if given else ""
        is_same = own is not None and own.domain is None and (not name or own.name_key in ("", name))
        return own if is_same else None

    def _make(self, domain: str | None, key: str, known_as: Company | None = None) -> Company:
        company = made(Company, domain=domain, created_at=self.now, updated_at=self.now)
        if known_as is not None:
            # Whoever else shares the row without a domain keeps it.
            for name in (*_FACTS, "name_key", "account_key"):
                setattr(company, name, getattr(known_as, name))
            company.field_times = dict(known_as.field_times)
        self.new.append(company)
        if domain:
            self.by_domain[domain] = company
        elif key:
            self.by_name[key] = company
        return company


@prepared
def _meant(domains: Collection[str], keys: Collection[str], own: Collection[int]) -> QuerySet[Company]:
    """Companies of these domains, of these names without a domain, and of these ids; locked in one order."""
    # Not the one or the other: for that PostgreSQL goes through each list again for each row that it found.
    rows = Company.objects.order_by().values("pk")
    named = rows.filter(domain__isnull=True, name_key__in=keys)
    wanted = rows.filter(domain__in=domains).union(named, rows.filter(pk__in=own))
    return Company.objects.filter(pk__in=wanted).select_for_update().order_by("-pk")


def _says_where(item: Taken) -> bool:
    """Whether the event says that the person is with a certain organisation: by its domain, or by an address
    that is new. An address that is only a name for the person does not."""
    given, lead = item.event.data.company, item.match.lead
    if given is not None and given.domain:
        return True
    key = item.event.identity().email_key
    return bool(key and lead and key != lead.email_key and item.match.known_ids and not item.match.is_taken)


def store_leads(taken: Sequence[Taken], words: frozenset[str], now: datetime) -> None:
    """Make or update each event's lead, with its ids and addresses."""
    new: list[Lead] = []
    changed: list[Lead] = []
    said_again: list[Lead] = []
    aliases: list[LeadAlias] = []
    for item in taken:
        lead = item.match.lead
        item.is_new = lead is None
        if lead is None:
            lead = made(Lead, created_at=now, updated_at=now)
            new.append(lead)
        item.lead = lead
        times = dict(lead.field_times)
        item.changed = apply_lead(lead, item.event, item.at, words)
        item.changed |= _address(lead, item, aliases, now)
        if item.company is not None:
            if lead.company_id != item.company.pk:
                item.changed.add("company")
            # Also when it is the same row: a known lead was read with a company that the event changed.
            lead.company = item.company
        if item.is_new:
            continue
        if item.changed:
            lead.updated_at = now
            changed.append(lead)
        elif lead.field_times != times:
            said_again.append(lead)
    pour(new)
    _save(Lead, changed, said_again)
    pour(aliases, ignore_conflicts=True)
    pour(
        made(ExternalId, lead_id=item.lead.pk, system=system, object=kind, value=value)
        for item in taken
        for system, kind, value in item.event.identity().external_ids
        if (system, kind, value) not in item.match.known_ids
    )
    _settle_complaints(taken, now)
    clashes = {
        (min(item.lead.pk, other.pk), max(item.lead.pk, other.pk)): {"same": "id"}
        for item in taken
        for other in item.match.others
    }
    if clashes:
        identity.raise_pairs(clashes, now)
    suspects = [item.lead for item in taken if item.is_new or item.changed & SUSPECT]
    if suspects:
        identity.find_duplicates(suspects, now)


def _address(lead: Lead, item: Taken, aliases: list[LeadAlias], now: datetime) -> set[str]:
    """A newer address replaces the older, which stays as an alias. Another lead's is never moved."""
    given = item.event.data.lead
    if "email" not in given.model_fields_set or item.match.is_taken:
        return set()
    shown, key = given.email or "", item.event.identity().email_key
    if lead.field_times.get("email", "") > item.at.isoformat():
        return set()
    if key and lead.email_key and key != lead.email_key and not item.match.known_ids:
        # The event names the person by a former address: that says nothing about the present one.
        return set()
    if shown and not key and lead.email_key:
        # What is no address never replaces one.
        return set()
    lead.field_times["email"] = item.at.isoformat()
    if lead.email == shown:
        return set()
    if lead.email_key and lead.email_key != key:
        aliases.append(LeadAlias(lead=lead, email_key=lead.email_key, added_at=now))
    lead.email, lead.email_key = shown, key or None
    return {"email"}


def _settle_complaints(taken: Sequence[Taken], now: datetime) -> None:
    """A report of wrong data is settled when the field it names changes."""
    changed = {item.lead.pk: _named(item) for item in taken if not item.is_new}
    known = [pk for pk, names in changed.items() if names]
    if not known:
        return
    waiting = Complaint.objects.filter(lead_id__in=known, cleared_at__isnull=True).exclude(field="")
    settled = [
        pk for pk, lead, name in waiting.values_list("pk", "lead_id", "field") if name in changed[lead]
    ]
    if settled:
        Complaint.objects.filter(pk__in=settled).update(cleared_at=now)


def _named(item: Taken) -> set[str]:
    return item.changed | {_COMPANY_WORDS.get(name, name) for name in item.company_changed}


def store_words(taken: Sequence[Taken]) -> None:
    """The words by which the wave's people and companies are found: one insert for all that are new."""
    new: dict[int, Lead | Company] = {}
    changed: dict[int, Lead | Company] = {}
    for item in taken:
        if item.is_new or item.changed & indexing.LEAD_FIELDS:
            (new if item.is_new else changed)[id(item.lead)] = item.lead
        company = item.company
        if company is not None and (item.is_company_new or item.company_changed & indexing.COMPANY_FIELDS):
            (new if item.is_company_new else changed)[id(company)] = company
    indexing.keep(changed.values(), new.values())


def store_activities(taken: Sequence[Taken], now: datetime) -> None:
    """Store new activities, a high-intent trigger among them; make (not store) each new score."""
    returning = [item.lead.pk for item in taken if not item.is_new]
    ids = {pk for item in taken if not item.is_new for pk in _activity_ids(item.event)}
    if ids:
        by_lead = {item.lead.pk: item for item in taken}
        for activity in _known_activities(returning, ids):
            by_lead[activity.lead_id].known_activities[activity.external_id] = activity
    for item in taken:
        for given in item.event.data.activities:
            if given.id and given.id in item.known_activities:
                continue
            row = _activity(item, given, now)
            item.activities.append(row)
            item.stated[id(row)] = given.occurred_at
            if given.id:
                item.known_activities[given.id] = row
        _trigger_activity(item, now)
        if item.event.data.score is not None:
            item.score = _score(item, now)
    pour(row for item in taken for row in item.activities)


@prepared
def _known_activities(leads: Collection[int], ids: Collection[str]) -> QuerySet[Activity]:
    return Activity.objects.filter(lead_id__in=leads, external_id__in=ids)


def _activity_ids(event: EventIn) -> Iterable[str]:
    trigger = event.data.trigger
    ids = {given.id for given in event.data.activities} | ({trigger.activity_id} if trigger else set())
    return ids - {""}


def _activity(item: Taken, given: ActivityIn, now: datetime) -> Activity:
    at, _ = qualification.clamp(given.occurred_at or item.event.time, now)
    return made(
        Activity,
        lead_id=item.lead.pk,
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
    """A high-intent trigger is itself an activity of its kind, unless that one is known already."""
    trigger = item.event.data.trigger
    if trigger is None or trigger.kind not in FORMS:
        return
    if any(given.kind == trigger.kind for given in item.event.data.activities):
        return
    named = item.known_activities.get(trigger.activity_id)
    if named is not None and named.kind == trigger.kind:
        return
    at, _ = qualification.clamp(trigger.occurred_at or item.event.time, now)
    row = Activity(
        lead=item.lead,
        # Under the id that the sender gave it: the same activity may yet come by itself.
        external_id="" if named is not None else trigger.activity_id,
        kind=trigger.kind,
        occurred_at=at,
        received_at=now,
        title=trigger.reason,
    )
    item.activities.append(row)
    item.stated[id(row)] = trigger.occurred_at
    if row.external_id:
        item.known_activities[row.external_id] = row


def _score(item: Taken, now: datetime) -> Score:
    given = item.event.data.score
    if given is None:
        raise ValueError("the event has no score")
    scored_at, _ = qualification.clamp(given.scored_at or item.event.time, now)
    parts = {"fit": given.fit, "intent": given.intent, "behavior": given.behavior}
    score = made(Score, lead=item.lead, total=given.total, scored_at=scored_at, received_at=now)
    for name, part in parts.items():
        if part is not None:
            setattr(score, name, part.score)
            setattr(score, f"{name}_max", part.max)
            score.reasons[name] = [reason.model_dump() for reason in part.reasons]
    return score


def _save(model: type[Any], changed: Collection[Any], said_again: Collection[Any]) -> None:
    """All that may have changed of these rows; where a fact was said again, its time, which no index holds.
    By far the most events say nothing else."""
    kept = [f for f in model._meta.concrete_fields if not (f.primary_key or f.generated)]
    repour(changed, [f.name for f in kept if f.name != "created_at"])
    repour(said_again, ["field_times"])
