"""Takes events in: validates, recognises repeats, groups into waves, stores receipts, answers.

Owns idempotence (`source` and `id` are the identity of an event) and the transaction: a chunk is one, and
on failure its events are taken one by one, so that one bad event spoils none of the others. Only what came
alone raises what it failed by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog
from django.db import transaction
from django.db.models import F, QuerySet

from leads import erasure, identity
from leads.intake import late, persons
from leads.intake.schema import ERASED, CompanyIn, EventIn, Problem, parse
from leads.intake.storing import stated_domain
from leads.intake.taken import DUPLICATE, Outcome
from leads.intake.wave import Wave
from leads.lifecycle import Act
from leads.lifecycle.book import Book
from leads.models import ApiKey, Receipt
from leads.representation import handoff_json, lead_json
from routing.passing import is_away
from routing.people import User
from routing.pouring import made, pour
from routing.prepared import prepared

CHUNK = 100
# The reason in the answer to a valid event that could not be stored beside others.
NOT_STORED = "not_stored"
Answer = dict[str, Any]
log = structlog.get_logger(__name__)


@dataclass
class Incoming:
    """One event of a request: valid, or with the problems that make it invalid."""

    number: int
    raw: Any
    event: EventIn | None
    problems: list[Problem]

    @property
    def key(self) -> tuple[str, str]:
        return (self.event.source, self.event.id) if self.event else ("", "")

    @property
    def digest(self) -> str:
        return hashlib.sha256(orjson.dumps(self.raw, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True)
class Sender:
    """By whose key or hand events come in, and whether quietly: then nobody is told and no step fires."""

    api_key: ApiKey | None = None
    user: User | None = None
    quiet: bool = False


def receive(
    raw_events: Sequence[Any],
    api_key: ApiKey | None,
    now: datetime,
    *,
    user: User | None = None,
    quiet: bool = False,
) -> list[Answer]:
    """Take these events in, in order, and answer each. Invalid ones leave no receipt.

    `user` is whoever brings them by hand; a quiet key is quiet whatever `quiet` says. Raises what says that
    the database is away or that somebody holds a row for too long; the chunks before are kept then, and
    their events repeats when all is sent again.
    """
    sender = Sender(api_key, user, quiet or bool(api_key and api_key.is_quiet))
    incoming = [Incoming(number, raw, *parse(raw)) for number, raw in enumerate(raw_events)]
    answers: dict[int, Answer] = {
        item.number: invalid(item.raw, item.problems) for item in incoming if item.event is None
    }
    valid = [item for item in incoming if item.event is not None]
    for start in range(0, len(valid), CHUNK):
        answers |= _take_chunk(valid[start : start + CHUNK], sender, now, is_alone=len(incoming) == 1)
    return [answers[item.number] for item in incoming]


def invalid(raw: Any, problems: list[Problem]) -> Answer:
    given = raw.get("id") if isinstance(raw, dict) else None
    return {
        "id": given if isinstance(given, str) else None,
        "status": "invalid",
        "reason": problems[0]["code"] if problems else "invalid",
        "lead": None,
        "handoff": None,
        "errors": problems,
    }


def _take_chunk(
    chunk: Sequence[Incoming], sender: Sender, now: datetime, *, is_alone: bool
) -> dict[int, Answer]:
    try:
        return _take(chunk, sender, now)
    except Exception as error:
        # Of a database that is away each of them would only hear the same again. The last of a chunk, or the
        # only valid one, is not alone: the others have their answers to come.
        if is_alone or is_away(error):
            raise
        log.warning("intake_chunk_failed", events=len(chunk), exc_info=True)
    answers: dict[int, Answer] = {}
    for item in chunk:
        try:
            answers |= _take([item], sender, now)
        except Exception as error:
            if is_away(error):
                raise
            log.error("intake_event_failed", source=item.key[0], id=item.key[1], exc_info=True)
            detail = "The event could not be stored. Send it again."
            problem = {"pointer": "", "code": NOT_STORED, "detail": detail}
            answers[item.number] = invalid(item.raw, [problem])
    return answers


@transaction.atomic
def _take(chunk: Sequence[Incoming], sender: Sender, now: datetime) -> dict[int, Answer]:
    identity.lock(key for item in chunk for key in _keys(item))
    answers: dict[int, Answer] = {}
    todo = list(chunk)
    while todo:
        wave, todo = _next_wave(todo)
        wave, known = _repeats(wave)
        answers |= known
        if not wave:
            continue
        act = Act(now, sender.user, sender.api_key)
        first = wave[0].event
        if first is not None and first.type in persons.ALONE:
            answers |= _receipts(wave, [persons.take(first, act, sender.quiet)], sender.api_key, now)
            continue
        matches = identity.find([item.event.identity() for item in wave if item.event])
        verdicts = late.verdicts([item.event for item in wave if item.event], matches)
        away: dict[int, tuple[Incoming, Outcome]] = {}
        seen: set[int] = set()
        kept, kept_matches, later = [], [], []
        for item, match, verdict in zip(wave, matches, verdicts, strict=True):
            if verdict and item.event is not None:
                away[item.number] = (item, Outcome(item.event, verdict, late.REASON))
                continue
            # Two events that name one lead by different keys: the second waits for its own wave.
            if match.lead is not None and match.lead.pk in seen:
                later.append(item)
                continue
            if match.lead is not None:
                seen.add(match.lead.pk)
            kept.append(item)
            kept_matches.append(match)
        todo = later + todo
        if away:
            items, outcomes = zip(*away.values(), strict=True)
            answers |= _receipts(items, outcomes, sender.api_key, now)
        taken = Wave([i.event for i in kept if i.event], kept_matches, Book(act), sender.quiet).run()
        answers |= _receipts(kept, [done.outcome() for done in taken], sender.api_key, now)
    return answers


def _keys(item: Incoming) -> set[str]:
    """What must not happen twice at once: the event, its person, its company."""
    if item.event is None:
        return set()
    keys = {f"event:{item.key[0]}:{item.key[1]}", *persons.keys(item.event)}
    if company := _company_key(item.event):
        keys.add(company)
    return keys


def _company_key(event: EventIn) -> str:
    """By what the event names a company: its domain, else its name; "" when it names none."""
    given = event.data.company
    if domain := stated_domain(event):
        return f"company:{domain}"
    return f"company-name:{identity.text_key(given.name)[:300]}" if given is not None and given.name else ""


def _next_wave(todo: Sequence[Incoming]) -> tuple[list[Incoming], list[Incoming]]:
    """The longest start of the list in which no person and no event comes twice, and the rest.

    Nor do two events say different things of one company: what the later one knows must not decide how
    the earlier one is answered.
    """
    seen: set[str] = set()
    said: dict[str, CompanyIn | None] = {}
    for position, item in enumerate(todo):
        keys = {f"event:{item.key[0]}:{item.key[1]}"}
        differs = False
        if item.event is not None and item.event.type in persons.ALONE:
            # It may be about anybody who comes before or after it.
            end = max(position, 1)
            return list(todo[:end]), list(todo[end:])
        if item.event is not None:
            keys |= item.event.identity().keys
            given = item.event.data.company
            company = _company_key(item.event)
            differs = bool(company) and said.setdefault(company, given) != given
        if differs or keys & seen:
            return list(todo[:position]), list(todo[position:])
        seen |= keys
    return list(todo), []


def _repeats(wave: Sequence[Incoming]) -> tuple[list[Incoming], dict[int, Answer]]:
    """Split off events that were taken in before; they answer as the first time."""
    found = _known({item.key[0] for item in wave}, {item.key[1] for item in wave})
    known = {(receipt.source, receipt.event_id): receipt for receipt in found}
    fresh: list[Incoming] = []
    answers: dict[int, Answer] = {}
    for item in wave:
        receipt = known.get(item.key)
        if receipt is None:
            fresh.append(item)
            continue
        answer: Answer = {**_forgotten(receipt), **receipt.answer, "status": "duplicate"}
        if receipt.body_digest and receipt.body_digest != item.digest:
            answer["reason"] = "different_body"
            Receipt.objects.filter(pk=receipt.pk).update(differing_repeats=F("differing_repeats") + 1)
        answers[item.number] = answer
    return fresh, answers


@prepared
def _known(sources: Collection[str], ids: Collection[str]) -> QuerySet[Receipt]:
    """Receipts of these ids from any of these sources: all that are asked for are among them."""
    return Receipt.objects.filter(source__in=sources, event_id__in=ids)


def _forgotten(receipt: Receipt) -> Answer:
    """The answer of a receipt of which only the identity was kept for so long."""
    return {
        "id": receipt.event_id,
        "status": receipt.status,
        "reason": receipt.reason or None,
        "lead": None,
        "handoff": None,
        "errors": [],
    }


def _receipts(
    items: Sequence[Incoming], outcomes: Sequence[Outcome], api_key: ApiKey | None, now: datetime
) -> dict[int, Answer]:
    """The answers, each kept as a receipt; of an event about somebody who was erased only its hash is."""
    answers: dict[int, Answer] = {}
    rows: list[Receipt] = []
    forgotten: list[str] = []
    for item, done in zip(items, outcomes, strict=True):
        answer: Answer = {
            "id": done.event.id,
            "status": done.status,
            "reason": done.reason or None,
            "lead": lead_json(done.lead) if done.lead is not None else None,
            "handoff": handoff_json(done.handoff) if done.handoff else None,
            "errors": [],
        }
        answers[item.number] = answer
        if done.status == DUPLICATE:
            continue
        is_gone = done.event.type == ERASED or done.reason == late.REASON
        own = late.own_key(done.event)
        forgotten += [own] if is_gone else []
        rows.append(
            made(
                Receipt,
                source=done.event.source,
                event_id=f"erased:{erasure.digest(own)}" if is_gone else done.event.id,
                kind=done.event.type[:40],
                body_digest="" if is_gone else item.digest,
                status=done.status,
                reason=done.reason,
                answer={} if is_gone else answer,
                lead_id=done.lead.pk if done.lead else None,
                api_key_id=api_key.pk if api_key else None,
                received_at=now,
            )
        )
    pour(rows)
    if forgotten:
        erasure.remember(forgotten, now)
    return answers
