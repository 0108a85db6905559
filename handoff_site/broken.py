"""The page after an exception that nothing caught.

Owns that it says the id under which the exception was written down, so that whoever reads the log finds it.
Asks neither database nor session: either may be what broke.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseServerError
from django.template import loader


def server_error(request: HttpRequest) -> HttpResponseServerError:
    """500, with the id of the request where it has one."""
    number = getattr(request, "request_id", "")
    return HttpResponseServerError(loader.get_template("500.html").render({"request_id": number}))
