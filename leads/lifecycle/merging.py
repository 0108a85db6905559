"""Two leads that are one person, or two: merge and "different people".

Owns what a merge moves. Every event is kept, and the merged lead still says where it went.
"""

from __future__ import annotations

from django.db import transaction

from leads import identity
from leads.choices import EventKind, Stage, State
from leads.lifecycle.act import Act, Invalid
from leads.lifecycle.book import Book, turn_ref
from leads.lifecycle.completing import recheck_leads
from leads.models import DuplicatePair, Handoff, Lead, LeadAlias
from routing import rotation

# Filled from the merged lead where the kept one has nothing.
FIELDS = (
    "email", "email_key", "first_name", "last_name", "name_key", "job_title", "phone", "phone_key",
    "country_code", "region", "postal_code", "timezone", "language", "linkedin_url", "company_id",
    "lead_source", "channel", "campaign",
)  # fmt: skip


@transaction.atomic
def merge(keep: Lead, gone: Lead, act: Act) -> Lead:
    """Make `gone` part of `keep`: ids, addresses, activities, scores and handoffs move.

    With an open handoff on both sides the one of `gone` ends as merged. Suppression and refusal of
    consent survive from either side.
    """
    if keep.pk == gone.pk:
        raise Invalid({"lead": "A lead cannot be merged with itself."})
    rows = Lead.objects.select_for_update().filter(pk__in=(keep.pk, gone.pk)).order_by("pk")
    by_id = {lead.pk: lead for lead in rows}
    keep, gone = by_id[keep.pk], by_id[gone.pk]
    if keep.merged_into_id or gone.merged_into_id:
        raise Invalid({"lead": "One of the two was merged already."})
    book = Book(act)
    _move_handoffs(book, keep, gone)
    _move_rows(keep, gone, act)
    gone_key = gone.email_key
    gone.merged_into, gone.email_key, gone.updated_at = keep, None, act.now
    gone.save(update_fields=["merged_into", "email_key", "updated_at"])
    for name in FIELDS:
        if not getattr(keep, name) and (value := gone_key if name == "email_key" else getattr(gone, name)):
            setattr(keep, name, value)
    if gone_key and keep.email_key != gone_key:
        LeadAlias.objects.create(lead=keep, email_key=gone_key, added_at=act.now)
    keep.email_opt_out = keep.email_opt_out or gone.email_opt_out
    keep.do_not_call = keep.do_not_call or gone.do_not_call
    keep.custom = {**gone.custom, **keep.custom}
    if gone.suppressed_at and not keep.suppressed_at:
        keep.suppressed_at, keep.suppressed_reason = gone.suppressed_at, gone.suppressed_reason
    keep.updated_at = act.now
    keep.save()
    book.save()
    identity.close_pairs(keep.pk, gone.pk, act.user, act.now)
    recheck_leads([keep.pk], act)
    return keep


def _move_handoffs(book: Book, keep: Lead, gone: Lead) -> None:
    both_open = keep.handoffs.open().exists()
    moved = Handoff.objects.select_for_update(of=("self",)).filter(lead=gone).order_by("pk")
    for handoff in moved:
        changes: dict[str, object] = {"lead_id": keep.pk}
        if handoff.is_open and both_open:
            rotation.release(turn_ref(handoff), book.now)
            changes |= {"state": State.MERGED, "close_reason": "merged", "closed_at": book.now}
        book.write(handoff, EventKind.MERGED, Stage.AFTER, changes, from_lead=gone.pk, into_lead=keep.pk)


def _move_rows(keep: Lead, gone: Lead, act: Act) -> None:
    known = keep.activities.exclude(external_id="").values("external_id")
    gone.activities.exclude(external_id__in=known).update(lead=keep)
    gone.scores.update(lead=keep)
    gone.external_ids.update(lead=keep)
    gone.aliases.update(lead=keep)
    gone.complaints.update(lead=keep)
    gone.enrichment_attempts.update(lead=keep)
    gone.receipts.update(lead=keep)


@transaction.atomic
def different(pair: DuplicatePair, act: Act) -> DuplicatePair:
    """These are two people: remembered, and never raised again."""
    pair = DuplicatePair.objects.select_for_update().get(pk=pair.pk)
    if pair.status == DuplicatePair.Status.OPEN:
        pair.status, pair.decided_at, pair.decided_by = DuplicatePair.Status.DIFFERENT, act.now, act.user
        pair.save(update_fields=["status", "decided_at", "decided_by"])
        recheck_leads([pair.first_id, pair.second_id], act)
    return pair
