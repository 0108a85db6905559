"""Reading handoffs: the list, page by page, and one with all that is known of it.

Owns the filters and the cursor. A key with the scope `read` reads everything. Never moves anything:
`leads.api.acting` does.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from leads.api import schemas
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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def told(body: dict[str, Any]) -> HttpResponse:
    """200 with this JSON. It is built here, so it is not validated on its way out."""
    return HttpResponse(json.dumps(body), content_type="application/json")


def number(handoff_id: str) -> int:
    """The row behind an opaque id. Raises Problem 404 for an id that is none of ours."""
    if not (handoff_id.isascii() and handoff_id.isdigit() and len(handoff_id) <= 18):
        raise unknown()
    return int(handoff_id)


def unknown() -> Problem:
    return Problem(404, "There is no such handoff, or it is not this person's to see.")


def _cursor(last: Handoff) -> str:
    """Where the next page starts: after this handoff."""
    return f"{(last.updated_at - _EPOCH) // _MICROSECOND}-{last.pk}"


def _position(cursor: str) -> tuple[datetime, int]:
    at, pk = cursor.split("-")
    return _EPOCH + int(at) * _MICROSECOND, int(pk)


class Asked(Schema):
    """Which handoffs, from where, how many."""

    state: Literal[tuple(State.values)] | None = None  # type: ignore[valid-type]
    assignee: Annotated[str, Field(max_length=260, pattern=CLEAN)] | None = Field(
        None, description="a person's e-mail address, or `queue:SLUG`"
    )
    updated_since: Instant | None = Field(
        None,
        description="changed at or after this moment. Changes are written down a moment after they happen: "
        "poll with some seconds of overlap and tell repeats by `revision`",
    )
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,17}-[0-9]{1,18}$")] | None = Field(
        None, description="`next` of the page before; opaque"
    )
    limit: int = Field(50, ge=1, le=MOST_ROWS)


@router.get(
    "/handoffs",
    auth=BearerKey("read"),
    response={200: schemas.Page},
    operation_id="list_handoffs",
    summary="List handoffs",
)
def list_handoffs(request: HttpRequest, asked: Query[Asked]) -> HttpResponse:
    """Handoffs in the order of their last change, the oldest change first, a page at a time.

    Scope `read`. One that changes while you page comes again, further on; none is left out. Imported
    history is not listed.
    """
    rows = Handoff.objects.live().select_related("assignee", "queue").order_by("updated_at", "pk")
    if asked.state:
        rows = rows.filter(state=asked.state)
    if asked.assignee and asked.assignee.startswith(QUEUE_PREFIX):
        rows = rows.filter(queue__slug=asked.assignee.removeprefix(QUEUE_PREFIX))
    elif asked.assignee:
        rows = rows.filter(assignee__email=asked.assignee.strip().lower())
    if asked.updated_since:
        rows = rows.filter(updated_at__gte=asked.updated_since)
    if asked.cursor:
        at, pk = _position(asked.cursor)
        rows = rows.filter(updated_at__gte=at).filter(Q(updated_at__gt=at) | Q(pk__gt=pk))
    page = list(rows[: asked.limit + 1])
    more = len(page) > asked.limit
    page = page[: asked.limit]
    return told({"results": [handoff_json(row) for row in page], "next": _cursor(page[-1]) if more else None})


@router.get(
    "/handoffs/{handoff_id}",
    auth=BearerKey("read"),
    response={200: schemas.HandoffDetail},
    operation_id="get_handoff",
    summary="Read one handoff",
)
def get_handoff(request: HttpRequest, handoff_id: str) -> HttpResponse:
    """HANDOFF with the lead, every event, the clocks, and the routing in words and as it was kept.

    Scope `read`.
    """
    rows = Handoff.objects.select_related("lead__company", "assignee", "queue", "policy")
    found = rows.filter(pk=number(handoff_id)).first()
    if found is None:
        raise unknown()
    return told(detail_json(found, timezone.now()))
