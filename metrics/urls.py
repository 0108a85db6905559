"""The addresses of the metrics app."""

from django.urls import path

from metrics.views import (
    agreement,
    behind,
    dashboard,
    diagnosis,
    gaming,
    loop,
    parts,
    proposing,
    report_acts,
    reports,
    time_spent,
    whatif,
)

app_name = "metrics"

urlpatterns = [
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("dashboard/figures/<slug:name>/", parts.part, name="part"),
    path("dashboard/figures.csv", dashboard.figures, name="figures"),
    path("dashboard/handoffs/", behind.behind_figure, name="behind"),
    path("dashboard/diagnosis/", diagnosis.page, name="diagnosis"),
    path("dashboard/time/", time_spent.page, name="time"),
    path("dashboard/loop/", loop.page, name="loop"),
    path("dashboard/loop.csv", loop.file, name="loop_file"),
    path("dashboard/gaming/", gaming.page, name="gaming"),
    path("reports/", reports.index, name="reports"),
    path("reports/make/", report_acts.make, name="report_make"),
    path("reports/subscription/", report_acts.subscription, name="report_subscription"),
    path("reports/schedule/", report_acts.schedule, name="report_schedule"),
    path("reports/<str:week>/", reports.report, name="report"),
    path("reports/<str:week>/handoffs/", reports.handoffs, name="report_handoffs"),
    path("reports/<str:week>/compare/", reports.compare, name="report_compare"),
    path("reports/<str:week>/report.csv", reports.as_csv, name="report_csv"),
    path("reports/<str:week>/report.xlsx", reports.as_workbook, name="report_xlsx"),
    path("reports/<str:week>/call/", report_acts.write, name="call_write"),
    path("reports/<str:week>/call/<int:pk>/", report_acts.correct, name="call_correct"),
    path("reports/<str:week>/call/<int:pk>/turn/", report_acts.turn, name="call_turn"),
    path("whatif/", whatif.page, name="whatif"),
    path("agreement/", agreement.page, name="agreement"),
    path("agreement/versions/<int:number>/", agreement.version, name="agreement_version"),
    path("agreement/propose/", proposing.propose, name="propose"),
    path("agreement/proposals/<int:pk>/", agreement.proposal, name="proposal"),
    path("agreement/proposals/<int:pk>/<slug:verb>/", agreement.act, name="proposal_act"),
]
