"""The sync audit: the last run and those before it, what is open by cause, the list of findings, its file.

Owns the pages, starting a run, and settling many findings of one kind at once. Comparing is `leads.audit`.
Managers read what they may see of it; marketing ops and admins act.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import audit, exports, paging, permissions, queueing
from leads.audit import repairing, running
from leads.finding_filter import CHECKS, OPEN, STATES, FindingFilter
from leads.lifecycle import Act, Invalid
from leads.models import Connection, Finding, SyncRun
from leads.presenters import audits as words
from leads.slices import UNFINISHED
from leads.typed import plain
from leads.views import progress
from leads.views.integrations import frame
from leads.views.shell import shell_of, tell
from routing.people import User

SIZE, RUNS = 50, 12
MOST_EXPORTED, EXPORTED = 50_000, 500
# Settled by one press; the page says how many are left.
MOST_AT_ONCE = 100
ORDER = ("-first_seen_at", "-id")


@require_safe
def sync_audits(request: HttpRequest) -> HttpResponse:
    """The whole page; the part that asks for itself while a run goes on gets itself."""
    user = frame.reader(request)
    current = SyncRun.objects.filter(status__in=UNFINISHED).first()
    shown = current or SyncRun.objects.first()
    values = _progress(request, shown) | {"may_act": frame.may_run(user)}
    if (part := progress.part(request, "leads/integrations/_audit_progress.html", values)) is not None:
        return part
    return _page(request, user, values)


def _progress(request: HttpRequest, run: SyncRun | None) -> dict[str, Any]:
    now = shell_of(request).now
    if run is None:
        return progress.values("", 0, 0, now, now) | {"run": None}
    since = run.worked_at or run.created_at
    return progress.values(run.status, run.handoffs, run.total, since, now) | {"run": run}


def _page(
    request: HttpRequest, user: User, values: dict[str, Any], *, problem: str = "", status: int = 200
) -> HttpResponse:
    now = shell_of(request).now
    found = narrowed(request.GET, user)
    page = paging.page(found.rows.select_related(*words.WITH), ORDER, request.GET.get("after", ""), SIZE)
    own = own_query(request.GET)
    connections = dict(Connection.objects.values_list("slug", "name"))
    done = SyncRun.objects.filter(status=SyncRun.Status.DONE).select_related("created_by")[:RUNS]
    runs = [words.run(run, now) for run in done]
    personal = permissions.sees_personal_data(user)
    values |= {
        "latest": runs[0] if runs else None,
        "runs": runs,
        "numbers": words.numbers(done[0], connections) if runs else [],
        "lags": words.lags(done[0].lags.get("all")) if runs else [],
        "groups": words.groups(_grouped(user), now),
        "lines": [words.line(row, now, personal=personal) for row in page.rows],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in found.filters},
        "connections": connections.items(),
        "checks": CHECKS,
        "severities": Finding.Severity.choices,
        "states": STATES,
        "count": paging.count_words(paging.count(found.rows, page)),
        "csv": f"{reverse('leads:findings_csv')}?{urlencode(own)}",
        "more": f"?{urlencode([*own, ('after', page.next)])}#found" if page.next else "",
        "first": f"?{urlencode(own)}#found" if page.after else "",
        "many": _many(found, page.rows) if values["may_act"] else None,
        "most": MOST_AT_ONCE,
        "can_start": bool(running.keepers()),
        "problem": problem,
        "note": request.POST.get("note", "")[:300],
    }
    return frame.page(request, "audit", values, status=status)


def own_query(data: QueryDict) -> list[tuple[str, str]]:
    """The address without its page and its part."""
    return [(name, str(value)) for name, value in data.items() if value and name not in ("after", "part")]


def narrowed(data: Any, user: User) -> FindingFilter:
    """What is asked for, of what this person may see."""
    return FindingFilter(data, queryset=frame.findings(user))


def _grouped(user: User) -> Sequence[Mapping[str, Any]]:
    rows = frame.findings(user).filter(resolved_at__isnull=True).order_by()
    by = rows.values("check_code", "severity", "connection__name", "connection__slug")
    return list(by.annotate(count=Count("pk"), since=Min("first_seen_at")))


def _many(found: FindingFilter, rows: list[Finding]) -> dict[str, Any] | None:
    """What can be done at once with a list of one check in one connection; None for any other list."""
    given = found.form.cleaned_data if found.form.is_valid() else {}
    is_open = (given.get("state") or OPEN) == OPEN
    if not (rows and is_open and given.get("check") and given.get("connection")):
        return None
    return {
        "check": given["check"],
        "connection": given["connection"].slug,
        "may_push": repairing.PUSH in repairing.choices(rows[0]),
    }


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The findings as CSV with their filters; the first 50,000."""
    user = frame.reader(request)
    rows = narrowed(request.GET, user).rows.select_related("connection", "resolved_by")
    cells = _cells(rows.order_by(*ORDER)[:MOST_EXPORTED])
    return exports.download("findings.csv", words.HEADER, cells)


def _cells(rows: QuerySet[Finding]) -> Iterator[Any]:
    for row in rows.iterator(chunk_size=EXPORTED):
        yield words.as_cells(row)


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Compare now; the run that is under way, if there is one."""
    user = frame.settler(request)
    if not running.keepers():
        tell(request, "No connection that runs keeps the state of handoffs.", is_late=True)
        return redirect("leads:sync_audits")
    audit.start(shell_of(request).now, user)
    queueing.put("leads.tasks.sync_audits")
    return redirect("leads:sync_audits")


@require_POST
def settle(request: HttpRequest) -> HttpResponse:
    """Push or ignore what is open of one check in one connection, the oldest first."""
    user = frame.settler(request)
    choice = request.POST.get("choice", "")
    data = QueryDict(mutable=True)
    data.update({name: request.POST.get(name, "") for name in ("check", "connection")})
    request.GET = data  # type: ignore[assignment]
    found = narrowed(data, user)
    given = found.form.cleaned_data if found.form.is_valid() else {}
    values = _progress(request, SyncRun.objects.first()) | {"may_act": True}
    if choice not in (repairing.PUSH, repairing.IGNORE) or not (given.get("check") and given["connection"]):
        return _page(request, user, values, problem="Choose one check in one connection first.", status=422)
    rows = found.rows.select_related("connection").order_by("first_seen_at", "pk")[:MOST_AT_ONCE]
    act = Act(shell_of(request).now, user)
    try:
        done, left = repairing.settle(rows, act, choice, plain(request.POST.get("note"), 301))
    except Invalid as invalid:
        return _page(request, user, values, problem=next(iter(invalid.errors.values())), status=422)
    tell(request, _settled(choice, done, left, paging.count(found.rows)), is_late=bool(left))
    return redirect(f"{reverse('leads:sync_audits')}?{urlencode(own_query(data))}#found")


def _settled(choice: str, done: int, left: list[tuple[Finding, str]], remain: int) -> str:
    one = done == 1
    verb = "written again" if choice == repairing.PUSH else "ignored"
    said = f"{done:,} {'is' if one else 'are'} {verb}." if done else "Nothing was settled."
    if left:
        said += f" {len(left)} could not be: {left[0][1]}"
    return f"{said} {remain:,} more {'is' if remain == 1 else 'are'} open." if remain else said
