"""What is emptied when a person is erased: THE list. A table that holds personal data is entered here.

Owns which columns are blanked, which rows deleted, and what of a row that figures need stays. A test walks
all models and fails for a column that is neither here nor known to hold none. Never moves a handoff; the verb
is `leads.lifecycle.erase`. Rows that hold many people's data are `shared`; the log is `log`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet

from leads.erasure import log, shared
from leads.erasure.held import Held
from leads.erasure.keys import history_mark
from leads.models import (
    Activity,
    BulkRow,
    Complaint,
    ContactAttempt,
    Deferral,
    Delivery,
    DeliveryAttempt,
    DuplicatePair,
    EnrichmentAttempt,
    ExternalId,
    FieldConflict,
    Finding,
    Handoff,
    Inspection,
    Lead,
    LeadAlias,
    Merge,
    Note,
    Notification,
    Receipt,
    Rejection,
    RememberedAnswer,
    RemoteRecord,
    RoutingDecision,
    Score,
    SearchWord,
    TriageItem,
    Waiver,
)

LEAD, HANDOFF = "lead", "handoff"
CHUNK = 500
# The facts of a decision that stay: what figures are grouped by, and who must not get the lead again.
FACTS = (
    "trigger", "lead_type", "score_total", "score_fit", "score_intent", "score_behavior", "score_band",
    "country", "source", "channel", "campaign", "rejected_by", "lapsed_by",
)  # fmt: skip
ERASED = "erased"
# Of the results of checks and of what waited in triage: codes, ids and moments.
FINDING = ("check", "passed", "waived")
ITEM = ("handoff", "trigger", "at", "reason")


# What a retention period takes of a row that lives on: its id is needed to know a repeat.
ACTIVITY_WORDS: Mapping[str, Any] = {"title": "", "url": "", "campaign": "", "properties": {}}
ANSWER_WORDS: Mapping[str, Any] = {"answer": {}}


@dataclass(frozen=True)
class Blank:
    """Rows that stay, with these columns emptied. `by` are the paths to the lead or handoff they are of;
    `but` are those of them that stay as they are."""

    model: type[Model]
    by: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    but: Q | None = None


@dataclass(frozen=True)
class Reduce:
    """Rows that stay, with a JSON column or an id reduced to what names nobody, each row by its own value."""

    model: type[Model]
    by: tuple[str, ...]
    column: str
    to: Callable[[Any], Any]


@dataclass(frozen=True)
class Delete:
    """Rows of which nothing is needed."""

    model: type[Model]
    by: tuple[str, ...]


def _kept(names: tuple[str, ...]) -> Callable[[Any], Any]:
    return lambda value: {name: value[name] for name in names if name in value} if _is_map(value) else {}


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _facts(value: Any) -> Any:
    kept: dict[str, Any] = _kept(FACTS)(value)
    return kept | {ERASED: True}


def _findings(value: Any) -> Any:
    return [_kept(FINDING)(row) for row in value] if isinstance(value, list) else []


def _mark(value: Any) -> Any:
    return value if value is None or str(value).startswith(f"{ERASED}:") else history_mark(value)


EMPTIED: tuple[Blank | Reduce | Delete, ...] = (
    # What the person is called and reached by.
    Delete(LeadAlias, (LEAD,)),
    Delete(ExternalId, (LEAD,)),
    Delete(SearchWord, (LEAD,)),
    Delete(DuplicatePair, ("first", "second")),
    Blank(Merge, ("keep", "gone"), {"memory": {}}),
    # What they did, and what was thought of it. Kinds, moments and points stay: figures count them.
    Blank(Activity, (LEAD,), {"external_id": "", **ACTIVITY_WORDS}),
    Blank(Score, (LEAD,), {"reasons": {}}),
    Blank(Complaint, (LEAD,), {"text": ""}),
    Blank(EnrichmentAttempt, (LEAD,), {"fields": [], "detail": ""}),
    Reduce(TriageItem, (LEAD,), "data", _kept(ITEM)),
    # What came in and what was answered. By its event's hash a repeat is still known.
    Blank(Receipt, (LEAD,), {"body_digest": "", **ANSWER_WORDS}),
    # What people wrote about them.
    Blank(Note, (HANDOFF,), {"text": ""}),
    Blank(Rejection, (HANDOFF,), {"note": "", "seen": ""}),
    Blank(Deferral, (HANDOFF,), {"explanation": ""}),
    Blank(ContactAttempt, (HANDOFF,), {"note": ""}),
    Blank(Waiver, (HANDOFF,), {"reason": ""}),
    Blank(BulkRow, (HANDOFF,), {"message": ""}),
    Reduce(Inspection, (HANDOFF,), "findings", _findings),
    # Where they were sent and why: the rule, the trace and the candidates stay.
    Reduce(RoutingDecision, (HANDOFF,), "facts", _facts),
    Blank(RoutingDecision, (HANDOFF,), {"account": {}}),
    Delete(Notification, (HANDOFF,)),
    # What was to leave for other systems, what stands there, and where they differ. That they are asked to
    # forget the person is owed beforehand, by their ids alone (`outbox.owe_erasure`).
    Blank(Delivery, (LEAD,), {"body": "", "last_error": "", "note": ""}, but=Q(kind=Delivery.Kind.ERASE)),
    Blank(DeliveryAttempt, ("delivery__lead",), {"request": "", "answer": "", "error": ""}),
    Delete(RemoteRecord, (LEAD,)),
    Delete(FieldConflict, (LEAD,)),
    Delete(Finding, (LEAD,)),
    Blank(Handoff, ("pk",), {"trigger_reason": "", "opportunity_id": "", "opportunity_stage": ""}),
    Reduce(Handoff, ("pk",), "history_key", _mark),
)

# The columns of the lead that stay: what figures are grouped by, and what makes it a row.
LEAD_KEEPS = frozenset(
    {"id", "country_code", "lead_source", "channel", "campaign", "merged_into", "created_at", "updated_at"}
    | {"erased_at"}
)


def empty(held: Held) -> int:
    """Empty everything that is held of this person but the lead's own row; how many rows were touched.

    Call it inside a transaction, with the person's leads and handoffs locked.
    """
    touched = sum(_do(step, held) for step in EMPTIED)
    touched += _receipts(held) + _answers(held)
    return touched + log.redact(held.handoffs) + shared.redact(held)


def blank(lead: Lead) -> None:
    """Empty the lead's own row in memory; whoever calls says when, and saves it."""
    for column in Lead._meta.concrete_fields:
        if column.name not in LEAD_KEEPS:
            setattr(lead, column.attname, None if column.null else column.get_default())


def _of(step: Blank | Reduce | Delete, held: Held, by: str) -> QuerySet[Any]:
    ids = held.handoffs if by in (HANDOFF, "pk") else held.leads
    return step.model._default_manager.filter(**{f"{by}__in": ids})


def _do(step: Blank | Reduce | Delete, held: Held) -> int:
    touched = 0
    for by in step.by:
        rows = _of(step, held, by)
        if isinstance(step, Delete):
            touched += rows.delete()[0]
        elif isinstance(step, Blank):
            kept = rows if step.but is None else rows.exclude(step.but)
            touched += kept.update(**step.values)
        else:
            touched += _reduce(step, rows)
    return touched


def _reduce(step: Reduce, rows: QuerySet[Any]) -> int:
    changed = []
    for row in rows.only("pk", step.column).order_by("pk"):
        was = getattr(row, step.column)
        if (value := step.to(was)) != was:
            setattr(row, step.column, value)
            changed.append(row)
    step.model._default_manager.bulk_update(changed, [step.column], batch_size=CHUNK)
    return len(changed)


def _receipts(held: Held) -> int:
    """The sender's own id of an event may name the person; its hash is what is remembered of it."""
    rows = list(Receipt.objects.filter(lead__in=held.leads).only("pk").order_by("pk"))
    for row in rows:
        row.event_id = f"{ERASED}:{row.pk}"
    Receipt.objects.bulk_update(rows, ["event_id"], batch_size=CHUNK)
    return len(rows)


def _answers(held: Held) -> int:
    ids = [str(pk) for pk in held.handoffs]
    return RememberedAnswer.objects.filter(answer__id__in=ids).delete()[0] if ids else 0
