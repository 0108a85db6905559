"""The addresses of the metrics app."""

from django.urls import path

from metrics.views import behind, dashboard, whatif

app_name = "metrics"

urlpatterns = [
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("dashboard/figures.csv", dashboard.figures, name="figures"),
    path("dashboard/handoffs/", behind.behind_figure, name="behind"),
    path("whatif/", whatif.page, name="whatif"),
]
