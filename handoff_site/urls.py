"""The URL map of the whole site; the API is assembled here from the apps' routers."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
