"""The trace of a handoff's routing: every rule that was asked and everybody who was looked at, in words.

Owns the page. The words are `leads.explaining`'s.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads import permissions
from leads.explaining import Teller, decisions_of
from leads.presenters import rows, times
from leads.views import pane
from leads.views.shell import shell_of

MOST = 20


@require_safe
def trace(request: HttpRequest, pk: int) -> HttpResponse:
    """The latest routing decisions of a handoff in plain sentences, the newest first."""
    user, now = shell_of(request).user, shell_of(request).now
    found = pane.find(user, pk)
    decisions = list(decisions_of(found).order_by("-at", "-id")[:MOST])
    teller = Teller(decisions)
    values = {
        "name": rows.name_of(found, personal=permissions.sees_personal_data(user)),
        "handoff": found,
        "decisions": [
            {
                "when": times.exact(decision.at, now),
                "version": decision.ruleset.version if decision.ruleset else None,
                "lines": teller.rules(decision),
                "candidates": teller.candidates(decision),
            }
            for decision in decisions
        ],
    }
    return render(request, "leads/trace.html", values)
