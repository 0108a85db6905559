"""The site's addresses and the bare views'."""

from django.urls import path

from handoff_site.urls import urlpatterns as site
from tests.bench.yardstick import views

urlpatterns = [
    path("bare/empty", views.empty),
    path("bare/session", views.session),
    path("bare/rows", views.rows),
    path("bare/insert", views.insert),
    *site,
]
