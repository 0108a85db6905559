"""The rep's inbox: what to do next, in order, and the lead that is open beside it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    return render(request, "leads/inbox.html")
