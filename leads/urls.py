"""The addresses of the leads app.

Names: `inbox`, `handoff`, `act`, `viewed`, `trace`, `theme` here; `team`, `leads`, `lead`, `completion`,
`notifications`, `profile`, `search` are the names that the shell's links look for.
"""

from django.urls import path

from leads.views import handoff, inbox, shell, trace

app_name = "leads"

urlpatterns = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("handoffs/<int:pk>/", handoff.handoff, name="handoff"),
    path("handoffs/<int:pk>/viewed/", handoff.viewed, name="viewed"),
    path("handoffs/<int:pk>/trace/", trace.trace, name="trace"),
    path("handoffs/<int:pk>/<slug:verb>/", handoff.act, name="act"),
    path("theme/", shell.theme, name="theme"),
]
