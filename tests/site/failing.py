"""The site's addresses and two whose views fail, for the tests of what is shown then."""

from __future__ import annotations

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from handoff_site import urls


def fails(request: HttpRequest) -> HttpResponse:
    """Breaks."""
    raise RuntimeError("meant to fail")


def sleeps(request: HttpRequest) -> HttpResponse:
    """Asks PostgreSQL for a minute."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    return HttpResponse()


handler500 = urls.handler500
urlpatterns = [path("fails/", fails), path("sleeps/", sleeps), *urls.urlpatterns]
