"""Where the time of the weeks shown went, by stage and party, and the story of the slowest handoffs.

Covers what the person may see. What an instant counts as is `leads.timing`, what is read
`metrics.past_parts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads.models import Handoff
from leads.presenters import spent as presenter
from leads.presenters import times
from leads.timing import Kind
from metrics import address, past_parts, query, spent, ways, words
from metrics.charts.stack import Length, Piece, Stack, lengths
from metrics.past_parts import Read, Told
from metrics.spent import SLOTS, Slot, Sums
from routing.reading import of_figures

BASES = (("elapsed", "Elapsed, each hour counted"), ("business", "Working time of whoever held it"))
# Grey is marketing's, pine is sales'; what the lead asked to wait is nobody's.
TONES = {
    (Kind.INTAKE, "marketing"): "m3",
    (Kind.COMPLETION, "marketing"): "m1",
    (Kind.ROUTING, "marketing"): "m2",
    (Kind.ROUTING, "sales"): "c",
    (Kind.ACKNOWLEDGMENT, "sales"): "a",
    (Kind.CONTACT, "sales"): "b",
    (Kind.DEFERRAL, "sales"): "0",
}
_GROUPS = (("", "All"), ("demo", "Demo"), ("standard", "Standard"))


@require_safe
@of_figures
def page(request: HttpRequest) -> HttpResponse:
    """Two stacked figures with their table, and the ten slowest handoffs."""
    ways.reader(request)
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
        "legend": [(_label(slot), TONES[slot]) for slot in SLOTS],
        "rows": _rows(sums[""]),
        "total": _total(sums[""]),
        "slowest": [_story(told, found, timezone.localtime(asked.now)) for told in found.slowest],
    }
    return render(request, "metrics/time.html", context)


def _label(slot: Slot) -> str:
    kind, party = slot
    return "Waiting in a queue" if kind == Kind.ROUTING and party == "sales" else presenter.LABELS[kind]


def _stack(sums: Mapping[str, Sums], base: str) -> Stack:
    rows = []
    for name, label in _GROUPS:
        if name not in sums:
            continue
        each = sums[name]
        pieces = [
            Piece(
                each.mean(base, slot).total_seconds(),
                f"d-{TONES[slot]}",
                times.length(each.mean(base, slot)),
            )
            for slot in SLOTS
        ]
        detail = words.many(each.handoffs, "handoff")
        rows.append(Length(label, detail, pieces, times.length(each.mean(base))))
    return lengths(rows)


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
            "tone": TONES[slot],
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


def _story(told: Told, found: Read, now: Any) -> dict[str, Any]:
    """Who held it when, in the order of time, and the same as one bar."""
    handoff = told.handoff
    whole = sum((part.elapsed for part in told.parts), timedelta(0))
    steps, before = [], timedelta(0)
    for part in told.parts:
        steps.append(
            {
                "label": _label((part.kind, part.party)),
                "holder": _holder(found, part.holder, part.queue),
                "tone": TONES[part.kind, part.party],
                "since": times.moment(part.starts_at, now),
                "exact": times.exact(part.starts_at, now),
                "length": times.length(part.elapsed),
                "x": round(before / whole * 100, 2),
                "width": round(part.elapsed / whole * 100, 2),
            }
        )
        before += part.elapsed
    return {
        "href": reverse("leads:handoff", args=[handoff.pk]),
        "name": handoff.lead.full_name or f"Lead {handoff.lead_id}",
        "company": handoff.lead.company.name if handoff.lead.company else "",
        "lead_type": handoff.lead_type.capitalize(),
        "source": handoff.lead_source,
        "elapsed": times.length(whole),
        "ended": _ended(handoff, found.until),
        "bar": steps,
        "steps": steps[:MOST_STEPS],
        "more": max(0, len(steps) - MOST_STEPS),
    }


# A chain of reassignments may be long; the handoff's own page has all of it.
MOST_STEPS = 12


def _holder(found: Read, person: int | None, queue: int | None) -> str:
    return "" if person is None and queue is None else found.holders.name(person, queue)


def _ended(handoff: Handoff, until: datetime) -> str:
    if handoff.first_contact_at is not None and handoff.first_contact_at <= until:
        return "to the first contact"
    return "until it was closed" if handoff.closed_at and handoff.closed_at <= until else "so far"
