"""Try a lead: any lead or typed facts against the draft, the live rules or any version.

Owns the page; what was tried stands in its address, so that it can be passed on. It only reads: the trial
is `leads.trying`, the words `leads.presenters.trials`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads import permissions, trying
from leads.drafts import Names
from leads.facts_form import FactsForm
from leads.models import Handoff, Lead
from leads.presenters import people, trials
from leads.search import finding
from leads.views import latest
from leads.views.routes import frame
from leads.views.shell import shell_of
from routing.facts import FIELDS, Facts
from routing.models import Ruleset

MOST_VERSIONS = 50


@require_safe
def routing_try(request: HttpRequest) -> HttpResponse:
    """The form, what the search found, and the trial, all by the page's address."""
    user = frame.reader(request)
    names = Names()
    which, document, version = _tested(request)
    form: FactsForm | None = None
    subject: Facts | Handoff | Lead | None = None
    tried = ""
    if "typed" in request.GET:
        form = FactsForm(request.GET, names=names)
        if form.is_valid():
            subject, tried = form.facts(), "what was typed"
    elif found := _picked(request):
        subject = found
        lead = found.lead if isinstance(found, Handoff) else found
        tried = people.name_of(lead, personal=permissions.sees_personal_data(user))
    values: dict[str, Any] = {
        "form": form or FactsForm(names=names),
        "is_typed": form is not None,
        "which": which,
        "version": version,
        "versions": Ruleset.objects.order_by("-version").values_list("pk", "version")[:MOST_VERSIONS],
        "subject": subject,
        "tried": tried,
        "carried": _carried(request),
        **_search(request),
    }
    if subject is not None:
        values |= _trial(request, subject, document, which, names)
    return render(request, "leads/routing/try.html", values)


def _trial(
    request: HttpRequest,
    subject: Facts | Handoff | Lead,
    document: Mapping[str, Any],
    which: str,
    names: Names,
) -> dict[str, Any]:
    shell = shell_of(request)
    found = trying.try_lead(subject, document, shell.now)
    territories = names.called(document).territories
    name = named(names)
    values = {
        "trial": trials.shown(found, document, name, territories, shell.now),
        "facts": trials.known(found.facts, name),
        "handoff": subject if isinstance(subject, Handoff) else None,
    }
    if which != "live" and shell.draft.live is not None:
        live = trying.try_lead(subject, shell.draft.live_document, shell.now)
        values["compared"] = trials.same(found, live, name)
    return values


def named(names: Names) -> trials.Name:
    """Names by kind and id; candidates name queues by slug."""
    slugs = {queue.slug: str(queue.pk) for queue in names.queues}

    def name(kind: str, pk: str) -> str:
        return names(kind, slugs.get(pk, pk) if kind == "queue" else pk)

    return name


def _tested(request: HttpRequest) -> tuple[str, Mapping[str, Any], Ruleset | None]:
    """Which ruleset is asked: "draft" (where nothing is live, or asked for), "live", or a version's id."""
    state = shell_of(request).draft
    which = request.GET.get("ruleset", "") or "draft"
    if which == "live" and state.live is not None:
        return "live", state.live_document, state.live
    if which.isdecimal() and len(which) < 19:
        row = Ruleset.objects.filter(pk=int(which)).first()
        if row is None:
            raise Http404("there is no such version")
        return which, row.document, row
    return "draft", state.document, None


def _picked(request: HttpRequest) -> Handoff | Lead | None:
    """The handoff or lead of the address, if this person sees it; else Http404."""
    user = shell_of(request).user
    rows: Any = Handoff.objects.visible_to(user).select_related("lead__company", "assignee", "queue")
    for key, found in (("handoff", rows), ("lead", finding.leads_of(user).select_related("company"))):
        if given := request.GET.get(key, ""):
            row = found.filter(pk=int(given)).first() if given.isdecimal() and len(given) < 19 else None
            if row is None:
                raise Http404("there is no such lead")
            return row
    return None


def _search(request: HttpRequest) -> dict[str, Any]:
    """What fits the words, each as a link that tries it."""
    shell = shell_of(request)
    words = finding.plain(request.GET.get("q", ""))
    if not words:
        return {"words": "", "found": [], "is_cut": False}
    result = finding.search(shell.user, words)
    handoffs = latest.of(shell.user, result.leads)
    personal = permissions.sees_personal_data(shell.user)
    rows = []
    if result.handoff is not None:
        lead = result.handoff.lead
        rows.append(_hit(people.name_of(lead, personal=personal), people.sub_of(lead), result.handoff, lead))
    for lead in result.leads:
        handoff = handoffs.get(lead.pk)
        if handoff is None or result.handoff is None or handoff.pk != result.handoff.pk:
            rows.append(_hit(people.name_of(lead, personal=personal), people.sub_of(lead), handoff, lead))
    return {"words": words, "found": rows, "is_cut": result.is_cut}


def _hit(name: str, sub: str, handoff: Handoff | None, lead: Lead) -> dict[str, str]:
    query = f"handoff={handoff.pk}" if handoff is not None else f"lead={lead.pk}"
    state = people.state_words(handoff) if handoff is not None else "No handoff"
    return {"name": name, "sub": sub, "query": query, "state": state}


def _carried(request: HttpRequest) -> list[tuple[str, str]]:
    """What the choice of another ruleset takes along: whatever is being tried."""
    keys = ("handoff", "lead", "q", "typed", "custom", *FIELDS)
    return [(key, value[:2000]) for key in keys if (value := request.GET.get(key, ""))]
