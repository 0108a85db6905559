"""Where leads can go: queues, pools and the draft of rules and territories, with the publishing of it.

An edit here changes the draft only; what is in force is the published ruleset, which is shown.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from leads.admin.base import Kept, Shown, ShownInline, acting, save_changed
from routing import publish
from routing.conditions import sentence, validate
from routing.models import Pool, PoolMember, Queue, Rule, Ruleset, SlaPolicy, SlaStep, Territory, User

MOST_WEIGHT = 1000


class QueueForm(forms.ModelForm):
    class Meta:
        model = Queue
        fields = ("slug", "name", "kind", "owner", "members", "calendar")

    def clean_owner(self) -> User:
        owner: User = self.cleaned_data["owner"]
        if not owner.is_active:
            raise ValidationError("The owner answers for what waits here; choose somebody who is active.")
        return owner

    def clean_kind(self) -> str:
        kind: str = self.cleaned_data["kind"]
        if self.instance.pk and self.instance.kind != Queue.Kind.SALES and kind != self.instance.kind:
            raise ValidationError("What has nowhere else to go ends in this queue; it stays what it is.")
        return kind


@admin.register(Queue)
class QueueAdmin(Kept):
    form = QueueForm
    list_display = ("name", "slug", "kind", "owner", "calendar")
    list_select_related = ("owner", "calendar")
    search_fields = ("name", "slug")
    filter_horizontal = ("members",)
    prepopulated_fields = {"slug": ("name",)}

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else super().get_prepopulated_fields(request, obj)


class SeatForm(forms.ModelForm):
    weight = forms.IntegerField(min_value=1, max_value=MOST_WEIGHT, initial=1)

    class Meta:
        model = PoolMember
        fields = ("user", "weight", "cap_open", "is_active")


class SeatInline(admin.TabularInline):
    """Seats of a pool. Who leaves the rotation is switched off: their turns stay in the ledger."""

    model = PoolMember
    form = SeatForm
    extra = 1
    can_delete = False
    readonly_fields = ("taken", "accrued")


@admin.register(Pool)
class PoolAdmin(Kept):
    list_display = ("name", "slug", "method", "cap_open", "calendar")
    list_select_related = ("calendar",)
    search_fields = ("name", "slug")
    inlines = (SeatInline,)

    def save_formset(self, request: HttpRequest, form: Any, formset: BaseInlineFormSet, change: bool) -> None:
        formset.save(commit=False)
        for seat_form in formset.initial_forms:
            # The router counts turns on these rows meanwhile.
            save_changed(seat_form.instance, seat_form.changed_data, True)
        for seat in formset.new_objects:
            seat.save()
        formset.save_m2m()


class ConditionsForm(forms.ModelForm):
    """Checks a condition document as publishing will; what it refers to may still go before that."""

    of_territory = False

    def clean_conditions(self) -> Any:
        document = self.cleaned_data["conditions"]
        current = publish.live()
        lists = set(current.document.get("lists") or {}) if current else set()
        slugs = set(Territory.objects.values_list("slug", flat=True))
        found = validate(document, territories=slugs, lists=lists, of_territory=self.of_territory)
        if found:
            raise ValidationError([f"{p.pointer}: {p.message}" if p.pointer else p.message for p in found])
        return document


class TerritoryForm(ConditionsForm):
    of_territory = True

    class Meta:
        model = Territory
        fields = ("slug", "name", "conditions", "owner", "members")


@admin.register(Territory)
class TerritoryAdmin(SimpleHistoryAdmin):
    form = TerritoryForm
    list_display = ("name", "slug", "reads", "owner")
    list_select_related = ("owner",)
    search_fields = ("name", "slug")
    filter_horizontal = ("members",)

    @admin.display(description="Conditions")
    def reads(self, territory: Territory) -> str:
        return sentence(territory.conditions)


def places() -> list[tuple[str, list[tuple[str, str]]]]:
    """What a rule can point at, as choices: "kind:id" grouped by kind."""
    people = User.objects.filter(is_active=True).order_by("name", "email")
    queues = Queue.objects.exclude(kind=Queue.Kind.COMPLETION)
    return [
        (
            "Owners",
            [("account_owner:", "The owner of the account"), ("territory_owner:", "The territory's owner")],
        ),
        ("Pools", [(f"pool:{pool.pk}", pool.name) for pool in Pool.objects.all()]),
        ("Queues", [(f"queue:{queue.pk}", queue.name) for queue in queues]),
        ("People", [(f"rep:{person.pk}", f"{person} ({person.email})") for person in people]),
        (
            "Owners of territories",
            [(f"territory_owner:{row.slug}", f"The owner of {row.name}") for row in Territory.objects.all()],
        ),
    ]


class RuleForm(ConditionsForm):
    target = forms.ChoiceField()
    fallback = forms.ChoiceField(required=False)
    policy_slug = forms.ChoiceField(label="SLA policy", required=False)

    class Meta:
        model = Rule
        fields = ("position", "name", "conditions", "owner", "last_reviewed", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule, known = self.instance, places()
        self._place("target", rule.target_kind, rule.target_id, known)
        self._place("fallback", rule.fallback_kind, rule.fallback_id, [("", "None, then overflow"), *known])
        live = SlaPolicy.objects.filter(is_live=True).order_by("slug").values_list("slug", "name")
        slugs: list[Any] = [("", "The default of the lead's type"), *live]
        if rule.policy_slug and rule.policy_slug not in dict(slugs):
            slugs.append((rule.policy_slug, f"{rule.policy_slug} (no longer live)"))
        self.fields["policy_slug"].choices = slugs  # type: ignore[attr-defined]
        self.fields["policy_slug"].initial = rule.policy_slug

    def _place(self, name: str, kind: str, pk: str, known: list[Any]) -> None:
        value = f"{kind}:{pk}" if kind else ""
        values = {choice for group, choices in known if isinstance(choices, list) for choice, _ in choices}
        if value and value not in values:
            known = [(value, f"{kind.replace('_', ' ')} {pk} (gone)"), *known]
        self.fields[name].choices = known  # type: ignore[attr-defined]
        self.fields[name].initial = value

    def save(self, commit: bool = True) -> Rule:
        rule: Rule = self.instance
        rule.target_kind, _, rule.target_id = self.cleaned_data["target"].partition(":")
        rule.fallback_kind, _, rule.fallback_id = self.cleaned_data["fallback"].partition(":")
        rule.policy_slug = self.cleaned_data["policy_slug"]
        super().save(commit)
        return rule


@admin.register(Rule)
class RuleAdmin(SimpleHistoryAdmin):
    """The draft. Nothing routes by it before it is published."""

    form = RuleForm
    list_display = ("position", "name", "reads", "target_kind", "is_active", "owner", "last_reviewed")
    list_display_links = ("name",)
    list_filter = ("is_active", "target_kind")
    list_select_related = ("owner",)
    search_fields = ("name",)
    fields = (
        "position", "name", "conditions", "target", "fallback", "policy_slug", "owner", "last_reviewed",
        "is_active",
    )  # fmt: skip
    actions = ("publish_draft",)
    formfield_overrides = {models.JSONField: {"widget": forms.Textarea(attrs={"rows": 8, "cols": 90})}}

    @admin.display(description="Conditions")
    def reads(self, rule: Rule) -> str:
        return sentence(rule.conditions)

    @admin.action(
        description="Publish the whole draft (all active rules and territories)", permissions=["change"]
    )
    def publish_draft(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        before = publish.live()
        try:
            ruleset = publish.publish(timezone.now(), acting(request))
        except publish.NotPublishable as error:
            for problem in error.problems:
                messages.error(request, str(problem))
            return
        if ruleset == before:
            messages.info(request, f"Ruleset {ruleset.version} is in force already; the draft is the same.")
        else:
            messages.success(request, f"Ruleset {ruleset.version} is in force.")


@admin.register(Ruleset)
class RulesetAdmin(Shown):
    list_display = ("version", "is_live", "published_at", "published_by", "note")
    list_select_related = ("published_by",)
    fields = ("version", "is_live", "published_at", "published_by", "note", "document")


class StepInline(ShownInline):
    model = SlaStep


@admin.register(SlaPolicy)
class SlaPolicyAdmin(Shown):
    """Versions of the SLA policies: shown, since handoffs keep the version they started with."""

    list_display = ("name", "slug", "version", "lead_type", "is_live", "is_default", "created_at")
    list_filter = ("is_live", "lead_type")
    inlines = (StepInline,)
