"""What another system should say of a lead now: the absolute state, read when it is sent.

Owns the few canonical states that other systems know of, and gathering them with what a record needs, for
any number of leads in a fixed number of queries. A lead's newest handoff speaks for it. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db.models import Max

from leads.choices import State
from leads.models import Event, ExternalId, Handoff, Lead
from leads.outbox.catalogue import SPEAKING


class Status(StrEnum):
    """Where a handoff stands, as other systems know it."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    CONTACTED = "contacted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    OPPORTUNITY = "opportunity"
    DISQUALIFIED = "disqualified"
    CLOSED = "closed"


_STATUS: Mapping[State, Status] = {
    State.INCOMPLETE: Status.PENDING,
    State.QUEUED: Status.PENDING,
    State.ASSIGNED: Status.PENDING,
    State.ACCEPTED: Status.ACCEPTED,
    State.WORKING: Status.CONTACTED,
    State.DEFERRED: Status.DEFERRED,
    State.REJECTED: Status.REJECTED,
    State.CONVERTED: Status.OPPORTUNITY,
    State.DISQUALIFIED: Status.DISQUALIFIED,
    State.DISCARDED: Status.CLOSED,
    State.SUPERSEDED: Status.CLOSED,
    State.MERGED: Status.CLOSED,
    State.ERASED: Status.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One lead's state and what is needed to find or make its record. Times are UTC instants; `owner` is an
    e-mail address or ""; `ids` maps (system, object) to their id."""

    lead_id: int
    handoff_id: int
    revision: int
    status: Status
    reason: str = ""
    owner: str = ""
    deferred_until: datetime | None = None
    mql_at: datetime | None = None
    accepted_at: datetime | None = None
    first_contact_at: datetime | None = None
    changed_at: datetime | None = None
    opportunity_id: str = ""
    opportunity_amount: Decimal | None = None
    opportunity_currency: str = ""
    email: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[tuple[str, str], str] = field(default_factory=dict)


def status_of(handoff: Handoff) -> Status:
    """The canonical state of a handoff. An opportunity outlives whatever else came of it."""
    if handoff.opportunity_at is not None:
        return Status.OPPORTUNITY
    return _STATUS[State(handoff.state)]


def wanted(lead_ids: Collection[int]) -> dict[int, Wanted]:
    """The state of each of these leads that has a handoff, by lead id; three queries for any number."""
    newest: dict[int, Handoff] = {}
    rows = Handoff.objects.filter(lead__in=lead_ids, is_history=False)
    for handoff in rows.select_related("lead__company", "assignee", "rejection_reason").order_by(
        "mql_at", "pk"
    ):
        newest[handoff.lead_id] = handoff
    spoken = _last_spoken([handoff.pk for handoff in newest.values()])
    ids: dict[int, dict[tuple[str, str], str]] = {}
    known = ExternalId.objects.filter(lead__in=newest).order_by("pk")
    for lead_id, system, kind, value in known.values_list("lead_id", "system", "object", "value"):
        ids.setdefault(lead_id, {})[system, kind] = value
    return {
        lead_id: _wanted(handoff, spoken.get(handoff.pk, (handoff.revision, None)), ids.get(lead_id, {}))
        for lead_id, handoff in newest.items()
    }


def _last_spoken(handoff_ids: Collection[int]) -> dict[int, tuple[int, datetime | None]]:
    """Number and time of the last event of each handoff that says where it stands."""
    found = Event.objects.filter(handoff__in=handoff_ids, kind__in=SPEAKING).order_by()
    rows = found.values("handoff_id").annotate(number=Max("number"), at=Max("recorded_at"))
    return {row["handoff_id"]: (row["number"], row["at"]) for row in rows}


def _wanted(
    handoff: Handoff, spoken: tuple[int, datetime | None], ids: Mapping[tuple[str, str], str]
) -> Wanted:
    lead, status = handoff.lead, status_of(handoff)
    reason = handoff.rejection_reason.code if handoff.rejection_reason else handoff.close_reason
    return Wanted(
        lead_id=lead.pk,
        handoff_id=handoff.pk,
        revision=spoken[0],
        status=status,
        reason=reason if status in (Status.REJECTED, Status.DISQUALIFIED, Status.CLOSED) else "",
        owner=handoff.assignee.email if handoff.assignee else "",
        deferred_until=handoff.deferred_until if status == Status.DEFERRED else None,
        mql_at=handoff.mql_at,
        accepted_at=handoff.accepted_at,
        first_contact_at=handoff.first_contact_at,
        changed_at=spoken[1],
        opportunity_id=handoff.opportunity_id,
        opportunity_amount=handoff.opportunity_amount,
        opportunity_currency=handoff.opportunity_currency,
        email=lead.email,
        facts=_facts(lead),
        ids=ids,
    )


def _facts(lead: Lead) -> dict[str, str]:
    """What a record that is made anew says of the person, by the canonical field names."""
    company = lead.company
    facts = {
        "lead.email": lead.email,
        "lead.first_name": lead.first_name,
        "lead.last_name": lead.last_name,
        "lead.job_title": lead.job_title,
        "lead.phone": lead.phone,
        "lead.country_code": lead.country_code,
        "source.lead_source": lead.lead_source,
        "company.name": company.name if company else "",
        "company.domain": (company.domain or "") if company else "",
        "company.industry": company.industry if company else "",
    }
    return {name: value for name, value in facts.items() if value}
