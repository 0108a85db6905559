"""Rule health and coverage: what about the rules in force deserves a look, and whom none was meant for.

Owns the page and the end of a review. What is found is `routing.health`, when a review is due
`routing.reviews`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import rule_health, typed
from leads.presenters import rules
from leads.roles import Can, can
from leads.views.routes import frame
from leads.views.shell import shell_of
from routing import reviews, standing
from routing.facts import FIELDS
from routing.health import SEGMENTS, Coverage, Finding, Segment, day_words, inspect
from routing.models import RuleReview, Ruleset

OUTCOMES = (RuleReview.Outcome.KEPT, RuleReview.Outcome.CHANGED)
LONGEST_NOTE = 300
MOST_OVERLAPS = 20


@dataclass(frozen=True, slots=True)
class Looked:
    """A rule in force with what was found about it and its open review, if it has one."""

    id: str
    number: int
    name: str
    findings: list[Finding]
    owner: str
    review: int | None
    due: str
    is_overdue: bool
    may_end: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A segment with its bar in percent of the largest."""

    segment: Segment
    value: str
    share: float


@require_safe
def routing_health(request: HttpRequest) -> HttpResponse:
    """Findings of each rule, open reviews, and coverage."""
    frame.reader(request)
    shell = shell_of(request)
    document, day = shell.draft.live_document, reviews.today(shell.now)
    found = inspect(document, standing.world(document, shell.now), rule_health.counts(shell.now), day)
    edits = can(shell.user, Can.EDIT_ROUTING)
    open_reviews = {
        str(row.rule_id): row
        for row in RuleReview.objects.filter(done_at__isnull=True).select_related("rule__owner")
    }
    lines = []
    for number, (pk, rule) in enumerate(rules.of(document).items(), start=1):
        review = open_reviews.get(pk)
        owner = review.rule.owner if review is not None else None
        lines.append(
            Looked(
                id=pk,
                number=number,
                name=str(rule.get("name") or f"Rule {number}"),
                findings=found.get(pk, []),
                owner=str(owner) if owner is not None else "",
                review=review.pk if review is not None else None,
                due=day_words(review.due_on) if review is not None else "",
                is_overdue=review is not None and review.due_on < day,
                may_end=review is not None and (edits or owner == shell.user),
            )
        )
    covered = rule_health.coverage(shell.now)
    values: dict[str, Any] = {
        "live": shell.draft.live,
        "lines": lines,
        "looks": sum(1 for line in lines if line.findings),
        "due": sum(1 for line in lines if line.review),
        "overdue": sum(1 for line in lines if line.is_overdue),
        "coverage": covered,
        "segments": _segments(covered),
        "overlaps": _overlaps(shell.draft.live, shell.now),
        "outcomes": [(str(outcome), outcome.label) for outcome in OUTCOMES],
    }
    return render(request, "leads/routing/health.html", values)


@require_POST
def review_done(request: HttpRequest, pk: int) -> HttpResponse:
    """End a review with what came of it: the rule stays, or was changed."""
    user = frame.reader(request)
    review = RuleReview.objects.select_related("rule").filter(pk=pk).first()
    if review is None:
        raise Http404("there is no such review")
    if not (can(user, Can.EDIT_ROUTING) or review.rule.owner_id == user.pk):
        raise PermissionDenied("marketing ops and the rule's owner end its review")
    outcome = request.POST.get("outcome", "")
    back = reverse("leads:routing_health")
    if outcome not in {str(choice) for choice in OUTCOMES}:
        return frame.done(request, "Not noted: choose whether the rule stays or was changed.", back)
    already = review.done_at is not None
    note = typed.plain(request.POST.get("note"), LONGEST_NOTE)
    review = reviews.done(review, user, shell_of(request).now, outcome, note)
    if already:
        text = f"{review.done_by or 'Somebody'} has ended the review of “{review.rule}” already."
    else:
        text = f"“{review.rule}” is reviewed. The next review comes in a quarter."
    return frame.done(request, text, back)


def _overlaps(live: Ruleset | None, now: datetime) -> list[tuple[str, object]]:
    """A sentence for each pair of territories that hold the same leads, and the handoff of such a lead."""
    territories = live.document.get("territories") or {} if live is not None else {}
    names = {slug: str(territory.get("name") or slug) for slug, territory in territories.items()}
    found = rule_health.overlaps(live, now)[:MOST_OVERLAPS]
    return [(overlap.words(names), overlap.example) for overlap in found]


def _segments(coverage: Coverage) -> list[tuple[str, list[Row]]]:
    """The segments by their fact, each with the values that most uncovered leads share."""
    found = []
    for name in SEGMENTS:
        rows = coverage.segments.get(name, ())
        most = max((row.total for row in rows), default=0)
        lines = [Row(row, row.value or "not known", round(100 * row.total / most, 1)) for row in rows]
        if lines:
            found.append((FIELDS[name].title, lines))
    return found
