"""What the administration does not show, and what it can't be asked for.

The tables of django-allauth are not shown: their rows are secrets and ties that `handoff_site.signing_in`
alone makes and ends. django-q2's tasks go by a text, which may hold what no database keeps.
"""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest
from django_q.admin import FailAdmin, TaskAdmin
from django_q.models import Failure, Success

from handoff_site.signing_in import library

if settings.HAS_LIBRARY:
    for name in library.APPS:
        for model in apps.get_app_config(name.rpartition(".")[2]).get_models():
            if admin.site.is_registered(model):
                admin.site.unregister(model)


class ByText(admin.ModelAdmin):
    """PostgreSQL keeps no NUL and refuses to be asked for one: nothing can be there."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        if "\x00" in object_id:
            raise Http404
        return super().get_object(request, object_id, from_field)


class Done(ByText, TaskAdmin):
    """The tasks that were done."""


class Failed(ByText, FailAdmin):
    """The tasks that failed."""


for model, kind in ((Success, Done), (Failure, Failed)):
    admin.site.unregister(model)
    admin.site.register(model, kind)
