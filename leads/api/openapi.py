"""The API as a whole: one NinjaAPI whose OpenAPI document says everything that it does.

Owns what every operation has in common (problems, keys) and the shapes of bodies that the views read by
themselves. The operations are the routers', what is said about them is `leads.api.document`; the page that
shows them is `leads.api.docs`.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.parser import Parser
from pydantic.json_schema import models_json_schema

from leads.api import errors, schemas
from leads.api.docs import Page
from leads.api.document import REF, complete
from leads.intake.schema import EventIn

WORDS = """Handoff takes qualified leads in, hands them to sales, and says where each one stands.

Ids are opaque strings, people are e-mail addresses, queues are `queue:SLUG`, times are RFC 3339 in UTC.
Every failure is `application/problem+json` with `errors`, each with `pointer`, `code` and `detail`. Every
answer carries `X-Request-ID`, by which the log finds the request again."""


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
                complete(operation)
        return document
