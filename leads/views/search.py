"""Search: one field for names, addresses, companies, domains and ids.

Owns the page, and what is shown of it as one types: under the box of any page the first few, on the page
itself all. What is found, and by what, is `leads.search.finding`.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads import permissions
from leads.presenters import people, rows
from leads.presenters.company import size
from leads.presenters.signals import cut
from leads.search import finding
from leads.views import inbox, latest
from leads.views.shell import shell_of
from routing.people import REP


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """What fits the words in `q`, the sharpest first, only of what this person sees."""
    frame = shell_of(request)
    words = finding.plain(request.GET.get("q", ""))
    found = finding.search(frame.user, words)
    personal = permissions.sees_personal_data(frame.user)
    handoffs = latest.of(frame.user, found.leads)
    values = {
        "search_words": words,
        "handoff": found.handoff,
        "handoff_name": rows.name_of(found.handoff, personal=personal) if found.handoff else "",
        "handoff_state": people.state_words(found.handoff) if found.handoff else "",
        "rows": [
            people.row(lead, handoffs.get(lead.pk), frame.now, personal=personal) for lead in found.leads
        ],
        "companies": [
            {
                "id": company.pk,
                "name": cut(str(company), 120),
                "text": ", ".join(
                    part for part in (company.domain or "", cut(company.industry, 60), size(company)) if part
                ),
            }
            for company in found.companies
        ],
        "is_own": frame.user.roles == {REP} and not frame.user.is_superuser,
        "is_cut": found.is_cut,
        "is_short": found.is_short,
        "is_personal": personal,
    }
    for target in ("quick", "found"):
        if inbox.wants(request, target):
            return inbox.fragment(request, f"leads/people/_{target}.html", values)
    return render(request, "leads/people/search.html", values)
