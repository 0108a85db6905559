"""The working page of one handoff, and its verbs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe


@require_safe
def handoff(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "leads/inbox.html")


@require_POST
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    return HttpResponse(status=204)


@require_POST
def viewed(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse(status=204)
