"""Reading handoffs: the list, page by page, and one with all that is known of it.

Owns the filters. A key with the scope `read` reads everything. The order and the cursor are
`leads.api.feed`. Never moves anything: `leads.api.acting` does.
"""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from leads.api import etags, feed, schemas
from leads.api.auth import BearerKey
from leads.api.detail import detail_json
from leads.api.errors import Problem
from leads.choices import State
from leads.intake.kinds import CLEAN, Instant
from leads.lifecycle.moving import QUEUE_PREFIX
from leads.models import Handoff
from leads.representation import handoff_json

router = Router(tags=["handoffs"])

MOST_ROWS = 200


def number(handoff_id: str) -> int:
    """The row behind an opaque id. Raises Problem 404 for an id that is none of ours."""
    if not (handoff_id.isascii() and handoff_id.isdigit() and len(handoff_id) <= 18):
        raise unknown()
    return int(handoff_id)


def unknown() -> Problem:
    return Problem(404, "There is no such handoff, or it is not this person's to see.")


class Asked(Schema):
    """Which handoffs, from where, how many."""

    state: Literal[tuple(State.values)] | None = None  # type: ignore[valid-type]
    assignee: Annotated[str, Field(max_length=260, pattern=CLEAN)] | None = Field(
        None, description="a person's e-mail address, or `queue:SLUG`"
    )
    updated_since: Instant | None = Field(
        None,
        description="changed at or after this moment. A change is seen once it is written, up to a minute "
        "after its moment: overlap by two and tell repeats by `revision`; or poll with `latest`, which "
        "loses nothing",
    )
    cursor: Annotated[str, Field(pattern=feed.PATTERN)] | None = Field(
        None, description="`next` of the page before, or `latest` of a list read earlier; opaque"
    )
    limit: int = Field(50, ge=1, le=MOST_ROWS, description="handoffs a page")


@router.get(
    "/handoffs",
    auth=BearerKey("read"),
    response={200: schemas.Page},
    operation_id="list_handoffs",
    summary="List handoffs",
)
def list_handoffs(request: HttpRequest, asked: Query[Asked]) -> HttpResponse:
    """Handoffs in the order in which their last changes were written, the oldest first, a page at a time.

    Scope `read`. One that changes while you page comes again, further on; none is left out and none comes
    twice unchanged. Go on with `next` until it is null; then keep `latest` and ask with it as `cursor` as
    often as you like: what comes is what changed since, nothing is ever lost. While a change takes unusually
    long to be written some may then come once more, with the same `revision`. Imported history is not listed.
    """
    rows = Handoff.objects.live().select_related("assignee", "queue")
    if asked.state:
        rows = rows.filter(state=asked.state)
    if asked.assignee and asked.assignee.startswith(QUEUE_PREFIX):
        rows = rows.filter(queue__slug=asked.assignee.removeprefix(QUEUE_PREFIX))
    elif asked.assignee:
        rows = rows.filter(assignee__email=asked.assignee.strip().lower())
    if asked.updated_since:
        rows = rows.filter(updated_at__gte=asked.updated_since)
    page = feed.page(rows, asked.cursor, asked.limit)
    shown = {"results": [handoff_json(row) for row in page.rows], "next": page.next}
    # What changes elsewhere moves `latest` on; an older one serves as well, so the tag leaves it out.
    return etags.read(request, shown | {"latest": page.latest}, etags.weak(shown))


@router.get(
    "/handoffs/{handoff_id}",
    auth=BearerKey("read"),
    response={200: schemas.HandoffDetail},
    operation_id="get_handoff",
    summary="Read one handoff",
)
def get_handoff(request: HttpRequest, handoff_id: str) -> HttpResponse:
    """HANDOFF with the lead, every event, the clocks, and the routing in words and as it was kept.

    Scope `read`. The `ETag` is for `If-None-Match` here and `If-Match` where you act.
    """
    rows = Handoff.objects.select_related("lead__company", "assignee", "queue", "policy")
    found = rows.filter(pk=number(handoff_id)).first()
    if found is None:
        raise unknown()
    body = detail_json(found, timezone.now())
    return etags.read(request, body, etags.strong(body))
