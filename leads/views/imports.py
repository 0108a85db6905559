"""Imports of leads: choose a file, say what its columns mean, see what would happen, get back what failed.

Owns the pages. Reading, mapping and running are `leads.imports`, done by the worker from the start on. A file
that cannot be read changes nothing and says why; what was chosen stands until it is chosen otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leads import exports, imports, paging, queueing
from leads.filters import ImportFilter
from leads.imports.fields import groups
from leads.imports.guessing import ERROR_HEADING
from leads.models import ImportFailure, LeadImport
from leads.presenters import imports as words
from leads.roles import Can, can
from leads.typed import plain
from leads.views import access, progress, proof
from leads.views.shell import shell_of, tell
from routing.models import Queue
from routing.people import User

IMPORTS, FAILURES, EXPORTED = 25, 20, 500
MOST_EXPORTED = 50_000
ORDER = ("-created_at", "-id")
# From so many rows on the page asks whether everybody should be told.
MANY = 200


@require_http_methods(["GET", "HEAD", "POST"])
def imports_page(request: HttpRequest) -> HttpResponse:
    """Past imports, and the form that takes a file."""
    user = access.page(request, Can.READ_IMPORTS)
    if request.method != "POST":
        return _list(request)
    access.act(request, Can.IMPORT)
    upload = request.FILES.get("file")
    if upload is None or not upload.name:
        return _list(request, "Choose a file.")
    if upload.size and upload.size > imports.MOST_BYTES:
        return _list(
            request, f"The file is larger than {imports.MOST_BYTES // 1_000_000} MB; take it in parts."
        )
    try:
        run = imports.make(
            upload.read(),
            upload.name,
            user,
            shell_of(request).now,
            preset=plain(request.POST.get("preset")),
            source=plain(request.POST.get("source")),
        )
    except (imports.FileProblem, imports.Refused) as error:
        return _list(request, str(error))
    return redirect("leads:import", run.pk)


def _list(request: HttpRequest, problem: str = "") -> HttpResponse:
    shell = shell_of(request)
    found = _narrowed(request)
    page = paging.page(found.qs, ORDER, request.GET.get("after", ""), IMPORTS)
    own = {name: value for name, value in request.GET.items() if value and name != "after"}
    values = {
        "lines": [words.line(run, shell.now) for run in page.rows],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in found.filters},
        "statuses": LeadImport.Status.choices,
        "count": paging.count_words(paging.count(found.qs, page)),
        "csv": f"{reverse('leads:imports_csv')}?{urlencode(own)}",
        "more": f"?{urlencode(own | {'after': page.next})}" if page.next else "",
        "first": f"?{urlencode(own)}",
        "is_later": bool(page.after),
        "problem": problem,
        "preset": request.POST.get("preset", ""),
        "presets": imports.presets(),
        "source": request.POST.get("source", "")[:100],
        "may_import": can(shell.user, Can.IMPORT),
    }
    return render(request, "leads/imports/imports.html", values, status=422 if problem else 200)


def _narrowed(request: HttpRequest) -> ImportFilter:
    runs = LeadImport.objects.select_related("created_by").defer("header", "targets", "shape")
    return ImportFilter(request.GET, queryset=runs)


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The list of imports as CSV, with its filters and what came of each."""
    access.page(request, Can.READ_IMPORTS)
    runs = _narrowed(request).qs.order_by(*ORDER)[:MOST_EXPORTED]
    rows = (words.as_cells(run) for run in runs.iterator(chunk_size=EXPORTED))
    return exports.download("imports.csv", words.HEADER, rows)


@require_http_methods(["GET", "HEAD", "POST"])
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One import: its mapping until it is started, then its progress, then what came of it."""
    access.page(request, Can.READ_IMPORTS)
    run = _find(pk)
    if request.method == "POST":
        return _post(request, run)
    if run.status == LeadImport.Status.MAPPING:
        return _mapping(request, run)
    values = _progress(request, run)
    if (part := progress.part(request, "leads/imports/_progress.html", values)) is not None:
        return part
    if not values["is_running"]:
        values |= _result(request, run)
    return render(request, "leads/imports/result.html", values)


def _post(request: HttpRequest, run: LeadImport) -> HttpResponse:
    user, now = access.act(request, Can.IMPORT), shell_of(request).now
    if run.status != LeadImport.Status.MAPPING:
        tell(request, "This import was started already.")
        return redirect("leads:import", run.pk)
    do = request.POST.get("do", "look")
    imports.choose(run, _chosen(request, run))
    try:
        if do == "preset":
            imports.apply_preset(run, request.POST.get("preset", ""))
        elif do == "remember":
            name = request.POST.get("name", "").strip()
            if not name:
                raise imports.Refused("A preset needs a name.")
            imports.remember(run, name, user, now)
            tell(request, f"Saved as the preset “{name}”.")
        elif do == "start":
            imports.start(run, user, now)
            queueing.put("leads.tasks.take_imports")
    except imports.Refused as error:
        return _mapping(request, run, str(error))
    if request.headers.get("HX-Request"):
        return _mapping(request, run)
    return redirect("leads:import", run.pk)


def _chosen(request: HttpRequest, run: LeadImport) -> imports.Choices:
    given = request.POST
    return imports.Choices(
        targets=[given.get(f"column-{place}", run.targets[place]) for place in range(len(run.header))],
        kind=given.get("kind", run.kind),
        dates=given.get("dates", run.dates),
        source=given.get("source", run.source),
        system=given.get("system", run.system),
        is_quiet=bool(given.get("quiet")),
    )


def _mapping(request: HttpRequest, run: LeadImport, problem: str = "") -> HttpResponse:
    shell = shell_of(request)
    wrong = imports.Recipe(run).problems()
    preview = imports.look(run, shell.user, shell.now) if not wrong else imports.Preview()
    names = _names(preview)
    opens = sum(would.answer is not None and bool(would.answer["handoff"]) for would in preview.rows)
    values: dict[str, Any] = {
        "run": run,
        "line": words.line(run, shell.now),
        "shape": words.shape(run),
        "columns": words.columns(run, imports.samples(run)),
        "groups": groups(),
        "presets": imports.presets(),
        "kinds": LeadImport.Kind.choices,
        "dates": LeadImport.Dates.choices,
        "problems": [problem] if problem and problem not in wrong else [],
        "wrong": wrong,
        "preview": preview,
        "rows": [words.would(would, run, names) for would in preview.rows],
        # Of a short file the first rows say it all.
        "failures": [
            words.would(would, run, names)
            for would in preview.failures
            if preview.checked > len(preview.rows)
        ],
        "left": run.total - preview.failed if preview.checked == run.total else run.total,
        "tells_many": opens > 0 and run.total > MANY and not run.is_quiet,
        "earlier": (before := imports.same_before(run)),
        "earlier_words": words.earlier(before, shell.now),
        "may_import": can(shell.user, Can.IMPORT),
    }
    if request.headers.get("HX-Request") and request.method == "POST":
        return render(request, "leads/imports/_preview.html", values)
    return render(request, "leads/imports/mapping.html", values, status=422 if problem else 200)


def _names(preview: imports.Preview) -> dict[str, str]:
    """What the people and queues of a preview are called; two queries."""
    handoffs = [would.answer["handoff"] for would in preview.rows if would.answer and would.answer["handoff"]]
    addresses = {handoff["assignee"] for handoff in handoffs if handoff["assignee"]}
    slugs = {handoff["queue"].removeprefix("queue:") for handoff in handoffs if handoff["queue"]}
    people = User.objects.filter(email__in=addresses) if addresses else User.objects.none()
    queues = Queue.objects.filter(slug__in=slugs) if slugs else Queue.objects.none()
    names = {user.email: str(user) for user in people}
    return names | {f"queue:{queue.slug}": queue.name for queue in queues}


def _progress(request: HttpRequest, run: LeadImport) -> dict[str, Any]:
    now = shell_of(request).now
    since = run.worked_at or run.started_at or run.created_at
    return progress.values(run.status, run.done, run.total, since, now) | {
        "run": run,
        "line": words.line(run, now),
        "so_far": words.in_words(run) if run.counts else "",
        "may_import": can(shell_of(request).user, Can.IMPORT),
    }


def _result(request: HttpRequest, run: LeadImport) -> dict[str, Any]:
    found = ImportFailure.objects.filter(lead_import=run)
    page = paging.page(found, ("row", "id"), request.GET.get("after", ""), FAILURES)
    return {
        "shape": words.shape(run),
        "tiles": words.tiles(run),
        "failures": [words.failed(failure, run) for failure in page.rows],
        "more": f"?after={page.next}#failed" if page.next else "",
        "is_later": bool(page.after),
        "failed": run.counts.get("failed", 0),
        "waiting": run.counts.get(words.HELD, 0),
        "kind": run.get_kind_display(),
    }


@require_POST
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Take no further row of an import that is under way."""
    access.page(request, Can.READ_IMPORTS)
    access.act(request, Can.IMPORT)
    run = _find(pk)
    stopped = imports.stop(run, shell_of(request).now)
    tell(request, "Stopped. What was taken in stays." if stopped else "It was over already.")
    return redirect("leads:import", run.pk)


@require_POST
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Throw away an import that was not started."""
    access.page(request, Can.READ_IMPORTS)
    access.act(request, Can.IMPORT)
    run = _find(pk)
    if not imports.discard(run):
        tell(request, "This import was started already.")
        return redirect("leads:import", run.pk)
    tell(request, f"{run.name} is thrown away.")
    return redirect("leads:imports")


@require_safe
def failed_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The rows that were not taken, as they were, with a column that says what is wrong."""
    access.page(request, Can.READ_IMPORTS)
    run = _find(pk)
    proof.for_export(request)
    # A file that came from here has the column already; it is about the try before.
    kept = [place for place, heading in enumerate(run.header) if heading != ERROR_HEADING]
    header = [*(run.header[place] for place in kept), ERROR_HEADING]
    return exports.download(f"import-{run.pk}-failed.csv", header, _lines(run, kept))


def _lines(run: LeadImport, kept: list[int]) -> Iterator[list[str]]:
    failures = ImportFailure.objects.filter(lead_import=run).order_by("row")
    for failure in failures.iterator(chunk_size=EXPORTED):
        wrong = " ".join(
            f"{problem['column']}: {problem['message']}" if problem["column"] else problem["message"]
            for problem in failure.problems
        )
        yield [*(failure.cells[place] if place < len(failure.cells) else "" for place in kept), wrong]


def _find(pk: int) -> LeadImport:
    run = LeadImport.objects.select_related("created_by").filter(pk=pk).first()
    if run is None:
        raise Http404("there is no such import")
    return run
