"""Many HubSpot records at once: read, create, update, upsert, archive.

At most 100 inputs; 207 with `numErrors` and `errors` when some fail, matched by `objectWriteTraceId` [V,
section 2.2 and OpenAPI]. A write in which an input without a trace id fails is refused whole [R: the guide
makes partial answers depend on the trace ids]; so is one with the same id twice [R]. An upsert by e-mail is
never partial [V]: it is refused when a record's e-mail is not among its properties, and whole when one input
fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles.clock import iso_millis
from tests.doubles.hubspot import objects, refusals
from tests.doubles.records import API, Record
from tests.doubles.wire import Answer, Call, Refused, answer

if TYPE_CHECKING:
    from tests.doubles.hubspot.portal import HubSpot

LIMIT = 100
# With histories [2: the words of the refusal, as others met them].
LIMIT_WITH_HISTORY = 50
Problem = tuple[str, str, dict[str, Any]]


def batch(hubspot: HubSpot, kind: str, verb: str, call: Call, body: dict[str, Any]) -> Answer:
    """Answer one of the batch paths. Raises Refused."""
    began = hubspot.clock.now()
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(item, dict) for item in inputs):
        raise Refused(refusals.invalid("Invalid input JSON: inputs must be a list of objects"))
    if len(inputs) > LIMIT:
        raise Refused(refusals.invalid(f"Batch limit of {LIMIT} exceeded: {len(inputs)} inputs"))
    if verb == "read":
        results, errors = _read(hubspot, kind, body, inputs)
    elif verb == "archive":
        results, errors = _archive(hubspot, kind, inputs)
    elif verb in ("create", "update", "upsert"):
        results, errors = _write(hubspot, kind, verb, call, inputs)
    else:
        raise Refused(refusals.not_found())
    if verb == "archive" and not errors:
        return Answer(204)
    if hubspot.shuffle_results:
        hubspot.random.shuffle(results)
    shown: dict[str, Any] = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": iso_millis(began),
        "completedAt": iso_millis(hubspot.clock.now()),
    }
    if errors:
        shown |= {"numErrors": len(errors), "errors": errors}
    return answer(207 if errors else 201 if verb == "create" else 200, shown)


def _read(
    hubspot: HubSpot, kind: str, body: dict[str, Any], inputs: list[dict[str, Any]]
) -> tuple[list[Any], list[Any]]:
    wanted = [str(name) for name in body.get("properties") or []]
    told = [str(name) for name in body.get("propertiesWithHistory") or []]
    if told and len(inputs) > LIMIT_WITH_HISTORY:
        words = "The maximum number of inputs supported in a batch request for property histories is 50."
        raise Refused(refusals.invalid(words))
    found: dict[str, dict[str, Any]] = {}
    missing = []
    for item in inputs:
        key = str(item.get("id", ""))
        record = objects.find(hubspot, kind, key, str(body.get("idProperty") or ""))
        if record is None:
            missing.append(key)
        else:
            # The same record asked for twice, or by an id that was merged, comes once.
            found[record.id] = objects.shown(kind, record, wanted)
            if told:
                found[record.id]["propertiesWithHistory"] = objects.with_history(record, told)
    if not missing:
        return list(found.values()), []
    message = f"Could not get some {kind.upper()} objects, they may be deleted or not exist."
    error = {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": message,
        "context": {"ids": missing},
    }
    return list(found.values()), [error]


def _archive(hubspot: HubSpot, kind: str, inputs: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    for item in inputs:
        record = hubspot.books[kind].get(str(item.get("id", "")))
        if record:
            objects.remove(hubspot, kind, record, API)
    return [], []


def _write(
    hubspot: HubSpot, kind: str, verb: str, call: Call, inputs: list[dict[str, Any]]
) -> tuple[list[Any], list[Any]]:
    """Two rounds: what each input would do, then, unless the whole is refused, the doing."""
    if verb != "create":
        _check_ids(verb, inputs)
    plans: list[tuple[dict[str, Any], Record | None, dict[str, str]]] = []
    problems: list[tuple[dict[str, Any], Problem]] = []
    for index, item in enumerate(inputs):
        try:
            plans.append((item, *_plan(hubspot, kind, verb, item, call.spoils(index, item))))
        except _Fails as fails:
            problems.append((item, fails.problem))
    whole = [
        item
        for item, _ in problems
        if not item.get("objectWriteTraceId") or item.get("idProperty") == "email"
    ]
    if whole:
        category, message, context = problems[0][1]
        raise Refused(refusals.error(400, category, message, context=context))
    results = []
    for item, record, values in plans:
        made = record is None
        if record is None:
            record = objects.create(hubspot, kind, {**item, "properties": values}, API)
        else:
            objects.write(hubspot, kind, record, values, API)
        results.append(_result(kind, verb, item, record, values, made))
    return results, [_error(item, problem) for item, problem in problems]


class _Fails(Exception):
    def __init__(self, category: str, message: str, context: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.problem: Problem = (category, message, context or {})


def _check_ids(verb: str, inputs: list[dict[str, Any]]) -> None:
    ids = [(item.get("idProperty", ""), str(item.get("id", "")).lower()) for item in inputs]
    twice = (
        sorted({key for _, key in ids if [other for _, other in ids].count(key) > 1}) if _repeats(ids) else []
    )
    if twice:
        raise Refused(refusals.invalid(f"Duplicate IDs found in batch input: {twice}. IDs must be unique"))
    if verb == "upsert" and any(not item.get("idProperty") or not item.get("id") for item in inputs):
        raise Refused(refusals.invalid("Each input of an upsert needs id and idProperty"))


def _repeats(ids: list[tuple[Any, str]]) -> bool:
    return len(set(ids)) < len(ids)


def _plan(
    hubspot: HubSpot, kind: str, verb: str, item: dict[str, Any], spoilt: str
) -> tuple[Record | None, dict[str, str]]:
    """The record that an input means (None: a new one) and the values to write. Raises _Fails."""
    key, id_property = str(item.get("id", "")), str(item.get("idProperty") or "")
    if spoilt:
        raise _Fails(*refusals.ITEM_KINDS[spoilt], {"ids": [key]})
    given = dict(item.get("properties") or {})
    record = None if verb == "create" else objects.find(hubspot, kind, key, id_property)
    if verb == "update" and record is None:
        raise _Fails("OBJECT_NOT_FOUND", f"Could not find {kind} with id {key}", {"ids": [key]})
    if verb == "upsert":
        if id_property == "email" and "email" not in given:
            raise _Fails("VALIDATION_ERROR", "Partial upserts are not supported when idProperty is email")
        given.setdefault(id_property, key)
    try:
        return record, objects.writable(hubspot, kind, record, given)
    except Refused as refused:
        body = refusals.body_of(refused.answer)
        raise _Fails(body["category"], body["message"], {"ids": [key]} if key else {}) from None


def _result(
    kind: str, verb: str, item: dict[str, Any], record: Record, values: dict[str, str], made: bool
) -> dict[str, Any]:
    result = objects.shown(kind, record, list(values))
    if verb == "upsert":
        result["new"] = made
    if item.get("objectWriteTraceId"):
        result["objectWriteTraceId"] = item["objectWriteTraceId"]
    return result


def _error(item: dict[str, Any], problem: Problem) -> dict[str, Any]:
    category, message, context = problem
    # In the schema a context is an object of lists.
    context = {**context, "objectWriteTraceId": [item["objectWriteTraceId"]]}
    return {"status": "error", "category": category, "message": message, "context": context}
