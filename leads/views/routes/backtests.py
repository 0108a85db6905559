"""Back-tests: start one, watch it, read it, take its moves away as a file.

Owns the pages. A run and its figures are `leads.backtesting`, done by the worker; nothing of routing is
changed by one. Whoever may not see a lead is told the figures, not its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from leads import backtesting, exports, paging, permissions, queueing
from leads.backtesting.reasons import Reasons
from leads.drafts import Names
from leads.models import Backtest, BacktestMove, Handoff
from leads.presenters import backtests as words
from leads.presenters import people, times
from leads.roles import Can, can
from leads.views import access, progress
from leads.views.routes import frame
from leads.views.routes.trying import named
from leads.views.shell import shell_of
from routing.models import Ruleset, User

RUNS, MOVES, EXPORTED = 25, 25, 500
MOST_VERSIONS = 50
DAYS = 30
HEADER = (
    "handoff", "lead", "company", "decided at", "kind", "had it", "by rule", "would have had it",
    "by rule then", "why",
)  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def backtests(request: HttpRequest) -> HttpResponse:
    """Past runs, and the form that starts one."""
    frame.reader(request)
    if request.method != "POST":
        return _list(request)
    user = access.act(request, Can.EDIT_ROUTING)
    which, days = request.POST.get("ruleset", "draft"), request.POST.get("days", "").strip()
    if not (days.isdecimal() and len(days) < 6 and 1 <= int(days) <= backtesting.LONGEST_DAYS):
        return _list(request, f"Days: a whole number from 1 to {backtesting.LONGEST_DAYS}.")
    try:
        run = backtesting.start(which, int(days), user, shell_of(request).now)
    except backtesting.NotFound as error:
        return _list(request, f"Rules: {error}")
    queueing.put("leads.tasks.backtests")
    return redirect("leads:backtest", run.pk)


def _list(request: HttpRequest, problem: str = "") -> HttpResponse:
    shell = shell_of(request)
    rows = Backtest.objects.select_related("created_by", "ruleset").defer(
        "document", "state", "ruleset__document"
    )
    page = paging.page(rows, ("-created_at", "-id"), request.GET.get("after", ""), RUNS)
    values = {
        "lines": [words.line(run, shell.now) for run in page.rows],
        "more": f"?after={page.next}" if page.next else "",
        "is_later": bool(page.after),
        "problem": problem,
        "days": request.POST.get("days", DAYS),
        "which": request.POST.get("ruleset") or request.GET.get("ruleset") or "draft",
        "most_days": backtesting.LONGEST_DAYS,
        "live": shell.draft.live,
        "versions": Ruleset.objects.order_by("-version").values_list("pk", "version")[:MOST_VERSIONS],
        "may_start": can(shell.user, Can.EDIT_ROUTING),
    }
    return render(request, "leads/routing/backtests.html", values, status=422 if problem else 200)


@require_safe
def backtest(request: HttpRequest, pk: int) -> HttpResponse:
    """One run: how far it is, or what it found. The part that asks for itself gets itself."""
    frame.reader(request)
    shell = shell_of(request)
    run = _find(pk)
    since = run.worked_at or run.created_at
    values = progress.values(run.status, run.replayed, run.total, since, shell.now) | {
        "run": run,
        "line": words.line(run, shell.now),
        "since": times.exact(run.since, shell.now),
    }
    if (part := progress.part(request, "leads/routing/_backtest_progress.html", values)) is not None:
        return part
    if run.status == Backtest.Status.DONE:
        values |= _result(request, run)
    return render(request, "leads/routing/backtest.html", values)


@require_safe
def backtest_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The moves of a run that this person may see, with both sides and the reason."""
    user = frame.reader(request)
    run = _find(pk)
    moves = _moves(user, run).select_related("handoff__lead__company")
    lines = _lines(moves.iterator(chunk_size=EXPORTED), run, user)
    return exports.download(f"backtest-{run.pk}-moved.csv", HEADER, lines)


def _find(pk: int) -> Backtest:
    run = Backtest.objects.select_related("created_by", "ruleset").filter(pk=pk).first()
    if run is None:
        raise Http404("there is no such back-test")
    return run


def _moves(user: User, run: Backtest) -> QuerySet[BacktestMove]:
    moves = BacktestMove.objects.filter(backtest=run).order_by("at", "id")
    if can(user, Can.WATCH_ALL):
        return moves
    return moves.filter(handoff__in=Handoff.objects.visible_to(user))


def _result(request: HttpRequest, run: Backtest) -> dict[str, Any]:
    shell = shell_of(request)
    kind = request.GET.get("kind", "")
    moves = _moves(shell.user, run)
    kinds = dict(moves.order_by().values_list("kind").annotate(n=Count("pk")))
    rows = moves.filter(kind=kind) if kind in words.KINDS else moves
    rows = rows.select_related("handoff__lead__company")
    page = paging.page(rows, ("at", "id"), request.GET.get("after", ""), MOVES)
    own = f"kind={kind}&" if kind in words.KINDS else ""
    is_draft = run.ruleset_id is None
    return {
        "tiles": words.tiles(run.result),
        "people": words.people(run.result),
        "rules": words.rules(run.result),
        "result": run.result,
        "history": run.result.get("history") or {},
        "moves": list(_told(page.rows, run, shell.user, shell.now)),
        "kinds": [(code, label, kinds[code]) for code, label in words.KINDS.items() if code in kinds],
        "kind": kind if kind in words.KINDS else "",
        "more": f"?{own}after={page.next}#moved" if page.next else "",
        "first": f"?{own}#moved" if page.after else "",
        "csv": reverse("leads:backtest_csv", args=[run.pk]),
        "is_draft": is_draft,
        "is_still_draft": is_draft and shell.draft.document == run.document,
        "is_live": is_draft and shell.draft.live_document == run.document,
        "may_publish": can(shell.user, Can.EDIT_ROUTING),
    }


def _told(moves: list[BacktestMove], run: Backtest, user: User, now: datetime) -> Iterator[words.Told]:
    name, personal = named(Names()), permissions.sees_personal_data(user)
    reasons = Reasons(run.document, moves, name, words.looked)
    for move in moves:
        lead = move.handoff.lead
        yield words.told(
            move,
            name,
            people.name_of(lead, personal=personal),
            people.sub_of(lead),
            now,
            reasons.before(move),
            reasons.after(move),
        )


def _lines(moves: Iterator[BacktestMove], run: Backtest, user: User) -> Iterator[tuple[Any, ...]]:
    name, personal = named(Names()), permissions.sees_personal_data(user)
    part: list[BacktestMove] = []
    for move in moves:
        part.append(move)
        if len(part) == EXPORTED:
            yield from _some(part, run, name, personal)
            part = []
    yield from _some(part, run, name, personal)


def _some(
    moves: list[BacktestMove], run: Backtest, name: words.Name, personal: bool
) -> Iterator[tuple[Any, ...]]:
    reasons = Reasons(run.document, moves, name, words.looked)
    for move in moves:
        lead = move.handoff.lead
        yield (
            move.handoff_id,
            people.name_of(lead, personal=personal),
            str(lead.company) if lead.company else "",
            move.at,
            words.KINDS.get(move.kind, move.kind),
            words.holder(move.before, name),
            words.rule_words(move.before),
            words.holder(move.after, name),
            words.rule_words(move.after),
            " ".join(reasons.after(move)),
        )
