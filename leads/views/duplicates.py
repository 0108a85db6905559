"""Possible duplicates: two leads side by side, merged value by value or called different people, and a merge
taken back.

Owns the pages and their acts; `leads.lifecycle` carries them out. Never finds duplicates; what is
proposed is `leads.choosing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import choosing, exports, lifecycle, paging
from leads.filters import PairFilter
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Activity, DuplicatePair, ExternalId, Handoff, Merge
from leads.presenters import pairs, people, times
from leads.roles import Can, can
from leads.views import access, inbox, proof
from leads.views.shell import shell_of, tell

SIZE = 10
LATELY = 10
MOST_EXPORTED = 50_000
HEADER = (
    "pair", "found at", "lead", "name", "e-mail", "phone", "company",
    "other lead", "other name", "other e-mail", "other phone", "other company",
)  # fmt: skip
Status = DuplicatePair.Status


@require_safe
def duplicates(request: HttpRequest) -> HttpResponse:
    """The pairs that wait for a decision, the oldest first."""
    access.page(request, Can.READ_COMPLETION)
    found = _narrowed(request)
    page = paging.page(found.qs, ("id",), request.GET.get("after", ""), SIZE)
    own = {name: value for name, value in request.GET.items() if value and name != "after"}
    values = _values(request, page.rows)
    values |= {
        "filter": found,
        "words": request.GET.get("q", ""),
        "csv": f"{reverse('leads:duplicates_csv')}?{urlencode(own)}",
        "count": paging.count_words(paging.count(found.qs, page)),
        "more": f"?{urlencode(own | {'after': page.next})}" if page.next else "",
        "first": f"?{urlencode(own)}",
        "is_later": bool(page.after),
        "decided": [] if found.is_narrowed or page.after else _decided(shell_of(request).now),
    }
    return render(request, "leads/duplicates/duplicates.html", values)


def _decided(now: datetime) -> list[pairs.Decided]:
    """What was decided last, to look at and to take back; one query."""
    return [pairs.decided_line(row, now) for row in decided_last()]


def decided_last() -> QuerySet[DuplicatePair]:
    """The last few decisions; one that was taken back is open again and has no moment."""
    return _pairs().filter(decided_at__isnull=False).order_by("-decided_at", "-id")[:LATELY]


def _narrowed(request: HttpRequest) -> PairFilter:
    return PairFilter(request.GET, queryset=_pairs().filter(status=Status.OPEN))


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The pairs as CSV, each lead with what tells it from the other."""
    access.page(request, Can.READ_COMPLETION)
    proof.for_export(request)
    found = _narrowed(request).qs.order_by("id")[:MOST_EXPORTED]
    return exports.download(
        "duplicates.csv", HEADER, (_cells(pair) for pair in found.iterator(chunk_size=500))
    )


def _cells(pair: DuplicatePair) -> tuple[Any, ...]:
    leads = [
        (lead.pk, lead.full_name, lead.email, lead.phone, str(lead.company) if lead.company else "")
        for lead in (pair.first, pair.second)
    ]
    return (pair.pk, pair.found_at, *leads[0], *leads[1])


@require_safe
def duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    """One pair; `back` is the waiting handoff from which somebody came."""
    access.page(request, Can.READ_COMPLETION)
    values = _values(request, [_pair(pk)])
    return render(request, "leads/duplicates/duplicate.html", values)


@require_POST
def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Make one of the two part of the other; `keep` is the lead that stays, `take-GROUP` whose value does."""
    access.page(request, Can.READ_COMPLETION)
    pair = _pair(pk)
    access.act(request, Can.COMPLETE)
    leads = {pair.first_id: pair.first, pair.second_id: pair.second}
    keep = leads.get(inbox.number(request.POST.get("keep")) or 0)
    if keep is None:
        return _again(request, pair, "Choose which of the two stays.", 422)
    gone = pair.second if keep.pk == pair.first_id else pair.first
    if pair.status == Status.OPEN:
        if stale := _changed(request, pair):
            return _again(request, pair, stale, 409)
        side = "second" if keep.pk == pair.first_id else "first"
        take = [name for name, chosen in _choices(request).items() if chosen == side and name != "stays"]
        try:
            lifecycle.merge(keep, gone, _act(request), take)
        except Invalid as invalid:
            return _again(request, pair, " ".join(invalid.errors.values()), 422)
        name = people.name_of(keep, personal=True)
        made = f"{reverse('leads:lead', args=[keep.pk])}#merges"
        tell(request, f"Merged into {name}.", link=(made, "See the merge or undo it"))
    else:
        tell(request, f"This was decided already: {pairs.decided_words(pair, shell_of(request).now)}")
    return _back(request)


@require_POST
def unmerge(request: HttpRequest, pk: int) -> HttpResponse:
    """Two leads again; refused in words when something stands on the merge."""
    access.page(request, Can.READ_COMPLETION)
    found = Merge.objects.filter(pk=pk).select_related("gone", "keep").first()
    if found is None:
        raise Http404("no such merge")
    access.act(request, Can.COMPLETE)
    was_undone = found.undone_at is not None
    try:
        lifecycle.unmerge(pk, _act(request))
    except Refused as refused:
        tell(request, refused.message)
        return redirect("leads:lead", found.keep_id)
    name = people.name_of(found.gone, personal=True)
    tell(request, f"The merge with {name} {'was undone already' if was_undone else 'is undone'}.")
    return redirect("leads:lead", found.keep_id)


@require_POST
def different(request: HttpRequest, pk: int) -> HttpResponse:
    """They are two people: remembered, and never raised again."""
    access.page(request, Can.READ_COMPLETION)
    pair = _pair(pk)
    access.act(request, Can.COMPLETE)
    was_open = pair.status == Status.OPEN
    after = lifecycle.different(pair, _act(request))
    if after.status == Status.DIFFERENT and (was_open or after.decided_by_id == shell_of(request).user.pk):
        own = reverse("leads:duplicate", args=[pk])
        tell(request, "Different people. The two are never raised again.", link=(own, "Look at them again"))
    else:
        after = _pair(pk)
        tell(request, f"This was decided already: {pairs.decided_words(after, shell_of(request).now)}")
    return _back(request)


@require_POST
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Two that were called different people wait for a decision again."""
    access.page(request, Can.READ_COMPLETION)
    pair = _pair(pk)
    access.act(request, Can.COMPLETE)
    try:
        lifecycle.reopen(pair, _act(request))
    except Invalid as invalid:
        tell(request, " ".join(invalid.errors.values()))
    return redirect("leads:duplicate", pk)


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


def _choices(request: HttpRequest) -> dict[str, str]:
    """Whose value was chosen, by group; what is nonsense is no choice."""
    found = {name: request.POST.get(f"take-{name}", "") for name in choosing.GROUPS}
    return {name: side for name, side in found.items() if side in ("first", "second")}


def _changed(request: HttpRequest, pair: DuplicatePair) -> str:
    """What somebody else changed of the two while this was looked at; "" for nothing."""
    for lead, side in ((pair.first, "first"), (pair.second, "second")):
        seen = request.POST.get(f"seen-{side}")
        if seen is not None and seen != lead.updated_at.isoformat():
            name = people.name_of(lead, personal=True)
            at = times.stamp(lead.updated_at, shell_of(request).now)
            return f"{name} (lead {lead.pk}) was changed at {at}. Look again, then merge."
    return ""


def _again(request: HttpRequest, pair: DuplicatePair, problem: str, status: int) -> HttpResponse:
    chosen = _choices(request)
    keep = inbox.number(request.POST.get("keep"))
    if keep in (pair.first_id, pair.second_id):
        chosen["stays"] = "first" if keep == pair.first_id else "second"
    values = _values(request, [pair], chosen) | {"problem": problem}
    return render(request, "leads/duplicates/duplicate.html", values, status=status)


def _values(
    request: HttpRequest, rows: Sequence[DuplicatePair], chosen: Mapping[str, str] | None = None
) -> dict[str, Any]:
    frame = shell_of(request)
    known = _known(rows)
    made = [pairs.pair(row, known, frame.now, chosen) for row in rows]
    return {
        "pairs": made,
        "may_decide": can(frame.user, Can.COMPLETE),
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
