"""The project itself as an app, so that its commands and system checks are found."""

from django.apps import AppConfig


class HandoffSiteConfig(AppConfig):
    name = "handoff_site"
