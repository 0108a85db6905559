"""The dashboard and its figures as CSV.

Figures cover what the person may see (`visible_to`), nothing else. What counts is `metrics.measures`; how
it looks, `metrics.board` and `metrics.tables`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from urllib.parse import urlencode

from django.core.cache import cache
from django.db.models import QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from leads.querysets import HandoffQuerySet
from metrics import address, cohorts, query, tables, ways, words
from metrics.address import Asked
from metrics.board import Board
from metrics.counted import Counted
from metrics.figures import KINDS, report
from metrics.filters import NAMES, NO_FILTERS, NONE
from metrics.periods import EVERYTHING, Span, Week
from metrics.views import parts, whatif
from metrics.words import SHOWN
from routing.models import Team, User
from routing.prepared import prepared
from routing.reading import of_figures
from routing.rotation import IN_SALES

_DRAWN = tuple(SHOWN.values())
# Seconds; what nobody asks for again goes by itself.
DRAWN_FOR = 3600


@require_safe
@of_figures
def dashboard(request: HttpRequest) -> HttpResponse:
    """The five metrics against their targets, twelve weeks of each, sources; the rest comes in parts."""
    asked = address.read(request)
    handoffs = address.visible(request)
    counted = Counted(asked, handoffs)
    drawn = _drawn(asked, counted)
    this_week = Week.of(asked.as_of, asked.weeks.zone)
    context = {
        "asked": asked,
        "ways": ways.links(request, asked, "metrics:dashboard"),
        "drawn": drawn,
        "week": words.short(asked.weeks.last),
        "days": words.days_of(asked.weeks.last),
        "choices": _choices(asked, drawn.sources, handoffs),
        "chips": _chips(asked),
        "before": asked.address(week=asked.weeks.last.plus(-1).name),
        "before_name": words.short(asked.weeks.last.plus(-1)),
        "after": asked.address(week=asked.weeks.last.plus(1).name) if asked.weeks.last < this_week else "",
        "after_name": words.short(asked.weeks.last.plus(1)),
        "is_over": asked.weeks.last < this_week,
        "csv": f"{reverse('metrics:figures')}?{urlencode(asked.params(metric=None))}",
        "may_ask_what_if": whatif.may(request),
        "unfiltered": asked.address(**dict.fromkeys(NAMES)),
        # What the form has to send along.
        "sent": [
            (name, value) for name, value in asked.params().items() if name not in _FILTERS and name != "week"
        ],
        "today": asked.address(as_of=None, week=None),
        "looked_back_to": f"{timezone.localtime(asked.back):%-d %B %Y, %H:%M}" if asked.back else "",
    }
    return render(request, "metrics/dashboard.html", context)


@dataclass(frozen=True)
class Drawn:
    """What the page shows of its counts: the tiles, the line, the sources and the way to the other parts as
    HTML, the MQLs of the last week with their list, and the sources that there are. `good` is when that may
    be shown."""

    body: SafeString
    mqls: str
    mqls_href: str
    sources: tuple[str, ...]
    good: Span


def _drawn(asked: Asked, counted: Counted) -> Drawn:
    """The same counts at the same address are drawn once: all that is in them is what this is made of, so it
    is nobody's in particular. Counts that have a mark are not even read again."""
    weeks = list(asked.weeks)
    ripe = [cohorts.last_mature(weeks, each.measure, asked.weeks.zone, asked.as_of) for each in _DRAWN]
    held = repr(counted.terms.within(asked.weeks.span))
    # Sorted: what comes out of the database is in another order than what was just counted.
    said = json.dumps(
        [asked.params(), counted.mark or counted.counts, [week and week.name for week in ripe], held],
        sort_keys=True,
    )
    key = f"dashboard-{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()}"
    drawn: Drawn | None = cache.get(key)
    if drawn is None or not drawn.good.holds(asked.as_of):
        board = Board(counted, asked.behind)
        first, *others = [(name, title, asked.part(name)) for name, (title, _) in parts.PARTS.items()]
        context = {
            "span": f"{words.short(asked.weeks.first)} to {words.short(asked.weeks.last)}",
            "tiles": board.tiles(),
            "terms": board.judged_by,
            "weekly": board.weekly(asked.metric),
            "tabs": [(shown, asked.address(metric=shown.key)) for shown in _DRAWN],
            "anchor": words.short(board.anchor) if board.anchor else "",
            "sources": tables.sources(
                board.by_source, board.by_source_in_week, asked.behind_all, asked.narrow
            ),
            "beside_it": first,
            "parts": others,
        }
        body = render_to_string("metrics/_board.html", context)
        good = Span(asked.as_of, counted.good_until) if counted.mark else EVERYTHING
        drawn = Drawn(body, board.mqls, board.mqls_href, tuple(board.by_source), good)
        cache.set(key, drawn, DRAWN_FOR)
    return drawn


@require_safe
@of_figures
def figures(request: HttpRequest) -> HttpResponse:
    """The figures of the weeks shown as CSV, in the contract's columns; with `by` those of that dimension."""
    asked = address.read(request)
    question = query.Question(asked.as_of, asked.weeks.span, filters=asked.filters)
    handoffs = address.visible(request)
    if request.GET.get("by"):
        look = query.Asked.of(question, handoffs)
        answer = report(look.total(), {asked.by: look.by(asked.by)})
    else:
        answer = query.ask(question, handoffs)
    response = HttpResponse(query.as_csv(answer), content_type="text/csv; charset=utf-8")
    name = f"figures-{asked.weeks.first.name}-{asked.weeks.last.name}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@dataclass(frozen=True)
class Choice:
    """A filter of the page; `options` is the inside of its field: hundreds of people are quicker joined than
    looped over in a template."""

    name: str
    label: str
    options: SafeString


# What a filter is called, what it says when it lets all through, and what the empty group is called.
_FILTERS = {
    "team": ("Team", "All teams", "No team"),
    "rep": ("Rep", "Everybody", "Nobody"),
    "source": ("Source", "All sources", "No source"),
    "type": ("Type", "Demo and standard", ""),
    "raised": ("Raised", "Raised or not", ""),
}
_RAISED = {"yes": "Raised to demo", "no": "Not raised"}
# More sources than these are no list to choose from; the table of sources narrows to each.
MOST_CHOICES = 200


@dataclass(frozen=True)
class Chip:
    """A filter that is chosen elsewhere on the page, and the address without it."""

    text: str
    href: str


def _chips(asked: Asked) -> list[Chip]:
    """What is filtered for and not chosen in the form."""
    chosen = asked.filters.params()
    return [
        Chip(
            f"{tables.DIMENSIONS[name][0]}: {tables.named(name, getattr(asked.filters, name))}",
            asked.address(**{name: None}),
        )
        for name in chosen
        if name not in _FILTERS
    ]


def _choices(asked: Asked, narrowed: Collection[str], handoffs: HandoffQuerySet) -> list[Choice]:
    """The filters with who sells and what the weeks hold (`narrowed` are the sources of what is filtered
    for), and with what is chosen now."""
    filters = asked.filters
    sources = set(narrowed)
    if filters != NO_FILTERS:
        # All that the weeks hold: most of it was counted for the page without a filter.
        sources |= set(Counted(replace(asked, filters=NO_FILTERS), handoffs).by_source)
    people = _people()
    found = {
        "team": {name for kind, name in people if kind == "team"} | {""},
        "rep": {name for kind, name in people if kind == "rep"} | {""},
        "source": set(sorted(sources)[:MOST_CHOICES]),
        "type": set(KINDS),
        "raised": set(_RAISED),
    }
    choices = []
    for name, (label, whole, empty) in _FILTERS.items():
        chosen: str | None = getattr(filters, name)
        values = sorted(found[name] | ({chosen} if chosen is not None else set()))
        options = [("", whole, chosen is None)]
        options += [(value or NONE, _RAISED.get(value, value) or empty, value == chosen) for value in values]
        choices.append(Choice(name, label, _options(tuple(options))))
    return choices


@prepared
def _people() -> QuerySet[Team, tuple[str, str]]:
    """Teams by name and whoever sells by address, as ("team" or "rep", name)."""
    teams = Team.objects.order_by().values_list(Value("team"), "name")
    sellers = User.objects.filter(groups__name__in=IN_SALES).order_by()
    return teams.union(sellers.values_list(Value("rep"), "email"), all=True)


@lru_cache(64)
def _options(options: tuple[tuple[str, str, bool], ...]) -> SafeString:
    """The inside of a field of choices, of (value, text, whether it is chosen)."""
    said = (
        f'<option value="{escape(value)}"{" selected" if is_chosen else ""}>{escape(text)}</option>'
        for value, text, is_chosen in options
    )
    return mark_safe("".join(said))
