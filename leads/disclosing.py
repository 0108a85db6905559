"""All that is held about one person, as plain JSON: what they may ask for, and what an erasure would empty.

Owns the keys (documented in `held_about`) and the reading for them. Of other people it names colleagues who
did something, and nobody else: possible duplicates and colleagues' absences are not in it. Texts stand as
they were written. Logs that it was handed out; changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, Q

from leads import access_log, erasure, explaining, identity
from leads.choices import EventKind
from leads.erasure.held import Held, cluster
from leads.erasure.shared import is_theirs, mentioning
from leads.lifecycle import Act
from leads.models import (
    AccessEntry,
    Activity,
    Complaint,
    DuplicatePair,
    Event,
    FieldConflict,
    Handoff,
    ImportPart,
    Lead,
    Merge,
    Notification,
    PrivacyAct,
    Receipt,
    RoutingDecision,
    Score,
)
from leads.notifications import HEADS
from leads.representation import time
from routing.models import User

VERSION = 1
_PERSON = (
    "first_name", "last_name", "email", "job_title", "phone", "country_code", "region", "postal_code",
    "timezone", "language", "linkedin_url", "custom", "lead_source", "channel", "campaign", "attribution",
)  # fmt: skip
_HANDOFF = (
    "trigger_reason", "lead_source", "channel", "campaign", "score_total", "score_fit", "score_intent",
    "score_behavior", "missing", "territory", "opportunity_id", "opportunity_currency", "opportunity_stage",
    "close_reason",
)  # fmt: skip
_MOMENTS = (
    "mql_at", "received_at", "ready_at", "assigned_at", "accepted_at", "rejected_at", "deferred_until",
    "first_contact_at", "opportunity_at", "closed_at",
)  # fmt: skip
# Which colleagues must not have it again, by number.
_OF_COLLEAGUES = frozenset({"rejected_by", "lapsed_by", "account_owner"})
Json = dict[str, Any]


def find(address: str) -> Lead | None:
    """The lead that is known by this address, or was."""
    key = identity.normalise_email(address)
    named = Q(email_key=key) | Q(aliases__email_key=key)
    return Lead.objects.filter(named, erased_at__isnull=True).first() if key else None


def hand_out(lead: Lead, act: Act) -> Json:
    """What `held_about` says, with an entry in the privacy log and one in the access log."""
    found = held_about(lead, act.now)
    rows = sum(len(part) for part in found.values() if isinstance(part, list))
    first = cluster(lead.pk)[0]
    with transaction.atomic():
        PrivacyAct.objects.create(
            kind=PrivacyAct.Kind.EXPORTED,
            lead_id=first,
            at=act.now,
            by=act.user,
            api_key=act.api_key,
            rows=rows,
        )
        kind = AccessEntry.Kind.REVEALED
        access_log.record(kind, act.now, act.user, api_key=act.api_key, about=("lead", first), rows=rows)
    return found


def held_about(lead: Lead, now: datetime) -> Json:
    """Everything, in a number of queries that grows with nothing but the person's merged leads. Times are
    RFC 3339 in UTC, people are names.

    Keys: `version`, `made_at`, `organisation`; `person` (the fields of the lead, `former_addresses`, `ids`
    elsewhere, `as_of` by field); `merged` (leads that became part of it, as they were); `company`; `consent`
    and `held_back` (suppression, cool-off); `activities`; `scores` with reasons; `handoffs`, each with
    `events`, `notes`, `rejections`, `deferrals`, `contacts`, `waivers`, `reports`, `checks` and `routing`;
    `possible_duplicates` (how many); `enrichment`; `waiting` (what marketing was asked to decide);
    `received` (messages from other systems); `said_elsewhere` (what another system says of a field that is
    not its own, kept beside ours); `told` (messages to colleagues); `files` (rows of files that
    are still kept); `acts` (erasures and exports).
    """
    leads = cluster(lead.pk)
    held = erasure.held_of(leads)
    rows = {row.pk: row for row in Lead.objects.filter(pk__in=leads).select_related("company")}
    person = rows[leads[0]]
    own: Json = {"lead__in": leads}
    return {
        "version": VERSION,
        "made_at": time(now),
        "organisation": settings.ORG_NAME,
        "person": _person(person),
        "merged": _merged(rows, leads[0]),
        "company": {"name": person.company.name, "domain": person.company.domain} if person.company else None,
        "consent": {
            name: {"refused": getattr(person, name), "since": person.field_times.get(name)}
            for name in ("email_opt_out", "do_not_call")
        },
        "held_back": {
            "suppressed_at": time(person.suppressed_at),
            "reason": person.suppressed_reason,
            "cool_off_until": time(person.cool_off_until),
        },
        "activities": _activities(leads),
        "scores": [_score(row) for row in Score.objects.filter(**own).order_by("scored_at", "pk")],
        "handoffs": _handoffs(held),
        "possible_duplicates": DuplicatePair.objects.filter(Q(first__in=leads) | Q(second__in=leads)).count(),
        "enrichment": [
            {"at": time(row.at), "provider": row.provider, "result": row.result, "fields": row.fields}
            for row in rows[leads[0]].enrichment_attempts.order_by("at", "pk")
        ],
        "waiting": [
            {"at": time(row.at), "kind": row.kind, "settled_at": time(row.settled_at)}
            for row in rows[leads[0]].triage_items.order_by("at", "pk")
        ],
        "received": [
            {
                "at": time(row.received_at),
                "source": row.source,
                "id": row.event_id,
                "type": row.kind,
                "status": row.status,
                "reason": row.reason,
            }
            for row in Receipt.objects.filter(**own).order_by("received_at", "pk")
        ],
        "said_elsewhere": [
            {
                "at": time(row.said_at),
                "field": row.field,
                "value": row.value,
                "system": row.other.name,
                "settled_at": time(row.settled_at),
            }
            for row in FieldConflict.objects.filter(**own).select_related("other").order_by("said_at", "pk")
        ],
        "told": _told(held),
        "files": _files(held),
        "acts": [
            {"at": time(row.at), "what": row.get_kind_display(), "by": _name(row.by)}
            for row in PrivacyAct.objects.filter(**own).select_related("by").order_by("at", "pk")
        ],
    }


def _name(user: User | None) -> str:
    """A colleague by name; whoever has none by the part of the address before the @."""
    return (user.name or user.email.partition("@")[0]) if user is not None else "the system"


def _person(lead: Lead) -> Json:
    former = lead.aliases.order_by("added_at", "pk").values_list("email_key", "added_at")
    ids = lead.external_ids.order_by("pk").values_list("system", "object", "value")
    return {
        "lead": str(lead.pk),
        **{name: getattr(lead, name) for name in _PERSON},
        "former_addresses": [{"email": mail, "since": time(at)} for mail, at in former],
        "ids": [{"system": system, "object": kind, "id": value} for system, kind, value in ids],
        "as_of": lead.field_times,
        "created_at": time(lead.created_at),
        "updated_at": time(lead.updated_at),
    }


def _merged(rows: Mapping[int, Lead], root: int) -> list[Json]:
    merges = Merge.objects.filter(gone__in=rows, undone_at__isnull=True).select_related("by")
    by = {row.gone_id: row for row in merges.order_by("at", "pk")}
    return [
        {
            **_person(row),
            "merged_at": time(by[pk].at) if pk in by else None,
            "by": _name(by[pk].by) if pk in by else None,
        }
        for pk, row in rows.items()
        if pk != root
    ]


def _activities(leads: Iterable[int]) -> list[Json]:
    rows = Activity.objects.filter(lead__in=leads)
    names = ("kind", "title", "url", "campaign", "points", "properties")
    return [
        {"at": time(row.occurred_at), "id": row.external_id, **{name: getattr(row, name) for name in names}}
        for row in rows.order_by("occurred_at", "pk")
    ]


def _score(row: Score) -> Json:
    parts = {name: getattr(row, name) for name in ("total", "fit", "intent", "behavior", "reasons")}
    return {"at": time(row.scored_at), **parts}


def _handoffs(held: Held) -> list[Json]:
    """Each handoff with all that is written about it; a fixed number of queries for all of them."""
    handoffs = Handoff.objects.filter(pk__in=held.handoffs).select_related("assignee", "queue")
    beside = ("notes__by", "rejections__by", "rejections__reason", "deferral_rows__by", "attempts__by")
    decided = RoutingDecision.objects.select_related("ruleset").defer("ruleset__document")
    read = handoffs.prefetch_related(
        *beside, "waivers__by", "inspections", Prefetch("decisions", decided.order_by("at", "pk"))
    )
    found = list(read.order_by("mql_at", "pk"))
    events: dict[int, list[Event]] = {}
    log = Event.objects.filter(handoff__in=held.handoffs).select_related("user", "api_key")
    for event in log.order_by("handoff", "number"):
        events.setdefault(event.handoff_id, []).append(event)
    reports: dict[int, list[Complaint]] = {}
    for report in Complaint.objects.filter(handoff__in=held.handoffs).select_related("by").order_by("at"):
        reports.setdefault(report.handoff_id, []).append(report)
    holders = {pk for rows in events.values() for event in rows if (pk := _holder(event)) is not None}
    names = {user.pk: _name(user) for user in User.objects.filter(pk__in=holders)}
    decisions = [decision for handoff in found for decision in handoff.decisions.all()]
    teller = explaining.Teller(decisions)
    return [_handoff(row, events.get(row.pk, []), reports.get(row.pk, []), names, teller) for row in found]


def _handoff(
    row: Handoff,
    events: Iterable[Event],
    reports: Iterable[Complaint],
    names: Mapping[int, str],
    teller: explaining.Teller,
) -> Json:
    def written(rows: Iterable[Any], *columns: str, **more: Any) -> list[Json]:
        return [
            {
                "at": time(one.at),
                "by": _name(one.by),
                **{name: getattr(one, name) for name in columns},
                **{name: told(one) for name, told in more.items()},
            }
            for one in rows
        ]

    return {
        "handoff": str(row.pk),
        "state": row.get_state_display(),
        "type": row.get_lead_type_display(),
        "trigger": row.get_trigger_display(),
        **{name: getattr(row, name) for name in _HANDOFF},
        **{name: time(getattr(row, name)) for name in _MOMENTS},
        "opportunity_amount": str(row.opportunity_amount) if row.opportunity_amount is not None else None,
        "holder": _name(row.assignee) if row.assignee else (f"queue {row.queue}" if row.queue else None),
        "events": [_event(event, names) for event in events],
        "notes": written(row.notes.all(), "text"),
        "rejections": written(row.rejections.all(), "note", reason=lambda one: one.reason.label),
        "deferrals": written(row.deferral_rows.all(), "explanation", until=lambda one: time(one.until)),
        "contacts": written(row.attempts.all(), "channel", "outcome", "note"),
        "waivers": written(row.waivers.all(), "check_code", "reason"),
        "reports": written(reports, "field", "text"),
        "checks": [
            {"at": time(one.at), "passed": one.passed, "findings": one.findings}
            for one in row.inspections.all()
        ],
        "routing": [
            {"at": time(one.at), "facts": _facts(one.facts), "rules": teller.rules(one)}
            for one in row.decisions.all()
        ],
    }


def _facts(facts: Json) -> Json:
    return {name: value for name, value in facts.items() if name not in _OF_COLLEAGUES}


def _holder(event: Event) -> int | None:
    changed = event.data.get("set") if isinstance(event.data, dict) else None
    holder = changed.get("assignee_id") if isinstance(changed, dict) else None
    return holder if isinstance(holder, int) else None


def _event(event: Event, names: Mapping[int, str]) -> Json:
    """What happened, in words. Why somebody else could not have it is theirs, and not told."""
    by = f"key {event.api_key.name}" if event.user is None and event.api_key else _name(event.user)
    told: Json = {"at": time(event.occurred_at), "what": str(EventKind(event.kind).label), "by": by}
    if (holder := _holder(event)) is not None:
        told["to"] = names.get(holder, "somebody")
    return told


def _told(held: Held) -> list[Json]:
    rows = Notification.objects.filter(handoff__in=held.handoffs).select_related("user")
    return [
        {
            "at": time(row.created_at),
            "to": _name(row.user),
            "what": HEADS.get(row.kind, row.kind.replace("_", " ")),
            "handoff": str(row.handoff_id),
        }
        for row in rows.order_by("created_at", "pk")
    ]


def _files(held: Held) -> list[Json]:
    """Rows that name the person by address, number or id; by a name alone it may be somebody else."""
    parts = mentioning(ImportPart.objects.select_related("lead_import"), "rows", held)
    return [
        {
            "file": part.lead_import.name,
            "taken_at": time(part.lead_import.created_at),
            "row": number,
            "cells": dict(zip(part.lead_import.header, cells, strict=False)),
        }
        for part in parts
        for number, *cells in part.rows
        if is_theirs(cells, held, by_name=False)
    ]
