"""HubSpot's records as values, read and written many at once.

Owns the shape of a record that was read, and the batch calls: which answer belongs to which input, what an
input's error means, and that one bad input spoils none of the others. Knows neither leads nor mappings.
Sources: the OpenAPI of CRM objects 2026-09; that 50 are read at once with histories is second-hand, as are
the categories of an input's error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from leads.connectors.hubspot.calling import LOCKED_FOR, Calls, Refusal, objects, refusal, words
from leads.intake.kinds import EARLIEST, LATEST
from leads.outbox import Outcome, Result

MOST, MOST_WITH_HISTORY = 100, 50
MERGED = "hs_merged_object_ids"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Version:
    """A value that a property had from a moment on, and who gave it ("CRM_UI userId:1")."""

    value: str
    at: datetime
    source: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read. A property without a value is ""; histories are newest first; `merged` are
    the ids that lead to it by now."""

    id: str
    values: Mapping[str, str]
    changed_at: datetime | None = None
    histories: Mapping[str, Sequence[Version]] = field(default_factory=dict)
    merged: frozenset[str] = frozenset()

    def since(self, name: str) -> datetime | None:
        """Since when a property has its value; as far as is known, since the record was changed."""
        versions = self.histories.get(name, ())
        return versions[0].at if versions else self.changed_at if self.values.get(name) else None


@dataclass(frozen=True, slots=True)
class Input:
    """One record to be written. `key` is ours and finds its answer; `id` theirs, or the value of the unique
    property `by`."""

    key: str
    properties: Mapping[str, str]
    id: str = ""
    by: str = ""
    contact: str = ""
    contact_type: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What came of an input: the outcome, and the record as the answer shows it."""

    outcome: Outcome
    id: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    is_new: bool = False

    @property
    def is_done(self) -> bool:
        return self.outcome.result == Result.DONE


def moment(text: Any) -> datetime | None:
    """A time as HubSpot writes it, ISO or milliseconds; None for anything else, and for what the intake takes
    for no time (a value that HubSpot worked out is of 1970)."""
    raw = str(text or "")
    try:
        if raw.isdigit():
            found = EPOCH + timedelta(milliseconds=int(raw))
        else:
            found = datetime.fromisoformat(raw)
        found = found.astimezone(UTC) if found.tzinfo else EPOCH
    except (ValueError, OverflowError):
        return None
    return found if EARLIEST <= found < LATEST else None


def millis(at: datetime) -> int:
    """A time in whole milliseconds, exactly."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def parsed(raw: Mapping[str, Any]) -> Record:
    """A record of an answer."""
    values = {name: "" if value is None else str(value) for name, value in raw.get("properties", {}).items()}
    histories = {
        name: sorted(
            (
                Version(
                    str(one.get("value") or ""),
                    at,
                    str(one.get("sourceType") or ""),
                    str(one.get("sourceId") or ""),
                )
                for one in versions
                if (at := moment(one.get("timestamp"))) is not None
            ),
            key=lambda version: version.at,
            reverse=True,
        )
        for name, versions in (raw.get("propertiesWithHistory") or {}).items()
    }
    merged = frozenset(part for part in values.get(MERGED, "").split(";") if part)
    return Record(str(raw["id"]), values, moment(raw.get("updatedAt")), histories, merged)


def read(
    calls: Calls,
    kind: str,
    keys: Collection[str],
    names: Collection[str],
    *,
    by: str = "",
    told: Collection[str] = (),
) -> dict[str, Record]:
    """The records with these ids, or these values of the unique property `by`, by the key asked for; with
    the histories of the `told` properties. What is not there is left out. Raises Refusal."""
    wanted = sorted({key for key in keys if key})
    found: dict[str, Record] = {}
    for part in chunks(wanted, MOST_WITH_HISTORY if told else MOST):
        body: dict[str, Any] = {
            "inputs": [{"id": key} for key in part],
            "properties": sorted({*names, *([by] if by else []), MERGED, *([ALSO] if by == "email" else [])}),
        }
        if by:
            body["idProperty"] = by
        if told:
            body["propertiesWithHistory"] = sorted(told)
        answer = calls.post(objects(kind, "batch", "read"), body)
        for error in answer.get("errors") or ():
            if error.get("category") != "OBJECT_NOT_FOUND":
                raise refusal(_meant(error, calls.said))
        asked = {key.lower(): key for key in part}
        for record in map(parsed, answer.get("results") or ()):
            for name in _known_as(record, by):
                if name.lower() in asked:
                    found[asked[name.lower()]] = record
    return found


ALSO = "hs_additional_emails"


def _known_as(record: Record, by: str) -> Iterable[str]:
    if not by:
        return (record.id, *record.merged)
    also = record.values.get(ALSO, "").split(";") if by == "email" else []
    return (record.values.get(by, ""), *also)


def write(calls: Calls, kind: str, verb: str, inputs: Sequence[Input]) -> dict[str, Written]:
    """Write records ("create", "update", "upsert"), by key what came of each; never raises Refusal. What
    names one record twice goes in two calls, in order."""
    found: dict[str, Written] = {}
    for round_ in _rounds(inputs):
        for part in chunks(round_, MOST):
            found |= _batch(calls, kind, verb, part)
    return found


def _rounds(inputs: Sequence[Input]) -> list[list[Input]]:
    rounds: list[list[Input]] = []
    seen: dict[str, int] = {}
    for one in inputs:
        place = seen.get(one.id, 0) if one.id else 0
        seen[one.id] = place + 1
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(one)
    return rounds


def _batch(calls: Calls, kind: str, verb: str, inputs: Sequence[Input]) -> dict[str, Written]:
    try:
        answer = calls.post(objects(kind, "batch", verb), {"inputs": [_sent(one) for one in inputs]})
    except Refusal as error:
        if error.outcome.result == Result.PERMANENT and error.outcome.status == 400 and len(inputs) > 1:
            return _singly(calls, kind, verb, inputs)
        return {one.key: Written(error.outcome) for one in inputs}
    return _matched(answer, inputs, calls.said)


def _singly(calls: Calls, kind: str, verb: str, inputs: Sequence[Input]) -> dict[str, Written]:
    """One at a time, since the whole was refused for one of them; until there is no getting through."""
    found: dict[str, Written] = {}
    stopped: Outcome | None = None
    for one in inputs:
        found |= _batch(calls, kind, verb, [one]) if stopped is None else {one.key: Written(stopped)}
        outcome = found[one.key].outcome
        if outcome.result in (Result.TRANSIENT, Result.THROTTLED, Result.UNAUTHORISED):
            stopped = outcome
    return found


def _sent(one: Input) -> dict[str, Any]:
    body: dict[str, Any] = {"properties": dict(one.properties), "objectWriteTraceId": one.key}
    if one.id:
        body["id"] = one.id
    if one.by:
        body["idProperty"] = one.by
    if one.contact:
        kinds = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": one.contact_type}]
        body["associations"] = [{"to": {"id": one.contact}, "types": kinds}]
    return body


def _matched(answer: Mapping[str, Any], inputs: Sequence[Input], said: Outcome) -> dict[str, Written]:
    """By key what came of each: by its trace id, where an answer leaves that out by the record's id."""
    by_id = {one.id: one.key for one in inputs if one.id and not one.by}
    found: dict[str, Written] = {}
    for raw in answer.get("results") or ():
        record = parsed(raw)
        key = str(raw.get("objectWriteTraceId") or by_id.get(record.id) or "")
        if not key and len(inputs) == 1:
            key = inputs[0].key
        found[key] = Written(said, record.id, record.values, bool(raw.get("new", True)))
    nobodys: Outcome | None = None
    for error in answer.get("errors") or ():
        context = error.get("context") or {}
        keys = [*_listed(context.get("objectWriteTraceId"))]
        keys += [by_id[key] for key in _listed(context.get("ids")) if not keys and key in by_id]
        outcome = _meant(error, said)
        found |= {key: Written(outcome) for key in keys}
        nobodys = nobodys if keys else outcome
    silent = Outcome(
        Result.TRANSIENT, said.status, "HubSpot did not say what came of it.", request=said.request
    )
    return {one.key: found.get(one.key) or Written(nobodys or silent) for one in inputs}


def _listed(value: Any) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else [str(value)] if value else []


# What is refused for good. Whatever else an input may be refused with is worth another try.
_FOR_GOOD = frozenset(
    {"VALIDATION_ERROR", "MISSING_SCOPES", "FORBIDDEN", "OBJECT_ALREADY_EXISTS", "INVALID_REQUEST"}
)


def _meant(error: Mapping[str, Any], said: Outcome) -> Outcome:
    """What the error of one input means."""
    category = str(error.get("category") or "")
    text = words(error) or "HubSpot refused it without saying why."
    outcome = replace(said, result=Result.TRANSIENT, error=text, answer=category)
    if category in _FOR_GOOD:
        return replace(outcome, result=Result.PERMANENT)
    if category == "RATE_LIMITS":
        return replace(outcome, result=Result.THROTTLED, retry_after=timedelta(seconds=10))
    if category == "LOCKED":
        return replace(outcome, retry_after=LOCKED_FOR)
    return outcome


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in order, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
