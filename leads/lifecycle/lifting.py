"""A suppressed lead asked for something itself, and marketing lifts the suppression: sales gets it after all.

Owns the verb `lift`: what the lead asked for opens its handoff, as of the moment at which it asked, so that
the wait is counted. The rejection that had suppressed the lead says from then on that it went back to
marketing; the reason is a note of the handoff. Settling an item without that is `leads.triaging`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime

from leads import cases, qualification
from leads.choices import NextStep, State, TriggerKind
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Refused
from leads.lifecycle.answering import write_down
from leads.lifecycle.book import Book
from leads.lifecycle.opening import Opening, add_trigger, open_all
from leads.lifecycle.settling import follow
from leads.models import Handoff, Lead, TriageItem
from leads.qualification import Trigger
from routing.locking import locked_first, locked_one

SUPPRESSED = "suppressed"


@transaction.atomic
def lift(item_id: int, act: Act, *, reason: str) -> Handoff | None:
    """The lead of this item (kind "suppressed") is suppressed no longer, and what it asked for goes to sales:
    as a handoff of its own, or added to the open one. All its items of that kind are settled. Returns that
    handoff; None when the item names nothing that opens one."""
    text = guard.bounded("reason", reason, required=True)
    item, lead = _locked(item_id)
    if item.settled_at is not None:
        raise Refused(
            f"{item.settled_by or 'Somebody'} settled this already.",
            code="stale",
            by=item.settled_by.email if item.settled_by else "",
            at=item.settled_at,
        )
    if item.kind != SUPPRESSED:
        raise Refused("Nothing is suppressed here.", code="not_allowed")
    lead.suppressed_at, lead.suppressed_reason = None, ""
    lead.save(update_fields=["suppressed_at", "suppressed_reason"])
    book = Book(act)
    closed = lead.handoffs.filter(state=State.REJECTED, next_step=NextStep.SUPPRESSED)
    shut = locked_first(closed.order_by("-closed_at", "-pk"))
    if shut is not None:
        shut.lead = lead
        rejection = shut.rejections.filter(undone_at__isnull=True).select_related("reason").last()
        follow(book, shut, rejection, NextStep.RECYCLED)
    handoff = _asked(book, lead, _trigger(item, act.now))
    told = handoff or shut
    if told is not None:
        book.save()
        write_down(book, told, text)
    book.save()
    own: dict[str, Any] = {"lead": lead, "kind": SUPPRESSED, "settled_at__isnull": True}
    TriageItem.objects.filter(**own).update(settled_at=act.now, settled_by=act.user)
    return handoff


def _locked(item_id: int) -> tuple[TriageItem, Lead]:
    """The item and its lead, the lead locked. Raises TriageItem.DoesNotExist."""
    while True:
        item = TriageItem.objects.select_related("settled_by").get(pk=item_id)
        lead = locked_one(Lead.objects.select_related("company"), item.lead_id)
        item = TriageItem.objects.select_related("settled_by").get(pk=item_id)
        # While this waited for the lead, a merge may have given the item to another one.
        if item.lead_id == lead.pk:
            return item, lead


def _trigger(item: TriageItem, now: datetime) -> Trigger | None:
    """What the lead asked for and when; None for what no longer can be read."""
    data: dict[str, Any] = item.data if isinstance(item.data, dict) else {}
    kind, at = str(data.get("trigger") or ""), data.get("at")
    if kind not in TriggerKind.values:
        return None
    asked = (parse_datetime(at) if isinstance(at, str) else None) or item.at
    activity = item.lead.activities.filter(kind=kind, occurred_at=asked).first()
    return Trigger(kind, activity.title if activity else "", min(asked, now), activity)


def _asked(book: Book, lead: Lead, trigger: Trigger | None) -> Handoff | None:
    """The handoff that takes up what was asked for."""
    found = locked_first(lead.handoffs.open().select_related(*guard.WITH).order_by("pk"))
    if trigger is None:
        return found
    definition = qualification.in_force(qualification.definitions(), trigger.at)
    before = None
    if found is not None:
        found.lead = lead
        if add_trigger(book, found, trigger, definition):
            return found
        before = found
        # The old handoff must be closed in the database before the new one is inserted.
        book.save()
    known = cases.lead_facts([lead.pk])[lead.pk]
    opening = Opening(
        lead, trigger, definition, known.score, known, trigger.activity, book.now, re_engaged_from=before
    )
    return open_all(book, [opening])[0]
