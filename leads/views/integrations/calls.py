"""What comes in: the log of calls that other systems made, and taking one in again.

Owns the pages, the file and the act. A call's bytes are shown as text to those who run integrations, as long
as they are kept. Taking in is `leads.connectors.receiving`, in the worker.
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
from leads.connectors import receiving
from leads.delivery_filter import CallFilter
from leads.models import Connection, InboundCall
from leads.presenters import deliveries as words
from leads.views.integrations import frame
from leads.views.integrations.deliveries import EXPORTED, MOST_EXPORTED, ORDER, SIZE, own_query
from leads.views.shell import shell_of, tell

SHOWN_BYTES = 20_000


@require_safe
def calls(request: HttpRequest) -> HttpResponse:
    """The log, newest first."""
    frame.runner(request)
    now = shell_of(request).now
    found = _narrowed(request.GET)
    page = paging.page(found.qs.select_related("connection"), ORDER, request.GET.get("after", ""), SIZE)
    own = own_query(request.GET)
    values = {
        "lines": [words.call(row, now) for row in page.rows],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in found.filters},
        "connections": Connection.objects.values_list("slug", "name"),
        "statuses": InboundCall.Status.choices,
        "count": paging.count_words(paging.count(found.qs, page)),
        "csv": f"{reverse('leads:calls_csv')}?{urlencode(own)}",
        "more": f"?{urlencode([*own, ('after', page.next)])}" if page.next else "",
        "first": f"?{urlencode(own)}" if page.after else "",
    }
    return frame.page(request, "calls", values)


def _narrowed(data: QueryDict) -> CallFilter:
    return CallFilter(data, queryset=InboundCall.objects.defer("body"))


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The log as CSV with its filters; the first 50,000, without what was said."""
    frame.runner(request)
    rows = _narrowed(request.GET).qs.select_related("connection").order_by(*ORDER)[:MOST_EXPORTED]
    return exports.download("calls.csv", words.CALL_HEADER, _cells(rows))


def _cells(rows: QuerySet[InboundCall]) -> Iterator[Any]:
    for row in rows.iterator(chunk_size=EXPORTED):
        yield words.call_cells(row)


@require_safe
def call(request: HttpRequest, pk: int) -> HttpResponse:
    """One call: what it said, what became of it."""
    frame.runner(request)
    row = _find(pk)
    body = bytes(row.body)
    values = {
        "row": row,
        "line": words.call(row, shell_of(request).now),
        "body": words.pretty(body[:SHOWN_BYTES].decode("utf-8", "replace")),
        "size": len(body),
        "is_cut": len(body) > SHOWN_BYTES,
    }
    return frame.page(request, "call", values)


@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a settled call taken in again: its events are known by their ids, so what was taken changes
    nothing."""
    frame.runner(request)
    row, now = _find(pk), shell_of(request).now
    if not row.body:
        tell(request, "What it said is not kept any more.", is_late=True)
    elif receiving.again(row, now):
        tell(request, "The worker takes it in again.")
    else:
        tell(request, "It waits for the worker already.")
    return redirect("leads:call", row.pk)


def _find(pk: int) -> InboundCall:
    found = InboundCall.objects.select_related("connection").filter(pk=pk).first()
    if found is None:
        raise Http404("there is no such call")
    return found
