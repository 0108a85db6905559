"""The addresses of the provider: its own sign-in page, and django-oauth-toolkit's."""

from __future__ import annotations

from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import include, path

from tests.oidc.claiming import people

PAGE = """<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,">
<form method="post">
<label>User <input name="username"></label><button>Sign in there</button></form></html>"""


def sign_in(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("username", "")
    if request.method != "POST" or name not in people():
        return HttpResponse(PAGE)
    user, _ = get_user_model().objects.get_or_create(username=name)
    login(request, user)
    return HttpResponseRedirect(request.GET["next"])


urlpatterns = [path("signin/", sign_in), path("o/", include("oauth2_provider.urls"))]
