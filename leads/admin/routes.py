"""Where leads can go: queues, pools and the draft of rules, territories and lists, with the publishing of it.

An edit here changes the draft only, by `routing.draft`; what is in force is the published ruleset, which is
shown.
"""

from __future__ import annotations

from typing import Any, Literal

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone

from leads import in_force, lifecycle, permissions
from leads.admin.base import Drafted, DraftForm, Kept, Shown, ShownInline, acting, save_changed
from routing import draft, lists, policies, publish
from routing.conditions import sentence, validate
from routing.models import (
    Draft,
    NamedList,
    Pool,
    PoolMember,
    Queue,
    Rule,
    RuleReview,
    Ruleset,
    SlaPolicy,
    SlaStep,
    Territory,
    User,
)

MOST_WEIGHT = 1000


class WithSlug(Kept, Drafted):
    """Rows that others name by their slug: it is chosen once."""

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ("name",)}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()


class QueueForm(DraftForm):
    class Meta:
        model = Queue
        fields = ("slug", "name", "kind", "owner", "members", "calendar")

    def clean_owner(self) -> User:
        owner: User = self.cleaned_data["owner"]
        if not owner.is_active or permissions.is_only_viewer(owner):
            raise ValidationError("They answer for what waits; choose somebody who is active and may act.")
        return owner

    def clean_kind(self) -> str:
        kind: str = self.cleaned_data["kind"]
        if self.instance.pk and self.instance.kind != Queue.Kind.SALES and kind != self.instance.kind:
            raise ValidationError("What has nowhere else to go ends in this queue; it stays what it is.")
        return kind


@admin.register(Queue)
class QueueAdmin(WithSlug):
    form = QueueForm
    list_display = ("name", "slug", "kind", "owner", "calendar")
    list_select_related = ("owner", "calendar")
    search_fields = ("name", "slug")
    filter_horizontal = ("members",)


class SeatForm(forms.ModelForm):
    weight = forms.IntegerField(min_value=1, max_value=MOST_WEIGHT, initial=1)

    class Meta:
        model = PoolMember
        fields = ("user", "weight", "cap_open", "cap_day", "cap_week", "is_active")


class SeatInline(admin.TabularInline):
    """Seats of a pool. Who leaves the rotation is switched off: their turns stay in the ledger."""

    model = PoolMember
    form = SeatForm
    extra = 1
    can_delete = False
    readonly_fields = ("taken", "accrued")


class PoolForm(DraftForm):
    class Meta:
        model = Pool
        fields = (
            "slug", "name", "method", "cap_open", "cap_day", "cap_week", "in_hours_only", "calendar",
        )  # fmt: skip


@admin.register(Pool)
class PoolAdmin(WithSlug):
    form = PoolForm
    list_display = ("name", "slug", "method", "cap_open", "cap_day", "cap_week", "in_hours_only", "calendar")
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
        # A raised cap or a new member is a free place.
        lifecycle.drain_soon(timezone.now())


class ConditionsForm(DraftForm):
    """Checks a condition document as publishing will; what it refers to may still go before that."""

    of_territory = False

    def clean_conditions(self) -> Any:
        document = self.cleaned_data["conditions"]
        known = set(NamedList.objects.filter(is_active=True).values_list("slug", flat=True))
        slugs = set(Territory.objects.filter(is_active=True).values_list("slug", flat=True))
        found = validate(document, territories=slugs, lists=known, of_territory=self.of_territory)
        if found:
            raise ValidationError([f"{p.pointer}: {p.message}" if p.pointer else p.message for p in found])
        return document


class TerritoryForm(ConditionsForm):
    of_territory = True

    class Meta:
        model = Territory
        fields = ("slug", "name", "conditions", "owner", "members", "is_active")


@admin.register(Territory)
class TerritoryAdmin(WithSlug):
    form = TerritoryForm
    list_display = ("name", "slug", "reads", "owner", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("owner",)
    search_fields = ("name", "slug")
    filter_horizontal = ("members",)

    @admin.display(description="Conditions")
    def reads(self, territory: Territory) -> str:
        return sentence(territory.conditions)


class ListForm(DraftForm):
    """Values one a line, read as the routing page reads a pasted list."""

    values = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 16, "cols": 60}),
        max_length=lists.MOST_BYTES,
        help_text="One a line, or apart by commas.",
    )

    class Meta:
        model = NamedList
        fields = ("slug", "name", "kind", "values", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["values"] = "\n".join(map(str, self.instance.values))

    def clean_values(self) -> list[str]:
        kind = self.cleaned_data.get("kind")
        if not kind:
            return []
        reading = lists.read(self.cleaned_data["values"], kind)
        if reading.problems:
            raise ValidationError([str(problem) for problem in reading.problems])
        return list(reading.values)


@admin.register(NamedList)
class NamedListAdmin(WithSlug):
    form = ListForm
    list_display = ("name", "slug", "kind", "size", "is_active")
    list_filter = ("is_active", "kind")
    search_fields = ("name", "slug")

    @admin.display(description="Values")
    def size(self, row: NamedList) -> int:
        return len(row.values)


class SettingsForm(DraftForm):
    class Meta:
        model = Draft
        fields = ("account_first",)


@admin.register(Draft)
class DraftAdmin(Kept, Drafted):
    """The one row of what the draft says as a whole."""

    form = SettingsForm
    list_display = ("__str__", "account_first")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


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
        fields = ("position", "name", "conditions", "owner", "is_active")

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


class ReviewInline(ShownInline):
    model = RuleReview
    fields = ("due_on", "told_at", "done_at", "done_by", "outcome", "note")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RuleReview]:
        return super().get_queryset(request).select_related("done_by", "rule")


class WhyForm(ActionForm):
    """Why the draft is published, beside the choice of the action."""

    note = forms.CharField(
        required=False, max_length=publish.LONGEST_NOTE, label="Why (for publishing)", strip=True
    )


@admin.register(Rule)
class RuleAdmin(Kept, Drafted):
    """The draft. Nothing routes by it before it is published."""

    form = RuleForm
    list_display = ("position", "name", "reads", "target_kind", "is_active", "owner", "last_reviewed")
    list_display_links = ("name",)
    list_filter = ("is_active", "target_kind")
    list_select_related = ("owner",)
    search_fields = ("name",)
    fields = (
        "position", "name", "conditions", "target", "fallback", "policy_slug", "owner", "last_reviewed",
        "is_active", "seen",
    )  # fmt: skip
    actions = ("move_up", "move_down", "publish_draft")
    action_form = WhyForm
    formfield_overrides = {models.JSONField: {"widget": forms.Textarea(attrs={"rows": 8, "cols": 90})}}

    @admin.display(description="Conditions")
    def reads(self, rule: Rule) -> str:
        return sentence(rule.conditions)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return (ReviewInline,) if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # The order of rules that are there is changed by moving them; a review sets its day.
        return ("position", "last_reviewed") if obj else ("last_reviewed",)

    @admin.action(description="Move up", permissions=["change"])
    def move_up(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._move(request, queryset, "up")

    @admin.action(description="Move down", permissions=["change"])
    def move_down(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._move(request, queryset, "down")

    def _move(self, request: HttpRequest, queryset: QuerySet[Rule], to: Literal["up", "down"]) -> None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            messages.error(request, "Choose one rule to move.")
            return
        try:
            draft.move(chosen[0], to, draft.current().revision, acting(request))
        except (draft.Stale, ValueError) as error:
            messages.error(request, str(error))

    @admin.action(
        description="Publish the whole draft (all active rules, territories and lists)",
        permissions=["change"],
    )
    def publish_draft(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        before = publish.live()
        try:
            ruleset = in_force.publish(timezone.now(), acting(request), request.POST.get("note", ""))
        except publish.NoReason as error:
            messages.error(request, str(error))
            return
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
    list_display = ("version", "is_live", "published_at", "published_by", "note", "restored_from")
    list_select_related = ("published_by", "restored_from")
    fields = ("version", "is_live", "published_at", "published_by", "note", "restored_from", "document")


@admin.register(RuleReview)
class RuleReviewAdmin(Shown):
    """The quarterly reviews; they are ended on the routing pages."""

    list_display = ("rule", "due_on", "told_at", "done_at", "done_by", "outcome")
    list_filter = ("outcome",)
    list_select_related = ("rule", "done_by")


class StepInline(ShownInline):
    model = SlaStep
    fields = ("position", "code", "clock", "share", "after_minutes", "after_business", "who", "what", "queue")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SlaStep]:
        return super().get_queryset(request).select_related("queue", "policy")


@admin.register(SlaPolicy)
class SlaPolicyAdmin(Shown):
    """Versions of the SLA policies: shown, since handoffs keep the version they started with. A new one is
    made on the routing pages."""

    list_display = (
        "name", "slug", "version", "lead_type", "is_live", "is_default", "created_at", "created_by",
    )  # fmt: skip
    list_filter = ("is_live", "lead_type")
    list_select_related = ("created_by",)
    readonly_fields = ("wrong",)
    inlines = (StepInline,)

    @admin.display(description="What is wrong with it")
    def wrong(self, row: SlaPolicy) -> str:
        return " ".join(policies.problems(row.policy())) or "Nothing: silence ends at a human."
