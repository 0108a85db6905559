"""API keys: made here, shown once, revoked, never read again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from leads.admin.base import Kept, Proved, acting, save_changed
from leads.keys import SCOPES, make_key, revoke
from leads.models import ApiKey

SCOPE_WORDS = {
    "intake": "send events and leads in",
    "read": "read handoffs and figures",
    "act": "act for a person who is named in each call",
}


class NewKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {SCOPE_WORDS[scope]}") for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "is_quiet")


class KeyForm(forms.ModelForm):
    class Meta:
        model = ApiKey
        fields = ("name", "is_quiet")


@admin.register(ApiKey)
class ApiKeyAdmin(Kept, Proved):
    list_display = ("name", "prefix", "scopes", "is_quiet", "created_at", "last_used_at", "revoked_at")
    search_fields = ("name", "prefix")
    actions = ("revoke_keys",)
    _seen = ("prefix", "scopes", "created_at", "created_by", "last_used_at", "revoked_at")

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        kwargs["form"] = KeyForm if obj else NewKeyForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "is_quiet", *self._seen) if obj else ("name", "scopes", "is_quiet")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self._seen if obj else ()

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            save_changed(obj, form.changed_data, change)
            return
        made, plain = make_key(
            obj.name, obj.scopes, timezone.now(), created_by=acting(request), is_quiet=obj.is_quiet
        )
        obj.__dict__.update(made.__dict__)
        # For the answer to this request, and nowhere else: neither the session nor a cookie sees it.
        form.plain = plain
        request.plain_key = plain  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        """The page that shows the key, this once; not a redirect, which would have to carry it."""
        return _shown_once(request, obj, self)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        now = timezone.now()
        for key in queryset.filter(revoked_at__isnull=True):
            revoke(key, now, acting(request))
            self.log_change(request, key, "Revoked.")
            messages.success(request, f"{key} opens nothing from now on.")


@never_cache
def _shown_once(request: HttpRequest, key: ApiKey, page: ApiKeyAdmin) -> HttpResponse:
    context = {
        **page.admin_site.each_context(request),
        "title": "The key, this once",
        "opts": ApiKey._meta,
        "key": key,
        "plain": request.plain_key,  # type: ignore[attr-defined]
    }
    return TemplateResponse(request, "admin/leads/apikey/created.html", context)
