"""The page after an exception that nothing caught.

Owns that it says the id under which the exception was written down, so that whoever reads the log finds it,
and that what only the moment refused (a database that is away or overtaxed) is told as that: 503, and when to
try again. Asks neither database nor session: either may be what broke.
"""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader

from routing.passing import RETRY_SECONDS, is_passing


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 for what may pass, with the id of the request where it has one."""
    words = {"request_id": getattr(request, "request_id", "")}
    if is_passing(sys.exception()):
        page = loader.get_template("503.html").render(words)
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    return HttpResponseServerError(loader.get_template("500.html").render(words))
