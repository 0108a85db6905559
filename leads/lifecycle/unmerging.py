"""A merge taken back: two leads again, each with what was its own.

Owns when that is still possible, in words, and what happens to the handoffs. What came in for the kept lead
since the merge stays with it, for nothing says whose it is; where something that people did stands on the
merge, it is refused. Leads and the rows beside them are put back by `remembered`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from leads import outbox
from leads.choices import EventKind, Stage, State
from leads.lifecycle import guard, remembered
from leads.lifecycle.act import Act, Refused
from leads.lifecycle.book import Book
from leads.lifecycle.completing import recheck_leads
from leads.lifecycle.undoing import restored, turn_back, turn_holder
from leads.models import Event, Handoff, Lead, LeadAlias, Merge
from leads.search import indexing
from routing import sla
from routing.locking import locked, locked_one

_UNOBTRUSIVE = [str(kind) for kind in guard.UNOBTRUSIVE]


@transaction.atomic
def unmerge(merge_id: int, act: Act) -> Merge:
    """Take a merge back, with the possible duplicate open again. A second time does nothing.

    Raises Refused when something later stands on it; its message says what.
    """
    merge = locked_one(Merge.objects.select_related("by"), merge_id)
    if merge.undone_at is not None:
        return merge
    rows = Lead.objects.select_related("company").filter(pk__in=(merge.keep_id, merge.gone_id))
    by_id = {lead.pk: lead for lead in locked(rows.order_by("pk"))}
    merge.keep, merge.gone = by_id[merge.keep_id], by_id[merge.gone_id]
    handoffs = locked(guard.with_all().filter(lead=merge.keep).order_by("pk"))
    if why := stands_on(merge, handoffs):
        by = merge.by.email if merge.by else "system"
        raise Refused(f"This merge cannot be undone: {why}", code="not_allowed", by=by, at=merge.at)
    memory, keep, gone = merge.memory, merge.keep, merge.gone
    remembered.aliases_back(memory, keep, gone, merge.at)
    # The kept lead first: it may have the address that goes back.
    remembered.put_back(keep, memory["keep"], memory["kept"], act.now)
    remembered.put_back(gone, memory["gone"], memory["left"], act.now)
    indexing.keep([keep, gone])
    remembered.rows_back(memory, keep, gone, merge.at)
    remembered.pairs_back(memory, merge.at)
    book = Book(act)
    book.remember(handoffs)
    _handoffs_back(book, merge, handoffs)
    # Which of the two the other systems heard of last is not known: both are said again.
    outbox.owe_present([keep.pk, gone.pk], act.now)
    merge.undone_at, merge.undone_by = act.now, act.user
    merge.save(update_fields=["undone_at", "undone_by"])
    recheck_leads([keep.pk, gone.pk], act)
    return merge


def stands_on(merge: Merge, handoffs: Sequence[Handoff] | None = None) -> str:
    """What stands on the merge, in words; "" while it can be taken back. Both leads are loaded."""
    if merge.undone_at is not None:
        return "it was undone already."
    if not merge.memory:
        return "what the two were before is no longer known."
    keep, gone = merge.keep, merge.gone
    if keep.merged_into_id is not None:
        return "the lead that stayed was itself merged into another one since. Undo that merge first."
    if gone.merged_into_id != keep.pk:
        return "the merged lead is no longer part of this one."
    later = Merge.objects.filter(keep=keep, undone_at__isnull=True, pk__gt=merge.pk).select_related("gone")
    if (other := later.first()) is not None:
        name = other.gone.full_name or f"lead {other.gone_id}"
        return f"{name} was merged into this lead on {other.at:%Y-%m-%d %H:%M} UTC. Undo that merge first."
    key = merge.memory["gone"]["email_key"]
    elsewhere = Q(email_key=key) & ~Q(pk__in=(keep.pk, gone.pk))
    taken = Lead.objects.filter(elsewhere).exists() or (
        keep.email_key == key and merge.memory["kept"]["email_key"] != key
    )
    if key and (taken or LeadAlias.objects.filter(email_key=key).exclude(lead__in=(keep, gone)).exists()):
        return "the merged lead’s address belongs to somebody else now."
    rows = Handoff.objects.filter(lead=keep).order_by("pk") if handoffs is None else handoffs
    return next(filter(None, (_went_on(merge, handoff) for handoff in rows)), "")


def _went_on(merge: Merge, handoff: Handoff) -> str:
    """What happened to a handoff that keeps the merge from being undone; "" for nothing."""
    span = merge.memory["handoffs"].get(str(handoff.pk))
    if span is None:
        opened = f"{handoff.mql_at:%Y-%m-%d %H:%M} UTC"
        return f"a handoff was opened since ({opened}), and nothing says whose it is."
    first, last = span
    if first == last or handoff.revision == last or _only_moved(handoff, first, last):
        return ""
    since = handoff.events.filter(number__gt=last).exclude(kind__in=_UNOBTRUSIVE).select_related("user")
    event = since.order_by("-number").first()
    if event is None:
        return ""
    by = event.user.email if event.user is not None else "the system"
    what = EventKind(event.kind).label.lower()
    return f"what it set off went on: {what} by {by} at {event.occurred_at:%Y-%m-%d %H:%M} UTC."


def _log(handoff: Handoff, first: int, last: int) -> list[Event]:
    return list(handoff.events.filter(number__gt=first, number__lte=last).order_by("-number"))


def _only_moved(handoff: Handoff, first: int, last: int) -> bool:
    """Whether the merge changed nothing but whose it is: whatever happened since goes along."""
    changed = {name for event in _log(handoff, first, last) for name in event.data.get("set", {})}
    return changed <= {"lead_id"}


def _handoffs_back(book: Book, merge: Merge, handoffs: Sequence[Handoff]) -> None:
    """Each handoff as it was: first those that go back to the merged lead, then what had to end for them."""
    spans = merge.memory["handoffs"]
    touched = [handoff for handoff in handoffs if spans[str(handoff.pk)][0] < spans[str(handoff.pk)][1]]
    leads = {merge.keep_id: merge.keep, merge.gone_id: merge.gone}
    undone = [(handoff, _log(handoff, *spans[str(handoff.pk)])) for handoff in touched]
    undone = [(handoff, log) for handoff, log in undone if log]
    undone.sort(key=lambda pair: restored(*pair).get("lead_id") != merge.gone_id)
    for handoff, log in undone:
        held_before = turn_holder(handoff)
        changes = restored(handoff, log)
        changes |= _fair_window(book, handoff, changes)
        numbers = [event.number for event in log]
        book.write(handoff, EventKind.UNDONE, Stage.AFTER, changes, undid=numbers, merge=merge.pk)
        handoff.lead = leads[handoff.lead_id]
        turn_back(handoff, held_before, book.now)
        if handoff.state == State.ASSIGNED and changes.get("state") == State.ASSIGNED:
            book.tell(handoff, "parted", [book.person(handoff.assignee_id or 0)])
        # One after the other: no lead has two that are open, not even for a moment.
        book.save()


def _fair_window(book: Book, handoff: Handoff, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A holder who gets it back after its time to answer was over gets the time anew; the lead's own clock
    ran on."""
    state, due = changes.get("state"), changes.get("accept_due_at", handoff.accept_due_at)
    if state not in (State.ASSIGNED, State.QUEUED) or due is None or due > book.now:
        return {}
    # Held by whom it will be, so that it is their calendar.
    calendar = _calendar(book, changes.get("assignee_id", handoff.assignee_id), handoff)
    return {
        "held_since": book.now,
        "window": handoff.window + 1,
        "viewed_at": None,
        "accept_due_at": sla.deadline(book.now, book.policy(handoff).accept, calendar),
    }


def _calendar(book: Book, assignee_id: int | None, handoff: Handoff) -> Any:
    return book.calendar_of(book.person(assignee_id)) if assignee_id else book.calendar(handoff)
