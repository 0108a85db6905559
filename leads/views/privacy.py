"""A person's data as such, by hand: erase it, after a look and a number typed; hand it out to the person.

Owns the pages and the file. Marketing ops and admins do this, and only for a lead that is still somebody. The
erasing is `leads.lifecycle`, what is handed out `leads.disclosing`.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from leads import disclosing, lifecycle
from leads.choices import Why
from leads.erasure.held import cluster
from leads.lifecycle import Act, Invalid
from leads.models import (
    Activity,
    ContactAttempt,
    Deferral,
    Handoff,
    Lead,
    Note,
    Notification,
    Receipt,
    Rejection,
    Score,
)
from leads.presenters import disclosure, people, privacy, times
from leads.roles import Can
from leads.views import access, proof
from leads.views.shell import shell_of, tell

LONGEST_REFERENCE = 40


@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest, pk: int) -> HttpResponse:
    """What would go and what stays, with the form; posted with reason and number, the person is erased."""
    lead = _find(request, pk)
    if request.method != "POST":
        return _page(request, lead)
    if lead.erased_at is not None:
        tell(request, "This person was erased already.")
        return redirect("leads:lead", pk)
    frame = shell_of(request)
    errors = _wrong(request, lead)
    if not errors:
        try:
            why, reference = Why(request.POST["why"]), request.POST.get("reference", "")
            lifecycle.erase(lead.pk, Act(frame.now, frame.user), why, reference=reference)
        except Invalid as invalid:
            errors = invalid.errors
    if errors:
        return _page(request, lead, errors)
    tell(request, "Erased. Whoever held an open lead of this person was told, without a name.")
    return redirect("leads:lead", pk)


@require_GET
def held(request: HttpRequest, pk: int) -> HttpResponse:
    """All that is held about the person, for reading and printing; opening it is logged."""
    lead, frame = _somebody(request, pk), shell_of(request)
    proof.for_export(request)
    found = disclosing.hand_out(lead, Act(frame.now, frame.user))
    values = {
        "lead": lead,
        "name": people.name_of(lead, personal=True),
        "org": settings.ORG_NAME,
        "made": times.exact(frame.now, frame.now),
        "sections": disclosure.sections(found, frame.now),
        "duplicates": found["possible_duplicates"],
    }
    response = render(request, "leads/people/held.html", values)
    response["Cache-Control"] = "no-store"
    return response


@require_GET
def data(request: HttpRequest, pk: int) -> HttpResponse:
    """The same as a JSON file; taking it is logged."""
    lead, frame = _somebody(request, pk), shell_of(request)
    proof.for_export(request)
    found = disclosing.hand_out(lead, Act(frame.now, frame.user))
    text = json.dumps(found, indent=2, ensure_ascii=False)
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="person-{lead.pk}.json"'
    response["Cache-Control"] = "no-store"
    return response


def _somebody(request: HttpRequest, pk: int) -> Lead:
    lead = _find(request, pk)
    if lead.erased_at is not None:
        raise Http404("nobody any more")
    return lead


def _find(request: HttpRequest, pk: int) -> Lead:
    """The lead, if this is somebody who may do this, and it is no part of another one."""
    access.page(request, Can.HANDLE_PERSONAL_DATA)
    found = Lead.objects.filter(pk=pk, merged_into__isnull=True).select_related("company").first()
    if found is None:
        raise Http404("no such lead")
    return found


def _wrong(request: HttpRequest, lead: Lead) -> dict[str, str]:
    errors = {}
    if request.POST.get("why") not in dict(privacy.REASONS):
        errors["why"] = "Choose why."
    if request.POST.get("number", "").strip() != str(lead.pk):
        errors["number"] = f"Type {lead.pk}, the number of this lead."
    return errors


def _page(request: HttpRequest, lead: Lead, errors: dict[str, str] | None = None) -> HttpResponse:
    if lead.erased_at is not None:
        return redirect("leads:lead", lead.pk)
    values: dict[str, Any] = {
        "lead": lead,
        "name": people.name_of(lead, personal=True),
        "sub": people.sub_of(lead),
        "counts": privacy.counted(_counts(lead)),
        "is_open": Handoff.objects.open().filter(lead=lead).exists(),
        "reasons": privacy.REASONS,
        "typed": {
            name: request.POST.get(name, "")[:LONGEST_REFERENCE] for name in ("why", "reference", "number")
        },
        "errors": errors or {},
    }
    return render(request, "leads/people/erase.html", values, status=422 if errors else 200)


def _counts(lead: Lead) -> dict[str, int]:
    leads = cluster(lead.pk)
    handoffs = Handoff.objects.filter(lead__in=leads).values("pk")
    texts = (Note, Rejection, Deferral, ContactAttempt)
    return {
        "handoffs": handoffs.count(),
        "activities": Activity.objects.filter(lead__in=leads).count(),
        "scores": Score.objects.filter(lead__in=leads).count(),
        "texts": sum(model._default_manager.filter(handoff__in=handoffs).count() for model in texts),
        "receipts": Receipt.objects.filter(lead__in=leads).count(),
        "notifications": Notification.objects.filter(handoff__in=handoffs).count(),
        "merges": len(leads) - 1,
    }
