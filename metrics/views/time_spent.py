"""Where the time of the weeks shown went, by stage and party, and the story of the slowest handoffs.

Covers what the person may see. What an instant counts as is `leads.timing`, what is read
`metrics.past_parts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads.presenters import spent as presenter
from leads.presenters import times
from leads.timing import Kind
from metrics import address, past_parts, query, spent, stacked, ways, words
from metrics.past_parts import Read, Told
from metrics.spent import SLOTS, Slot, Sums

BASES = (("elapsed", "Elapsed, each hour counted"), ("business", "Working time of whoever held it"))
_GROUPS = (("", "All"), ("demo", "Demo"), ("standard", "Standard"))


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Two stacked figures with their table, and the ten slowest handoffs."""
    user = ways.reader(request)
    asked = address.read(request)
    question = query.Question(asked.as_of, asked.weeks.span, filters=asked.filters)
    found = past_parts.read(query.Asked.of(question, address.visible(request)))
    sums = spent.add_up(found.sample)
    context = {
        "ways": ways.of(request, asked, "metrics:time"),
        "asked": asked,
        "read": f"{len(found.sample):,}",
        "count": words.many(found.count, "handoff"),
        "step": found.step,
        "figures": [(base, title, _stack(sums, base), _spoken(sums[""], base)) for base, title in BASES],
        "legend": [(_label(slot), presenter.TONES[slot[0]]) for slot in SLOTS],
        "rows": _rows(sums[""]),
        "total": _total(sums[""]),
        "slowest": [_story(told, found, user.pk, timezone.localtime(asked.now)) for told in found.slowest],
    }
    return render(request, "metrics/time.html", context)


def _label(slot: Slot) -> str:
    kind, party = slot
    return "Waiting in a queue" if kind == Kind.ROUTING and party == "sales" else presenter.LABELS[kind]


def _stack(sums: Mapping[str, Sums], base: str) -> stacked.Stack:
    rows = []
    for name, label in _GROUPS:
        if name not in sums:
            continue
        each = sums[name]
        pieces = [
            stacked.Piece(
                each.mean(base, slot).total_seconds(),
                presenter.TONES[slot[0]],
                times.length(each.mean(base, slot)),
            )
            for slot in SLOTS
        ]
        detail = words.many(each.handoffs, "handoff")
        rows.append(stacked.Row(label, detail, pieces, times.length(each.mean(base))))
    return stacked.stack(rows)


def _spoken(sums: Sums, base: str) -> str:
    """The finding of the figure: what took most, and whose the time was."""
    whole = sums.total(base)
    if not whole:
        return "No time has passed"
    most = max(SLOTS, key=lambda slot: sums.share(base, slot) or 0.0)
    parties = sums.by_party(base)
    marketing = parties["marketing"] / parties.total()
    return (
        f"{times.length(sums.mean(base))} on average; most of it is {_label(most).lower()} "
        f"({words.share(sums.share(base, most))}); {words.share(marketing)} is marketing’s"
    )


def _rows(sums: Sums) -> list[dict[str, Any]]:
    return [
        {
            "label": _label(slot),
            "party": slot[1].capitalize(),
            "tone": presenter.TONES[slot[0]],
            "cells": [
                {
                    "mean": times.length(sums.mean(base, slot)),
                    "share": words.share(sums.share(base, slot)),
                }
                for base, _ in BASES
            ],
        }
        for slot in SLOTS
    ]


def _total(sums: Sums) -> list[str]:
    return [times.length(sums.mean(base)) for base, _ in BASES]


def _story(told: Told, found: Read, me: int, now: Any) -> dict[str, Any]:
    """Who held it when, in the order of time."""
    handoff = told.handoff
    steps = [
        {
            "label": _label((part.kind, part.party)),
            "holder": _holder(found, part.holder, part.queue),
            "party": part.party,
            "tone": presenter.TONES[part.kind],
            "since": times.moment(part.starts_at, now),
            "exact": times.exact(part.starts_at, now),
            "length": times.length(part.elapsed),
        }
        for part in told.parts
    ]
    bar = presenter.time_spent(handoff, told.parts, found.holders.people, found.holders.queues, me)
    elapsed = sum((part.elapsed for part in told.parts), timedelta(0))
    return {
        "href": reverse("leads:handoff", args=[handoff.pk]),
        "name": handoff.lead.full_name or f"Lead {handoff.lead_id}",
        "company": handoff.lead.company.name if handoff.lead.company else "",
        "lead_type": handoff.lead_type.capitalize(),
        "source": handoff.lead_source,
        "elapsed": times.length(elapsed),
        "ended": _ended(told, found),
        "bar": bar,
        "steps": steps[:MOST_STEPS],
        "more": max(0, len(steps) - MOST_STEPS),
    }


# A chain of reassignments may be long; the handoff's own page has all of it.
MOST_STEPS = 12


def _holder(found: Read, person: int | None, queue: int | None) -> str:
    return "" if person is None and queue is None else found.holders.name(person, queue)


def _ended(told: Told, found: Read) -> str:
    handoff = told.handoff
    if handoff.first_contact_at is not None:
        return "to the first contact"
    return "so far" if handoff.is_open else "until it was closed"
