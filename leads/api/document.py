"""What the OpenAPI document says beyond what the views' signatures tell: failures, headers, links, examples.

Owns the words for each status and which operation can answer with it. Every failure is a problem, whoever
worded it. Changes the document only: what is promised here, the views and the middleware keep.
"""

from __future__ import annotations

from typing import Any

from leads.api import bodies, errors, examples, schemas

Json = dict[str, Any]

REF = "#/components/schemas/{model}"
PROBLEMS = {
    400: "The body is not JSON as we take it.",
    401: "No key, or none in force.",
    403: "The key lacks the scope, or the person may not.",
    404: "Unknown, or not this person's to see.",
    409: "The state does not allow it, or others moved it meanwhile: `state`, `by`, `at`.",
    411: "The length of the body is not said.",
    412: "`If-Match` does not hold: it is no longer what you saw. `state`, `by`, `at` say who moved it last.",
    413: "Too large: bytes or events.",
    415: "Not a content type that is taken here.",
    422: "Not valid: see `errors`.",
    429: "Too many events for this key; wait for `Retry-After` seconds.",
    500: "Something broke on our side. Nothing half was kept: send it again.",
    503: "It took too long, or the database is away. Send the same again: nothing half was kept, and "
    "events of a batch that were kept by then answer `duplicate`.",
}
_NOT_MODIFIED = "What you have is what there is (`If-None-Match`)."
_TEXT: Json = {"schema": {"type": "string"}}
_TAGS: Json = {
    "ETag": _TEXT
    | {"description": "the tag of what is told; weak (`W/`) where it stands for more than one text"},
    "Cache-Control": _TEXT
    | {"description": "`private, no-cache`: keep it for yourself and ask again each time"},
}
_HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": _TEXT | {"description": "`Bearer`"}},
    429: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "seconds"}},
    503: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "seconds"}},
}
_IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "an `ETag` you have: 304 without a body when it still holds",
}
_READS, _ACTS = "handoffs", "acting"


def complete(operation: Json) -> None:
    """Add to an operation what it can answer with, by what it takes."""
    name, [tag] = operation["operationId"], operation["tags"]
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        _as_sent(parameter)
    codes = [401, 403, 429, 500, 503]
    if body := operation.get("requestBody"):
        codes += [400, 411, 413, 415]
        for content in body["content"].values():
            is_list = content["schema"].get("type") == "array"
            shown = {title: [value] if is_list else value for title, value in _sent(name).items()}
            content["examples"] = {title: {"value": value} for title, value in shown.items()}
    if body or parameters:
        codes.append(422)
    if any(parameter["in"] == "path" for parameter in parameters):
        codes.append(404)
    if tag == _ACTS:
        codes += [409, 412]
    responses = {int(code): told for code, told in operation["responses"].items()}
    responses |= {code: _problem(code) for code in codes}
    if tag == _READS:
        parameters.append(_IF_NONE_MATCH)
        responses[200]["headers"] = _TAGS
        responses[304] = {"description": _NOT_MODIFIED, "headers": _TAGS}
    responses[200] |= {"description": "Done."} if tag == _ACTS else {"description": "Here it is."}
    responses[200]["content"][bodies.JSON] |= _answered(name, tag)
    if links := _links(name, tag):
        responses[200]["links"] = links
    operation["responses"] = {str(code): told for code, told in sorted(responses.items())}


def _as_sent(parameter: Json) -> None:
    # An absent parameter is absent: a query or a header has no null.
    kinds = parameter["schema"].pop("anyOf", [{}])
    parameter["schema"] |= next(kind for kind in kinds if kind.get("type") != "null")
    if parameter["in"] == "query":
        parameter["allowEmptyValue"] = True


def _problem(code: int) -> Json:
    content: Json = {"schema": {"$ref": REF.format(model=schemas.ProblemAnswer.__name__)}}
    if code in examples.PROBLEMS:
        content["example"] = examples.PROBLEMS[code]
    told: Json = {"description": PROBLEMS[code], "content": {errors.MEDIA_TYPE: content}}
    return told | ({"headers": _HEADERS[code]} if code in _HEADERS else {})


def _sent(name: str) -> dict[str, Any]:
    """Bodies to show, by a title."""
    if name == "intake":
        return {"A lead qualified": examples.EVENT, "It did something more": examples.ACTIVITY}
    return {"An act": examples.ACTS[name]}


def _answered(name: str, tag: str) -> Json:
    if name == "intake":
        shown = {"One event": examples.ANSWER, "Several": examples.BATCH_ANSWER}
        return {"examples": {title: {"value": value} for title, value in shown.items()}}
    if name == "list_handoffs":
        return {"example": examples.PAGE}
    return {"example": examples.HANDOFF} if tag == _ACTS else {}


def _links(name: str, tag: str) -> Json:
    """Where to go on from an answer."""
    if name == "intake":
        return {"handoff": _to("get_handoff", "/handoff/id", "The handoff that it opened or found open.")}
    if name == "list_handoffs":
        more: Json = {"operationId": name, "parameters": {"cursor": "$response.body#/next"}}
        return {
            "next": more | {"description": "The next page."},
            "first": _to("get_handoff", "/results/0/id", "The first of the page with all that is known."),
        }
    if name == "get_handoff":
        return {verb: _to(verb, "/id", "Act on it.") for verb in examples.ACTS}
    return {"handoff": _to("get_handoff", "/id", "What became of it.")} if tag == _ACTS else {}


def _to(name: str, pointer: str, words: str) -> Json:
    parameters = {"handoff_id": f"$response.body#{pointer}"}
    return {"operationId": name, "parameters": parameters, "description": words}
