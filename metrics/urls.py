"""The addresses of the metrics app."""

from django.urls import path

from metrics.views import agreement, behind, dashboard, proposing, whatif

app_name = "metrics"

urlpatterns = [
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("dashboard/figures.csv", dashboard.figures, name="figures"),
    path("dashboard/handoffs/", behind.behind_figure, name="behind"),
    path("whatif/", whatif.page, name="whatif"),
    path("agreement/", agreement.page, name="agreement"),
    path("agreement/versions/<int:number>/", agreement.version, name="agreement_version"),
    path("agreement/propose/", proposing.propose, name="propose"),
    path("agreement/proposals/<int:pk>/", agreement.proposal, name="proposal"),
    path("agreement/proposals/<int:pk>/<slug:verb>/", agreement.act, name="proposal_act"),
]
