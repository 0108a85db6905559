"""Stage 4, the answer: accept, claim, reject, defer, resume, note, view.

Owns what an acknowledgment is. Each verb is one transaction: lock, guard, change, one event.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from leads import notifications, preflight, refusals
from leads.choices import OPEN, Disposition, EventKind, NextStep, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid, Refused
from leads.lifecycle.book import Book, turn_ref
from leads.lifecycle.draining import free
from leads.lifecycle.placing import DAY, give, hold, route_again
from leads.models import Complaint, Deferral, Handoff, Note, Rejection
from routing import rotation, sla
from routing.people import MANAGER, REP, User
from routing.rotation import Seating

LONGEST_DEFERRAL = timedelta(days=180)
LONGEST_COOL_OFF = timedelta(days=730)
UNDO_FOR = timedelta(seconds=10)
DEFERRALS_WITHOUT_MANAGER = 2
# What a rep may say is wrong: the fields that data completion can put right.
COMPLAINT_FIELDS = (
    "first_name", "last_name", "email", "phone", "job_title", "company_name", "size_band", "employee_count",
    "industry", "website", "country_code", "region", "postal_code", "language", "linkedin_url",
)  # fmt: skip


def activity(handoff: Handoff, at: datetime) -> dict[str, Any]:
    """The columns that say sales was active at this moment.

    A first activity that comes too late leaves the mark that the sweep would have set: mark and metric
    read one fact, and neither depends on when the sweep ran.
    """
    changes: dict[str, Any] = {
        "first_activity_at": min(handoff.first_activity_at or at, at),
        "last_activity_at": max(handoff.last_activity_at or at, at),
    }
    if handoff.first_activity_at is None and handoff.assigned_at is not None and not handoff.is_quiet:
        last = handoff.assigned_at + DAY
        if at > last and handoff.black_hole_at is None:
            changes["black_hole_at"] = last
    return changes


def withdraw_flags(book: Book, handoff: Handoff, at: datetime, active_since: datetime | None) -> None:
    """An act that turns out to be earlier than a flag or mark withdraws it.

    The flag counts from the later of `held_since` and the activity known before this one
    (`active_since`): an act from before that changes nothing about it.
    """
    changes: dict[str, Any] = {}
    flagged, marked = handoff.no_activity_at, handoff.black_hole_at
    if flagged is not None and at <= flagged:
        # What was later than the flag is of another window.
        starts = [m for m in (handoff.held_since, active_since) if m is not None and m <= flagged]
        if at >= max(starts, default=at):
            changes["no_activity_at"] = None
    if marked is not None and at <= marked:
        changes["black_hole_at"] = None
    if changes:
        book.write(handoff, EventKind.UNFLAGGED, Stage.ACCEPTANCE, changes)


@transaction.atomic
def accept(handoff_id: int, act: Act, *, revision: int | None = None) -> Handoff:
    """The holder, or a member of the queue (which claims it first), takes it on for outreach."""
    handoff = guard.locked(handoff_id)
    holds = act.user is not None and handoff.assignee_id == act.user.pk
    if holds and handoff.state in (State.ACCEPTED, State.WORKING):
        return handoff
    guard.require_fresh(handoff, revision, act, "accept")
    guard.require_state(handoff, (State.ASSIGNED, State.QUEUED), "accept")
    book = Book(act, handoff)
    if handoff.state == State.QUEUED:
        _claim(book, handoff, act)
    guard.require_holder(handoff, act, "accept")
    mark_accepted(book, handoff, act.now)
    book.save()
    return handoff


def mark_accepted(book: Book, handoff: Handoff, at: datetime) -> None:
    """The acting holder accepts, at this moment; the first acceptance is the one that is remembered."""
    user = book.act.user
    changes = activity(handoff, at) | {
        "state": State.ACCEPTED,
        "accepted_at": handoff.accepted_at or at,
        "accepted_by_id": handoff.accepted_by_id or (user.pk if user else None),
        "acknowledged_at": handoff.acknowledged_at or at,
    }
    book.write(handoff, EventKind.ACCEPTED, Stage.ACCEPTANCE, changes, occurred_at=at)


@transaction.atomic
def claim(handoff_id: int, act: Act, *, revision: int | None = None) -> Handoff:
    """A member of the queue takes it from the queue. Who is away has to be back first."""
    handoff = guard.locked(handoff_id)
    if handoff.state == State.ASSIGNED and act.user is not None and handoff.assignee_id == act.user.pk:
        return handoff
    guard.require_fresh(handoff, revision, act, "claim")
    guard.require_state(handoff, (State.QUEUED,), "claim")
    book = Book(act, handoff)
    _claim(book, handoff, act)
    book.save()
    return handoff


def _claim(book: Book, handoff: Handoff, act: Act) -> None:
    if act.user is None or not act.user.is_active:
        raise guard.refusal(handoff, "claim")
    guard.require_present(act.user, act.now)
    turn = rotation.take(act.user, turn_ref(handoff), act.now)
    user = book.person(act.user.pk)
    seating = Seating("rep", "claim", user=user)
    give(book, handoff, seating, EventKind.CLAIMED, activity(handoff, act.now), turn=turn.pk)


@transaction.atomic
def reject(
    handoff_id: int,
    act: Act,
    *,
    reason: str,
    note: str = "",
    until: datetime | None = None,
    field: str = "",
    revision: int | None = None,
    undoable: bool = False,
) -> Handoff:
    """The holder says no, with a reason from the list; the reason decides what follows.

    With `undoable` what follows waits ten seconds. `until` is for reasons that ask for a date; `field`
    names what is wrong (one of COMPLAINT_FIELDS) where the data is: a change of it settles the report.
    """
    handoff = guard.locked(handoff_id)
    if act.user is not None and _already_rejected(handoff, act.user, reason):
        return handoff
    guard.require_fresh(handoff, revision, act, "reject")
    guard.require_state(handoff, (State.ASSIGNED, State.ACCEPTED), "reject")
    user = guard.require_holder(handoff, act, "reject")
    book = Book(act, handoff)
    mark_rejected(book, handoff, user, reason=reason, note=note, until=until, field=field, undoable=undoable)
    book.save()
    return handoff


def mark_rejected(
    book: Book,
    handoff: Handoff,
    user: User,
    *,
    reason: str,
    note: str = "",
    until: datetime | None = None,
    field: str = "",
    undoable: bool = False,
) -> None:
    """See `reject`; within somebody else's transaction, on a locked handoff in sales' hands."""
    act = book.act
    row = guard.reason_row(reason)
    note = guard.bounded("note", note, required=row.note_required)
    if field and field not in COMPLAINT_FIELDS:
        raise Invalid({"field": f"Choose one of {', '.join(COMPLAINT_FIELDS)}."})
    if until is not None:
        until = guard.in_range(
            "until", until, act.now, act.now + LONGEST_COOL_OFF, "Choose a date within the next two years."
        )
    elif row.asks_until:
        until = act.now + timedelta(days=row.cool_off_days or 90)
    if row.gives_turn_back and row.next_step == NextStep.REROUTED and not undoable:
        rotation.hold_everybody()
    turn = free(handoff, act.now)
    if turn is not None and row.gives_turn_back:
        rotation.give_back(turn, act.now)
    rejection = Rejection(
        handoff=handoff, reason=row, next_step=row.next_step, by=user, at=act.now, until=until, note=note,
        seen=refusals.mark(row.code, handoff.lead),
    )  # fmt: skip
    rejection.save()
    if row.next_step == NextStep.COMPLETION:
        # An open finding until a person clears it or the field it names changes.
        text = note or row.label
        book.add(Complaint(handoff=handoff, lead=handoff.lead, field=field, text=text, by=user, at=act.now))
    changes = activity(handoff, act.now) | {
        "state": State.REJECTED,
        "rejected_at": handoff.rejected_at or act.now,
        "rejected_by_id": handoff.rejected_by_id or user.pk,
        "rejection_reason_id": row.pk,
        "next_step": row.next_step,
        "acknowledged_at": handoff.acknowledged_at or act.now,
        "disposition": Disposition.REJECTED,
        "disposition_at": act.now,
        "closed_at": act.now,
        "follow_up_at": act.now + UNDO_FOR,
    }
    book.write(
        handoff,
        EventKind.REJECTED,
        Stage.ACCEPTANCE,
        changes,
        rejection=rejection.pk,
        reason=row.code,
        held_by=user.pk,
        # Rates by rule name the rule as it was when the person said no.
        rule=handoff.rule_id,
    )
    if not undoable:
        follow_up(book, handoff)


def _already_rejected(handoff: Handoff, user: User, reason: str) -> bool:
    if handoff.assignee_id == user.pk and handoff.state in OPEN:
        return False
    latest = handoff.rejections.filter(undone_at__isnull=True).select_related("reason").last()
    return latest is not None and latest.by_id == user.pk and latest.reason.code == reason


def follow_up(book: Book, handoff: Handoff) -> None:
    """Carry out what the rejection's reason says: recycle, suppress, complete, route again, triage."""
    rejection = handoff.rejections.filter(undone_at__isnull=True).select_related("reason").last()
    done: dict[str, Any] = {"follow_up_at": None}
    if rejection is None:
        book.write(handoff, EventKind.FOLLOWED_UP, Stage.AFTER, done, by_system=True)
        return
    lead, step = handoff.lead, rejection.next_step
    code = rejection.reason.code
    if step == NextStep.RECYCLED:
        days = timedelta(days=rejection.reason.cool_off_days)
        lead.cool_off_until = rejection.until or rejection.at + days
        lead.save(update_fields=["cool_off_until"])
    elif step == NextStep.SUPPRESSED:
        lead.suppressed_at, lead.suppressed_reason = book.now, code
        lead.save(update_fields=["suppressed_at", "suppressed_reason"])
    reopens = step in (NextStep.REROUTED, NextStep.COMPLETION)
    if reopens and lead.handoffs.open().exclude(pk=handoff.pk).exists():
        # A new conversion came in meanwhile and carries on; this one stays closed.
        reopens = False
    if reopens and step == NextStep.REROUTED:
        told = notifications.recipients(handoff, ("marketing",), book.now)
        book.tell(handoff, "out_of_territory", told, {"rule": handoff.rule_name})
        route_again(book, handoff, EventKind.FOLLOWED_UP, done, by_system=True, next_step=step)
        return
    book.write(handoff, EventKind.FOLLOWED_UP, Stage.AFTER, done, by_system=True, next_step=step)
    if reopens:
        hold(book, handoff, [preflight.BAD_DATA], told="bad_data", by_system=True)
    elif code == "existing_customer" and lead.company and lead.company.owner:
        book.tell(handoff, "existing_customer", [lead.company.owner])


@transaction.atomic
def defer(
    handoff_id: int, act: Act, *, until: datetime, explanation: str, revision: int | None = None
) -> Handoff:
    """The lead asked for later contact. At most 180 days; the third time needs a manager."""
    handoff = guard.locked(handoff_id)
    holds = act.user is not None and handoff.assignee_id == act.user.pk
    if handoff.state == State.DEFERRED and holds and handoff.deferred_until == until:
        return handoff
    guard.require_fresh(handoff, revision, act, "defer")
    guard.require_state(handoff, (State.ASSIGNED, State.ACCEPTED, State.WORKING), "defer")
    user = guard.require_holder(handoff, act, "defer")
    explanation = guard.bounded("explanation", explanation, required=True)
    if until <= act.now:
        raise Invalid({"until": "Choose a time in the future."})
    if until > act.now + LONGEST_DEFERRAL:
        raise Invalid({"until": "At most 180 days ahead."})
    if handoff.deferrals >= DEFERRALS_WITHOUT_MANAGER and MANAGER not in user.roles:
        raise Refused(
            f"It was deferred {handoff.deferrals} times; your manager has to take it over to defer it again.",
            code="not_allowed",
            state=str(handoff.state),
            by=user.email,
            at=handoff.deferred_at,
        )
    book = Book(act, handoff)
    book.add(Deferral(handoff=handoff, by=user, at=act.now, until=until, explanation=explanation))
    if handoff.state == State.WORKING:
        rotation.take(user, turn_ref(handoff), act.now)
    policy, calendar = book.policy(handoff), book.calendar(handoff)
    changes = activity(handoff, act.now) | {
        "state": State.DEFERRED,
        "deferred_at": act.now,
        "deferred_until": until,
        "deferrals": handoff.deferrals + 1,
        "acknowledged_at": handoff.acknowledged_at or act.now,
        "disposition": Disposition.DEFERRED,
        "disposition_at": act.now,
        "accept_due_at": None,
        "contact_due_at": sla.deadline(until, policy.contact, calendar),
    }
    book.write(handoff, EventKind.DEFERRED, Stage.ACCEPTANCE, changes)
    book.save()
    return handoff


@transaction.atomic
def resume(handoff_id: int, act: Act, *, revision: int | None = None) -> Handoff:
    """Back from a deferral, by hand: to the same rep if they can take it, else routed again."""
    handoff = guard.locked(handoff_id)
    if handoff.state == State.ASSIGNED and handoff.deferrals and act.user is not None:
        return handoff
    guard.require_fresh(handoff, revision, act, "resume")
    guard.require_state(handoff, (State.DEFERRED,), "resume")
    book = Book(act, handoff)
    resume_in(book, handoff)
    book.save()
    return handoff


def resume_in(book: Book, handoff: Handoff) -> None:
    """The deferral is over: a new acceptance window for the same rep, else routing."""
    user = handoff.assignee
    if user is not None and rotation.can_take(user, book.now):
        give(book, handoff, Seating("rep", "returned", user=user), EventKind.RESUMED)
        return
    free(handoff, book.now)
    route_again(book, handoff, EventKind.RESUMED)


@transaction.atomic
def note(handoff_id: int, act: Act, *, text: str, revision: int | None = None) -> Handoff:
    """Write something down. By sales it is activity; by anybody else it is not."""
    handoff = guard.locked(handoff_id)
    guard.require_person(handoff, "write a note")
    text = guard.bounded("text", text, required=True)
    if _just_noted(handoff, act, text):
        return handoff
    book = Book(act, handoff)
    write_down(book, handoff, text)
    book.save()
    return handoff


def write_down(book: Book, handoff: Handoff, text: str) -> None:
    """The note and its event; by sales, on a lead that it was given, it counts as activity."""
    act = book.act
    book.add(Note(handoff=handoff, by=act.user, at=act.now, text=text))
    by_sales = act.user is not None and bool(act.user.roles & {REP, MANAGER})
    live = handoff.is_open and handoff.assigned_at is not None
    changes = activity(handoff, act.now) if by_sales and live else {}
    book.write(handoff, EventKind.NOTED, Stage.AFTER, changes)


def _just_noted(handoff: Handoff, act: Act, text: str) -> bool:
    """Whether this is the last note again, pressed twice: the same words by the same person at once."""
    last = handoff.notes.filter(undone_at__isnull=True).order_by("-at", "-pk").first()
    return (
        last is not None
        and act.user is not None
        and (last.by_id, last.text) == (act.user.pk, text)
        and act.now - last.at <= UNDO_FOR
    )


@transaction.atomic
def view(handoff_id: int, act: Act) -> Handoff:
    """The holder has looked at it: five seconds in focus, or an input. Written once a window."""
    handoff = guard.locked(handoff_id)
    holds = act.user is not None and handoff.assignee_id == act.user.pk
    if not holds or handoff.viewed_at is not None or not handoff.is_open:
        return handoff
    book = Book(act, handoff)
    book.write(handoff, EventKind.VIEWED, Stage.ACCEPTANCE, {"viewed_at": act.now})
    book.save()
    return handoff
