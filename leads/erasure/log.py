"""The audited redaction of the event log: what of an event may stay when its person is erased.

Owns the columns and codes that name nobody. Everything else is dropped, so that a code that somebody adds one
day is gone with the person until it is entered here. Works through the one door and changes no event's kind,
number, moment or actor: the columns of a handoff stay the fold of its log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from leads.erasure.door import door
from leads.erasure.keys import history_mark
from leads.models import Event

CHUNK = 500
# Columns of a handoff that other systems fill with words or ids of their own.
EMPTIED = frozenset({"opportunity_id", "opportunity_stage"})
HISTORY_KEY = "history_key"
CODES = frozenset(
    {"re_engaged_from", "trigger", "activity", "waived", "check", "next_step", "until", "rejection", "reason"}
    | {"held_by", "rule", "channel", "outcome", "logged_late", "asked_for", "from_lead", "into_lead", "steps"}
    | {"why", "was_held_by", "window", "turn", "undid", "merge", "step", "told", "what", "late", "drained"}
    | {"implied_by"}
)


def redact(handoffs: Collection[int]) -> int:
    """Redact the events of these handoffs; how many had something to redact."""
    changed = 0
    with door("erasure"):
        for batch in _batches(Event.objects.filter(handoff__in=handoffs).only("pk", "data").order_by("pk")):
            told = []
            for event in batch:
                if (data := redacted(event.data)) != event.data:
                    event.data = data
                    told.append(event)
            Event.objects.bulk_update(told, ["data"])
            changed += len(told)
    return changed


def redacted(data: Any) -> dict[str, Any]:
    """An event's data without what may name a person."""
    if not isinstance(data, dict):
        return {}
    kept = {name: value for name, value in data.items() if name in CODES}
    for part in ("set", "was"):
        if isinstance(data.get(part), dict):
            kept[part] = {name: _column(name, value) for name, value in data[part].items()}
    return kept


def _column(name: str, value: Any) -> Any:
    if name in EMPTIED:
        return "" if value else value
    if name == HISTORY_KEY and value and not str(value).startswith("erased:"):
        return history_mark(str(value))
    return value


def _batches(rows: Any) -> Iterator[list[Event]]:
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield batch
        last = batch[-1].pk
