"""What a merge finds and what it leaves, as plain JSON, so that it can be taken back.

Owns the memory that stands on a `Merge` and putting leads and the rows beside them back by it. What has
been set again since the merge is not the undo's to take back and stays. Never touches a handoff.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Model, Q, QuerySet

from leads import outbox
from leads.lifecycle.book import encode
from leads.models import (
    Activity,
    Complaint,
    Delivery,
    DuplicatePair,
    EnrichmentAttempt,
    ExternalId,
    Handoff,
    Lead,
    LeadAlias,
    Receipt,
    RemoteRecord,
    Score,
    TriageItem,
)

# Rows of a lead that a merge moves; aliases are put back by address, for some come and go with it.
MOVED: dict[str, type[Model]] = {
    "activities": Activity,
    "scores": Score,
    "external_ids": ExternalId,
    "complaints": Complaint,
    "enrichment_attempts": EnrichmentAttempt,
    "receipts": Receipt,
    "triage_items": TriageItem,
    "deliveries": Delivery,
}
# Of these each lead has one at most in each system.
RECORDS = "remote_records"
_LEFT_OUT = frozenset({"id", "created_at", "updated_at"})
CHUNK = 500


def before(keep: Lead, gone: Lead) -> dict[str, Any]:
    """Both leads, locked, and what belongs to them, before anything moves."""
    both = (keep.pk, gone.pk)
    return {
        "keep": row(keep),
        "gone": row(gone),
        "ids": {
            name: list(_moving(model, gone).order_by().values_list("pk", flat=True))
            for name, model in (MOVED | {RECORDS: RemoteRecord}).items()
        },
        "aliases": [
            [lead_id, key, encode(at)]
            for lead_id, key, at in LeadAlias.objects.filter(lead__in=both).values_list(
                "lead_id", "email_key", "added_at"
            )
        ],
        "pairs": {str(pair.pk): _decision(pair) for pair in _pairs(both)},
        "open_reports": list(
            Complaint.objects.filter(lead__in=both, cleared_at__isnull=True).values_list("pk", flat=True)
        ),
        "handoffs": {str(pk): number for pk, number in _revisions(both)},
    }


def _moving(model: type[Model], gone: Lead) -> QuerySet[Any]:
    rows = model._default_manager.filter(lead=gone)
    # What has left stays where it was logged.
    return rows.filter(done_at__isnull=True) if model is Delivery else rows


def after(memory: dict[str, Any], keep: Lead, gone: Lead) -> dict[str, Any]:
    """The memory with what the merge left; handoffs as [revision before, revision after]."""
    both = (keep.pk, gone.pk)
    was = memory["handoffs"]
    known = set(memory["pairs"])
    return memory | {
        "kept": row(Lead.objects.get(pk=keep.pk)),
        "left": row(Lead.objects.get(pk=gone.pk)),
        "handoffs": {str(pk): [was[str(pk)], number] for pk, number in _revisions(both)},
        "new_pairs": {str(pair.pk): _decision(pair) for pair in _pairs(both) if str(pair.pk) not in known},
    }


def row(lead: Lead) -> dict[str, Any]:
    """A lead's columns as JSON."""
    fields = (field for field in Lead._meta.concrete_fields if field.name not in _LEFT_OUT)
    # A copy: a merge writes into the lead's own mappings.
    return {field.attname: copy.deepcopy(encode(getattr(lead, field.attname))) for field in fields}


def put_back(lead: Lead, was: Mapping[str, Any], left: Mapping[str, Any], now: datetime) -> None:
    """The lead's columns as they were, where they still are as the merge left them."""
    fields = {field.attname: field for field in Lead._meta.concrete_fields}
    is_now = row(lead)
    restored = [name for name, value in was.items() if is_now[name] == left[name] != value]
    for name in restored:
        value = was[name]
        setattr(lead, name, value if isinstance(value, dict) else fields[name].to_python(value))
    if "field_times" not in restored:
        # Some fact came in since: only the times of what goes back go back too.
        for name in restored:
            if name in was["field_times"]:
                lead.field_times[name] = was["field_times"][name]
    lead.updated_at = now
    lead.save()


def rows_back(memory: Mapping[str, Any], keep: Lead, gone: Lead, at: datetime) -> None:
    """Activities, scores, ids and reports that came with the merged lead go back to it."""
    for name, model in MOVED.items():
        for ids in _chunks(memory["ids"].get(name, ())):
            model._default_manager.filter(pk__in=ids, lead=keep).update(lead=gone)
    for ids in _chunks(memory["ids"].get(RECORDS, [])):
        outbox.records_back(ids, keep.pk, gone.pk)
    answered = Complaint.objects.filter(pk__in=memory["open_reports"], cleared_at=at)
    answered.update(cleared_at=None, cleared_by=None)


def aliases_back(memory: Mapping[str, Any], keep: Lead, gone: Lead, at: datetime) -> None:
    """Former addresses stand where they stood; those that the merge itself made (`at`) are gone."""
    leads = {keep.pk: keep, gone.pk: gone}
    known = {key for _, key, _ in memory["aliases"]}
    LeadAlias.objects.filter(lead=keep, added_at=at).exclude(email_key__in=known).delete()
    for lead_id, key, added_at in memory["aliases"]:
        values = {"lead": leads[lead_id], "added_at": datetime.fromisoformat(added_at)}
        LeadAlias.objects.update_or_create(email_key=key, defaults=values)


def pairs_back(memory: Mapping[str, Any], at: datetime) -> None:
    """Possible duplicates are as open or decided as they were; those that the merge raised or carried over
    are gone, unless somebody has decided on them since."""
    for pair in DuplicatePair.objects.filter(pk__in=list(memory["new_pairs"])):
        if _decision(pair) == memory["new_pairs"][str(pair.pk)]:
            pair.delete()
    for pair in DuplicatePair.objects.filter(pk__in=list(memory["pairs"])):
        status, decided_at, decided_by = memory["pairs"][str(pair.pk)]
        if pair.status == DuplicatePair.Status.MERGED != status and pair.decided_at == at:
            pair.status, pair.decided_by_id = status, decided_by
            pair.decided_at = datetime.fromisoformat(decided_at) if decided_at else None
            pair.save(update_fields=["status", "decided_at", "decided_by"])


def _pairs(ids: Iterable[int]) -> list[DuplicatePair]:
    both = list(ids)
    return list(DuplicatePair.objects.filter(Q(first__in=both) | Q(second__in=both)).order_by("pk"))


def _decision(pair: DuplicatePair) -> list[Any]:
    return [str(pair.status), encode(pair.decided_at), pair.decided_by_id]


def _revisions(ids: Iterable[int]) -> list[tuple[int, int]]:
    return list(Handoff.objects.filter(lead__in=list(ids)).order_by("pk").values_list("pk", "revision"))


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
