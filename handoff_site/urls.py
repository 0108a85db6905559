"""The URL map of the whole site; the API is assembled here from the apps' routers."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.generic import RedirectView

from handoff_site import health
from handoff_site.login import SignIn, SignOut, demo_login
from handoff_site.monitoring import views as monitoring
from handoff_site.signing_in import access, again, glass
from leads.api import acting, events, handoffs, intake
from leads.api.auth import BearerKey
from leads.api.openapi import Api
from leads.views.home import home
from metrics.api import router as metrics_router

handler500 = "handoff_site.broken.server_error"

api = Api()
api.add_router("", intake.router)
api.add_router("", handoffs.router)
api.add_router("", acting.router)
api.add_router("", events.router)
api.add_router("", metrics_router, auth=BearerKey("read"))

urlpatterns = [
    # Before the pages, which are two hundred: systems ask for most, and each address before theirs is tried.
    path("api/v1/", api.urls),
    path("", home, name="home"),
    path("login/", SignIn.as_view(), name="login"),
    path("login/demo/", demo_login, name="demo_login"),
    path("login/again/", again.again, name="again"),
    path("login/once/<str:token>/", glass.once, name="sign_in_once"),
    path("profile/sign-in/", access.own, name="access"),
    path("profile/sign-in/end/", access.end, name="access_end"),
    path("profile/sign-in/password/", access.change_password, name="access_password"),
    path("people/<int:pk>/sign-in/", access.person, name="person_access"),
    path("people/<int:pk>/sign-in/end/", access.end_all, name="person_access_end"),
    path("people/<int:pk>/sign-in/untie/", access.untie, name="person_untie"),
    path("people/<int:pk>/sign-in/second/reset/", access.reset_second, name="second_reset"),
    path("logout/", SignOut.as_view(), name="logout"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", monitoring.metrics, name="metrics"),
    path("status/", monitoring.status, name="status"),
    path("", include("leads.urls")),
    path("", include("metrics.urls")),
    # The administration has ways in and out of its own: there is one door.
    path("admin/login/", login_not_required(RedirectView.as_view(pattern_name="login", query_string=True))),
    path("admin/logout/", SignOut.as_view()),
    path("admin/password_change/", RedirectView.as_view(pattern_name="access")),
    path("admin/", admin.site.urls),
]
if settings.HAS_LIBRARY:
    urlpatterns.append(path("", include("handoff_site.signing_in.urls")))
