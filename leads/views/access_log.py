"""The access log's page and file, for admins.

Owns both. The words are `leads.presenters.access_log`, the writing is `leads.access_log`; that the file was
taken stands in the log too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from leads import exports, paging
from leads.delivery_filter import ABOUT, NOBODY, AccessFilter
from leads.models import AccessEntry, Connection
from leads.presenters import access_log as words
from leads.roles import Can
from leads.views import access, proof
from leads.views.shell import shell_of
from routing.people import User

SIZE, EXPORTED, MOST_EXPORTED, MOST_PEOPLE = 50, 500, 50_000, 500
ORDER = ("-at", "-id")


@require_safe
def access_log(request: HttpRequest) -> HttpResponse:
    """The log, newest first."""
    access.page(request, Can.READ_ACCESS)
    now = shell_of(request).now
    found = _narrowed(request.GET)
    page = paging.page(found.qs.select_related("user", "api_key"), ORDER, request.GET.get("after", ""), SIZE)
    people = User.objects.filter(pk__in=words.numbers_of(words.PERSON, page.rows))
    connections = Connection.objects.filter(pk__in=words.numbers_of(words.CONNECTION, page.rows))
    names = {(words.PERSON, person.pk): str(person) for person in people}
    names |= {(words.CONNECTION, pk): name for pk, name in connections.values_list("pk", "name")}
    own = [(name, str(value)) for name, value in request.GET.items() if value and name != "after"]
    values = {
        "lines": [words.line(row, names, now) for row in page.rows],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in found.filters},
        "kinds": AccessEntry.Kind.choices,
        "abouts": ABOUT,
        "nobody": NOBODY,
        "people": [(str(person.pk), str(person)) for person in User.objects.all()[:MOST_PEOPLE]],
        "count": paging.count_words(paging.count(found.qs, page)),
        "csv": f"{reverse('leads:access_csv')}?{urlencode(own)}",
        "more": f"?{urlencode([*own, ('after', page.next)])}" if page.next else "",
        "first": f"?{urlencode(own)}" if page.after else "",
    }
    return render(request, "leads/access_log.html", values)


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The log as CSV with its filters; the last 50,000."""
    access.page(request, Can.READ_ACCESS)
    proof.for_export(request)
    rows = _narrowed(request.GET).qs.select_related("user", "api_key").order_by(*ORDER)[:MOST_EXPORTED]
    return exports.download("access.csv", words.HEADER, _cells(rows))


def _cells(rows: QuerySet[AccessEntry]) -> Iterator[Any]:
    for row in rows.iterator(chunk_size=EXPORTED):
        yield words.cells(row)


def _narrowed(data: QueryDict) -> AccessFilter:
    return AccessFilter(data, queryset=AccessEntry.objects.all())
