"""The addresses that need django-allauth; `handoff_site.urls` includes them where it is installed."""

from django.urls import path

from handoff_site.signing_in import setting_up, sso, stepping

urlpatterns = [
    path("login/second/", stepping.step, name="second_step"),
    path("login/again/second/", stepping.again, name="again_second"),
    path("login/passkey/", stepping.by_passkey, name="passkey_sign_in"),
    path("profile/sign-in/app/", setting_up.app, name="second_app"),
    path("profile/sign-in/passkey/", setting_up.passkey, name="second_passkey"),
    path("profile/sign-in/paper/", setting_up.paper, name="second_paper"),
    path("profile/sign-in/<int:pk>/take-away/", setting_up.take_away, name="second_take_away"),
    path("login/sso/", sso.start, name="sso_start"),
    path("login/sso/callback/", sso.callback, name="sso_callback"),
]
