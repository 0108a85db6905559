"""A connection's mapping as people edit it: what is usual, what was chosen otherwise, kept, taken out.

Owns the way between the whole mapping, which people see, and what differs from the usual one, which is all
that a connection keeps; and reading one from a file. What a mapping means, and what is wrong with one, is
`leads.connectors.mapping`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import transaction

from leads import connectors, outbox
from leads.connecting import changing
from leads.connecting.changing import Edit, NotDone
from leads.connectors.addresses import Forbidden
from leads.connectors.base import Connector, NotOffered, Offered, Seen
from leads.connectors.client import Unreachable
from leads.connectors.delivering import IMPATIENT, UNEXPECTED
from leads.connectors.keeping import Keeper
from leads.connectors.mapping import FACTS, WRITABLE, Map
from leads.models import Connection, Handoff
from leads.outbox.wanted import Status
from leads.sealing import CannotOpen

PARTS = ("fields", "statuses", "owners", "sources", "facts")
FORM = 1
MOST_ENTRIES, LONGEST = 2000, 200
# What a system offers is asked for once in so many seconds: the page is opened and saved several times.
OFFER_KEPT = 300
_TROUBLE = (NotOffered, Unreachable, Forbidden, CannotOpen)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the other system offers, and why it could not be asked ("" when it could)."""

    offered: Offered
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One field of a record: what it should say and what it says ("" for nothing, None for no record)."""

    name: str
    wanted: str
    there: str | None

    @property
    def differs(self) -> bool:
        return self.there is not None and self.there != self.wanted


@dataclass(frozen=True, slots=True)
class Preview:
    """A handoff's record by a mapping. `records` is how many there are of this person there."""

    rows: list[Compared]
    records: int = 0
    problem: str = ""


def usual(connection: Connection) -> Map:
    """What is usual in its system, in its role and with its options. Raises CannotOpen."""
    return _map_of(_with(connection, {}))


def whole(connection: Connection) -> Map:
    """The mapping in force. Raises CannotOpen."""
    return _map_of(connection)


def _map_of(connection: Connection) -> Map:
    with connectors.opened(connection, IMPATIENT) as connector:
        # Who keeps a state there has its mapping at hand; others have none.
        return connector.mapping if isinstance(connector, Keeper) else Map()


def _with(connection: Connection, mapping: Mapping[str, Any]) -> Connection:
    other = copy.copy(connection)
    other.mapping = dict(mapping)
    return other


def chosen(wanted: Map, usual_map: Map) -> dict[str, Any]:
    """What of a whole mapping differs from the usual one. Pure; `connectors.mapping.merged` is its inverse
    for what can be taken away at all: an entry that is usual is switched off by "", not left out."""
    found: dict[str, Any] = {}
    for part in PARTS:
        mine: Mapping[str, Any] = getattr(wanted, part)
        theirs: Mapping[str, Any] = getattr(usual_map, part)
        own = {name: value for name, value in mine.items() if theirs.get(name, _blank(part)) != value}
        gone = {name: _blank(part) for name, value in theirs.items() if name not in mine and value}
        if own or gone:
            found[part] = {**own, **gone}
    return found


def _blank(part: str) -> Any:
    return {} if part == "statuses" else ""


def offer(connection: Connection, *, afresh: bool = False) -> Offer:
    """What there is to map to; asked within seconds, kept for a while."""
    key = f"offered:{connection.pk}:{connection.base_url}"
    kept = None if afresh else cache.get(key)
    if kept is not None:
        found: Offer = kept
        return found
    try:
        with connectors.opened(connection, IMPATIENT) as connector:
            answer = Offer(connector.offered())
    except _TROUBLE as error:
        return Offer(Offered(), str(error))
    except UNEXPECTED as error:
        return Offer(Offered(), f"The answer could not be understood ({type(error).__name__}).")
    cache.set(key, answer, OFFER_KEPT)
    return answer


def preview(connection: Connection, mapping: Mapping[str, Any], handoff: Handoff, now: Any) -> Preview:
    """What the lead's record should say by this mapping beside what it says; one call to the other system."""
    wanted = outbox.wanted([handoff.lead_id]).get(handoff.lead_id)
    if wanted is None:
        return Preview([], problem="Imported history is not written anywhere.")
    try:
        with connectors.opened(_with(connection, mapping), IMPATIENT) as connector:
            expected = dict(connector.expected(wanted))
            seen, problem = _fetched(connector, wanted, now)
    except _TROUBLE as error:
        return Preview([], problem=str(error))
    there = seen[0].values if seen else None
    rows = [
        Compared(name, value, None if there is None else there.get(name, ""))
        for name, value in expected.items()
    ]
    return Preview(rows, len(seen), problem)


def _fetched(connector: Connector, wanted: outbox.Wanted, now: Any) -> tuple[list[Seen], str]:
    """The records there; without an answer what it should say is shown all the same."""
    try:
        return list(connector.fetch([wanted], now).get(wanted.lead_id, ())), ""
    except (NotOffered, Unreachable, Forbidden) as error:
        return [], str(error)
    except UNEXPECTED as error:
        return [], f"The answer could not be understood ({type(error).__name__})."


def keep(pk: int, edit: Edit, mapping: Mapping[str, Any], why: str = "Mapping changed") -> Connection:
    """Keep what was chosen. Raises changing.Stale."""
    with transaction.atomic():
        connection = changing.claim(pk, edit)
        if connection.mapping != mapping:
            connection.mapping = dict(mapping)
            changing.save(connection, edit, ["mapping"], why)
        return connection


def restore(pk: int, edit: Edit, entry: int) -> Connection:
    """The mapping as an entry of the history has it. Raises NotDone for an entry of another connection."""
    with transaction.atomic():
        connection = changing.claim(pk, edit)
        found = connection.history.filter(history_id=entry).first()
        if found is None:
            raise NotDone("There is no such version.")
        if connection.mapping != found.mapping:
            connection.mapping = found.mapping
            at = found.history_date
            changing.save(connection, edit, ["mapping"], f"Mapping as of {at:%Y-%m-%d %H:%M} UTC")
        return connection


def document(connection: Connection, mapping: Map) -> dict[str, Any]:
    """A whole mapping as it is taken out: nothing in it is a secret."""
    parts = {part: _plain(getattr(mapping, part)) for part in PARTS}
    return {"form": FORM, "kind": connection.kind, **parts}


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in part.items()}


def read(text: str, kind: str) -> Map:
    """A whole mapping as it was taken out. Raises NotDone with what is wrong."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NotDone("This is no JSON.") from None
    if not isinstance(found, dict) or found.get("form") != FORM:
        raise NotDone("This is no mapping: it has no “form”: 1.")
    if found.get("kind") != kind:
        raise NotDone(f"This is a mapping for {found.get('kind')}, not for {kind}.")
    for part in PARTS:
        value = found.get(part, {})
        if not isinstance(value, dict) or len(value) > MOST_ENTRIES:
            raise NotDone(f"“{part}” has to be an object of at most {MOST_ENTRIES:,} entries.")
        for one in value.values() if part == "statuses" else [value]:
            if not _is_flat(one):
                raise NotDone(f"In “{part}” something is no text of at most {LONGEST} characters.")
    unknown = [name for name in found.get("fields", {}) if name not in WRITABLE]
    unknown += [name for name in found.get("facts", {}) if name not in FACTS]
    unknown += [name for name in found.get("statuses", {}) if name not in list(Status)]
    if unknown:
        raise NotDone(f"There is no “{unknown[0][:60]}” here.")
    return Map(**{part: found.get(part, {}) for part in PARTS})


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_text(name) and _is_text(one) for name, one in value.items())


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and value.isprintable()
