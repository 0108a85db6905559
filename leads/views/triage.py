"""Triage: rejections that marketing decides on, and what came in for leads that get no handoff.

Owns the page and the two acts of settling. What waits is `leads.triaging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from leads import paging, permissions, triaging
from leads.choices import TriggerKind
from leads.lifecycle import Act
from leads.models import Handoff, Rejection, TriageItem
from leads.presenters import people, rows, times
from leads.presenters.signals import cut
from leads.views import access
from leads.views.shell import shell_of, tell
from routing.people import ADMIN, MARKETING

SIZE = 25
MOST_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to settle. `note` is what somebody wrote; `handoff` the one to open, if there is one."""

    id: int
    name: str
    sub: str
    what: str
    note: str
    who: str
    when: str
    exact: str
    source: str
    lead: int
    handoff: int | None


@require_safe
def triage(request: HttpRequest) -> HttpResponse:
    """Both lists."""
    user = access.only(request, MARKETING, ADMIN)
    now = shell_of(request).now
    waiting = triaging.rejections()
    page = paging.page(
        waiting.select_related("lead__company", "rejection_reason", "rejected_by"),
        ("-closed_at", "-id"),
        request.GET.get("after", ""),
        SIZE,
    )
    items = list(triaging.items().select_related("lead__company")[: MOST_ITEMS + 1])
    values = {
        "rejections": _rejected(page.rows, now),
        "items": [_item(item, now) for item in items[:MOST_ITEMS]],
        "items_count": paging.count_words(len(items), MOST_ITEMS),
        "count": paging.count_words(paging.count(waiting, page)),
        "more": f"?after={page.next}" if page.next else "",
        "is_later": bool(page.after),
        "may_settle": permissions.is_marketing(user),
    }
    return render(request, "leads/triage/triage.html", values)


@require_POST
def settle_rejection(request: HttpRequest, pk: int) -> HttpResponse:
    """The rejection stands."""
    user = access.only(request, MARKETING, ADMIN)
    handoff = Handoff.objects.visible_to(user).filter(pk=pk).select_related("lead").first()
    if handoff is None:
        raise Http404("no such handoff")
    access.marketing(request)
    done = triaging.settle_rejection(handoff, Act(shell_of(request).now, user))
    tell(request, f"{rows.name_of(handoff)}: {'settled' if done else 'was settled already'}.")
    return redirect("leads:triage")


@require_POST
def settle_item(request: HttpRequest, pk: int) -> HttpResponse:
    """The item is dealt with."""
    user = access.only(request, MARKETING, ADMIN)
    item = TriageItem.objects.filter(pk=pk).select_related("lead").first()
    if item is None:
        raise Http404("no such item")
    access.marketing(request)
    done = triaging.settle_item(item, Act(shell_of(request).now, user))
    name = people.name_of(item.lead, personal=True)
    tell(request, f"{name}: {'settled' if done else 'was settled already'}.")
    return redirect("leads:triage")


def _rejected(handoffs: Sequence[Handoff], now: datetime) -> list[Line]:
    notes: dict[int, Rejection] = {}
    acts = Rejection.objects.filter(handoff__in=[row.pk for row in handoffs], undone_at__isnull=True)
    for act in acts.select_related("by").order_by("at"):
        notes[act.handoff_id] = act
    return [_rejection(handoff, notes.get(handoff.pk), now) for handoff in handoffs]


def _rejection(handoff: Handoff, act: Rejection | None, now: datetime) -> Line:
    by = act.by if act is not None else handoff.rejected_by
    at = handoff.closed_at or handoff.updated_at
    return Line(
        id=handoff.pk,
        name=rows.name_of(handoff),
        sub=rows.sub_of(handoff),
        what=handoff.rejection_reason.label if handoff.rejection_reason else "Rejected",
        note=cut(act.note, 300) if act is not None else "",
        who=str(by) if by else "",
        when=times.day(at, now),
        exact=times.exact(at, now),
        source=cut(handoff.lead_source, 60),
        lead=handoff.lead_id,
        handoff=handoff.pk,
    )


def _item(item: TriageItem, now: datetime) -> Line:
    data: dict[str, Any] = item.data if isinstance(item.data, dict) else {}
    handoff, reason = data.get("handoff"), str(data.get("reason") or "")
    return Line(
        id=item.pk,
        name=people.name_of(item.lead, personal=True),
        sub=people.sub_of(item.lead),
        what=_what(item.kind, data),
        note=f"Suppressed as {cut(reason.replace('_', ' '), 60)}" if reason else "",
        who="",
        when=times.day(item.at, now),
        exact=times.exact(item.at, now),
        source=cut(item.lead.lead_source, 60),
        lead=item.lead_id,
        handoff=handoff if isinstance(handoff, int) else None,
    )


def _what(kind: str, data: dict[str, Any]) -> str:
    if kind == "won_anyway":
        state = str(data.get("state") or "closed")
        return f"{state.capitalize()}, yet there is an opportunity"
    if kind == "suppressed":
        trigger = str(data.get("trigger") or "")
        asked = TriggerKind(trigger).label.lower() if trigger in TriggerKind.values else "a new trigger"
        return f"Suppressed, yet: {asked}"
    return kind.replace("_", " ").capitalize()
