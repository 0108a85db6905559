"""What systems say against the owner of a field: the list, narrowed by its address.

Owns the page. What stands is `leads.connecting.conflicts`; nothing is decided here: a conflict ends when both
systems say the same, or another one owns the field.
"""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from leads import paging
from leads.connecting.conflicts import ConflictFilter, kept
from leads.models import Connection
from leads.presenters import conflicts as words
from leads.views.integrations import frame
from leads.views.integrations.deliveries import SIZE, own_query
from leads.views.shell import shell_of

ORDER = ("-found_at", "-id")
# So many names of fields are offered; each is one that some conflict is about.
MOST_FIELDS = 100


@require_safe
def conflicts(request: HttpRequest) -> HttpResponse:
    """The list, the latest first."""
    frame.runner(request)
    now = shell_of(request).now
    found = ConflictFilter(request.GET, queryset=kept())
    rows = found.qs.select_related("lead__company", "owner", "other").defer("owner__sealed", "other__sealed")
    page = paging.page(rows, ORDER, request.GET.get("after", ""), SIZE)
    own = own_query(request.GET)
    fields = kept().order_by("field").values_list("field", flat=True).distinct()[:MOST_FIELDS]
    values = {
        # Only marketing ops and admins come here, who see addresses.
        "lines": [words.line(row, row.lead, now, personal=True) for row in page.rows],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in found.filters},
        "connections": Connection.objects.values_list("slug", "name"),
        "fields": [(field, words.label(field)) for field in fields],
        "count": paging.count_words(paging.count(found.qs, page)),
        "more": f"?{urlencode([*own, ('after', page.next)])}" if page.next else "",
        "first": f"?{urlencode(own)}" if page.after else "",
    }
    return frame.page(request, "conflicts", values)
