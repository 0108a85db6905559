"""The list of handoffs: narrowed, ordered and paged by its address, as a file, and the ground of bulk acts.

Owns the page and the file. What a filter selects is `leads.handoff_filter`, the columns are
`presenters.handoffs`; what is done with a selection is `views.bulk`. Everyone sees what is theirs to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from leads import bulk, exports, paging, permissions, saved_views
from leads.choices import Check, LeadType, State
from leads.handoff_filter import FIRST, NEEDS, ORDERS, STATES, WHOSE, HandoffFilter, in_order
from leads.models import Handoff, RejectionReason, SavedView
from leads.presenters import handoffs as words
from leads.presenters import heads
from leads.views import proof, saved
from leads.views.shell import Shell, shell_of
from leads.views.worklist import default_calendar
from routing.models import Queue, Team
from routing.people import MANAGER, REP, User

SIZE = 50
MOST_EXPORTED, EXPORTED = 50_000, 500
RECENT, MOST_PEOPLE = 500, 500
PAGE = SavedView.Page.HANDOFFS
# Of these a column is chosen from what came last.
CHOSEN = {"source": "lead_source", "campaign": "campaign", "territory": "territory", "rule": "rule_name"}
# These stand in the first row of filters; with one of the others the rest is open.
ALWAYS = ("q", "whose", "state", "needs", "holder", "source")


@require_safe
def handoffs(request: HttpRequest) -> HttpResponse:
    """The list. Without anything in its address it is the person's own default view."""
    frame = shell_of(request)
    if not request.GET and (view := saved_views.default(frame.user, PAGE)) is not None:
        return redirect(saved.href(view))
    found = narrowed(frame, request.GET)
    rows, order = in_order(found.qs, request.GET.get("sort", ""))
    page = paging.page(rows.select_related(*words.WITH), order, request.GET.get("after", ""), SIZE)
    columns = words.chosen(request.GET.getlist("col"))
    own, calendar = own_query(request.GET), default_calendar()
    personal = permissions.sees_personal_data(frame.user)
    count = paging.count(found.qs, page)
    values = {
        "rows": [words.row(row, columns, frame.now, calendar, personal=personal) for row in page.rows],
        "heads": [
            head(column.label, column.sort, own) | {"is_number": column.is_number} for column in columns
        ],
        "due": head("Due", "due", own),
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in (*found.filters, "sort")},
        "is_more_open": any(request.GET.get(name) for name in found.filters if name not in ALWAYS),
        "columns": [(column, column in columns) for column in words.COLUMNS],
        "choices": _choices(frame.user),
        "count": paging.count_words(count),
        "is_one": count == 1,
        "is_whole": not page.next and not page.after,
        "most": f"{bulk.MOST:,}",
        "is_too_many": count > bulk.MOST,
        "verbs": bulk.verbs_for(frame.user),
        "first_verb": _first_verb(request.GET),
        "query": urlencode(own),
        "more": f"?{urlencode([*own, ('after', page.next)])}" if page.next else "",
        "first": f"?{urlencode(own)}" if page.after else "",
        "csv": f"{reverse('leads:handoffs_csv')}?{urlencode(own)}",
        **saved.values(frame.user, PAGE, request.GET),
    }
    return render(request, "leads/lists/handoffs.html", values)


def _first_verb(params: Mapping[str, str]) -> str:
    """The act that a list narrowed in this way is mostly for; "" where it is the usual one."""
    if params.get("needs") == "triage":
        return "settle"
    return "recheck" if params.get("state") == State.INCOMPLETE else ""


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The list as CSV with its filters and its order; the first 50,000, all columns."""
    proof.for_export(request)
    frame = shell_of(request)
    rows, order = in_order(narrowed(frame, request.GET).qs, request.GET.get("sort", ""))
    return exports.download("handoffs.csv", words.HEADER, lines(frame.user, rows.order_by(*order)))


def lines(user: User, rows: QuerySet[Handoff]) -> Iterator[tuple[Any, ...]]:
    """These handoffs as lines of a file."""
    personal = permissions.sees_personal_data(user)
    for handoff in rows.select_related(*words.WITH)[:MOST_EXPORTED].iterator(chunk_size=EXPORTED):
        yield words.line(handoff, personal=personal)


def narrowed(frame: Shell, data: QueryDict) -> HandoffFilter:
    """What this person sees of what the address asks for."""
    return HandoffFilter(data, Handoff.objects.visible_to(frame.user), user=frame.user, now=frame.now)


def own_query(data: QueryDict) -> list[tuple[str, str]]:
    """The address without its page: filters, order and columns."""
    return [(name, value) for name, values in data.lists() for value in values if value and name != "after"]


def head(label: str, sort: str, own: list[tuple[str, str]]) -> dict[str, Any]:
    """A column's head: by which link the list goes in its order, once more for the other way round."""
    if not sort:
        return {"label": label}
    # The soonest due first; of points and moments the highest and latest.
    usual = sort if sort == "due" else f"-{sort}"
    return heads.head(label, sort, own, ORDERS, FIRST, usual=usual)


def _choices(user: User) -> dict[str, Any]:
    """What the filters are chosen from; eight queries."""
    seen = Handoff.objects.visible_to(user)
    recent = seen.order_by("-mql_at", "-id").values_list(*CHOSEN.values())[:RECENT]
    found: dict[str, Any] = {
        name: sorted({row[place] for row in recent if row[place]}) for place, name in enumerate(CHOSEN)
    }
    people = User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER]).distinct()
    found |= {
        "states": STATES,
        "needs": NEEDS,
        "whose": WHOSE,
        "types": LeadType.choices,
        "checks": Check.choices,
        "people": [(str(person.pk), str(person)) for person in people.order_by("name", "pk")[:MOST_PEOPLE]],
        "teams": [(str(team.pk), team.name) for team in Team.objects.order_by("name")],
        "queues": [(str(queue.pk), queue.name) for queue in Queue.objects.order_by("name")],
        "reasons": RejectionReason.objects.values_list("code", "label"),
    }
    return found
