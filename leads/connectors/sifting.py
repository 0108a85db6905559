"""What is news in an event that another system sends, and whose word counts. Reads rows, writes none.

Owns echo and order. A record that comes back says everything anew with one time for all of it; only what it
says otherwise than last time is news, so what we wrote ourselves makes no event, and an old value beside a
new one overwrites nothing. A fact of which another connection is the stated owner does not overwrite the
owner's. What wins by time stays the intake's.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db.models import OuterRef, Subquery

from leads.connectors import facts
from leads.connectors.facts import Data, Event, Key
from leads.models import Connection, ExternalId, Lead, RemoteRecord, Score

# Marks of an event that a connector sets and the intake never sees: it tells of a change itself and restates
# no record; it is of interest only where the person is known here already.
EXPLICIT, KNOWN_ONLY = "handoffexplicit", "handoffknownonly"
# A record that comes back this soon after we wrote it may be our own writing.
ECHO = timedelta(minutes=1)
# As of when facts count that may be older than anything known here.
LONG_AGO = datetime(1990, 1, 2, tzinfo=UTC)
# What a record last said of points is kept beside its facts.
SCORE = "score"
_ALWAYS = frozenset({"lead.qualified", "lead.merged", "lead.erased"})
_SUBSTANCE = frozenset({"score", "activities", "trigger", "opportunity", "merged_from"})


@dataclass
class Record:
    """A record of the sender: of which lead (None: not known yet), and what it said before and says now, by
    name: [digest, ISO time since when]."""

    lead_id: int | None
    facts: dict[str, list[str]] = field(default_factory=dict)
    written_at: datetime | None = None
    said: dict[str, list[str]] = field(default_factory=dict)

    def last(self, name: str) -> tuple[str, str] | None:
        entry = self.said.get(name) or self.facts.get(name)
        return (entry[0], entry[1]) if entry else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fact and the connection that owns it. `value` is what was said against it; None: they agree."""

    field: str
    owner_id: int
    value: str | None
    at: datetime


@dataclass
class Sifted:
    """What is left for the intake, of which record each event is (None: of none), what is said of owners by
    record, and how much was no news or about somebody who is not known here."""

    events: list[Event] = field(default_factory=list)
    keys: list[Key | None] = field(default_factory=list)
    verdicts: dict[Key, list[Verdict]] = field(default_factory=dict)
    unchanged: int = 0
    strangers: int = 0


class Desk:
    """The events of one call or page, and what is known of their records, in a fixed number of queries."""

    def __init__(self, connection: Connection, events: Sequence[Event], now: datetime) -> None:
        self.connection, self.now, self.system = connection, now, connection.id_system
        self.events = [copy.deepcopy(event) for event in events]
        self.owns = frozenset(connection.options.get("owns") or ())
        self.owners = self._owners()
        self.known = self._known_ids()
        self.records = self._records()
        leads = {record.lead_id for record in self.records.values() if record.lead_id}
        self.others = self._others(leads) if self.owners or self.owns else {}
        scored = any(facts.data_of(event).get("score") for event in self.events)
        self.scores = _latest_scores(leads) if scored else {}

    def _owners(self) -> dict[str, int]:
        """The facts that another active connection is the owner of."""
        others = Connection.objects.filter(is_active=True).exclude(pk=self.connection.pk).order_by("pk")
        found: dict[str, int] = {}
        for pk, options in others.values_list("pk", "options"):
            for name in options.get("owns") or ():
                found.setdefault(str(name), pk)
        return {name: pk for name, pk in found.items() if name not in self.owns}

    def _known_ids(self) -> dict[Key, int]:
        """The leads that these events' ids in the sender's system are known for."""
        values = {value for event in self.events for _, value in facts.ids(event, self.system)}
        rows = ExternalId.objects.filter(system=self.system, value__in=values)
        return {(kind, value): lead for kind, value, lead in rows.values_list("object", "value", "lead_id")}

    def _records(self) -> dict[Key, Record]:
        keys = {key for event in self.events if (key := facts.key(event, self.system))}
        rows = RemoteRecord.objects.filter(
            connection=self.connection, remote_id__in={value for _, value in keys}
        )
        found = {
            (row.object, row.remote_id): Record(row.lead_id, dict(row.facts), row.written_at) for row in rows
        }
        return {key: found.get(key) or Record(self.known.get(key)) for key in keys}

    def _others(self, leads: set[int]) -> dict[int, list[RemoteRecord]]:
        """What other systems' records of these leads say."""
        found: dict[int, list[RemoteRecord]] = {}
        rows = RemoteRecord.objects.filter(lead__in=leads).exclude(connection=self.connection)
        for row in rows.only("lead_id", "connection_id", "facts"):
            found.setdefault(row.lead_id, []).append(row)
        return found

    def sift(self) -> Sifted:
        """What of the events is for the intake, in their order."""
        result = Sifted()
        for event in self.events:
            is_explicit, is_shy = bool(event.pop(EXPLICIT, False)), event.pop(KNOWN_ONLY, False)
            if is_shy and not any(key in self.known for key in facts.ids(event, self.system)):
                result.strangers += 1
                continue
            key = facts.key(event, self.system)
            kept = [event] if key is None else self._news(event, key, is_explicit, result)
            result.events += kept
            result.keys += [key] * len(kept)
            result.unchanged += not kept
        return result

    def _news(self, event: Event, key: Key, is_explicit: bool, result: Sifted) -> list[Event]:
        """The event without what is no news; before it, as events of their own, facts that count as of
        another time; nothing when nothing is left."""
        record, data = self.records[key], facts.data_of(event)
        at = min(facts.time_of(event) or self.now, self.now)
        verdicts = result.verdicts.setdefault(key, [])
        # What it said before our first writing is not known. It fills what is empty here and overwrites
        # nothing: our own writing comes back with its own time on all of it.
        is_echo = not record.facts and not record.said and not is_explicit
        is_echo &= record.written_at is not None and at >= record.written_at - ECHO
        moved: dict[str, datetime] = {}
        for name, value in list(facts.of(data)):
            mark, before = facts.digest(value), record.last(name)
            is_late = before is not None and before[1] > facts.iso(at)
            is_news = is_late or self._is_news(value, mark, before, is_explicit)
            if not is_late:
                since = before[1] if before is not None and before[0] == mark else facts.iso(at)
                record.said[name] = [mark, since]
            owner, counts_from = self._owner(record, name, mark, at)
            if owner is not None:
                facts.drop(data, name)
                if mark:
                    verdicts.append(Verdict(name, owner, facts.shown(value), at))
                continue
            verdicts += self._agreements(record, name, mark, at)
            if not is_news:
                facts.drop(data, name)
            elif is_echo:
                moved[name] = LONG_AGO
            elif counts_from is not None:
                moved[name] = counts_from
        if not is_explicit:
            self._drop_known_score(data, record, at, is_echo=is_echo)
        return [*facts.split(event, moved), *([event] if _says_something(event) else [])]

    def _is_news(self, value: object, mark: str, before: tuple[str, str] | None, is_explicit: bool) -> bool:
        """Whether it was not said before. At first sight "nothing" and "no refusal" say nothing."""
        if is_explicit:
            return True
        return mark != before[0] if before is not None else bool(mark) and value is not False

    def _owner(
        self, record: Record, name: str, mark: str, at: datetime
    ) -> tuple[int | None, datetime | None]:
        """The owner, if that is another which says otherwise; and for the owner's own word the later time of
        who said otherwise, to which it must not lose."""
        rows = [row for row in self.others.get(record.lead_id or 0, ()) if name in row.facts]
        owner = self.owners.get(name)
        if owner is not None:
            said = [row.facts[name][0] for row in rows if row.connection_id == owner]
            return (owner if said and said[0] and said[0] != mark else None), None
        if name in self.owns:
            newest = max((row.facts[name][1] for row in rows if row.facts[name][0] != mark), default="")
            return None, datetime.fromisoformat(newest) if newest > facts.iso(at) else None
        return None, None

    def _agreements(self, record: Record, name: str, mark: str, at: datetime) -> Iterator[Verdict]:
        """Where owner and another say the same (again), from whichever side they came together."""
        owner = self.connection.pk if name in self.owns else self.owners.get(name)
        for row in self.others.get(record.lead_id or 0, ()) if owner else ():
            if row.facts.get(name, [None])[0] == mark and owner in (row.connection_id, self.connection.pk):
                yield Verdict(name, owner, None, at)

    def _drop_known_score(self, data: Data, record: Record, at: datetime, *, is_echo: bool) -> None:
        """A score that stands here already, or that the record said before, is none when it is restated; nor
        is that of a record which we made ourselves."""
        given, latest = data.get("score"), self.scores.get(record.lead_id or 0)
        if not isinstance(given, dict):
            return
        said, before = _points(given), record.last(SCORE)
        mark = facts.digest(said)
        if before is None or before[1] <= facts.iso(at):
            record.said[SCORE] = [mark, facts.iso(at)]
        is_same = latest == said or (latest is not None and said == (latest[0], None, None, None))
        if is_same or (before is not None and before[0] == mark) or (is_echo and latest is not None):
            del data["score"]


def _says_something(event: Event) -> bool:
    """Whether anything is left in it; a score event that lost its score tells of facts."""
    data, kind = facts.data_of(event), event.get("type")
    if kind in _ALWAYS or any(data.get(name) for name in _SUBSTANCE):
        return True
    if kind == "lead.scored":
        event["type"] = "lead.updated"
    return next(facts.of(data), None) is not None


def _points(given: Mapping[str, object]) -> tuple[object, ...]:
    parts = [given.get(name) for name in ("fit", "intent", "behavior")]
    return (given.get("total"), *(part.get("score") if isinstance(part, dict) else None for part in parts))


def _latest_scores(leads: set[int]) -> dict[int, tuple[object, ...]]:
    """The latest score of each of these leads: total, fit, intent, behavior."""
    newest = Score.objects.filter(lead=OuterRef("pk")).order_by("-scored_at", "-pk").values("pk")[:1]
    wanted = Lead.objects.filter(pk__in=leads).annotate(latest=Subquery(newest)).values_list("latest")
    rows = Score.objects.filter(pk__in=[pk for (pk,) in wanted if pk])
    return {row.lead_id: (row.total, row.fit, row.intent, row.behavior) for row in rows}
