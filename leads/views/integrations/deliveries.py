"""What goes out: the log of deliveries, one of them with its attempts, and what is done with dead letters.

Owns the pages, the file and the acts. What a filter selects is `leads.delivery_filter`; sending again and
letting go is `leads.outbox.letters`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import exports, paging
from leads.connecting import health
from leads.connectors import messages
from leads.delivery_filter import STATUSES, DeliveryFilter
from leads.models import Connection, Delivery
from leads.outbox import catalogue, letters
from leads.presenters import deliveries as words
from leads.presenters import times
from leads.typed import plain
from leads.views.integrations import frame
from leads.views.shell import shell_of, tell

SIZE = 50
MOST_EXPORTED, EXPORTED = 50_000, 500
# At once of a connection's dead letters; the button says how many are left.
MOST_REPLAYED = 500
ORDER = ("-id",)


@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    """The log, newest first."""
    frame.runner(request)
    now = shell_of(request).now
    found = _narrowed(request.GET)
    page = paging.page(found.qs.select_related(*words.WITH), ORDER, request.GET.get("after", ""), SIZE)
    own = own_query(request.GET)
    values = {
        "lines": [words.line(row, now) for row in page.rows],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in found.filters},
        "connections": Connection.objects.values_list("slug", "name"),
        "statuses": STATUSES,
        "kinds": Delivery.Kind.choices,
        "types": (*catalogue.ALL_TYPES, *messages.TYPES),
        "count": paging.count_words(paging.count(found.qs, page)),
        "csv": f"{reverse('leads:deliveries_csv')}?{urlencode(own)}",
        "more": f"?{urlencode([*own, ('after', page.next)])}" if page.next else "",
        "first": f"?{urlencode(own)}" if page.after else "",
        "replayable": _replayable(found),
    }
    return frame.page(request, "deliveries", values)


def own_query(data: QueryDict) -> list[tuple[str, str]]:
    """The address without its page."""
    return [(name, str(value)) for name, value in data.items() if value and name != "after"]


def _narrowed(data: QueryDict) -> DeliveryFilter:
    return DeliveryFilter(data, queryset=Delivery.objects.defer("body"))


def _replayable(found: DeliveryFilter) -> tuple[Connection, int] | None:
    """The connection whose dead letters the list shows, with how many there are."""
    given = found.form.cleaned_data if found.form.is_valid() else {}
    connection = given.get("connection")
    if connection is None or given.get("status") != Delivery.Status.DEAD:
        return None
    count = dead_of(connection)[: MOST_REPLAYED + 1].count()
    return (connection, count) if count else None


def dead_of(connection: Connection) -> QuerySet[Delivery]:
    return Delivery.objects.filter(health.dead(), connection=connection).order_by("id")


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The log as CSV with its filters; the first 50,000."""
    frame.runner(request)
    rows = _narrowed(request.GET).qs.select_related("connection").order_by(*ORDER)[:MOST_EXPORTED]
    return exports.download("deliveries.csv", words.HEADER, _cells(rows))


def _cells(rows: QuerySet[Delivery]) -> Iterator[Any]:
    for row in rows.iterator(chunk_size=EXPORTED):
        yield words.as_cells(row)


@require_safe
def delivery(request: HttpRequest, pk: int) -> HttpResponse:
    """One delivery: what it is about, what was tried, what can be done."""
    frame.runner(request)
    return _one(request, _find(pk))


def _find(pk: int) -> Delivery:
    found = Delivery.objects.select_related(*words.WITH).filter(pk=pk).first()
    if found is None:
        raise Http404("there is no such delivery")
    return found


def _one(request: HttpRequest, row: Delivery, *, problem: str = "", status: int = 200) -> HttpResponse:
    now = shell_of(request).now
    values = {
        "row": row,
        "line": words.line(row, now),
        "attempts": [words.attempt(attempt, now) for attempt in row.tries.order_by("-number", "-id")],
        "body": words.pretty(row.body) if row.kind != Delivery.Kind.STATE else "",
        "occurred": (times.day(row.occurred_at, now), times.exact(row.occurred_at, now)),
        "settled": (times.day(row.done_at, now), times.exact(row.done_at, now)) if row.done_at else None,
        "is_dead": row.status == Delivery.Status.DEAD,
        "problem": problem,
        "note": request.POST.get("note", "")[:300],
    }
    return frame.page(request, "delivery", values, status=status)


@require_POST
def replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a dead letter once more."""
    frame.runner(request)
    row = _find(pk)
    if letters.replay(row, shell_of(request).now):
        tell(request, "It is sent once more; of a state, what stands now.")
    else:
        tell(request, "It is no dead letter any more.")
    return redirect("leads:delivery", row.pk)


@require_POST
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a dead letter go, with a note why."""
    frame.runner(request)
    row = _find(pk)
    try:
        is_gone = letters.discard(row, plain(request.POST.get("note"), 300))
    except letters.NeedsNote as problem:
        return _one(request, row, problem=str(problem), status=422)
    tell(request, "It is let go." if is_gone else "It is no dead letter any more.")
    return redirect("leads:delivery", row.pk)


@require_POST
def replay_all(request: HttpRequest, slug: str) -> HttpResponse:
    """Send a connection's dead letters once more, oldest first, as many as one act takes."""
    frame.runner(request)
    row, now = frame.find(slug), shell_of(request).now
    sent = sum(letters.replay(one, now) for one in dead_of(row)[:MOST_REPLAYED])
    left = dead_of(row)[: MOST_REPLAYED + 1].count()
    letter = "1 dead letter is" if sent == 1 else f"{sent:,} dead letters are"
    more = f" {left if left <= MOST_REPLAYED else f'More than {MOST_REPLAYED}'} are left." if left else ""
    tell(request, f"{letter} sent once more.{more}" if sent else f"“{row.name}” has no dead letters.")
    query = urlencode({"connection": row.slug})
    return redirect(f"{reverse('leads:deliveries')}?{query}")
