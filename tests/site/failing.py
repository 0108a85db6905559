"""The site's addresses and one whose view fails, for the tests of what is shown then."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from handoff_site import urls


def fails(request: HttpRequest) -> HttpResponse:
    """Breaks."""
    raise RuntimeError("meant to fail")


handler500 = urls.handler500
urlpatterns = [path("fails/", fails), *urls.urlpatterns]
