"""The addresses that need django-allauth; `handoff_site.urls` includes them where it is installed."""

from django.urls import path

from handoff_site.signing_in import sso

urlpatterns = [
    path("login/sso/", sso.start, name="sso_start"),
    path("login/sso/callback/", sso.callback, name="sso_callback"),
]
