"""Routing as it is in force and as the draft would have it: the rules in order, read aloud.

Owns the landing page with its two tabs. Rules are edited on pages of their own; what differs is
`routing.differences`, what needs a look `routing.health`. Never decides on a lead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads import rule_health
from leads.drafts import Names, State
from leads.presenters import rules, times
from leads.views.routes import frame
from leads.views.shell import shell_of
from routing import differences, draft, health, reviews, standing
from routing.models import Draft, Queue, Rule

# Findings that a rule's line says anyhow, where it names owner and last review.
SAID_BELOW = ("no_owner", "never_reviewed")


@require_safe
def routing(request: HttpRequest) -> HttpResponse:
    """The rules in force, or those of the draft (`tab=draft`) beside them."""
    frame.reader(request)
    shell = shell_of(request)
    names, state = Names(), shell.draft
    is_draft = request.GET.get("tab") == "draft"
    document = state.document if is_draft else state.live_document
    stored = {str(row.pk): row for row in Rule.objects.select_related("owner")}
    beside = _beside(document, stored, shell.now)
    called = names.called(document)
    if is_draft:
        lines = rules.beside_live(state.live_document, document, state.diff.rules, names, called, beside)
    else:
        lines = rules.lines(document, names, called, beside)
    values = {
        "state": state,
        "is_draft": is_draft,
        "lines": lines,
        "may_edit": frame.may_edit(request),
        "total": sum(line.fired for line in lines),
        "count": sum(1 for line in lines if not line.is_gone),
        "looks": sum(1 for line in lines if line.findings and not line.is_gone),
        **_published(state, shell.now),
        **_settings(document, names, is_draft),
    }
    if is_draft:
        shown = {line.id for line in lines}
        off = [row for pk, row in stored.items() if not row.is_active and pk not in shown]
        values |= {"off": off, "order": draft.current(), "moved": request.GET.get("moved", "")}
        values["others"] = _other_changes(state, names)
    return render(request, "leads/routing/routing.html", values)


def _beside(document: Mapping[str, Any], stored: Mapping[str, Rule], now: datetime) -> rules.Beside:
    counts = rule_health.counts(now)
    findings = health.inspect(
        document,
        standing.world(document, now),
        counts,
        reviews.today(now),
    )
    reviewed = {}
    for pk, row in stored.items():
        if row.last_reviewed is not None:
            on = row.last_reviewed
            year = "" if on.year == now.year else f" {on.year}"
            reviewed[pk] = (f"{on.day} {on:%b}{year}", f"Last reviewed on {on.day} {on:%b %Y}")
    return rules.Beside(
        fired={pk: count.routed for pk, count in counts.items()},
        findings={pk: [one for one in some if one.kind not in SAID_BELOW] for pk, some in findings.items()},
        owners={pk: str(row.owner) for pk, row in stored.items() if row.owner is not None},
        reviewed=reviewed,
    )


def _published(state: State, now: datetime) -> dict[str, Any]:
    live = state.live
    if live is None:
        return {"live": None}
    return {
        "live": live,
        "published": times.day(live.published_at, now),
        "published_exact": times.exact(live.published_at, now),
    }


def _settings(document: Mapping[str, Any], names: Names, is_draft: bool) -> dict[str, Any]:
    """What happens beside the rules: whose account comes first, and where what nobody takes ends."""
    overflow = next((row for row in names.queues if row.kind == Queue.Kind.OVERFLOW), None)
    first = str(document.get("account_first") or Draft.AccountFirst.OWNED)
    return {
        "account_first": first,
        "account_first_words": differences.ACCOUNT_FIRST.get(first, first),
        "account_first_choices": Draft.AccountFirst.choices if is_draft else (),
        "overflow": overflow,
    }


def _other_changes(state: State, names: Names) -> list[str]:
    """What differs beside the rules, a line each."""
    found = state.diff
    called = {row.slug: row.name for row in names.lists}
    lines = [f"Territory {change.name} {change.kind}" for change in found.territories]
    lines += [f"List {called.get(change.slug, change.slug)} {change.kind}" for change in found.lists]
    return lines + [f"{part.label.capitalize()} changed" for part in found.settings]
