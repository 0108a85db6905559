"""The addresses of the leads app.

The working page's own verbs stand before `act`, which takes any other. The shell's links look for the names
`inbox`, `team`, `leads`, `completion`, `triage`, `routing`, `notifications`, `profile`, `search`.
"""

from django.urls import path

from leads.views import (
    completion,
    duplicates,
    handoff,
    home,
    inbox,
    lead,
    leads,
    notifications,
    profile,
    routing,
    search,
    shell,
    team,
    trace,
    triage,
)

app_name = "leads"

urlpatterns = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("handoffs/<int:pk>/", handoff.handoff, name="handoff"),
    path("handoffs/<int:pk>/viewed/", handoff.viewed, name="viewed"),
    path("handoffs/<int:pk>/trace/", trace.trace, name="trace"),
    path("handoffs/<int:pk>/waive/", completion.waive, name="waive"),
    path("handoffs/<int:pk>/recheck/", completion.recheck, name="recheck"),
    path("handoffs/<int:pk>/discard/", completion.discard, name="discard"),
    path("handoffs/<int:pk>/<slug:verb>/", handoff.act, name="act"),
    path("theme/", shell.theme, name="theme"),
    path("first-steps/", home.first_steps, name="first_steps"),
    path("leads/", leads.leads, name="leads"),
    path("leads/leads.csv", leads.as_file, name="leads_csv"),
    path("leads/<int:pk>/", lead.lead, name="lead"),
    path("leads/<int:pk>/edit/", lead.edit, name="lead_edit"),
    path("search/", search.search, name="search"),
    path("team/", team.team, name="team"),
    path("team/<int:pk>/reassign/", team.reassign, name="team_reassign"),
    path("completion/", completion.completion, name="completion"),
    path("completion/completion.csv", completion.as_file, name="completion_csv"),
    path("completion/<int:pk>/", completion.save, name="completion_save"),
    path("completion/<int:pk>/enrich/", completion.enrich, name="completion_enrich"),
    path("completion/<int:pk>/different/<int:pair>/", completion.different, name="completion_different"),
    path("completion/reports/<int:pk>/clear/", completion.clear, name="completion_clear"),
    path("duplicates/", duplicates.duplicates, name="duplicates"),
    path("duplicates/<int:pk>/", duplicates.duplicate, name="duplicate"),
    path("duplicates/<int:pk>/merge/", duplicates.merge, name="duplicate_merge"),
    path("duplicates/<int:pk>/different/", duplicates.different, name="duplicate_different"),
    path("triage/", triage.triage, name="triage"),
    path("triage/handoffs/<int:pk>/settle/", triage.settle_rejection, name="settle_rejection"),
    path("triage/items/<int:pk>/settle/", triage.settle_item, name="settle_item"),
    path("routing/", routing.routing, name="routing"),
    path("notifications/", notifications.notifications, name="notifications"),
    path("notifications/read/", notifications.read_all, name="read_all"),
    path("notifications/<int:pk>/read/", notifications.read, name="read"),
    path("profile/", profile.profile, name="profile"),
    path("profile/save/", profile.save, name="profile_save"),
    path("profile/absences/", profile.add_absence, name="add_absence"),
    path("profile/absences/<int:pk>/delete/", profile.delete_absence, name="delete_absence"),
]
