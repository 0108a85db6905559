"""Possible duplicates: two leads side by side, merged or called different people.

Owns the pages and their two acts; `leads.lifecycle` carries them out. Never finds duplicates and never
chooses for anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import lifecycle, paging, permissions
from leads.lifecycle import Act, Invalid
from leads.models import Activity, DuplicatePair, ExternalId, Handoff
from leads.presenters import pairs, people
from leads.views import access, inbox
from leads.views.shell import shell_of, tell
from routing.people import ADMIN, MARKETING

SIZE = 10
Status = DuplicatePair.Status


@require_safe
def duplicates(request: HttpRequest) -> HttpResponse:
    """The pairs that wait for a decision, the oldest first."""
    access.only(request, MARKETING, ADMIN)
    rows = _pairs().filter(status=Status.OPEN)
    page = paging.page(rows, ("id",), request.GET.get("after", ""), SIZE)
    values = _values(request, page.rows)
    values |= {
        "count": paging.count_words(paging.count(rows, page)),
        "more": f"?after={page.next}" if page.next else "",
        "is_later": bool(page.after),
    }
    return render(request, "leads/duplicates/duplicates.html", values)


@require_safe
def duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    """One pair; `back` is the waiting handoff from which somebody came."""
    access.only(request, MARKETING, ADMIN)
    values = _values(request, [_pair(pk)])
    return render(request, "leads/duplicates/duplicate.html", values)


@require_POST
def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Make one of the two part of the other; `keep` is the lead that stays."""
    access.only(request, MARKETING, ADMIN)
    pair = _pair(pk)
    access.marketing(request)
    leads = {pair.first_id: pair.first, pair.second_id: pair.second}
    keep = leads.get(inbox.number(request.POST.get("keep")) or 0)
    if keep is None:
        return _again(request, pair, "Choose which of the two stays.")
    gone = pair.second if keep.pk == pair.first_id else pair.first
    if pair.status == Status.OPEN:
        try:
            lifecycle.merge(keep, gone, _act(request))
        except Invalid as invalid:
            return _again(request, pair, " ".join(invalid.errors.values()))
        name = people.name_of(keep, personal=True)
        tell(request, f"Merged into {name}. Every activity, handoff and id stands there now.")
    else:
        tell(request, f"This was decided already: {pairs.decided_words(pair, shell_of(request).now)}")
    return _back(request)


@require_POST
def different(request: HttpRequest, pk: int) -> HttpResponse:
    """They are two people: remembered, and never raised again."""
    access.only(request, MARKETING, ADMIN)
    pair = _pair(pk)
    access.marketing(request)
    after = lifecycle.different(pair, _act(request))
    if after.status == Status.DIFFERENT:
        tell(request, "Different people. The two are never raised again.")
    else:
        tell(request, "The two were merged already.")
    return _back(request)


def _act(request: HttpRequest) -> Act:
    frame = shell_of(request)
    return Act(frame.now, frame.user)


def _pairs() -> Any:
    return DuplicatePair.objects.select_related("first__company", "second__company", "decided_by")


def _pair(pk: int) -> DuplicatePair:
    found: DuplicatePair | None = _pairs().filter(pk=pk).first()
    if found is None:
        raise Http404("no such pair")
    return found


def _back(request: HttpRequest) -> HttpResponse:
    """To the repair that asked for it, else to the list."""
    back = inbox.number(request.POST.get("back"))
    if back is None:
        return redirect("leads:duplicates")
    return redirect(f"{reverse('leads:completion')}?h={back}#row-{back}")


def _again(request: HttpRequest, pair: DuplicatePair, problem: str) -> HttpResponse:
    values = _values(request, [pair]) | {"problem": problem}
    return render(request, "leads/duplicates/duplicate.html", values, status=422)


def _values(request: HttpRequest, rows: Sequence[DuplicatePair]) -> dict[str, Any]:
    frame = shell_of(request)
    known = _known(rows)
    return {
        "pairs": [pairs.pair(row, known, frame.now) for row in rows],
        "may_decide": permissions.is_marketing(frame.user),
        "back": inbox.number(request.POST.get("back") or request.GET.get("back")),
    }


def _known(rows: Sequence[DuplicatePair]) -> pairs.Known:
    """What belongs to these leads; four queries for any number of pairs."""
    ids = {pk for row in rows for pk in (row.first_id, row.second_id)}

    def counted(rows_of: Any) -> dict[int, int]:
        return dict(rows_of.filter(lead__in=ids).order_by().values_list("lead_id").annotate(n=Count("pk")))

    opened = Handoff.objects.open().filter(lead__in=ids).select_related("assignee", "queue")
    elsewhere: dict[int, list[str]] = {}
    named = ExternalId.objects.filter(lead__in=ids).order_by("system", "object", "value")
    for lead_id, *parts in named.values_list("lead_id", "system", "object", "value"):
        elsewhere.setdefault(lead_id, []).append(" ".join(part for part in parts if part))
    return pairs.Known(
        activities=counted(Activity.objects),
        handoffs=counted(Handoff.objects),
        open={handoff.lead_id: handoff for handoff in opened},
        ids=elsewhere,
    )
