"""What the administration does not show: the tables of django-allauth, whose rows are secrets and ties that
`handoff_site.signing_in` alone makes and ends."""

from django.apps import apps
from django.conf import settings
from django.contrib import admin

from handoff_site.signing_in import library

if settings.HAS_LIBRARY:
    for name in library.APPS:
        for model in apps.get_app_config(name.rpartition(".")[2]).get_models():
            if admin.site.is_registered(model):
                admin.site.unregister(model)
