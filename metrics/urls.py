"""The addresses of the metrics app."""

from django.urls import path

from metrics.views import agreement, behind, dashboard, diagnosis, gaming, loop, proposing, time_spent, whatif

app_name = "metrics"

urlpatterns = [
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("dashboard/figures.csv", dashboard.figures, name="figures"),
    path("dashboard/handoffs/", behind.behind_figure, name="behind"),
    path("dashboard/diagnosis/", diagnosis.page, name="diagnosis"),
    path("dashboard/time/", time_spent.page, name="time"),
    path("dashboard/loop/", loop.page, name="loop"),
    path("dashboard/loop.csv", loop.file, name="loop_file"),
    path("dashboard/gaming/", gaming.page, name="gaming"),
    path("whatif/", whatif.page, name="whatif"),
    path("agreement/", agreement.page, name="agreement"),
    path("agreement/versions/<int:number>/", agreement.version, name="agreement_version"),
    path("agreement/propose/", proposing.propose, name="propose"),
    path("agreement/proposals/<int:pk>/", agreement.proposal, name="proposal"),
    path("agreement/proposals/<int:pk>/<slug:verb>/", agreement.act, name="proposal_act"),
]
