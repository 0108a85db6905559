"""The list of leads: searched, filtered and paged by its address, and as a file.

Owns the page and the file. Which leads there are for somebody is `leads.search.finding`, what a filter
selects is `leads.filters`. Whoever is not shown personal data gets no address and no number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from leads import exports, paging, permissions, saved_views
from leads.filters import ORDER_WORDS, ORDERS, STATES, LeadFilter
from leads.models import Handoff, Lead, SavedView
from leads.presenters import people
from leads.search import finding
from leads.views import saved
from leads.views.shell import shell_of
from routing.people import User

PAGE = SavedView.Page.LEADS
SIZE = 50
MOST_EXPORTED = 50_000
RECENT = 500
HEADER = (
    "lead", "first name", "last name", "job title", "company", "domain", "country", "source",
    "e-mail", "phone", "state", "holder", "score", "qualified", "changed",
)  # fmt: skip


@require_safe
def leads(request: HttpRequest) -> HttpResponse:
    """The list: searched, filtered and paged by its address. Without anything in it, it is the person's own
    default view."""
    frame = shell_of(request)
    if not request.GET and (view := saved_views.default(frame.user, PAGE)) is not None:
        return redirect(saved.href(view))
    found, order = _found(request)
    personal = permissions.sees_personal_data(frame.user)
    page = paging.page(found.qs.select_related("company"), order, request.GET.get("after", ""), SIZE)
    latest = latest_handoffs(frame.user, page.rows)
    own = {name: value for name, value in request.GET.items() if value and name != "after"}
    count = paging.count(found.qs, page)
    values = {
        "rows": [people.row(row, latest.get(row.pk), frame.now, personal=personal) for row in page.rows],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in (*found.filters, "sort")},
        "states": STATES,
        "orders": ORDER_WORDS,
        "sources": _sources(frame.user),
        "count": paging.count_words(count),
        "is_one": count == 1,
        "more": f"?{urlencode(own | {'after': page.next})}" if page.next else "",
        "first": f"?{urlencode(own)}" if page.after else "",
        "csv": f"{reverse('leads:leads_csv')}?{urlencode(own)}",
        "company": found.form.cleaned_data.get("company") if found.form.is_valid() else None,
        **saved.values(frame.user, PAGE, request.GET),
    }
    return render(request, "leads/people/leads.html", values)


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The list as CSV, with its filters; the first 50,000."""
    found, order = _found(request)
    rows = found.qs.select_related("company").order_by(*order)[:MOST_EXPORTED]
    return exports.download("leads.csv", HEADER, _lines(shell_of(request).user, rows))


def _lines(user: User, rows: QuerySet[Lead]) -> Iterator[tuple[Any, ...]]:
    personal = permissions.sees_personal_data(user)
    part: list[Lead] = []
    for lead in rows.iterator(chunk_size=500):
        part.append(lead)
        if len(part) == 500:
            yield from _some_lines(user, part, personal)
            part = []
    yield from _some_lines(user, part, personal)


def _some_lines(user: User, part: Sequence[Lead], personal: bool) -> Iterator[tuple[Any, ...]]:
    latest = latest_handoffs(user, part)
    for lead in part:
        handoff = latest.get(lead.pk)
        yield (
            lead.pk,
            lead.first_name,
            lead.last_name,
            lead.job_title,
            lead.company.name if lead.company else "",
            lead.company.domain if lead.company else "",
            lead.country_code,
            lead.lead_source,
            lead.email if personal else "",
            lead.phone if personal else "",
            people.state_words(handoff) if handoff else "",
            people.holder_words(handoff) if handoff else "",
            handoff.score_total if handoff else None,
            handoff.mql_at if handoff else None,
            lead.updated_at,
        )


def latest_handoffs(user: User, rows: Iterable[Lead]) -> dict[int, Handoff]:
    """For each of these leads the newest handoff that this person sees, an open one first; one query."""
    seen = (
        Handoff.objects.visible_to(user)
        .filter(lead__in=[lead.pk for lead in rows])
        .select_related("assignee", "queue", "rejection_reason")
        .order_by("mql_at", "pk")
    )
    found: dict[int, Handoff] = {}
    for handoff in seen:
        if handoff.is_open or not (handoff.lead_id in found and found[handoff.lead_id].is_open):
            found[handoff.lead_id] = handoff
    return found


def _found(request: HttpRequest) -> tuple[LeadFilter, tuple[str, ...]]:
    user = shell_of(request).user
    rows = finding.leads_of(user)
    order = ORDERS.get(request.GET.get("sort", ""), ORDERS["changed"])
    if not finding.sees_all(user):
        # By an expression: a planner that sees an index of the order walks through everybody for these few.
        rows = rows.annotate(**{f"by_{name}": Coalesce(name, name) for name in map(_column, order)})
        order = tuple(name.replace(_column(name), f"by_{_column(name)}") for name in order)
    return LeadFilter(request.GET, rows, user=user), order


def _column(name: str) -> str:
    return name.removeprefix("-")


def _sources(user: User) -> list[str]:
    """The sources to choose from: those of the leads that changed last, or of some of one's own."""
    found = finding.leads_of(user).order_by()
    if finding.sees_all(user):
        # Not for the others: whoever sees one lead in a hundred would walk through everybody's.
        found = found.order_by("-updated_at", "-id")
    recent = found.values_list("lead_source", flat=True)
    return sorted({source for source in recent[:RECENT] if source})
