"""Acts on many handoffs: chosen on the list, looked at, confirmed; what became of each stays to be read.

Owns the pages. What would happen and what happens is `leads.bulk`. A run is its maker's alone; each row is
asked for again when it is done, by whatever holds then.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from leads import bulk, exports, paging, queueing
from leads.bulk import verbs
from leads.choices import Check
from leads.handoff_filter import in_order
from leads.models import BulkRow, BulkRun, Handoff
from leads.presenters import handoffs as words
from leads.presenters import people, rows, times
from leads.views.handoffs import lines, narrowed
from leads.views.shell import Shell, shell_of, tell

EXPORT = "export"
RUNS = 25
# In the order in which they are worth reading.
ENDS = (
    (BulkRow.Status.CHANGED, "changed meanwhile", "late"),
    (BulkRow.Status.REFUSED, "refused", "late"),
    (BulkRow.Status.SAME, "nothing to do", ""),
    (BulkRow.Status.WAITING, "not yet", "soon"),
    (BulkRow.Status.DONE, "done", "line"),
)
TONES = {str(status): (label, tone) for status, label, tone in ENDS}


@require_http_methods(["GET", "HEAD", "POST"])
def bulks(request: HttpRequest) -> HttpResponseBase:
    """One's own runs, newest first; or a new one of what was picked on the list."""
    frame = shell_of(request)
    if request.method != "POST":
        return _list(request, frame)
    verb, query = request.POST.get("verb", ""), request.POST.get("query", "")
    if verb != EXPORT and verb not in verbs.ALL:
        return _back(request, query, "Choose what to do with them.")
    if verb != EXPORT and not verbs.ALL[verb].is_for(frame.user):
        raise PermissionDenied("not an act of this role")
    picked, left_out = _picked(request, frame)
    if not picked:
        return _back(request, query, "Nothing was selected, or nothing of it is there any more.")
    if verb == EXPORT:
        chosen = Handoff.objects.visible_to(frame.user).filter(pk__in=list(picked)).order_by("-mql_at", "-pk")
        return exports.download("handoffs.csv", words.HEADER, lines(frame.user, chosen))
    run = bulk.choose(verb, frame.user, frame.now, picked, query=query, left_out=left_out)
    return redirect("leads:bulk", run.pk)


def _picked(request: HttpRequest, frame: Shell) -> tuple[dict[int, int], int]:
    """The rows that were ticked, each "id.revision"; or all that the list shows, as far as one run takes."""
    if request.POST.get("all"):
        data = QueryDict(request.POST.get("query", ""))
        found, order = in_order(narrowed(frame, data).qs, data.get("sort", ""))
        return bulk.matching(found.order_by(*order))
    found_ids: dict[int, int] = {}
    for text in request.POST.getlist("pick")[: bulk.MOST]:
        pk, _, revision = text.partition(".")
        if all(part.isascii() and part.isdigit() and len(part) < 19 for part in (pk, revision)):
            found_ids[int(pk)] = min(int(revision), 2**31 - 1)
    return found_ids, 0


def _back(request: HttpRequest, query: str, why: str) -> HttpResponse:
    tell(request, why)
    return redirect(f"{reverse('leads:handoffs')}?{QueryDict(query).urlencode() or 'view=all'}")


def _list(request: HttpRequest, frame: Shell) -> HttpResponse:
    found = BulkRun.objects.filter(created_by=frame.user)
    page = paging.page(found, ("-created_at", "-id"), request.GET.get("after", ""), RUNS)
    of_these = BulkRow.objects.filter(run__in=[run.pk for run in page.rows]).order_by()
    counts: dict[int, int] = dict(of_these.values_list("run").annotate(n=Count("pk")))
    values = {
        "lines": [
            {
                "id": run.pk,
                "what": verbs.ALL[run.verb].label,
                "count": counts.get(run.pk, 0),
                "when": times.day(run.created_at, frame.now),
                "exact": times.exact(run.created_at, frame.now),
                "status": "" if run.finished_at else "Under way" if run.started_at else "Not confirmed",
                "reason": run.options.get("reason", ""),
            }
            for run in page.rows
            if run.verb in verbs.ALL
        ],
        "more": f"?after={page.next}" if page.next else "",
        "is_later": bool(page.after),
        "kept": bulk.KEPT.days,
    }
    return render(request, "leads/lists/bulks.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: what would happen, with the form that confirms it; then what became of each."""
    frame = shell_of(request)
    run = BulkRun.objects.select_related("created_by").filter(pk=pk, created_by=frame.user).first()
    if run is None or run.verb not in verbs.ALL:
        raise Http404("there is no such run of yours")
    if run.started_at is not None:
        if request.method == "POST" and run.finished_at is None:
            return _go_on(frame, run)
        return redirect("leads:bulk", run.pk) if request.method == "POST" else _result(request, frame, run)
    if request.method != "POST":
        return _look(request, frame, run, is_asked=False)
    if not verbs.ALL[run.verb].is_for(frame.user):
        raise PermissionDenied("not an act of this role")
    bulk.set_options(run, {name: request.POST.get(name, "") for name in bulk.OPTIONS})
    if request.POST.get("do") != "confirm":
        return _look(request, frame, run, is_asked=True)
    looked = bulk.look(run, frame.user, frame.now)
    if looked.errors:
        return _look(request, frame, run, is_asked=True)
    bulk.start(run, frame.now)
    return _go_on(frame, run)


def _go_on(frame: Shell, run: BulkRun) -> HttpResponse:
    """Do it here for as long as somebody waits for a page; what is left then is the worker's."""
    if bulk.work(run, frame.now, bulk.WAITED_SECONDS):
        queueing.put("leads.tasks.bulk_acts")
    return redirect("leads:bulk", run.pk)


def _look(request: HttpRequest, frame: Shell, run: BulkRun, *, is_asked: bool) -> HttpResponse:
    """`is_asked`: what is missing is said once somebody has asked for it."""
    looked = bulk.look(run, frame.user, frame.now)
    verb = verbs.ALL[run.verb]
    values: dict[str, Any] = {
        "run": run,
        "verb": verb,
        "looked": looked,
        "rows": [_row(would.row, would.handoff, would.status, would.why) for would in _sorted(looked.rows)],
        "errors": looked.errors if is_asked else {},
        "checks": Check.choices,
        "back": f"{reverse('leads:handoffs')}?{run.query or 'view=all'}",
        "most": bulk.MOST,
    }
    status = 422 if is_asked and looked.errors else 200
    return render(request, "leads/lists/bulk.html", values, status=status)


def _sorted(found: Any) -> list[bulk.Would]:
    """What would not be done first: that is what to look at."""
    return sorted(found, key=lambda would: not would.status)


def _result(request: HttpRequest, frame: Shell, run: BulkRun) -> HttpResponse:
    counts = bulk.counts(run)
    kept = list(run.rows.select_related("handoff__lead__company", "handoff__assignee", "handoff__queue"))
    seen = set(Handoff.objects.visible_to(frame.user).filter(bulk_rows__run=run).values_list("pk", flat=True))
    order = [str(status) for status, _, _ in ENDS]
    kept.sort(key=lambda row: order.index(row.status))
    values = {
        "run": run,
        "verb": verbs.ALL[run.verb],
        "counts": [(counts[str(status)], label, tone) for status, label, tone in ENDS if counts[str(status)]],
        "is_running": run.finished_at is None,
        "left": counts[""],
        "rows": [
            _row(row, row.handoff if row.handoff_id in seen else None, row.status, row.message)
            for row in kept
        ],
        "when": times.day(run.started_at or run.created_at, frame.now),
        "back": f"{reverse('leads:handoffs')}?{run.query or 'view=all'}",
        "kept": bulk.KEPT.days,
    }
    return render(request, "leads/lists/bulk_result.html", values)


def _row(row: BulkRow, handoff: Handoff | None, status: str, why: str) -> dict[str, Any]:
    label, tone = TONES[status]
    return {
        "id": row.handoff_id if handoff is not None else None,
        "name": rows.name_of(handoff) if handoff is not None else f"Handoff {row.handoff_id}",
        "sub": rows.sub_of(handoff) if handoff is not None else "",
        "state": handoff.get_state_display() if handoff is not None else "",
        "holder": people.holder_words(handoff) if handoff is not None else "",
        "label": label,
        "tone": tone,
        "status": status,
        "why": why,
    }
