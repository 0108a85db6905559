"""The events that are told by signed webhooks: which there are, and the JSON Schema of each.

Owns these two reads, open to any key in force. What an event says is `leads.outbox.catalogue`.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from leads.api.auth import BearerKey
from leads.api.errors import Problem
from leads.api.etags import told
from leads.outbox import catalogue, examples

router = Router(tags=["events"])


class EventType(Schema):
    """A type of event: what it tells, where its schema is, and a whole body."""

    type: str
    description: str
    schema_url: str
    example: dict[str, Any]


class EventTypes(Schema):
    results: list[EventType]


class JsonSchema(Schema):
    """A JSON Schema (2020-12) of the body of one type. Further members may come."""

    title: str
    type: str
    required: list[str]
    properties: dict[str, Any]


@router.get(
    "/events",
    auth=BearerKey(),
    response={200: EventTypes},
    operation_id="list_event_types",
    summary="List the events that webhooks tell of",
)
def list_event_types(request: HttpRequest) -> HttpResponse:
    """Every type that a signed webhook can be called for, with an example.

    Any scope. The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` are those of Standard
    Webhooks 1.0; the id stays the same over retries.
    """
    found = [
        {
            "type": name,
            "description": examples.words(name),
            "schema_url": f"{settings.PUBLIC_URL}/api/v1/events/{name}.json",
            "example": examples.example(name),
        }
        for name in catalogue.ALL_TYPES
    ]
    return told({"results": found})


@router.get(
    "/events/{type_name}.json",
    auth=BearerKey(),
    response={200: JsonSchema},
    operation_id="get_event_schema",
    summary="Read the schema of one event",
)
def get_event_schema(request: HttpRequest, type_name: str) -> HttpResponse:
    """The JSON Schema (2020-12) of the body of this type, such as `handoff.accepted`.

    Any scope.
    """
    if type_name not in catalogue.ALL_TYPES:
        raise Problem(404, "There is no such event.")
    return told(catalogue.schema(type_name))
