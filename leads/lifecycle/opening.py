"""Stage 1: a conversion opens a handoff, or adds to the open one.

Owns what is frozen at `mql_at`. Set-wise: a single event is a batch of one. Whether a trigger fired is
`leads.qualification`; what happens next is `placing.advance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads import accounts, cases
from leads.cases import LeadFacts
from leads.choices import EventKind, LeadType, Stage, State, TriggerKind
from leads.lifecycle.answering import resume_in
from leads.lifecycle.book import Book
from leads.lifecycle.draining import free
from leads.lifecycle.placing import RE_ENGAGED, Item, advance
from leads.models import Activity, Handoff, Lead, MqlDefinition, Score
from leads.qualification import Trigger, lead_type
from routing import sla
from routing.pouring import made


@dataclass
class Opening:
    """A conversion to be opened: everything saved already but the handoff itself."""

    lead: Lead
    trigger: Trigger
    definition: MqlDefinition | None
    score: Score | None
    known: LeadFacts
    activity: Activity | None
    received_at: datetime
    is_quiet: bool = False
    re_engaged_from: Handoff | None = None


def open_all(book: Book, openings: Sequence[Opening]) -> list[Handoff]:
    """Open these handoffs and take each as far as it goes: held for data, assigned or queued."""
    items = []
    for opening in openings:
        handoff = _opened(book, opening)
        case = cases.of_handoff(handoff, opening.lead, opening.known, book.now)
        previous = opening.re_engaged_from
        items.append(Item(handoff, case, first_to=previous.assignee_id if previous else None))
    accounts.match([item.case for item in items])
    advance(book, items)
    return [item.handoff for item in items]


def _opened(book: Book, opening: Opening) -> Handoff:
    lead, trigger, score = opening.lead, opening.trigger, opening.score
    kind = lead_type(trigger.kind, opening.definition) if opening.definition else LeadType.STANDARD
    policy = book.policy_row(kind)
    handoff = made(Handoff, created_at=book.now, updated_at=book.now, is_quiet=opening.is_quiet)
    frozen: dict[str, Any] = {
        "state": State.INCOMPLETE,
        "lead_id": lead.pk,
        "lead_type": str(kind),
        "trigger": trigger.kind,
        "trigger_activity_id": opening.activity.pk if opening.activity else None,
        "definition_id": opening.definition.pk if opening.definition else None,
        "mql_at": trigger.at,
        "received_at": opening.received_at,
        "is_clamped": trigger.is_clamped,
        "lead_source": lead.lead_source,
        "channel": lead.channel,
        "campaign": lead.campaign,
        "score_id": score.pk if score else None,
        "score_total": score.total if score else None,
        "score_fit": score.fit if score else None,
        "score_intent": score.intent if score else None,
        "score_behavior": score.behavior if score else None,
        "policy_id": policy.pk if policy else None,
    }
    # The sender's words may name a person, so they stay out of the log.
    handoff.trigger_reason = trigger.reason
    previous = opening.re_engaged_from
    book.write(
        handoff,
        EventKind.OPENED,
        Stage.TRIGGER,
        frozen,
        occurred_at=trigger.at,
        re_engaged_from=previous.pk if previous else None,
    )
    handoff.lead = lead
    return handoff


def add_trigger(
    book: Book,
    handoff: Handoff,
    trigger: Trigger,
    definition: MqlDefinition | None,
    is_quiet: bool = False,
) -> bool:
    """A trigger for a lead whose handoff is open: whether it was added to it.

    False when work is re-engaged, or when the open one was taken quietly and this one is not: no clock runs
    there, and the lead must not wait in it. Then that one is superseded and a new one must be opened. What
    comes quietly is told to nobody.
    """
    high = definition is not None and trigger.kind in definition.high_intent
    if handoff.state == State.WORKING:
        ends = high or trigger.kind == TriggerKind.MANUAL_FLAG
    else:
        ends = handoff.is_quiet and not is_quiet
    if ends:
        supersede(book, handoff)
        return False
    changes: dict[str, Any] = {
        "triggered_again_at": max(handoff.triggered_again_at or trigger.at, trigger.at)
    }
    raises = high and handoff.effective_type == LeadType.STANDARD and handoff.state != State.WORKING
    returns = high and not raises and handoff.state == State.DEFERRED
    if returns:
        due = sla.deadline(trigger.at, book.policy(handoff).contact, book.calendar(handoff))
        changes["contact_due_at"] = min(handoff.contact_due_at or due, due)
    book.write(
        handoff,
        EventKind.TRIGGERED_AGAIN,
        Stage.TRIGGER,
        changes,
        occurred_at=trigger.at,
        trigger=trigger.kind,
        activity=trigger.activity.pk if trigger.activity else None,
    )
    if raises:
        raise_to_demo(book, handoff, trigger.at)
    elif returns:
        resume_in(book, handoff)
    if not is_quiet:
        told = [handoff.assignee] if handoff.assignee is not None else book.queue_owner(handoff)
        kind = "raised" if raises else "triggered_again"
        book.tell(handoff, kind, told, {"trigger": trigger.kind}, aloud=True)
    return True


def supersede(book: Book, handoff: Handoff) -> None:
    """What a new conversion re-engages ends; the new handoff is offered to the same rep first."""
    free(handoff, book.now)
    changes = {"state": State.SUPERSEDED, "close_reason": RE_ENGAGED, "closed_at": book.now}
    book.write(handoff, EventKind.SUPERSEDED, Stage.AFTER, changes, reason=RE_ENGAGED)


def raise_to_demo(book: Book, handoff: Handoff, at: datetime) -> None:
    """Standard becomes demo: demo targets run from now on, and no deadline gets later. Who asks for a demo
    does not wait for the day that it was put off to."""
    raised_at = max(at, handoff.mql_at)
    policy, policy_id = book.policy(handoff), handoff.policy_id
    if policy.lead_type != LeadType.DEMO:
        row = book.policy_row(LeadType.DEMO)
        policy_id = row.pk if row else None
        policy = book.policy_for(policy_id, LeadType.DEMO)
    calendar = book.calendar(handoff)
    changes: dict[str, Any] = {"raised_at": raised_at, "policy_id": policy_id}

    def sooner(column: str, start: datetime, target: sla.Target) -> None:
        due = sla.deadline(start, target, calendar)
        changes[column] = min(getattr(handoff, column) or due, due)

    if handoff.state == State.INCOMPLETE:
        sooner("completion_due_at", raised_at, policy.completion)
        if handoff.contact_due_at is not None and handoff.completion_since is not None:
            # The lead's clock stands still, so what is left of it is the new target.
            sooner("contact_due_at", handoff.completion_since, policy.contact)
    else:
        sooner("contact_due_at", raised_at, policy.contact)
        if handoff.state in (State.ASSIGNED, State.QUEUED):
            sooner("accept_due_at", max(raised_at, handoff.held_since or raised_at), policy.accept)
    book.write(handoff, EventKind.RAISED, Stage.TRIGGER, changes, occurred_at=raised_at)
    if handoff.state == State.DEFERRED:
        resume_in(book, handoff)
