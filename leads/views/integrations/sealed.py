"""The secrets of a connection on their way to people: rotated, ended, the address for its calls renewed.

Owns these three acts. What is made is in the answer and nowhere else: no redirect carries it, no cache keeps
it, and the same form sent twice is refused rather than answered with another one.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from leads.connecting import keeping, kinds
from leads.connecting.changing import NotDone, Stale
from leads.connection_form import LONGEST_SECRET
from leads.connectors import signatures
from leads.models import Connection
from leads.views import proof
from leads.views.integrations import connection, frame


@never_cache
@require_POST
def rotate(request: HttpRequest, slug: str) -> HttpResponse:
    """A new signing secret, made or brought; the former one signs too for a day."""
    frame.runner(request)
    row = frame.find(slug)
    proof.for_secrets(request)
    if row.kind != Connection.Kind.WEBHOOK:
        return connection.overview(request, row, status=422, problem="Its secrets are not made here.")
    brought = request.POST.get("secret-own", "").strip()[:LONGEST_SECRET]
    if brought and (problem := signatures.problem(brought)):
        return connection.overview(request, row, status=422, rotate_problem=problem)
    try:
        plain = keeping.rotate(row.pk, frame.edit(request, looks=True), brought)
    except NotDone as problem:
        return _not_done(request, row, problem)
    if brought:
        return frame.done(request, row, "The secret is rotated. The former one counts for another 24 hours.")
    return connection.shown_once(request, row, secret=plain)


@require_POST
def end_former(request: HttpRequest, slug: str) -> HttpResponse:
    """Let the former signing secret end at once."""
    frame.runner(request)
    row = frame.find(slug)
    if row.kind != Connection.Kind.WEBHOOK:
        return connection.overview(request, row, status=422, problem="It has no former secret.")
    keeping.end_former(row.pk, frame.edit(request))
    return frame.done(request, row, "The former secret counts no more.")


@never_cache
@require_POST
def renew_hook(request: HttpRequest, slug: str) -> HttpResponse:
    """A new address at which it calls us; the former one is nobody's at once."""
    frame.runner(request)
    row = frame.find(slug)
    proof.for_secrets(request)
    if not kinds.does(row.kind, "identify"):
        return connection.overview(request, row, status=422, problem="It does not call us.")
    try:
        address = keeping.renew_hook(row.pk, frame.edit(request, looks=True))
    except NotDone as problem:
        return _not_done(request, row, problem)
    return connection.shown_once(request, row, address=address)


def _not_done(request: HttpRequest, row: Connection, problem: NotDone) -> HttpResponse:
    return connection.overview(
        request, row, status=409 if isinstance(problem, Stale) else 422, problem=str(problem)
    )
