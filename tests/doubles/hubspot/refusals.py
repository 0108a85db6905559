"""HubSpot's error bodies, by kind.

`status, message, correlationId, category` and the optional rest are [V] (section 2.2 and the OpenAPI
`Error`); `policyName` on a 429 [V]; 423, 477 and the 5xx [2]; the words of the messages and the categories of
401, 403, 409 and 423 are [R]. There is no Retry-After on a 429: it is not promised, so the double does not
give one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from tests.doubles.wire import Answer, answer


def error(
    status: int, category: str, message: str, headers: dict[str, str] | None = None, **more: Any
) -> Answer:
    """An error answer."""
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category}
    return answer(status, {**body, **more}, headers)


def body_of(given: Answer) -> dict[str, Any]:
    """The body of an error answer again."""
    found: dict[str, Any] = json.loads(given.body)
    return found


def rate_limit(policy: str, message: str) -> Answer:
    return error(429, "RATE_LIMITS", message, errorType="RATE_LIMIT", policyName=policy)


def ten_secondly() -> Answer:
    return rate_limit("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")


def daily() -> Answer:
    return rate_limit("DAILY", "You have reached your daily limit.")


def secondly() -> Answer:
    return rate_limit("SECONDLY", "You have reached your secondly limit.")


def unauthenticated() -> Answer:
    return error(
        401,
        "INVALID_AUTHENTICATION",
        "Authentication credentials not found. This API supports OAuth 2.0 authentication.",
    )


def expired() -> Answer:
    return error(
        401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired 1 second(s) ago."
    )


def scopes() -> Answer:
    return error(
        403, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.",
        errors=[{"message": "One or more of the following scopes are required.",
                 "context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}],
    )  # fmt: skip


def invalid(message: str, **more: Any) -> Answer:
    return error(400, "VALIDATION_ERROR", message, **more)


def not_found(message: str = "resource not found") -> Answer:
    return error(404, "OBJECT_NOT_FOUND", message)


def conflict(existing: str) -> Answer:
    return error(409, "CONFLICT", f"Contact already exists. Existing ID: {existing}")


def locked() -> Answer:
    return error(423, "LOCKED", "The resource is locked by another operation. Try again in 2 seconds.")


def migration() -> Answer:
    return error(477, "MIGRATION_IN_PROGRESS", "The account is being moved.", {"Retry-After": "3"})


def proxy(status: int) -> Callable[[], Answer]:
    """A failure on the way: HTML from the edge, no JSON."""
    page = f"<html><head><title>{status}</title></head><body>error code: {status}</body></html>"
    return lambda: Answer(status, page.encode(), {"Content-Type": "text/html"})


KINDS: dict[str, Callable[[], Answer]] = {
    "ten_secondly": ten_secondly,
    "daily": daily,
    "secondly": secondly,
    "unauthenticated": unauthenticated,
    "expired": expired,
    "scopes": scopes,
    "validation": lambda: invalid("A validation rule of this account refuses the change."),
    "not_found": not_found,
    "conflict": lambda: conflict("101"),
    "locked": locked,
    "migration": migration,
    "bad_gateway": proxy(502),
    "unavailable": proxy(503),
    "gateway_timeout": proxy(504),
    "edge_timeout": proxy(524),
    "server_error": lambda: error(500, "INTERNAL_ERROR", "internal error"),
}

# What an item of a batch can be refused with: category and message.
ITEM_KINDS: dict[str, tuple[str, str]] = {
    "validation": ("VALIDATION_ERROR", "A validation rule of this account refuses the change."),
    "not_found": ("OBJECT_NOT_FOUND", "The object could not be found."),
    "conflict": ("CONFLICT", "The object was changed by another request."),
    "locked": ("LOCKED", "The object is locked by another operation."),
}
