"""The first page of integrations: every connection and how it is, what can be connected, the keys.

Owns the page. The figures are `leads.connecting.health`, the words `leads.presenters.connections`; all of
them come in a constant number of queries.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from leads.connecting import health, kinds
from leads.models import ApiKey, Connection
from leads.presenters import connections as words
from leads.roles import Can, can
from leads.views.integrations import frame
from leads.views.shell import shell_of


@require_safe
def integrations(request: HttpRequest) -> HttpResponse:
    """All connections, those that want somebody first."""
    frame.runner(request)
    now = shell_of(request).now
    figures = health.figures(now)
    rows = Connection.objects.defer("mapping", "sealed", "cursor")
    lines = [words.line(row, figures.get(row.pk, health.Figures()), now) for row in rows]
    lines.sort(key=lambda line: (line.state.tone != "late" and not line.dead, line.name.casefold()))
    values: dict[str, Any] = {
        "lines": lines,
        "kinds": [(str(kind), kind.label, kinds.SHAPES[kind].words) for kind in kinds.offered()],
    }
    if can(shell_of(request).user, Can.KEEP_KEYS):
        in_force = Q(revoked_at__isnull=True)
        keys = ApiKey.objects.aggregate(
            count=Count("pk", filter=in_force), used=Max("last_used_at", filter=in_force)
        )
        values |= {"keys": keys["count"], "keys_used": words.moment(keys["used"], now)}
    return frame.page(request, "integrations", values)
