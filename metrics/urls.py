"""The addresses of the metrics app."""

from django.urls import path

from metrics.views import behind, dashboard, parts, whatif

app_name = "metrics"

urlpatterns = [
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("dashboard/figures/<slug:name>/", parts.part, name="part"),
    path("dashboard/figures.csv", dashboard.figures, name="figures"),
    path("dashboard/handoffs/", behind.behind_figure, name="behind"),
    path("whatif/", whatif.page, name="whatif"),
]
