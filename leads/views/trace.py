"""The trace of a handoff's routing: every rule that was asked and everybody who was looked at, in words.

Owns the page and the names in it. The sentences are `routing.engine`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads import permissions
from leads.models import RoutingDecision
from leads.presenters import rows, times
from leads.views import pane
from leads.views.shell import shell_of
from routing.engine import explain
from routing.models import Pool, Queue, User


@require_safe
def trace(request: HttpRequest, pk: int) -> HttpResponse:
    """Every routing decision of a handoff in plain sentences, the latest first."""
    user, now = shell_of(request).user, shell_of(request).now
    found = pane.find(user, pk)
    decisions = list(found.decisions.select_related("ruleset").order_by("-at", "-id")[:20])
    called = _names(decisions)
    values = {
        "name": rows.name_of(found, personal=permissions.sees_personal_data(user)),
        "handoff": found,
        "decisions": [
            {
                "when": times.exact(decision.at, now),
                "version": decision.ruleset.version if decision.ruleset else None,
                "lines": explain(
                    decision.ruleset.document if decision.ruleset else {}, decision.trace, called
                ),
                "candidates": [_candidate(row, called) for row in decision.candidates],
            }
            for decision in decisions
        ],
    }
    return render(request, "leads/trace.html", values)


def _document(decision: RoutingDecision) -> dict[str, Any]:
    return decision.ruleset.document if decision.ruleset is not None else {}


def _names(decisions: list[RoutingDecision]) -> Callable[[str, str], str]:
    """Names of the people, pools and queues that the decisions speak of; three queries."""
    people = {str(user.pk): str(user) for user in User.objects.filter(pk__in=_people(decisions))}
    pools = {str(pool.pk): f"the pool {pool}" for pool in Pool.objects.all()}
    queues = {str(queue.pk): f"the queue {queue}" for queue in Queue.objects.all()}

    def called(kind: str, who: str) -> str:
        known = {"pool": pools, "queue": queues}.get(kind, people)
        return known.get(who, f"{kind.replace('_', ' ')} {who}")

    return called


def _people(decisions: list[RoutingDecision]) -> set[int]:
    """Ids of everybody whom the decisions' rules, traces and candidates name."""
    found: set[int] = set()
    for decision in decisions:
        found |= {row["user"] for row in decision.candidates if isinstance(row.get("user"), int)}
        found |= {int(row["account"]) for row in decision.trace if "account" in row}
        for rule in _document(decision).get("rules") or ():
            for place in (rule.get("target"), rule.get("fallback")):
                if place and place.get("kind") == "rep":
                    found.add(int(place["id"]))
    return found


def _candidate(row: dict[str, Any], called: Callable[[str, str], str]) -> dict[str, Any]:
    """One person or queue that was looked at, and what came of it."""
    if "user" in row:
        name = called("rep", str(row["user"]))
    elif "queue" in row:
        name = f"Queue {row['queue']}"
    elif "pool" in row:
        name = called("pool", str(row["pool"]))
    else:
        name = str(row.get("target", "target")).replace("_", " ")
    return {"name": name, "took": "took" in row, "why": str(row.get("skipped", ""))}
