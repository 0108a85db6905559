"""The parts of the dashboard below the fold: each a fragment that the page fetches, or a page of its own.

Owns which parts there are. Figures cover what the person may see, as on the page (`metrics.views.dashboard`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from leads.models import RejectionReason
from metrics import address, beside, pictures, tables, words
from metrics.address import BY, STACKS, Asked
from metrics.counted import Counted
from metrics.periods import WeekRange
from routing.reading import of_figures


def _beside(asked: Asked, counted: Counted) -> dict[str, Any]:
    both = WeekRange(asked.before.first, asked.weeks.last, asked.weeks.zone)
    found = counted.beside(both)
    return {
        "rows": beside.rows(found, asked.weeks, asked.before, asked.as_of, asked.behind),
        "before": f"{words.short(asked.before.first)} to {words.short(asked.before.last)}",
        "enough": words.ENOUGH,
    }


def _reasons(asked: Asked, counted: Counted) -> dict[str, Any]:
    labels = dict(RejectionReason.objects.values_list("code", "label"))
    found = counted.reasons(sorted(labels))
    return {"reasons": tables.reasons(found, labels, asked.behind_reason)}


def _by(asked: Asked, counted: Counted) -> dict[str, Any]:
    name, _, note = tables.DIMENSIONS[asked.by]
    params = asked.params(metric=None, by=asked.by)
    return {
        "groups": tables.groups(counted.by(asked.by), asked.by, asked.behind_all, asked.narrow),
        "columns": tables.COLUMNS,
        "name": name,
        "note": note,
        "choices": [
            (tables.DIMENSIONS[by][0], by == asked.by, asked.address(by=by), asked.part("by", by=by))
            for by in BY
        ],
        "csv": f"{reverse('metrics:figures')}?{urlencode(params)}",
    }


def _waits(asked: Asked, counted: Counted) -> dict[str, Any]:
    target = counted.terms.at_end(asked.weeks.span)
    return {
        "waits": pictures.waits(counted.spread(), target),
        "stages": pictures.stages(counted.stages()),
    }


def _hours(asked: Asked, counted: Counted) -> dict[str, Any]:
    return {"hours": pictures.hours(counted.hours()), "zone": asked.weeks.zone, "days": pictures.DAYS}


def _outcomes(asked: Asked, counted: Counted) -> dict[str, Any]:
    return {
        "outcomes": pictures.outcomes(counted.dispositions(asked.stack), asked.stack),
        "stack": asked.stack,
        "stacks": [
            (
                name.capitalize(),
                name == asked.stack,
                asked.address(stack=name),
                asked.part("outcomes", stack=name),
            )
            for name in STACKS
        ],
    }


Build = Callable[[Asked, Counted], dict[str, Any]]
# In the order of the page: what each is called while it is on its way, and what it is made of.
PARTS: dict[str, tuple[str, Build]] = {
    "reasons": ("Why leads were rejected", _reasons),
    "beside": ("Beside the five", _beside),
    "waits": ("How long it took, and where leads were lost", _waits),
    "outcomes": ("What became of them", _outcomes),
    "hours": ("When leads come", _hours),
    "by": ("By team, rep, source and more", _by),
}


@require_safe
@of_figures
def part(request: HttpRequest, name: str) -> HttpResponse:
    """One part: the fragment alone for the page that asks for it, else within a page."""
    if name not in PARTS:
        raise Http404
    title, build = PARTS[name]
    asked = address.read(request)
    context = build(asked, Counted(asked, address.visible(request))) | {
        "title": title,
        "part": f"metrics/_{name}.html",
        "span": f"{words.short(asked.weeks.first)} to {words.short(asked.weeks.last)}",
        "back": asked.address(),
        "narrowed": list(asked.filters.params().items()),
    }
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, context["part"], context)
    return render(request, "metrics/part.html", context)
