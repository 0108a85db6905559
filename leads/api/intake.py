"""POST /intake: events from other systems, one or many, answered at once.

Owns the door: content types, sizes, the price of a batch. What an event means is `leads.intake`.
"""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from leads.api import bodies, limits
from leads.api.auth import BearerKey, Caller, caller
from leads.api.errors import Problem, error
from leads.api.schemas import Answer, Answers
from leads.intake import receive, receive_one

router = Router(tags=["intake"])

ONE, MANY = "application/cloudevents+json", "application/cloudevents-batch+json"
TYPES = (bodies.JSON, ONE, MANY)
LARGEST_ONE, LARGEST_MANY = bodies.MIB, 4 * bodies.MIB
MOST_EVENTS = 500

_EVENT = {"$ref": "#/components/schemas/EventIn"}
_EVENTS = {"type": "array", "items": _EVENT, "maxItems": MOST_EVENTS}
_BODY = {
    "required": True,
    "description": f"One event, at most 1 MiB, or an array of at most {MOST_EVENTS} events, at most 4 MiB.",
    "content": {
        bodies.JSON: {"schema": {"anyOf": [_EVENT, _EVENTS]}},
        ONE: {"schema": _EVENT},
        MANY: {"schema": _EVENTS},
    },
}


@router.post(
    "/intake",
    auth=BearerKey("intake", cost=0),
    response={200: Answer | Answers},
    operation_id="intake",
    summary="Send events",
    openapi_extra={"requestBody": _BODY},
)
def intake(request: HttpRequest) -> HttpResponse:
    """Takes in one CloudEvents 1.0 event, or an array of them, and says what became of each.

    Scope `intake`. `source` and `id` are the identity of an event: sent again it does nothing and answers
    as the first time (`duplicate`). One event answers with its result, or 422 when it is not valid. An
    array answers `{"results": [...]}` in order; an event that is not valid is answered `invalid` and spoils
    none of the others. An array that meets a database that is away, or a row that is held for too long, is
    answered 503 as a whole: sent again, the events of it that were kept by then are `duplicate`.

    For everything in an event, also for members that we do not know: whole numbers of at most 64 bits, text
    of at most 2,000 characters without control characters but tab and line ends, eight levels of nesting.
    """
    by = caller(request)
    raw, is_batch = _events(request, by)
    limits.spend(by.key, len(raw) or 1, by.now)
    if is_batch:
        return _told({"results": receive(raw, by.key, by.now)})
    one = receive_one(raw[0], by.key, by.now)
    if one["status"] == "invalid":
        raise Problem(422, "The event is not valid; nothing was kept of it.", one["errors"])
    return _told(one)


def _events(request: HttpRequest, by: Caller) -> tuple[list[Any], bool]:
    """The events of the body, and whether it is a batch. What cannot be read costs one event."""
    try:
        kind = bodies.media_type(request, TYPES)
        text = bodies.read(request, LARGEST_ONE if kind == ONE else LARGEST_MANY)
        is_array = text.lstrip(b" \t\r\n")[:1] == b"["
        if not is_array and len(text) > LARGEST_ONE:
            raise bodies.too_large(LARGEST_ONE)
        body = bodies.parse(text)
        if kind == MANY and not is_array:
            words = "A batch is an array of events."
            raise Problem(422, words, [error("", "not_an_array", words)])
        if not is_array or kind == ONE:
            return [body], False
        if len(body) > MOST_EVENTS:
            raise Problem(413, f"A batch has at most {MOST_EVENTS} events; this has {len(body)}.")
        return body, True
    except Problem:
        limits.spend(by.key, 1, by.now)
        raise


def _told(body: dict[str, Any]) -> HttpResponse:
    # Built here, so it is not validated again on its way out.
    return HttpResponse(json.dumps(body), content_type=bodies.JSON)
