"""Keeps the words by which search finds leads and companies.

Owns the rows of `SearchWord`: whoever writes a name, an address or a domain says so here, in the same
transaction and for all rows at once. Never searches. `rebuild` goes over everything in bounded steps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

from django.db import transaction

from leads.models import Company, Lead, SearchWord
from leads.search import folding
from routing.pouring import made, pour

CHUNK = 2000
# What of a row decides by which words it is found.
LEAD_FIELDS = frozenset({"first_name", "last_name", "email"})
COMPANY_FIELDS = frozenset({"name", "domain"})
_Key = tuple[int | None, int | None, str]


def words_of(row: Lead | Company) -> list[str]:
    """The words of a row as it stands in memory. A merged lead is found by none."""
    if isinstance(row, Company):
        return folding.company_words(row.name, row.domain)
    if row.merged_into_id is not None:
        return []
    return folding.lead_words(row.first_name, row.last_name, row.email)


def keep(changed: Collection[Lead | Company] = (), new: Collection[Lead | Company] = ()) -> None:
    """The words of saved rows. New ones take one insert; for changed ones what is stored is read first, and
    what is no longer theirs deleted."""
    if changed:
        wanted = dict.fromkeys(chain.from_iterable(map(_keys, changed)))
        stored = _stored(changed)
        if gone := [pk for key, pk in stored.items() if key not in wanted]:
            SearchWord.objects.filter(pk__in=gone).delete()
        pour((_made(key) for key in wanted if key not in stored), ignore_conflicts=True)
    # Nobody else knows of a new row yet, so nobody can have written its words.
    pour(map(_made, chain.from_iterable(map(_keys, new))))


def rebuild(*, write: bool = True) -> Iterator[tuple[int, int, int]]:
    """Goes over all leads and companies: for each chunk how many were looked at, and how many of their words
    were missing and too many. Interrupted, it may simply be run again."""
    for model in (Company, Lead):
        last = 0
        while ids := _chunk(model, last):
            last = ids[-1]
            with transaction.atomic():
                found: Any = model._default_manager.filter(pk__in=ids).order_by("pk")
                # Locked, so that no change comes between what is read and what is written.
                rows = list(found.select_for_update() if write else found)
                wanted = set(chain.from_iterable(map(_keys, rows)))
                stored = _stored(rows).keys()
                if write and wanted != stored:
                    keep(rows)
            yield len(rows), len(wanted - stored), len(stored - wanted)


def _chunk(model: type[Lead] | type[Company], last: int) -> list[int]:
    later: Any = model._default_manager.filter(pk__gt=last).order_by("pk")
    return list(later.values_list("pk", flat=True)[:CHUNK])


def _keys(row: Lead | Company) -> Iterator[_Key]:
    lead, company = (row.pk, None) if isinstance(row, Lead) else (None, row.pk)
    return ((lead, company, word) for word in words_of(row))


def _stored(rows: Collection[Lead | Company]) -> dict[_Key, int]:
    leads = [row.pk for row in rows if isinstance(row, Lead)]
    companies = [row.pk for row in rows if isinstance(row, Company)]
    found: dict[_Key, int] = {}
    for own in ({"lead__in": leads}, {"company__in": companies}):
        # An empty list asks the database nothing.
        for lead, company, word, pk in SearchWord.objects.filter(**own).values_list(
            "lead", "company", "word", "pk"
        ):
            found[lead, company, word] = pk
    return found


def _made(key: _Key) -> SearchWord:
    return made(SearchWord, lead_id=key[0], company_id=key[1], word=key[2])
