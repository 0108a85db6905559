"""ETags: whoever knows an answer already is not sent it again, and nobody acts on what has changed meanwhile.

Owns the tags, what caches may do with an answer, and the conditions on them. A tag is made of what is told,
so the same tag is the same answer, whatever in the database that hangs on. Compression on the way makes a
strong tag a weak one (`W/`); both mean the same here, for behind such a tag there is one text only.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import parse_etags

from leads.api.bodies import JSON

# One's own browser or proxy may keep it, and asks each time whether it is still so.
CACHING = "private, no-cache"


def strong(body: dict[str, Any]) -> str:
    """The tag of an answer with this body; `revision` leads it, for whoever reads logs."""
    return f'"{body["revision"]}-{_digest(body)}"'


def weak(body: dict[str, Any]) -> str:
    """The tag of every answer that says this, whatever else stands in it."""
    return f'W/"{_digest(body)}"'


def told(body: dict[str, Any]) -> HttpResponse:
    """200 with this JSON. It is built here, so it is not validated on its way out."""
    return HttpResponse(json.dumps(body), content_type=JSON)


def read(request: HttpRequest, body: dict[str, Any], tag: str) -> HttpResponse:
    """200 with this JSON, or what the request's conditions on the tag make of it: 304 or 412."""
    response = told(body)
    response["ETag"], response["Cache-Control"] = tag, CACHING
    patch_vary_headers(response, ["Authorization"])
    answer = get_conditional_response(request, etag=tag, response=response)
    return answer if isinstance(answer, HttpResponse) else response


def holds(if_match: str, tag: str) -> bool:
    """Whether an If-Match header names this tag, or any."""
    named = {given.removeprefix("W/") for given in parse_etags(if_match)}
    return bool(named & {"*", tag})


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body).encode()).hexdigest()[:32]
