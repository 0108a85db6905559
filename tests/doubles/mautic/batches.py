"""Many Mautic contacts at once: edited or made.

At most 200, refused with 500 past it; `statusCodes` by index, a missing contact is 404 in it, and the whole
answers 200 (201 for new ones) [V, section 4 and CommonApiController::editEntitiesAction]. Contacts, codes and
errors are PHP arrays by index: a list, or an object when some are missing in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles.mautic import contacts, refusals
from tests.doubles.records import API
from tests.doubles.wire import Answer, Call, Refused, php_array

if TYPE_CHECKING:
    from tests.doubles.mautic.instance import Mautic

LIMIT = 200


def edit(mautic: Mautic, call: Call) -> Answer:
    """PATCH or PUT `/api/contacts/batch/edit`. Raises Refused."""
    changed: dict[int, Any] = {}
    codes: dict[int, int] = {}
    errors: dict[int, dict[str, Any]] = {}
    for index, given in enumerate(_list(call)):
        spoilt = call.spoils(index, given)
        record = mautic.contacts.get(str(given.get("id", "")))
        if spoilt or (record is None and call.method == "PATCH"):
            errors[index] = refusals.item_error(spoilt or "not_found")
            codes[index] = errors[index]["code"]
            continue
        if record is None:
            changed[index], codes[index] = contacts.create(mautic, given, API)[0], 201
        else:
            wipe = call.method == "PUT"
            changed[index], codes[index] = contacts.edit(mautic, record, given, API, wipe), 200
    return _answer(mautic, 200, changed, codes, errors)


def create(mautic: Mautic, call: Call) -> Answer:
    """POST `/api/contacts/batch/new`. Raises Refused."""
    made: dict[int, Any] = {}
    codes: dict[int, int] = {}
    errors: dict[int, dict[str, Any]] = {}
    for index, given in enumerate(_list(call)):
        spoilt = call.spoils(index, given)
        if spoilt:
            errors[index] = refusals.item_error(spoilt)
            codes[index] = errors[index]["code"]
        else:
            made[index], new = contacts.create(mautic, given, API)
            codes[index] = 201 if new else 200
    return _answer(mautic, 201, made, codes, errors)


def _answer(
    mautic: Mautic, status: int, done: dict[int, Any], codes: dict[int, int], errors: dict[int, Any]
) -> Answer:
    shown = {index: contacts.shown(mautic, record) for index, record in done.items()}
    body = {"contacts": php_array(shown), "statusCodes": php_array(codes)}
    return refusals.reply(status, {**body, "errors": php_array(errors)} if errors else body)


def _list(call: Call) -> list[dict[str, Any]]:
    """A batch's items. Raises Refused past the limit, with 500 [V]."""
    try:
        body = call.json()
    except ValueError:
        raise Refused(refusals.error(400, "Could not decode request body.")) from None
    items = body if isinstance(body, list) else list(body.values()) if isinstance(body, dict) else []
    if len(items) > LIMIT:
        raise Refused(refusals.error(500, f"More than {LIMIT} items in one batch"))
    return [item if isinstance(item, dict) else {} for item in items]
