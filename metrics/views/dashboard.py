"""The dashboard and its figures as CSV.

Figures cover what the person may see (`visible_to`), nothing else. What counts is `metrics.measures`; how
it looks, `metrics.board` and `metrics.tables`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads.models import RejectionReason
from leads.querysets import HandoffQuerySet
from metrics import address, query, tables, ways, words
from metrics.board import Board
from metrics.figures import KINDS
from metrics.filters import NO_FILTERS, NONE
from metrics.periods import Week
from metrics.views import whatif
from metrics.words import SHOWN
from routing.models import Team, User
from routing.rotation import IN_SALES


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """The five metrics against their targets, twelve weeks of each, sources, reasons and people."""
    asked = address.read(request)
    question = query.Question(asked.as_of, asked.weeks.span, filters=asked.filters)
    figures = query.Asked.of(question, address.visible(request))
    board = Board(figures, asked.weeks, asked.behind)
    labels = dict(RejectionReason.objects.values_list("code", "label"))
    this_week = Week.of(asked.as_of, asked.weeks.zone)
    context = {
        "asked": asked,
        "ways": ways.of(request, asked, "metrics:dashboard"),
        "board": board,
        "week": words.short(asked.weeks.last),
        "days": words.days_of(asked.weeks.last),
        "span": f"{words.short(asked.weeks.first)} to {words.short(asked.weeks.last)}",
        "tiles": board.tiles(),
        "weekly": board.weekly(asked.metric),
        "tabs": [(shown, asked.address(metric=shown.key)) for shown in SHOWN.values()],
        "anchor": words.short(board.anchor) if board.anchor else "",
        "sources": tables.sources(board.by_source, board.by_source_in_week, asked.behind_all, asked.narrow),
        "reasons": tables.reasons(figures.reasons(), labels, asked.behind_reason),
        "groups": [
            (title, tables.groups(figures.by(kind), kind, asked.behind_all, asked.narrow))
            for kind, title in (("team", "Team"), ("rep", "Rep"))
        ],
        "columns": tables.COLUMNS,
        "choices": _choices(question, board, address.visible(request)),
        "before": asked.address(week=asked.weeks.last.plus(-1).name),
        "before_name": words.short(asked.weeks.last.plus(-1)),
        "after": asked.address(week=asked.weeks.last.plus(1).name) if asked.weeks.last < this_week else "",
        "after_name": words.short(asked.weeks.last.plus(1)),
        "is_over": asked.weeks.last < this_week,
        "csv": f"{reverse('metrics:figures')}?{urlencode(asked.params(metric=None))}",
        "may_ask_what_if": whatif.may(request),
        "unfiltered": asked.address(source=None, rep=None, team=None, type=None),
        "today": asked.address(as_of=None, week=None),
        "looked_back_to": f"{timezone.localtime(asked.back):%-d %B %Y, %H:%M}" if asked.back else "",
    }
    return render(request, "metrics/dashboard.html", context)


@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """The figures of the weeks shown as CSV, in the contract's columns."""
    asked = address.read(request)
    question = query.Question(asked.as_of, asked.weeks.span, filters=asked.filters)
    response = HttpResponse(
        query.as_csv(query.ask(question, address.visible(request))), content_type="text/csv; charset=utf-8"
    )
    name = f"figures-{asked.weeks.first.name}-{asked.weeks.last.name}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@dataclass(frozen=True)
class Option:
    value: str
    text: str
    is_chosen: bool


@dataclass(frozen=True)
class Choice:
    """A filter of the page with its options."""

    name: str
    label: str
    options: tuple[Option, ...]


# What a filter is called, what it says when it lets all through, and what the empty group is called.
_FILTERS = {
    "team": ("Team", "All teams", "No team"),
    "rep": ("Rep", "Everybody", "Nobody"),
    "source": ("Source", "All sources", "No source"),
    "type": ("Type", "Demo and standard", ""),
}


def _choices(question: query.Question, board: Board, handoffs: HandoffQuerySet) -> list[Choice]:
    """The filters with who sells and what the weeks hold, and with what is chosen now."""
    filters = question.filters
    sources = set(board.by_source)
    if filters != NO_FILTERS:
        rows = query.within(question.span, question.as_of, handoffs).order_by()
        sources |= set(rows.values_list("lead_source", flat=True).distinct())
    found = {
        "team": set(Team.objects.values_list("name", flat=True)) | {""},
        "rep": set(User.objects.filter(groups__name__in=IN_SALES).values_list("email", flat=True)) | {""},
        "source": sources,
        "type": set(KINDS),
    }
    choices = []
    for name, (label, whole, empty) in _FILTERS.items():
        chosen: str | None = getattr(filters, name)
        values = sorted(found[name] | ({chosen} if chosen is not None else set()))
        options = [Option("", whole, chosen is None)]
        options += [Option(value or NONE, value or empty, value == chosen) for value in values]
        choices.append(Choice(name, label, tuple(options)))
    return choices
