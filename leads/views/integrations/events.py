"""The catalogue of events: what each tells, an example and its schema, and how a receiver verifies a call.

Owns the page. What there is stands in `leads.outbox.catalogue`; the API serves the same as JSON.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from leads.outbox import catalogue, examples
from leads.views.integrations import frame


@require_safe
def event_types(request: HttpRequest) -> HttpResponse:
    """All types, in the order of a handoff's life."""
    frame.runner(request)
    values = {
        "types": [
            {
                "name": name,
                "words": examples.words(name),
                "example": examples.shown(examples.example(name)),
                "schema": examples.shown(catalogue.schema(name)),
            }
            for name in catalogue.ALL_TYPES
        ],
        "verifying": examples.VERIFYING,
    }
    return frame.page(request, "events", values)
