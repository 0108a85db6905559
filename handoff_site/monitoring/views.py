"""`/metrics` for a monitor that has the token, and `/status/` for admins.

Owns who may. Without METRICS_TOKEN there is no `/metrics`; with it the token is asked for and compared in
constant time. Both show the same figures, kept for some seconds.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from handoff_site.monitoring import exposition, saying
from handoff_site.monitoring.figures import KEPT_SECONDS, kept
from leads.roles import Can
from leads.views import access
from leads.views.shell import shell_of


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures for Prometheus. 404 without METRICS_TOKEN, 401 without its bearer, 503 without a
    database."""
    if not settings.METRICS_TOKEN:
        raise Http404("METRICS_TOKEN is not set")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(token.strip(), settings.METRICS_TOKEN):
        return HttpResponse(
            "The token of METRICS_TOKEN is wanted, as a bearer.\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    try:
        figures = kept(timezone.now())
    except Error:
        return HttpResponse("The database does not answer.\n", status=503, content_type="text/plain")
    return HttpResponse(exposition.text(figures), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """The same in words, what is wrong first."""
    access.page(request, Can.KEEP_SITE)
    figures = kept(shell_of(request).now)
    parts, audit = saying.parts(figures), saying.audit(figures)
    links = [
        (saying.connection(link), saying.state(link), saying.owed(link), link, saying.agreement(link))
        for link in figures.links
    ]
    lines = [line for part in parts for line in part.lines]
    lines += [line for line, *_ in links] + ([audit] if audit is not None else [])
    values = {
        "parts": parts,
        "links": links,
        "audit": audit,
        "wrong": saying.wrong(lines),
        "seconds": KEPT_SECONDS,
        "is_scraped": bool(settings.METRICS_TOKEN),
    }
    return render(request, "status.html", values)
