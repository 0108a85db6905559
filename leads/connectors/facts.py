"""The facts in an intake event, by name ("lead.phone", "company.name"), and their digests.

Owns walking, taking out and moving facts of an event that is still JSON. A digest is keyed, so that what is
kept of a person's values can't be guessed back. Pure. Judges nothing: that is `leads.connectors.sifting`.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

Event = dict[str, Any]
Data = dict[str, Any]
# Object and id of a record in the sender's system.
Key = tuple[str, str]
PARTS = ("lead", "company", "source")
# Members of a person that hold facts of their own.
_NESTED = ("consent", "custom")
_PURPOSE = b"handoff.facts.v1:"
LONGEST = 2000


def data_of(event: Event) -> Data:
    found = event.get("data")
    return found if isinstance(found, dict) else {}


def ids(event: Event, system: str) -> list[Key]:
    """The records in a system that an event names, those merged away among them."""
    data = data_of(event)
    lead = data.get("lead")
    given = [
        *_list(lead.get("external_ids") if isinstance(lead, dict) else None),
        *_list(data.get("merged_from")),
    ]
    return [
        (str(one.get("object") or ""), str(one["id"]))
        for one in given
        if system and one.get("system") == system and one.get("id")
    ]


def key(event: Event, system: str) -> Key | None:
    """The record that an event is of."""
    return next(iter(ids(event, system)), None)


def _list(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def time_of(event: Event) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def iso(at: datetime) -> str:
    """A moment as it is kept and compared, as text."""
    return at.astimezone(UTC).isoformat()


def of(data: Data) -> Iterator[tuple[str, Any]]:
    """The facts and their names; ids are none."""
    for part in PARTS:
        given = data.get(part)
        for name, value in given.items() if isinstance(given, dict) else ():
            if part == "lead" and name == "external_ids":
                continue
            if part == "lead" and name in _NESTED and isinstance(value, dict):
                for inner, one in value.items():
                    yield f"lead.{name}.{inner}", one
            else:
                yield f"{part}.{name}", value


def drop(data: Data, name: str) -> Any:
    """Take a fact out, and what holds it when nothing else is in it; its value."""
    steps = (
        name.split(".", 2)
        if name.startswith(tuple(f"lead.{one}." for one in _NESTED))
        else name.split(".", 1)
    )
    holders = [data]
    for step in steps[:-1]:
        holders.append(holders[-1][step])
    value = holders[-1].pop(steps[-1])
    for step, holder, parent in zip(
        reversed(steps[:-1]), reversed(holders[1:]), reversed(holders[:-1]), strict=True
    ):
        if not holder:
            del parent[step]
    return value


def put(data: Data, name: str, value: Any) -> None:
    """Put a fact in under its name."""
    steps = (
        name.split(".", 2)
        if name.startswith(tuple(f"lead.{one}." for one in _NESTED))
        else name.split(".", 1)
    )
    holder = data
    for step in steps[:-1]:
        holder = holder.setdefault(step, {})
    holder[steps[-1]] = value


def split(event: Event, moved: Mapping[str, datetime]) -> list[Event]:
    """Take these facts out of an event; they become events of their own as of their moments, oldest first."""
    found: dict[datetime, Event] = {}
    data = data_of(event)
    for name, at in moved.items():
        lead = {"external_ids": data["lead"]["external_ids"]}
        number = len(found) + 1
        own = found.setdefault(
            at,
            {
                **event,
                "id": f"{str(event.get('id'))[:190]}~{number}",
                "type": "lead.updated",
                "time": iso(at),
                "data": {"lead": lead},
            },
        )
        put(own["data"], name, drop(data, name))
    return [found[at] for at in sorted(found)]


def digest(value: Any) -> str:
    """A short keyed digest of a fact; "" for one that says nothing."""
    if value is None or value in ("", [], {}):
        return ""
    content = json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")
    return hmac.digest(_PURPOSE + settings.SECRET_KEY.encode(), content, "sha256").hex()[:20]


def shown(value: Any) -> str:
    """A fact as text, bounded."""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:LONGEST]
