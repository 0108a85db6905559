"""A person with something in every column that could hold personal data, and all that a database holds.

Walks the models: every text and JSON column of every table that leads to a lead is planted with a marker,
unless it is entered here as holding none. A new table or column fails the test that uses this until somebody
decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection, models
from model_bakery import baker

from leads.erasure.door import door
from leads.models import (
    Activity,
    BulkRun,
    Connection,
    Delivery,
    DeliveryAttempt,
    Event,
    Handoff,
    ImportFailure,
    ImportPart,
    InboundCall,
    Lead,
    LeadImport,
    Note,
    RoutingDecision,
    SavedView,
)
from routing.models import User
from tests.conftest import NOW

MARK = "zqmrk"
ADDRESS = f"{MARK}@{MARK}.example.com"
CODES = "a code, a choice or an id of ours"
GROUP = "what figures are grouped by, verbatim"
# Columns that stay: they name nobody.
KEPT: dict[str, dict[str, str]] = {
    "Lead": {"country_code": GROUP, "lead_source": GROUP, "channel": GROUP, "campaign": GROUP},
    "Handoff": {
        **dict.fromkeys(("state", "lead_type", "trigger", "missing", "territory", "next_step"), CODES),
        **dict.fromkeys(("first_contact_channel", "first_contact_outcome", "disposition"), CODES),
        **dict.fromkeys(("lead_source", "channel", "campaign"), GROUP),
        **dict.fromkeys(("rule_id", "rule_name", "opportunity_currency", "close_reason"), CODES),
    },
    "Activity": {"kind": CODES},
    "Rejection": {"next_step": CODES},
    "ContactAttempt": {"channel": CODES, "outcome": CODES},
    "Waiver": {"check_code": CODES},
    "Complaint": {"field": CODES},
    "EnrichmentAttempt": {"provider": CODES, "result": CODES},
    "TriageItem": {"kind": CODES},
    "Receipt": {"source": "the system it came from", "kind": CODES, "status": CODES, "reason": CODES},
    "Event": {"kind": CODES, "stage": CODES},
    "RoutingDecision": {
        "rule_id": CODES, "trace": "numbers of conditions", "candidates": "colleagues", "outcome": CODES
    },
    "FiredStep": {"code": CODES, "window": CODES},
    "BulkRow": {"status": CODES},
    "BacktestMove": {"kind": CODES, "before": "rules and colleagues", "after": "rules and colleagues"},
    "UsedLink": {"digest": "the hash of a random token"},
    "Delivery": {
        **dict.fromkeys(("kind", "type", "status"), CODES), "message_id": "random", "locked_by": "a process"
    },
    "DeliveryAttempt": {"outcome": CODES},
    "RemoteRecord": {"object": CODES},
    "Finding": dict.fromkeys(("fingerprint", "check_code", "severity", "resolution"), CODES),
    "PrivacyAct": {"kind": CODES, "why": CODES, "reference": "the number of a case"},
}  # fmt: skip


def of_a_lead() -> list[type[models.Model]]:
    """Every table from which foreign keys lead to a lead, and the lead's own."""
    found, grows = {Lead}, True
    while grows:
        before = len(found)
        for model in apps.get_models(include_auto_created=True):
            targets = {field.related_model for field in model._meta.concrete_fields if field.is_relation}
            if targets & found:
                found.add(model)
        grows = len(found) > before
    return sorted(found, key=lambda model: model.__name__)


def columns(model: type[models.Model]) -> Iterator[models.Field[Any, Any]]:
    """The columns of a table that could hold words, but those that are known to hold none."""
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, models.CharField | models.TextField | models.JSONField)
        if is_text and not field.is_relation and field.name not in KEPT.get(model.__name__, {}):
            yield field


def plant(lead: Lead, handoff: Handoff) -> None:
    """Give every table a row of this person, and put the marker into every column that is not kept."""
    for model in of_a_lead():
        rows = mine(model, lead, handoff)
        if not rows.exists():
            # An erasure that is owed holds ids, and has to.
            more = {"kind": "state"} if model is Delivery else {}
            baker.make(model, **_links(model, lead, handoff), **more)
        assert mine(model, lead, handoff).exists(), model
        values = {field.name: _value(field) for field in columns(model)}
        _put(model, rows, values)


def mine(model: type[models.Model], lead: Lead, handoff: Handoff) -> models.QuerySet[Any]:
    """The rows of a table that are this person's."""
    rows = model._default_manager.all()
    if model is Lead:
        return rows.filter(pk=lead.pk)
    condition = models.Q(pk__in=())
    for name, value in _links(model, lead, handoff).items():
        condition |= models.Q(**({f"{name}__lead": lead} if value == handoff else {name: value}))
    return rows.filter(condition)


def _links(model: type[models.Model], lead: Lead, handoff: Handoff) -> dict[str, Any]:
    links: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.is_relation and field.related_model is Lead and field.name not in ("merged_into", "second"):
            if field.name not in ("gone",):
                links[field.name] = lead
        elif field.is_relation and field.related_model is Handoff:
            links[field.name] = handoff
    if model is DeliveryAttempt:
        links["delivery"] = Delivery.objects.filter(lead=lead).first()
    if model.__name__ == "DuplicatePair":
        links["second"] = baker.make(Lead, created_at=NOW, updated_at=NOW)
    return links


def _value(field: models.Field[Any, Any]) -> Any:
    if isinstance(field, models.JSONField):
        return [{"detail": MARK, MARK: 1}] if field.get_default() == [] else {"note": MARK, MARK: [MARK]}
    return MARK


def _put(model: type[models.Model], rows: models.QuerySet[Any], values: dict[str, Any]) -> None:
    if model is Lead:
        values |= {"email": ADDRESS, "email_key": ADDRESS}
    if model is Event:
        with door("a test plants something"):
            ids = list(rows.order_by("handoff").values_list("handoff", flat=True).distinct())
            for event in rows:
                # As the column is planted: the row stays the fold of its log.
                own = f"{MARK}{ids.index(event.handoff_id)}"
                told = {"set": event.data["set"] | {"opportunity_id": own, "history_key": own}, "was": {}}
                Event.objects.filter(pk=event.pk).update(data=event.data | told | {"note": MARK, MARK: MARK})
        return
    if model is RoutingDecision:
        rows.update(facts={"country": "DE", "postal_code": MARK, "custom": {MARK: MARK}}, account={"x": MARK})
        return
    for place, row in enumerate(rows.order_by("pk")):
        # Some are unique; each has the marker in it all the same.
        own = {name: f"{value}{place}" if value == MARK else value for name, value in values.items()}
        if values:
            model._default_manager.filter(pk=row.pk).update(**own)


def plant_among_others(user: User) -> None:
    """The person in rows that are many people's: a file, lists, acts on many."""
    run = LeadImport.objects.create(
        name="list.csv", digest="x", header=["E-mail", "Name"], targets=["email", "full_name"], as_of=NOW,
        created_at=NOW, status="done", total=2, done=2,
    )  # fmt: skip
    rows = [[2, "other@example.org", "Olga Other"], [3, f" {ADDRESS.upper()} ", "Someone"]]
    ImportPart.objects.create(lead_import=run, position=0, rows=rows)
    ImportFailure.objects.create(
        lead_import=run, row=3, cells=["", f"{MARK}0 {MARK}0"], problems=[{"column": "", "message": MARK}]
    )
    connection = Connection.objects.create(kind="mautic", name="Mautic", slug="mautic", created_at=NOW)
    InboundCall.objects.create(
        connection=connection, identity="x", body=f'{{"email": "{ADDRESS}"}}'.encode(), body_digest="x",
        received_at=NOW, try_after=NOW, status="taken", done_at=NOW,
    )  # fmt: skip
    query = f"state=open&q={ADDRESS.replace('@', '%40')}"
    SavedView.objects.create(owner=user, page="leads", name="Mine", query=query, saved_at=NOW)
    SavedView.objects.create(owner=user, page="leads", name=ADDRESS, query="state=open", saved_at=NOW)
    BulkRun.objects.create(
        verb="reassign", options={"to": "x", "reason": f"{ADDRESS} asked"}, query=query, created_at=NOW,
        created_by=user,
    )  # fmt: skip


def dump() -> dict[str, list[str]]:
    """Every row of every table, as text in lower case."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = [str([_plain(cell) for cell in row]).lower() for row in cursor.fetchall()]
    return found


def _plain(cell: Any) -> Any:
    return bytes(cell) if isinstance(cell, memoryview) else cell


def holding(words: str) -> list[str]:
    """The tables in which these words stand anywhere."""
    return sorted(table for table, rows in dump().items() if any(words in row for row in rows))


__all__ = ["ADDRESS", "KEPT", "MARK", "Activity", "Note", "columns", "dump", "holding", "of_a_lead", "plant"]
