"""A job that goes on in slices, as its page watches it.

Owns how far it is in percent, whether nothing happens any more, and the part of the page that asks for itself
until the result is there. What the job does is its own page's.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from leads import slices
from leads.presenters import times


def values(status: str, done: int, total: int, since: datetime, now: datetime) -> dict[str, Any]:
    """`since` is when it last got on."""
    is_running = status in slices.UNFINISHED
    return {
        "is_running": is_running,
        "percent": round(100 * done / total) if total else 0,
        "is_silent": is_running and now - since > slices.SILENT_AFTER,
        "silent_for": times.length(now - since),
    }


def part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse | None:
    """The part alone, when it asks for itself; at the end it has the whole page come again."""
    if not request.headers.get("HX-Request") or request.GET.get("part") != "progress":
        return None
    response = render(request, template, context)
    if not context["is_running"]:
        response["HX-Refresh"] = "true"
    return response
