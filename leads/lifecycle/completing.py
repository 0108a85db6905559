"""Stage 2 by hand: waive, recheck, discard, clear a report of wrong data.

Owns marketing's verbs on a handoff that waits for data. Each is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from leads import preflight
from leads.choices import Check, EventKind, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid
from leads.lifecycle.book import Book
from leads.lifecycle.placing import advance, items_of
from leads.models import Complaint, Handoff, Note, Waiver


@transaction.atomic
def waive(handoff_id: int, act: Act, *, check: str, reason: str, revision: int | None = None) -> Handoff:
    """Let one check pass for this handoff, with the reason in writing; then check again."""
    handoff = guard.locked(handoff_id)
    known = (*Check.values, *preflight.EXTRA_FIELDS)
    if check not in known:
        raise Invalid({"check": f"Choose one of {', '.join(known)}."})
    if handoff.waivers.filter(check_code=check).exists():
        return handoff
    guard.require_fresh(handoff, revision, act, "waive a check")
    guard.require_state(handoff, (State.INCOMPLETE,), "waive a check")
    text = guard.bounded("reason", reason, required=True)
    Waiver.objects.create(handoff=handoff, check_code=check, reason=text, by=act.user, at=act.now)
    book = Book(act)
    book.write(handoff, EventKind.WAIVED, Stage.ENRICHMENT, check=check)
    advance(book, items_of([handoff], act.now))
    book.save()
    return handoff


@transaction.atomic
def recheck(handoff_id: int, act: Act, *, revision: int | None = None) -> Handoff:
    """Run the checks again; on a handoff that is not waiting for data this does nothing."""
    handoff = guard.locked(handoff_id)
    if handoff.state != State.INCOMPLETE or handoff.is_history:
        return handoff
    book = Book(act)
    advance(book, items_of([handoff], act.now))
    book.save()
    return handoff


def recheck_leads(lead_ids: Collection[int], act: Act) -> list[int]:
    """Run the checks again for the incomplete handoffs of these leads; returns the handoffs' ids."""
    waiting = Handoff.objects.incomplete().filter(lead_id__in=lead_ids).order_by("lead_id")
    ids = list(waiting.values_list("pk", flat=True))
    for pk in ids:
        recheck(pk, act)
    return ids


@transaction.atomic
def discard(handoff_id: int, act: Act, *, reason: str, revision: int | None = None) -> Handoff:
    """Marketing gives it up: it will never go to sales."""
    handoff = guard.locked(handoff_id)
    if handoff.state == State.DISCARDED:
        return handoff
    guard.require_fresh(handoff, revision, act, "discard")
    guard.require_state(handoff, (State.INCOMPLETE,), "discard")
    text = guard.bounded("reason", reason, required=True)
    book = Book(act)
    book.add(Note(handoff=handoff, by=act.user, at=act.now, text=text))
    changes = {"state": State.DISCARDED, "close_reason": "discarded", "closed_at": act.now}
    book.write(handoff, EventKind.DISCARDED, Stage.ENRICHMENT, changes)
    book.save()
    return handoff


@transaction.atomic
def clear_complaint(complaint_id: int, act: Act) -> Handoff:
    """A person has looked at what a rep said was wrong; then check again."""
    complaint = Complaint.objects.get(pk=complaint_id)
    handoff = guard.locked(complaint.handoff_id)
    if complaint.cleared_at is None:
        complaint.cleared_at, complaint.cleared_by = act.now, act.user
        complaint.save(update_fields=["cleared_at", "cleared_by"])
    return recheck(handoff.pk, act)
