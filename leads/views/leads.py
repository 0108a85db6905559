"""The list of leads: searched, filtered and paged by its address, and as a file.

Owns the page and the file. Which leads there are for somebody is `leads.search.finding`, what a filter
selects is `leads.filters`. Whoever is not shown personal data gets no address and no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
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
from leads.models import Lead, SavedView
from leads.presenters import consent, people
from leads.roles import Can, can
from leads.search import finding
from leads.views import latest, proof, saved
from leads.views.shell import shell_of
from routing.people import User

PAGE = SavedView.Page.LEADS
SIZE = 50
MOST_EXPORTED = 50_000
RECENT = 500
# So many of one's own are counted; among so many who changed last a manager's page is looked for.
MOST_OWN, NEWEST = 1_000, 1_000
HEADER = (
    "lead", "first name", "last name", "job title", "company", "domain", "country", "source",
    "e-mail", "phone", "no e-mail", "do not call", "state", "holder", "score", "qualified", "changed",
)  # fmt: skip


@require_safe
def leads(request: HttpRequest) -> HttpResponse:
    """The list: searched, filtered and paged by its address. Without anything in it, it is the person's own
    default view."""
    frame = shell_of(request)
    if not request.GET and (view := saved_views.default(frame.user, PAGE)) is not None:
        return redirect(saved.href(view))
    listed = _listed(request)
    found, personal = listed.filter, permissions.sees_personal_data(frame.user)
    page = listed.page(request.GET.get("after", ""))
    handoffs = latest.of(frame.user, page.rows)
    own = {name: value for name, value in request.GET.items() if value and name != "after"}
    count = listed.count(page)
    values = {
        "rows": [people.row(row, handoffs.get(row.pk), frame.now, personal=personal) for row in page.rows],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in (*found.filters, "sort")},
        "states": STATES,
        "orders": ORDER_WORDS,
        "sources": sorted({source for source in listed.some if source}),
        "count": paging.count_words(count, listed.most),
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
    proof.for_export(request)
    listed = _listed(request)
    rows = listed.filter.qs.select_related("company").order_by(*listed.order)[:MOST_EXPORTED]
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
    handoffs = latest.of(user, part)
    for lead in part:
        handoff = handoffs.get(lead.pk)
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
            consent.yes(lead.email_opt_out),
            consent.yes(lead.do_not_call),
            people.state_words(handoff) if handoff else "",
            people.holder_words(handoff) if handoff else "",
            handoff.score_total if handoff else None,
            handoff.mql_at if handoff else None,
            lead.updated_at,
        )


@dataclass(frozen=True)
class Listed:
    """The leads that a person lists, and how a page of them is read without reading all."""

    user: User
    filter: LeadFilter
    order: tuple[str, ...]

    @property
    def most(self) -> int:
        """Where counting ends."""
        return paging.MOST_COUNTED if finding.sees_all(self.user) else MOST_OWN

    @cached_property
    def some(self) -> list[str]:
        """The sources of the leads that changed last, or of some of one's own."""
        if finding.sees_all(self.user):
            found = finding.leads_of(self.user).order_by("-updated_at", "-id")[:RECENT]
        else:
            found = finding.some_of(self.user, 3 * MOST_OWN)[: MOST_OWN + 1]
        return list(found.values_list("lead_source", flat=True))

    def page(self, after: str) -> paging.Page[Lead]:
        """One page, beginning behind this cursor."""
        if finding.sees_all(self.user):
            return paging.page(self.filter.qs.select_related("company"), self.order, after, SIZE)
        if can(self.user, Can.SEE_TEAMS) and self.order == ORDERS["changed"]:
            # Of a manager's leads there are many among those who changed last; to list them all takes longer.
            since = paging.begun(Lead.objects.all(), self.order, after).values_list("updated_at", flat=True)
            for at in since[NEWEST : NEWEST + 1]:
                asked = LeadFilter(self.filter.data, finding.few_of(self.user), user=self.user).qs
                rows = asked.filter(updated_at__gt=at).select_related("company")
                page = paging.page(rows, self.order, after, SIZE)
                if page.next:
                    return page
        # By an expression: a planner that sees an index of the order walks through everybody for these few.
        columns = [name.removeprefix("-") for name in self.order]
        by: dict[str, Any] = {f"by_{name}": Coalesce(name, name) for name in columns}
        order = [
            name.replace(column, f"by_{column}") for name, column in zip(self.order, columns, strict=True)
        ]
        whole = Lead.objects.select_related("company").annotate(**by)
        return paging.page(self.filter.qs.annotate(**by), order, after, SIZE, whole)

    def count(self, page: paging.Page[Lead]) -> int:
        """How many there are, at most one more than `most`. If there are more of one's own, some handoffs
        tell."""
        if not (finding.sees_all(self.user) or self.filter.is_narrowed) and len(self.some) > self.most:
            return len(self.some)
        return paging.count(self.filter.qs, page, self.most)


def _listed(request: HttpRequest) -> Listed:
    user = shell_of(request).user
    found = LeadFilter(request.GET, finding.leads_of(user), user=user)
    return Listed(user, found, ORDERS.get(request.GET.get("sort", ""), ORDERS["changed"]))
