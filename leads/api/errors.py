"""Everything that goes wrong under /api/v1, as application/problem+json (RFC 9457).

Owns the shape of a problem and the promise that nothing under the API answers a failure in another form,
whether a view, the URL map, a middleware or the server's settings refused. Decides nothing else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from ninja.errors import AuthenticationError, HttpError, ValidationError

from routing.passing import RETRY_SECONDS, is_passing

ROOT = "/api/v1/"
MEDIA_TYPE = "application/problem+json"
_WORDS = {
    400: "The request cannot be read.",
    403: "This is not allowed.",
    404: "There is nothing here.",
    405: "This method is not allowed here; see the header Allow.",
    412: "It is no longer what you saw: the condition in the header does not hold.",
    500: "Something broke on our side; it was written down with the request's id. Nothing half was kept.",
    503: "This took too long, or the database is away. Send the same again: nothing half was kept, "
    "and no event is taken twice.",
}

logger = logging.getLogger(__name__)


class Problem(Exception):
    """A refusal as it is answered: status, words, errors with pointer, code and detail, further members."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Iterable[dict[str, str]] = (),
        *,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, list(errors)
        self.headers, self.members = headers or {}, members


def error(pointer: str, code: str, detail: str) -> dict[str, str]:
    """One entry of `errors`. `pointer` is a JSON pointer into the body, or /query/NAME and /header/NAME."""
    return {"pointer": pointer, "code": code, "detail": detail}


def escaped(part: object) -> str:
    """One step of a JSON pointer."""
    return str(part).replace("~", "~0").replace("/", "~1")


def from_pydantic(items: Iterable[Any]) -> list[dict[str, str]]:
    """pydantic's complaints about a body as errors."""
    found = []
    for item in items:
        pointer = "".join(f"/{escaped(part)}" for part in item["loc"])
        words = str(item["msg"]).removeprefix("Value error, ")
        found.append(error(pointer, str(item["type"]), words[:1].upper() + words[1:]))
    return found


def answer(problem: Problem) -> HttpResponse:
    """The response that tells this problem."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
        "errors": problem.errors,
    }
    return HttpResponse(
        json.dumps(body), status=problem.status, content_type=MEDIA_TYPE, headers=problem.headers
    )


class Problems:
    """Middleware: a failure under the API that somebody else worded (the URL map, another middleware,
    Django itself) is told as a problem too. Headers such as Allow stay."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        failed = response.status_code >= 400 and request.path.startswith(ROOT)
        if failed and not response.get("Content-Type", "").startswith(MEDIA_TYPE):
            words = _WORDS.get(response.status_code, "The request was refused.")
            told = answer(Problem(response.status_code, words))
            response.content = told.content
            response["Content-Type"] = MEDIA_TYPE
            response["Content-Length"] = str(len(told.content))
        return response


def problem_of(request: HttpRequest, wrong: BaseException | type[BaseException]) -> Problem:
    """What to tell of an exception that left a view. One that nobody expected is logged."""
    match wrong:
        case Problem():
            return wrong
        case ValidationError():
            return Problem(422, "Some parameters are not valid.", map(_parameter, wrong.errors))
        case AuthenticationError():
            words = "This needs a key that is in force: Authorization: Bearer KEY."
            return Problem(401, words, headers={"WWW-Authenticate": "Bearer"})
        case HttpError():
            return Problem(wrong.status_code, _WORDS.get(wrong.status_code, "The request was refused."))
        case Http404():
            return Problem(404, _WORDS[404])
        case PermissionDenied():
            return Problem(403, _WORDS[403])
        case _ if is_passing(wrong if isinstance(wrong, BaseException) else None):
            logger.warning("%s %s has to be sent again", request.method, request.path, exc_info=True)
            return Problem(503, _WORDS[503], headers={"Retry-After": str(RETRY_SECONDS)})
        case _:
            kept = wrong if isinstance(wrong, BaseException) else None
            logger.error("%s %s broke", request.method, request.path, exc_info=kept)
            return Problem(500, _WORDS[500])


def _parameter(item: dict[str, Any]) -> dict[str, str]:
    # The middle of a location is the name of the view's argument; the caller knows only its ends.
    part, name = item["loc"][0], item["loc"][-1]
    words = str(item["msg"]).removeprefix("Value error, ")
    return error(f"/{part}/{escaped(name)}", str(item["type"]), words[:1].upper() + words[1:])
