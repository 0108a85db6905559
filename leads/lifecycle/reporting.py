"""Whoever sees a lead says what of its data is wrong, and goes on working on it.

Owns the report: a note for everybody and an open finding for marketing, which a person clears or a change of
the field it names. It moves nothing; rejecting as bad data is `answering.reject`.
"""

from __future__ import annotations

from django.db import transaction

from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid
from leads.lifecycle.answering import COMPLAINT_FIELDS, write_down
from leads.lifecycle.book import Book
from leads.models import Complaint, Handoff

LABELS = {
    "company_name": "Company",
    "industry": "Industry",
    "size_band": "Company size",
    "website": "Website",
    "job_title": "Title",
    "last_name": "Name",
    "email": "E-mail",
    "phone": "Phone",
}


@transaction.atomic
def report(
    handoff_id: int, act: Act, *, field: str = "", text: str = "", revision: int | None = None
) -> Handoff:
    """Say what is wrong: a field, words, or both. The same again, while it is open, is one report."""
    handoff = guard.locked(handoff_id)
    guard.require_person(handoff, "report wrong data")
    if field and field not in COMPLAINT_FIELDS:
        raise Invalid({"field": "This is not something that can be reported."})
    words = guard.bounded("text", text, required=not field)
    said = ": ".join(part for part in (LABELS.get(field, field.replace("_", " ")), words) if part)
    said = said[: guard.TEXT_LIMIT]
    if handoff.complaints.filter(field=field, text=said, by=act.user, cleared_at__isnull=True).exists():
        return handoff
    book = Book(act, handoff)
    book.add(Complaint(handoff=handoff, lead=handoff.lead, field=field, text=said, by=act.user, at=act.now))
    write_down(book, handoff, f"Wrong data. {said}"[: guard.TEXT_LIMIT])
    book.save()
    return handoff
