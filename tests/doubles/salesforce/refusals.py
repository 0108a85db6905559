"""Salesforce's error bodies, by kind.

A JSON array of `errorCode, message, fields` [V]; 401 INVALID_SESSION_ID, 403 REQUEST_LIMIT_EXCEEDED without
Retry-After, DUPLICATES_DETECTED, FIELD_CUSTOM_VALIDATION_EXCEPTION, INVALID_FIELD, UNABLE_TO_LOCK_ROW, 404
NOT_FOUND and ENTITY_IS_DELETED [V, section 3]; CANNOT_UPDATE_CONVERTED_LEAD, the picklist's code, and most
words are [R]. An item of a collection has `statusCode` instead of `errorCode` [V].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.doubles.wire import Answer, answer


class Trouble(Exception):
    """A write or read that is refused: HTTP status, code, words, fields."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.fields = status, code, message, fields

    def answer(self) -> Answer:
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return answer(self.status, [{**error, "fields": list(self.fields)} if self.fields else error])

    def item(self) -> dict[str, Any]:
        """As an item of a collection's answer."""
        error = {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}
        return {"success": False, "errors": [error]}


# Each is made anew when it is raised: an exception raised twice drags its old traceback along.
NOT_FOUND = partial(Trouble, 404, "NOT_FOUND", "The requested resource does not exist")
NO_MATCH = partial(
    Trouble, 404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible"
)
DELETED = partial(Trouble, 404, "ENTITY_IS_DELETED", "entity is deleted")
BAD_SESSION = partial(Trouble, 401, "INVALID_SESSION_ID", "Session expired or invalid")
LIMIT = partial(Trouble, 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
LOCKED = partial(
    Trouble, 400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 00Q"
)
DUPLICATE = partial(
    Trouble, 400, "DUPLICATES_DETECTED", "You're creating a duplicate record. Use an existing record instead."
)
VALIDATION = partial(
    Trouble,
    400,
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "A validation rule of this org refuses the change.",
    ("Status",),
)
FIELD = partial(Trouble, 400, "INVALID_FIELD", "No such column 'Handoff_Status__c' on sobject of type Lead")
CONVERTED = partial(Trouble, 400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
FORBIDDEN = partial(
    Trouble, 403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"
)
ROLLED_BACK = partial(
    Trouble,
    400,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
UNAVAILABLE = partial(Trouble, 503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable")
BROKEN = partial(Trouble, 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred")

TROUBLES: dict[str, Callable[[], Trouble]] = {
    "not_found": NOT_FOUND,
    "deleted": DELETED,
    "bad_session": BAD_SESSION,
    "request_limit": LIMIT,
    "lock_row": LOCKED,
    "duplicates": DUPLICATE,
    "validation": VALIDATION,
    "invalid_field": FIELD,
    "converted": CONVERTED,
    "forbidden": FORBIDDEN,
    "unavailable": UNAVAILABLE,
    "server_error": BROKEN,
}


def _answering(make: Callable[[], Trouble]) -> Callable[[], Answer]:
    return lambda: make().answer()


KINDS: dict[str, Callable[[], Answer]] = {kind: _answering(make) for kind, make in TROUBLES.items()}
ITEM_KINDS = frozenset(
    {
        "not_found",
        "deleted",
        "lock_row",
        "duplicates",
        "validation",
        "invalid_field",
        "converted",
        "forbidden",
    }
)


def oauth(code: str, words: str) -> Answer:
    """A refusal of the token's path."""
    return answer(400, {"error": code, "error_description": words})
