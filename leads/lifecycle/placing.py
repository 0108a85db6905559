"""Pre-flight and routing: from an open conversion to somebody who holds it.

Owns `advance` (inspect, then hold for data or route) and what changes when a handoff gets a holder.
Set-wise: any number of handoffs cost the same queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from django.db.models import QuerySet

from leads import cases, preflight
from leads.choices import EventKind, Stage, State
from leads.lifecycle.book import Book
from leads.models import Handoff, Inspection, RoutingDecision
from leads.preflight import Case, Finding
from routing import engine, hours, rotation, sla
from routing.engine import Decision, Target, decide
from routing.models import Queue, Ruleset
from routing.pouring import made
from routing.prepared import prepared
from routing.rotation import Seating

DAY = timedelta(hours=24)
# Why a handoff was closed whose lead came back hot while it was worked.
RE_ENGAGED: Literal["re_engaged"] = "re_engaged"


@dataclass
class Item:
    """One handoff on its way: its case, and a person it is offered to first (re-engaged leads).

    `passed_over` maps people who must not get it now to why, besides those who had it before.
    """

    handoff: Handoff
    case: Case
    first_to: int | None = None
    passed_over: Mapping[int, str] = field(default_factory=dict)

    @property
    def excluded(self) -> dict[int, str]:
        """Who must not get it, and why in words."""
        lapsed = dict.fromkeys(self.case.lapsed_by, rotation.LAPSED)
        rejected = dict.fromkeys(self.case.rejected_by, rotation.REJECTED)
        return {**self.passed_over, **lapsed, **rejected, **self.case.refused}


@lru_cache(maxsize=64)
def compiled(ruleset_id: int, version: int) -> engine.Ruleset:
    """A published version, ready to be asked."""
    # Published documents are immutable, so they may be kept.
    document = Ruleset.objects.values_list("document", flat=True).get(pk=ruleset_id, version=version)
    return engine.Ruleset(document)


def forget_rulesets() -> None:
    """Drop the kept documents (tests roll rows back under this cache)."""
    compiled.cache_clear()


def live_ruleset() -> tuple[int | None, engine.Ruleset]:
    """Id and rules of the live ruleset; no id and no rules before the first is published."""
    row = _live.first()
    return (None, engine.Ruleset({})) if row is None else (row[0], compiled(*row))


@prepared
def _live() -> QuerySet[Ruleset, tuple[int, int]]:
    return Ruleset.objects.filter(is_live=True).values_list("pk", "version")


def advance(book: Book, items: Sequence[Item]) -> None:
    """Inspect each handoff; those that pass are routed, the others are held for data.

    Running it again on a handoff that is still held and still misses the same writes no event.
    """
    if not items:
        return
    settings = book.preflight_settings()
    ruleset_id, rules = live_ruleset()
    passing: list[tuple[Item, Decision]] = []
    for item in items:
        decision = decide(rules, item.case.facts())
        findings = preflight.inspect(item.case, settings, decision)
        missing = preflight.missing(findings)
        book.add(
            made(
                Inspection,
                handoff=item.handoff,
                at=book.now,
                passed=not missing,
                findings=[finding.to_json() for finding in findings],
            )
        )
        if missing:
            hold(book, item.handoff, missing)
        else:
            _pass(book, item.handoff, findings)
            passing.append((item, decision))
    _route(book, passing, ruleset_id)


def items_of(handoffs: Sequence[Handoff], now: datetime) -> list[Item]:
    """These saved handoffs with their cases, and with whom a re-engaged lead is offered to first."""
    if not handoffs:
        return []
    first_to: dict[int, int] = {}
    if unassigned := {h.lead_id: h for h in handoffs if h.assigned_at is None}:
        rows = Handoff.objects.filter(lead_id__in=unassigned, close_reason=RE_ENGAGED).order_by("closed_at")
        for lead_id, holder, at in rows.values_list("lead_id", "assignee_id", "closed_at"):
            if at and holder is not None and at >= unassigned[lead_id].created_at:
                first_to[unassigned[lead_id].pk] = holder
    cases_ = cases.load(handoffs, now)
    return [Item(h, case, first_to.get(h.pk)) for h, case in zip(handoffs, cases_, strict=True)]


def route_again(
    book: Book,
    handoff: Handoff,
    kind: EventKind,
    changes: dict[str, Any] | None = None,
    *,
    passed_over: Mapping[int, str] | None = None,
    by_system: bool = False,
    **codes: Any,
) -> None:
    """Route a handoff that passed before: rerouted, escalated, released, resumed without its rep.

    `passed_over` maps people who must not get it to why, besides those who had it before.
    """
    nobody = {"state": State.QUEUED, "assignee_id": None, "queue_id": None, "closed_at": None}
    book.write(handoff, kind, Stage.ROUTING, nobody | (changes or {}), by_system=by_system, **codes)
    [item] = items_of([handoff], book.now)
    item.passed_over = passed_over or {}
    ruleset_id, rules = live_ruleset()
    _route(book, [(item, decide(rules, item.case.facts()))], ruleset_id)


def offer(book: Book, handoff: Handoff, passed_over: Mapping[int, str] | None = None, **codes: Any) -> bool:
    """Route it to a person who can take it now; where that is nobody, it stays as it is and nothing is
    written. Whoever holds it must be passed over, and their turn released before the book is saved."""
    [item] = items_of([handoff], book.now)
    item.passed_over = passed_over or {}
    ruleset_id, rules = live_ruleset()
    decision = decide(rules, item.case.facts())
    [targets] = walks([(item, decision)])
    seating = book.desk(targets).seat(targets, item.excluded)
    if seating.user is None:
        return False
    _place(book, item, decision, ruleset_id, seating, **codes)
    return True


def hold(
    book: Book,
    handoff: Handoff,
    missing: list[str],
    told: str = "incomplete",
    *,
    by_system: bool = False,
) -> None:
    """Keep it with marketing until the data is there; marketing's own clock runs."""
    if handoff.state == State.INCOMPLETE and handoff.completion_since is not None:
        if handoff.missing != missing:
            book.write(handoff, EventKind.RECHECKED, Stage.ENRICHMENT, {"missing": missing})
        return
    queue = book.completion_queue()
    calendar = book.calendar_of_queue(queue) if queue else book.default_calendar()
    book.write(
        handoff,
        EventKind.HELD,
        Stage.ENRICHMENT,
        {
            "state": State.INCOMPLETE,
            "missing": missing,
            "assignee_id": None,
            "queue_id": None,
            "completion_since": book.now,
            "completion_visits": handoff.completion_visits + 1,
            "completion_due_at": sla.deadline(book.now, book.policy(handoff).completion, calendar),
            "closed_at": None,
        },
        by_system=by_system,
    )
    book.tell(handoff, told, book.queue_owner(handoff))


def _pass(book: Book, handoff: Handoff, findings: Sequence[Finding]) -> None:
    waived = [finding.check for finding in findings if finding.waived]
    changes: dict[str, Any] = {"missing": [], "completion_since": None, "completion_due_at": None}
    held_since = handoff.completion_since
    if handoff.ready_at is None:
        start = handoff.mql_at if held_since is None else book.now
        changes |= {"ready_at": book.now, "clock_started_at": start, "clock_runs_from": start}
    elif held_since is not None:
        changes |= _clock_moved_on(book, handoff, held_since)
    book.write(handoff, EventKind.PASSED, Stage.ENRICHMENT, changes, waived=waived)


def _clock_moved_on(book: Book, handoff: Handoff, since: datetime) -> dict[str, Any]:
    """A later stay in completion stops the lead's clock: its deadlines move by the time spent there."""
    changes: dict[str, Any] = {}
    if handoff.clock_runs_from is not None:
        changes["clock_runs_from"] = handoff.clock_runs_from + (book.now - since)
    if handoff.contact_due_at is not None:
        policy, calendar = book.policy(handoff), book.default_calendar()
        business = calendar if policy.contact.business else None
        left = hours.between(since, handoff.contact_due_at, business)
        if left > timedelta(0):
            changes["contact_due_at"] = hours.add(book.now, left, business)
        else:
            changes["contact_due_at"] = handoff.contact_due_at + (book.now - since)
    return changes


def _route(book: Book, passing: Sequence[tuple[Item, Decision]], ruleset_id: int | None) -> None:
    if not passing:
        return
    ways = walks(passing)
    desk = book.desk({target for targets in ways for target in targets})
    for (item, decision), targets in zip(passing, ways, strict=True):
        _place(book, item, decision, ruleset_id, desk.seat(targets, item.excluded))


def walks(passing: Sequence[tuple[Item, Decision]]) -> list[tuple[Target, ...]]:
    """The targets of each in the order in which they are tried: whoever had the lead before, those of the
    decision, and the overflow queue, also for rulesets that name none: nobody eligible is never nowhere."""
    overflow = _overflow_target(passing)
    found: list[tuple[Target, ...]] = []
    for item, decision in passing:
        targets = decision.targets
        if item.first_to is not None:
            targets = (Target("rep", str(item.first_to), RE_ENGAGED), *targets)
        if overflow is not None and not any(t.why == "overflow" for t in targets):
            targets = (*targets, overflow)
        found.append(targets)
    return found


def _place(
    book: Book, item: Item, decision: Decision, ruleset_id: int | None, seating: Seating, **codes: Any
) -> None:
    """Keep the decision and give the handoff to whoever took the seat."""
    book.add(
        made(
            RoutingDecision,
            handoff=item.handoff,
            at=book.now,
            ruleset_id=ruleset_id,
            rule_id=decision.rule_id or "",
            facts=item.case.facts().to_json(),
            account=item.case.account.to_json() if item.case.account is not None else {},
            trace=decision.trace,
            candidates=seating.candidates,
            outcome=seating.outcome,
        )
    )
    if seating.outcome == "nobody":
        hold(book, item.handoff, [str(preflight.Check.ROUTING_RULE)])
        return
    routed: dict[str, Any] = {
        "ruleset_id": ruleset_id,
        "rule_id": decision.rule_id or "",
        "rule_name": decision.rule_name or "",
        "territory": decision.territory or "",
    }
    if item.handoff.assigned_at is None:
        lead_type = item.handoff.effective_type
        row = book.policy_row(lead_type, decision.policy)
        if item.handoff.raised_at is not None and row is not None and row.lead_type != lead_type:
            # What was raised to demo keeps the targets of a demo, whatever the rule says.
            row = book.policy_row(lead_type)
        held = book.policy(item.handoff).slug if item.handoff.policy_id is not None else None
        # A version that came meanwhile is not for what started before it.
        if row is None or row.slug != held:
            routed["policy_id"] = row.pk if row else None
    give(book, item.handoff, seating, EventKind.ASSIGNED, routed, why=seating.why, **codes)


def _overflow_target(passing: Sequence[tuple[Item, Decision]]) -> Target | None:
    if all(any(t.why == "overflow" for t in decision.targets) for _, decision in passing):
        return None
    pk = _overflow_queues.first()
    return None if pk is None else Target("queue", str(pk), "overflow")


@prepared
def _overflow_queues() -> QuerySet[Queue, int]:
    return Queue.objects.filter(kind=Queue.Kind.OVERFLOW).values_list("pk", flat=True)


def give(
    book: Book,
    handoff: Handoff,
    seating: Seating,
    kind: EventKind,
    changes: dict[str, Any] | None = None,
    **codes: Any,
) -> None:
    """Make the seating's person or queue the holder: a new acceptance window, one event, told."""
    changes = dict(changes or {})
    # The deadlines follow the policy that the rule chose, if it chose one just now.
    policy = book.policy_for(changes.get("policy_id", handoff.policy_id), handoff.effective_type)
    user, queue = seating.user, seating.queue
    book.seated(handoff, seating)
    if user is not None:
        book.know([user])
        calendar = book.calendar_of(user)
    elif queue is not None:
        book.know_queue(queue)
        calendar = book.calendar_of_queue(queue)
        kind = EventKind.QUEUED if kind == EventKind.ASSIGNED else kind
    else:
        raise ValueError("a seating names a person or a queue")
    first = handoff.assigned_at or book.now
    changes |= {
        "state": State.ASSIGNED if user else State.QUEUED,
        "assignee_id": user.pk if user else None,
        "queue_id": queue.pk if queue else None,
        "assigned_at": first,
        "held_since": book.now,
        "window": handoff.window + 1,
        "viewed_at": None,
        "closed_at": None,
        "follow_up_at": None,
        "accept_due_at": sla.deadline(book.now, policy.accept, calendar),
    }
    if user is not None and handoff.first_holder_id is None:
        changes["first_holder_id"] = user.pk
    if book.now <= first + DAY:
        changes["holder_at_24h_id"] = user.pk if user else None
    if handoff.contact_due_at is None:
        start = handoff.clock_runs_from or handoff.mql_at
        # Raised while data was missing: the clock on sales starts with completeness all the same.
        start = max(start, handoff.raised_at or start)
        changes["contact_due_at"] = sla.deadline(start, policy.contact, calendar)
    book.write(handoff, kind, Stage.ROUTING, changes, window=changes["window"], **codes)
    if user is not None:
        handoff.assignee = user
        book.tell(handoff, "assigned" if kind == EventKind.ASSIGNED else str(kind), [user])
    else:
        handoff.queue = queue
        book.tell(handoff, "queued", book.queue_owner(handoff))
