"""The project itself as an app, so that its commands and system checks are found."""

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, register

from handoff_site import checks, lifeline, limits, postgres


class HandoffSiteConfig(AppConfig):
    name = "handoff_site"

    def ready(self) -> None:
        register(checks.deployment, "handoff", deploy=True)
        register(limits.in_force, Tags.database)
        postgres.quicken()
        # django-q2 forks its workers from a process that it forked itself; without this, a kill -9 of
        # either leaves the rest running beside the cluster that the supervisor starts next.
        if settings.IS_WORKER:
            lifeline.guard_forks()
            lifeline.hold()
