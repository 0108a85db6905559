"""A person is erased: what is open ends, everything personal is emptied, what figures count by stays.

Owns the verb, one transaction: locks whoever the person is, empties what `leads.erasure` lists, ends open
handoffs with their turns, tells the holders without a word about the person, and leaves one entry in the
privacy log. Leads that were merged into one another are one person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from leads import erasure, identity, outbox
from leads.choices import CompanyStage, EventKind, Stage, State, Why
from leads.erasure.emptying import blank
from leads.erasure.held import cluster, person_keys
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid, Refused
from leads.lifecycle.book import Book
from leads.lifecycle.completing import recheck_leads
from leads.lifecycle.draining import free
from leads.models import Company, Complaint, DuplicatePair, Handoff, Lead, PrivacyAct, TriageItem
from routing.locking import locked

# A number of a case: no spaces and no @, so that no name or address fits well.
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/#-]{0,39}")


@transaction.atomic
def erase(
    lead_id: int,
    act: Act,
    why: Why,
    *,
    reference: str = "",
    as_of: datetime | None = None,
    unless_since: datetime | None = None,
) -> PrivacyAct:
    """Erase the person that this lead is, with all that was merged into it. A second time does nothing and
    gives the first entry back.

    Events of before `as_of` (now by default) that come later are known by keyed hashes of the person's
    addresses and ids; not where it was only kept for long enough: who comes back then is simply new.
    Raises Invalid for a reference that is none; Lead.DoesNotExist; with `unless_since` Refused when something
    is open or was said of the person since then.
    """
    leads = _locked(lead_id)
    reference = _case(reference, leads)
    if leads[0].erased_at is not None:
        return PrivacyAct.objects.filter(lead=leads[0], kind=PrivacyAct.Kind.ERASED).earliest("at", "pk")
    held = erasure.held_of([lead.pk for lead in leads])
    handoffs = _handoffs(leads)
    if unless_since is not None and _is_alive(leads, handoffs, unless_since):
        raise Refused("The person is known to sales again.", code="not_allowed")
    pairs = DuplicatePair.objects.filter(Q(first__in=held.leads) | Q(second__in=held.leads))
    others = {pk for pair in pairs.values_list("first_id", "second_id") for pk in pair} - set(held.leads)
    erasure.remember(held.keys if why != Why.RETENTION else held.events, as_of or act.now)
    if why == Why.RETENTION:
        # Kept here for long enough: how long others keep it is theirs.
        outbox.withdraw_all(held.leads, act.now)
    else:
        outbox.owe_erasure(held.leads, act.now)
    rows = erasure.empty(held) + len(leads)
    companies = {lead.company_id for lead in leads if lead.company_id is not None}
    for lead in leads:
        blank(lead)
        lead.erased_at = lead.updated_at = act.now
        lead.save()
    _end(Book(act), handoffs)
    Complaint.objects.filter(lead__in=leads, cleared_at__isnull=True).update(cleared_at=act.now)
    TriageItem.objects.filter(lead__in=leads, settled_at__isnull=True).update(settled_at=act.now)
    rows += _companies(companies)
    recheck_leads(others, act)
    return PrivacyAct.objects.create(
        kind=PrivacyAct.Kind.ERASED,
        lead=leads[0],
        at=act.now,
        by=act.user,
        api_key=act.api_key,
        why=why,
        reference=reference,
        rows=rows,
    )


def _locked(lead_id: int) -> list[Lead]:
    """All leads of this person, the surviving one first, locked: their addresses and ids before the rows,
    which is the order that intake keeps too."""
    while True:
        ids = cluster(lead_id)
        identity.lock(person_keys(ids))
        rows = Lead.objects.select_related("company").filter(pk__in=ids).order_by("pk")
        found = {lead.pk: lead for lead in locked(rows)}
        # While this waited, a merge may have made others part of the person.
        if cluster(lead_id) == ids:
            return [found[pk] for pk in ids]


def _case(reference: str, leads: Sequence[Lead]) -> str:
    reference = reference.strip()
    if not reference:
        return ""
    if not _REFERENCE.fullmatch(reference):
        raise Invalid({"reference": "Give the number of the case: at most 40 letters, digits and . _ / # -."})
    words = {word for lead in leads for word in (lead.first_name, lead.last_name) if len(word) > 2}
    if any(word.casefold() in reference.casefold() for word in words):
        raise Invalid({"reference": "This names the person, and stays. Give the number of the case."})
    return reference


def _handoffs(leads: Sequence[Lead]) -> list[Handoff]:
    by_id = {lead.pk: lead for lead in leads}
    handoffs = locked(Handoff.objects.filter(lead__in=leads).select_related(*guard.WITH).order_by("pk"))
    for handoff in handoffs:
        handoff.lead = by_id[handoff.lead_id]
    return handoffs


def _is_alive(leads: Sequence[Lead], handoffs: Sequence[Handoff], since: datetime) -> bool:
    return any(row.is_open for row in handoffs) or any(lead.updated_at >= since for lead in leads)


def _end(book: Book, handoffs: Sequence[Handoff]) -> None:
    """One event in each log. What is open ends; of what was closed nothing that still waits is done."""
    for handoff in handoffs:
        if handoff.is_open:
            free(handoff, book.now)
            told = [handoff.assignee] if handoff.assignee is not None else book.queue_owner(handoff)
            ended = {"state": State.ERASED, "close_reason": "erased", "closed_at": book.now}
            book.write(handoff, EventKind.ERASED, Stage.AFTER, ended)
            book.tell(handoff, "erased", told)
            continue
        waits = handoff.state == State.REJECTED and not handoff.is_history
        changes: dict[str, Any] = {"follow_up_at": None}
        book.write(handoff, EventKind.ERASED, Stage.AFTER, changes)
        if waits:
            # There is nobody left to decide on: the rejection stands.
            book.add(
                TriageItem(
                    lead=handoff.lead,
                    kind="rejected",
                    data={"handoff": handoff.pk},
                    at=handoff.closed_at or book.now,
                    settled_at=book.now,
                    settled_by=book.act.user,
                )
            )
    book.save()


def _companies(ids: set[int]) -> int:
    """A company that is known by nothing but the name that this person gave, and has nobody else, goes too:
    such a name may be the person's own."""
    alone = Company.objects.filter(pk__in=ids, domain__isnull=True, leads__isnull=True)
    alone = alone.filter(owner__isnull=True, is_named_account=False, stage=CompanyStage.PROSPECT)
    return alone.delete()[0]
