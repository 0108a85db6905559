"""The API as a whole: one NinjaAPI whose OpenAPI document says everything that it does.

Owns what every operation has in common (problems, keys) and the shapes of bodies that the views read by
themselves. The operations are the routers'; the page that shows them is `leads.api.docs`.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.parser import Parser
from pydantic.json_schema import models_json_schema

from leads.api import errors, schemas
from leads.api.docs import Page
from leads.intake.schema import EventIn

REF = "#/components/schemas/{model}"
WORDS = """Handoff takes qualified leads in, hands them to sales, and says where each one stands.

Ids are opaque strings, people are e-mail addresses, queues are `queue:SLUG`, times are RFC 3339 in UTC.
Every failure is `application/problem+json` with `errors`, each with `pointer`, `code` and `detail`."""
PROBLEMS = {
    400: "The body is not JSON as we take it.",
    401: "No key, or none in force.",
    403: "The key lacks the scope, or the person may not.",
    404: "Unknown, or not this person's to see.",
    409: "The state does not allow it, or others moved it meanwhile: `state`, `by`, `at`.",
    411: "The length of the body is not said.",
    413: "Too large: bytes or events.",
    415: "Not a content type that is taken here.",
    422: "Not valid: see `errors`.",
    429: "Too many events for this key; wait for `Retry-After` seconds.",
    500: "Something broke on our side. Nothing half was kept: send it again.",
}


class WithoutEmpty(Parser):
    """An empty parameter asks for nothing: `?state=&limit=` is as good as none."""

    def parse_querydict(self, data: Any, list_fields: list[str], request: HttpRequest) -> Any:
        found = super().parse_querydict(data, list_fields, request)
        return {name: value for name, value in found.items() if value != ""}


class Api(NinjaAPI):
    """The API under /api/v1."""

    def __init__(self) -> None:
        super().__init__(
            title="Handoff",
            version="1",
            description=WORDS,
            docs=Page(),
            parser=WithoutEmpty(),
            urls_namespace="api",
        )
        self._document: Any = None

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:
        return errors.answer(errors.problem_of(request, exc))

    def get_openapi_schema(self, **options: Any) -> Any:
        """The OpenAPI document, complete with bodies and problems. Made once: it hangs on nothing."""
        if self._document is None:
            self._document = self._made(**options)
        return self._document

    def _made(self, **options: Any) -> Any:
        document = super().get_openapi_schema(**options)
        known = document["components"]["schemas"]
        _, bodies = models_json_schema(
            [(model, "validation") for model in (EventIn, *schemas.BODIES)], ref_template=REF
        )
        _, problem = models_json_schema([(schemas.ProblemAnswer, "serialization")], ref_template=REF)
        known.update({**problem["$defs"], **bodies["$defs"]})
        for path in document["paths"].values():
            for operation in path.values():
                _complete(operation)
        return document


def _complete(operation: dict[str, Any]) -> None:
    """The failures that an operation can answer with, by what it takes."""
    parameters = operation.get("parameters", ())
    for parameter in parameters:
        # An absent parameter is absent: a query or a header has no null.
        kinds = parameter["schema"].pop("anyOf", [{}])
        parameter["schema"] |= next(kind for kind in kinds if kind.get("type") != "null")
        if parameter["in"] == "query":
            parameter["allowEmptyValue"] = True
    codes = [401, 403, 429, 500]
    if operation.get("requestBody"):
        codes += [400, 411, 413, 415]
    if operation.get("requestBody") or parameters:
        codes.append(422)
    if any(parameter["in"] == "path" for parameter in parameters):
        codes.append(404)
    if operation["tags"] == ["acting"]:
        codes.append(409)
    schema = {"$ref": REF.format(model=schemas.ProblemAnswer.__name__)}
    for code in codes:
        told: dict[str, Any] = {
            "description": PROBLEMS[code],
            "content": {errors.MEDIA_TYPE: {"schema": schema}},
        }
        if code == 429:
            told["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
        operation["responses"].setdefault(code, told)
    answers = operation["responses"].items()
    operation["responses"] = {
        str(code): told for code, told in sorted(answers, key=lambda item: int(item[0]))
    }
