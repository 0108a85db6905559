"""What marketing makes of a rejection: recycle, suppress, send back for data, hand on to another rep.

Owns the verbs of triage; each is one transaction and overrules what the reason's own next step had done.
Letting a rejection stand moves nothing and is `leads.triaging`; a merge is `merging`; what a suppressed lead
asks for later is `lifting`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from leads import preflight, receivers
from leads.choices import EventKind, NextStep, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid, Refused
from leads.lifecycle.answering import COMPLAINT_FIELDS, LONGEST_COOL_OFF
from leads.lifecycle.book import Book
from leads.lifecycle.moving import hand_over, receiver_of
from leads.lifecycle.placing import hold
from leads.models import Complaint, Handoff, Note, Rejection
from routing.people import User


@transaction.atomic
def recycle(handoff_id: int, act: Act, *, until: datetime, revision: int | None = None) -> Handoff:
    """Back to marketing until a date: score crossings before it open nothing, forms and flags do. A lead
    that was suppressed no longer is."""
    handoff = guard.locked(handoff_id)
    rejection = _latest(handoff)
    lead = handoff.lead
    is_said = rejection is not None and rejection.until == until and lead.suppressed_at is None
    if handoff.state == State.REJECTED and handoff.next_step == NextStep.RECYCLED and is_said:
        return handoff
    _require_rejected(handoff, act, revision, "recycle it")
    guard.in_range(
        "until", until, act.now, act.now + LONGEST_COOL_OFF, "Choose a date within the next two years."
    )
    lead.cool_off_until, lead.suppressed_at, lead.suppressed_reason = until, None, ""
    lead.save(update_fields=["cool_off_until", "suppressed_at", "suppressed_reason"])
    return _settled(handoff, act, rejection, NextStep.RECYCLED, until)


@transaction.atomic
def suppress(handoff_id: int, act: Act, *, revision: int | None = None) -> Handoff:
    """Do not contact: no score opens anything for this lead, its forms and flags come to triage."""
    handoff = guard.locked(handoff_id)
    lead = handoff.lead
    done = handoff.next_step == NextStep.SUPPRESSED and lead.suppressed_at is not None
    if handoff.state == State.REJECTED and done:
        return handoff
    _require_rejected(handoff, act, revision, "suppress the lead")
    rejection = _latest(handoff)
    lead.suppressed_at = act.now
    lead.suppressed_reason = rejection.reason.code if rejection is not None else "triage"
    lead.save(update_fields=["suppressed_at", "suppressed_reason"])
    return _settled(handoff, act, rejection, NextStep.SUPPRESSED)


@transaction.atomic
def send_back(
    handoff_id: int, act: Act, *, text: str, field: str = "", revision: int | None = None
) -> Handoff:
    """Somebody puts the data right and then it is offered again, also to whoever rejected it: the rejection
    is a report of wrong data from now on. `field` names what is wrong, one of COMPLAINT_FIELDS or ""."""
    handoff = guard.locked(handoff_id)
    if handoff.state == State.INCOMPLETE and handoff.next_step == NextStep.COMPLETION:
        return handoff
    _require_rejected(handoff, act, revision, "send it back for data")
    text = guard.bounded("text", text, required=True)
    if field and field not in COMPLAINT_FIELDS:
        raise Invalid({"field": f"Choose one of {', '.join(COMPLAINT_FIELDS)}."})
    _bring_back(handoff)
    Complaint.objects.create(
        handoff=handoff, lead=handoff.lead, field=field, text=text, by=act.user, at=act.now
    )
    book = Book(act)
    follow(book, handoff, _latest(handoff), NextStep.COMPLETION)
    hold(book, handoff, [preflight.BAD_DATA], told="bad_data")
    book.save()
    return handoff


@transaction.atomic
def hand_on(handoff_id: int, act: Act, *, to: str, reason: str, revision: int | None = None) -> Handoff:
    """Give it to another person in sales (by e-mail), with the reason in writing: a fair acceptance window
    for them, while the lead's own clock runs on. Not to somebody whose no still holds, nor who is away."""
    handoff = guard.locked(handoff_id)
    receiver = receiver_of(guard.bounded("to", to, required=True))
    if not isinstance(receiver, User):
        raise Invalid({"to": "Choose a person."})
    if handoff.assignee_id == receiver.pk and handoff.is_open:
        return handoff
    _require_rejected(handoff, act, revision, "hand it on")
    if why := receivers.refused_by([handoff], act.now)[handoff.pk].get(receiver.pk):
        raise Invalid({"to": f"{receiver} {why}. Choose somebody else."})
    guard.require_present(receiver, act.now)
    text = guard.bounded("reason", reason, required=True)
    _bring_back(handoff)
    book = Book(act)
    book.add(Note(handoff=handoff, by=act.user, at=act.now, text=text))
    follow(book, handoff, _latest(handoff), NextStep.REROUTED)
    hand_over(book, handoff, receiver, EventKind.REASSIGNED)
    book.save()
    return handoff


def _bring_back(handoff: Handoff) -> None:
    """Nothing holds the lead back any more; refused while another handoff of it is open."""
    lead = handoff.lead
    if lead.handoffs.open().exclude(pk=handoff.pk).exists():
        raise Refused(
            "There is an open handoff of this lead already; this one stays closed.",
            code="not_allowed",
            state=str(handoff.state),
        )
    lead.cool_off_until, lead.suppressed_at, lead.suppressed_reason = None, None, ""
    lead.save(update_fields=["cool_off_until", "suppressed_at", "suppressed_reason"])


def _require_rejected(handoff: Handoff, act: Act, revision: int | None, wanted: str) -> None:
    guard.require_fresh(handoff, revision, act, wanted)
    guard.require_state(handoff, (State.REJECTED,), wanted)
    # Whoever rejected it can take that back for ten seconds; the sweep then carries it out.
    if handoff.follow_up_at is not None and act.now < handoff.follow_up_at + timedelta(seconds=1):
        raise guard.refusal(handoff, wanted)


def _latest(handoff: Handoff) -> Rejection | None:
    return handoff.rejections.filter(undone_at__isnull=True).select_related("reason").last()


def _settled(
    handoff: Handoff, act: Act, rejection: Rejection | None, step: NextStep, until: datetime | None = None
) -> Handoff:
    book = Book(act)
    follow(book, handoff, rejection, step, until)
    book.save()
    return handoff


def follow(
    book: Book,
    handoff: Handoff,
    rejection: Rejection | None,
    step: NextStep,
    until: datetime | None = None,
) -> None:
    """Keep what follows on the rejection and on the handoff, with the event that says who decided."""
    if rejection is not None:
        rejection.next_step, rejection.until = step, until
        rejection.save(update_fields=["next_step", "until"])
    changes: dict[str, Any] = {"next_step": step, "follow_up_at": None}
    codes: dict[str, Any] = {"until": until} if until is not None else {}
    book.write(handoff, EventKind.FOLLOWED_UP, Stage.AFTER, changes, next_step=step, **codes)
