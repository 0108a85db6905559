"""Reads a request's JSON body with suspicion, before anybody looks at what it means.

Owns content types, sizes and what is not accepted as JSON: duplicate members, NaN and Infinity, numbers
that no database holds, nesting that would exhaust the stack. Returns plain values or raises Problem.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NoReturn

from django.http import HttpRequest

from leads.api.errors import Problem, error

JSON = "application/json"
MIB = 1024 * 1024
_LARGEST = 2**63


class _NotTaken(ValueError):
    """JSON that some parsers take and we do not."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def media_type(request: HttpRequest, accepted: Collection[str]) -> str:
    """The body's media type, one of `accepted`. Raises Problem 415."""
    given, _, parameters = request.headers.get("Content-Type", "").partition(";")
    found = given.strip().lower()
    if found not in accepted:
        raise Problem(415, f"Send {' or '.join(accepted)}.", headers={"Accept-Post": ", ".join(accepted)})
    charset = parameters.strip().lower().removeprefix("charset=").strip('" ')
    if parameters.lower().strip().startswith("charset=") and charset not in ("utf-8", "utf8"):
        raise Problem(415, "Send UTF-8.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(415, "Send the body as it is, without a content encoding.")
    return found


def read(request: HttpRequest, limit: int) -> bytes:
    """The body, of at most `limit` bytes. Raises Problem 411 or 413."""
    if "CONTENT_LENGTH" not in request.META and "Transfer-Encoding" in request.headers:
        raise Problem(411, "Say how long the body is: Content-Length.")
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if length > limit:
        raise too_large(limit)
    return request.body


def too_large(limit: int) -> Problem:
    return Problem(413, f"A body here is at most {limit // MIB} MiB.")


def parse(raw: bytes) -> Any:
    """The value of a JSON text. Raises Problem 400 with what is wrong."""
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        code, detail = "not_utf8", "The body is not UTF-8."
    except json.JSONDecodeError as wrong:
        code, detail = "not_json", f"The body is not JSON: {wrong.msg} at character {wrong.pos}."
    except _NotTaken as wrong:
        code, detail = wrong.code, str(wrong)
    except RecursionError:
        code, detail = "too_deep", "The body is nested too deeply."
    raise Problem(400, detail, [error("", code, detail)])


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _NotTaken("duplicate_member", "An object has the same member twice.")
    return made


def _integer(text: str) -> int:
    # The length first: turning a million digits into a number takes its time.
    if len(text) > 20 or not -_LARGEST <= (value := int(text)) < _LARGEST:
        raise _NotTaken("number_too_large", "A whole number has at most 64 bits.")
    return value


def _decimal(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _NotTaken("number_too_large", "A number is too large.")
    return value


def _constant(text: str) -> NoReturn:
    raise _NotTaken("not_json", f"{text} is not JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)
