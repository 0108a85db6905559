"""Reading handoffs: the list, page by page, and one with all that is known of it.

Owns the filters and the cursor. A key with the scope `read` reads everything. Never moves anything:
`leads.api.acting` does.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema
from pydantic import AfterValidator

from leads.api import schemas
from leads.api.auth import BearerKey
from leads.api.detail import detail_json
from leads.api.errors import Problem
from leads.api.schemas import CLEAN
from leads.choices import State
from leads.intake.schema import Instant
from leads.lifecycle.moving import QUEUE_PREFIX
from leads.models import Handoff
from leads.representation import handoff_json

router = Router(tags=["handoffs"])

MOST_ROWS = 200


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


def _after(cursor: str) -> str:
    _position(cursor)
    return cursor


def _position(cursor: str) -> tuple[datetime, int]:
    """Where a page starts: after the handoff with this `updated_at` and id. Raises ValueError."""
    try:
        at, pk = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        moment = datetime.fromisoformat(at)
    except (ValueError, TypeError, RecursionError):
        raise ValueError("this is not a cursor that was given out") from None
    if moment.tzinfo is None or type(pk) is not int or not 0 <= pk < 2**63:
        raise ValueError("this is not a cursor that was given out")
    return moment, pk


def _cursor(last: Handoff) -> str:
    return base64.urlsafe_b64encode(json.dumps([last.updated_at.isoformat(), last.pk]).encode()).decode()


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
    cursor: Annotated[str, Field(max_length=200), AfterValidator(_after)] | None = Field(
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
    return told(detail_json(found))
