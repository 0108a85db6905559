"""The URL map of the whole site; the API is assembled here from the apps' routers."""

from django.contrib import admin
from django.urls import path

from handoff_site import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", admin.site.urls),
]
