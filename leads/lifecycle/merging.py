"""Two leads that are one person, or two: merge and "different people".

Owns what a merge moves, and which of two open handoffs goes on. Every event is kept, the merged lead still
says where it went, and what both were is remembered for an undo (`unmerging`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction

from leads import choosing, identity, outbox, qualification
from leads.choices import EventKind, LeadType, NextStep, Stage, State, TriggerKind
from leads.lifecycle import guard, remembered
from leads.lifecycle.act import Act, Invalid
from leads.lifecycle.book import Book, encode
from leads.lifecycle.completing import recheck_leads
from leads.lifecycle.draining import free
from leads.lifecycle.opening import raise_to_demo, supersede
from leads.models import Complaint, DuplicatePair, Handoff, Lead, LeadAlias, Merge
from leads.search import indexing
from routing.locking import locked

# Filled from the merged lead where the kept one has nothing.
FIELDS = (
    "email", "first_name", "last_name", "name_key", "job_title", "phone", "phone_key", "country_code",
    "region", "postal_code", "timezone", "language", "linkedin_url", "company_id", "lead_source", "channel",
    "campaign",
)  # fmt: skip
# Of two open handoffs the one that sales has got further with goes on.
PROGRESS = (State.INCOMPLETE, State.QUEUED, State.ASSIGNED, State.DEFERRED, State.ACCEPTED, State.WORKING)


@transaction.atomic
def merge(keep: Lead, gone: Lead, act: Act, take: Collection[str] = ()) -> Lead:
    """Make `gone` part of `keep`: ids, addresses, activities, scores and handoffs move.

    Of what both know the kept lead's value stands, but for the groups of values in `take` (see
    `leads.choosing`), which are the merged lead's. With an open handoff on both sides one ends as merged.
    Suppression, cool-off and refusal of consent survive from either side.
    """
    if keep.pk == gone.pk:
        raise Invalid({"lead": "A lead cannot be merged with itself."})
    if unknown := set(take) - choosing.GROUPS.keys():
        raise Invalid({"take": f"There is no {min(unknown)[:40]!r} to choose."})
    rows = Lead.objects.select_related("company").filter(pk__in=(keep.pk, gone.pk))
    by_id = {lead.pk: lead for lead in locked(rows.order_by("pk"))}
    keep, gone = by_id[keep.pk], by_id[gone.pk]
    if keep.erased_at or gone.erased_at:
        raise Invalid({"lead": "One of the two was erased."})
    if keep.merged_into_id or gone.merged_into_id:
        raise Invalid({"lead": "One of the two was merged already."})
    memory = remembered.before(keep, gone)
    _move_handoffs(Book(act), keep, gone)
    _move_rows(keep, gone)
    outbox.follow(keep.pk, gone.pk, act.now)
    _join(keep, gone, act, take)
    identity.move_pairs(keep.pk, gone.pk, act.user, act.now)
    identity.find_duplicates([keep], act.now)
    # A rep's report that this is a duplicate is what the merge answers.
    reports = Complaint.objects.filter(lead=keep, cleared_at__isnull=True)
    reports = reports.filter(handoff__rejection_reason__code="duplicate")
    reports.filter(handoff__next_step=NextStep.COMPLETION).update(cleared_at=act.now, cleared_by=act.user)
    recheck_leads([keep.pk], act)
    memory = remembered.after(memory, keep, gone)
    Merge.objects.create(keep=keep, gone=gone, at=act.now, by=act.user, memory=memory)
    return keep


def _join(keep: Lead, gone: Lead, act: Act, take: Collection[str]) -> None:
    """What is known of the merged lead goes to the kept one where that says nothing, or where a person
    prefers it."""
    key, kept_key = gone.email_key, keep.email_key
    gone.merged_into, gone.email_key, gone.updated_at = keep, None, act.now
    gone.save(update_fields=["merged_into", "email_key", "updated_at"])
    preferred = [name for name in choosing.columns(take) if getattr(gone, name)]
    for name in preferred:
        if getattr(keep, name) != getattr(gone, name):
            setattr(keep, name, getattr(gone, name))
            # What a person chose is a fact of now: nothing older writes over it.
            keep.field_times[name.removesuffix("_id")] = encode(act.now)
    for name in FIELDS:
        if not getattr(keep, name) and getattr(gone, name):
            setattr(keep, name, getattr(gone, name))
            if name in gone.field_times:
                keep.field_times[name] = gone.field_times[name]
    if key and (not kept_key or "email" in preferred):
        keep.email, keep.email_key = gone.email, key
        LeadAlias.objects.filter(email_key=key).delete()
        if kept_key:
            LeadAlias.objects.get_or_create(email_key=kept_key, defaults={"lead": keep, "added_at": act.now})
    elif key:
        LeadAlias.objects.get_or_create(email_key=key, defaults={"lead": keep, "added_at": act.now})
    keep.name_key = identity.name_key(keep.first_name, keep.last_name)
    keep.email_opt_out = keep.email_opt_out or gone.email_opt_out
    keep.do_not_call = keep.do_not_call or gone.do_not_call
    keep.custom = {**gone.custom, **keep.custom}
    keep.attribution = {**gone.attribution, **keep.attribution}
    if gone.suppressed_at and not keep.suppressed_at:
        keep.suppressed_at, keep.suppressed_reason = gone.suppressed_at, gone.suppressed_reason
    cool_offs = [lead.cool_off_until for lead in (keep, gone) if lead.cool_off_until is not None]
    keep.cool_off_until = max(cool_offs, default=None)
    keep.updated_at = act.now
    keep.save()
    indexing.keep([keep, gone])


def _move_handoffs(book: Book, keep: Lead, gone: Lead) -> None:
    """Give the merged lead's handoffs to the kept one, when at most one of both leads' is left open."""
    rows = Handoff.objects.filter(lead__in=(keep, gone)).order_by("pk")
    handoffs = locked(rows.select_related(*guard.WITH))
    for handoff in handoffs:
        handoff.lead = keep if handoff.lead_id == keep.pk else gone
    _leave_one_open(book, [handoff for handoff in handoffs if handoff.is_open], keep, gone)
    # One is closed in the database before the other moves to the same lead.
    book.save()
    for handoff in handoffs:
        if handoff.lead_id == gone.pk:
            moved = {"lead_id": keep.pk}
            book.write(handoff, EventKind.MERGED, Stage.AFTER, moved, from_lead=gone.pk, into_lead=keep.pk)
    book.save()


def _leave_one_open(book: Book, opened: Sequence[Handoff], keep: Lead, gone: Lead) -> None:
    if len(opened) < 2:
        return

    def rank(handoff: Handoff) -> tuple[bool, int, float, bool]:
        # What was taken quietly has no clock: the other one goes on.
        progress = PROGRESS.index(State(handoff.state))
        return not handoff.is_quiet, progress, -handoff.mql_at.timestamp(), handoff.lead_id == keep.pk

    behind, ahead = sorted(opened, key=rank)
    definition = qualification.in_force(qualification.definitions(), behind.mql_at)
    high = definition is not None and behind.trigger in definition.high_intent
    is_news = behind.mql_at > ahead.mql_at and behind.state != State.WORKING
    if ahead.state == State.WORKING and is_news and (high or behind.trigger == TriggerKind.MANUAL_FLAG):
        # As if the conversion had been the kept lead's from the start: it re-engages the work.
        supersede(book, ahead)
        return
    free(behind, book.now)
    ended = {"state": State.MERGED, "close_reason": "merged", "closed_at": book.now}
    book.write(behind, EventKind.MERGED, Stage.AFTER, ended, from_lead=gone.pk, into_lead=keep.pk)
    if behind.assignee is not None and behind.assignee_id != ahead.assignee_id:
        book.tell(behind, "merged", [behind.assignee])
    raises = behind.effective_type == LeadType.DEMO and ahead.effective_type == LeadType.STANDARD
    if raises and ahead.state != State.WORKING:
        raise_to_demo(book, ahead, behind.raised_at or behind.mql_at)
        told = [ahead.assignee] if ahead.assignee is not None else book.queue_owner(ahead)
        book.tell(ahead, "raised", told)


def _move_rows(keep: Lead, gone: Lead) -> None:
    known = keep.activities.exclude(external_id="").values("external_id")
    gone.activities.exclude(external_id__in=known).update(lead=keep)
    for rows in (
        gone.scores,
        gone.external_ids,
        gone.aliases,
        gone.complaints,
        gone.enrichment_attempts,
        gone.receipts,
        gone.triage_items,
    ):
        rows.update(lead=keep)


@transaction.atomic
def different(pair: DuplicatePair, act: Act) -> DuplicatePair:
    """These are two people: remembered, and never raised again."""
    pair = DuplicatePair.objects.select_for_update().get(pk=pair.pk)
    if pair.status == DuplicatePair.Status.OPEN:
        pair.status, pair.decided_at, pair.decided_by = DuplicatePair.Status.DIFFERENT, act.now, act.user
        pair.save(update_fields=["status", "decided_at", "decided_by"])
        recheck_leads([pair.first_id, pair.second_id], act)
    return pair


@transaction.atomic
def reopen(pair: DuplicatePair, act: Act) -> DuplicatePair:
    """They may be one person after all: the pair waits again. What went on meanwhile goes on."""
    pair = DuplicatePair.objects.select_for_update(of=("self",)).get(pk=pair.pk)
    if pair.status == DuplicatePair.Status.DIFFERENT:
        if Lead.objects.filter(pk__in=(pair.first_id, pair.second_id), merged_into__isnull=False).exists():
            raise Invalid({"lead": "One of the two was merged since."})
        pair.status, pair.decided_at, pair.decided_by = DuplicatePair.Status.OPEN, None, None
        pair.save(update_fields=["status", "decided_at", "decided_by"])
        recheck_leads([pair.first_id, pair.second_id], act)
    return pair
