"""Mautic's error bodies, by kind, and its way of writing JSON.

`{"errors":[{"code","message","details","type"}]}` [V]; an item of a batch has `message, code, type "api"`
instead [V, FetchCommonApiController::setBatchError]; a batch past its limit answers 500, the default of
`returnError` [V, same file]; the disabled API's body [V, LeadApiControllerFunctionalTest]; the words of 401
are [R]. The rate limiter is off by default, so there is a 429 only by fault [V].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.doubles.wire import Answer, php

VERSION = "5.2.1"


def reply(status: int, value: Any) -> Answer:
    """JSON as PHP writes it."""
    return Answer(status, php(value), {"Content-Type": "application/json", "Mautic-Version": VERSION})


def error(status: int, message: str, details: Any = None, kind: str | None = None) -> Answer:
    details = [] if details is None else details
    return reply(status, {"errors": [{"code": status, "message": message, "details": details, "type": kind}]})


def not_found() -> Answer:
    return error(404, "Item was not found.")


def denied() -> Answer:
    return error(403, "You do not have access to the requested area/action.")


def unauthenticated() -> Answer:
    given = error(401, "The access token provided is invalid.", kind="invalid_grant")
    given.headers["WWW-Authenticate"] = 'Bearer realm="Service", error="invalid_grant"'
    return given


def expired() -> Answer:
    given = error(401, "The access token provided has expired.", kind="invalid_grant")
    given.headers["WWW-Authenticate"] = 'Bearer realm="Service", error="invalid_grant"'
    return given


def disabled() -> Answer:
    words = "API disabled. You need to enable the API in the API settings of Mautic's Configuration."
    return reply(403, {"errors": [{"message": words, "code": 403, "type": "api_disabled"}]})


def page(status: int) -> Callable[[], Answer]:
    """A failure of the web server before PHP."""
    html = f"<html><head><title>{status}</title></head><body><center>nginx</center></body></html>"
    return lambda: Answer(status, html.encode(), {"Content-Type": "text/html"})


KINDS: dict[str, Callable[[], Answer]] = {
    "not_found": not_found,
    "denied": denied,
    "unauthenticated": unauthenticated,
    "expired": expired,
    "disabled": disabled,
    "validation": lambda: error(400, "email: The email is invalid.", {"email": ["The email is invalid."]}),
    "locked": lambda: error(409, "The contact is currently checked out by another user."),
    "rate_limited": lambda: error(429, "Too many requests."),
    "server_error": lambda: error(500, "Looks like I encountered an error (error #500)."),
    "bad_gateway": page(502),
    "unavailable": page(503),
    "gateway_timeout": page(504),
}

# What an item of a batch can be refused with: status and message.
ITEM_KINDS: dict[str, tuple[int, str]] = {
    "not_found": (404, "Item was not found."),
    "denied": (403, "You do not have access to the requested area/action."),
    "validation": (400, "email: The email is invalid."),
    "locked": (409, "The contact is currently checked out by another user."),
}


def item_error(kind: str) -> dict[str, Any]:
    status, message = ITEM_KINDS[kind]
    return {"message": message, "code": status, "type": "api"}
