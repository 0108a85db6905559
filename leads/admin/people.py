"""People, teams and absences. An edit after which somebody cannot answer for their work moves it on."""

from __future__ import annotations

import zoneinfo
from collections import Counter
from collections.abc import Collection
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html

from leads import absences, access_log, escalation, lifecycle, notifications
from leads.access_log import Standing
from leads.admin.base import Kept, Proved, Recorded, acting
from leads.choices import State
from leads.lifecycle import Act
from leads.models import AccessEntry, Handoff
from leads.views import proof
from routing import rotation, signed_in
from routing.models import Absence, Queue, Team, User
from routing.people import ADMIN, MANAGER, MARKETING, REP, ROLES, VIEWER
from routing.rotation.able import IN_SALES


class OneAddress(forms.ModelForm):
    """One person an address, however it is written."""

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        if User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise ValidationError("Somebody has this address already.")
        return email


TAKE_OVER = "auth_user_password_change"
BY_RULES, TO_MANAGER, TO_PERSON = "rules", "manager", "person"


class PersonForm(OneAddress, UserChangeForm):
    """Who keeps a queue alive cannot be switched off, and nobody switches themselves off. Somebody with open
    leads leaves only when it is said where they go."""

    acting: User | None = None
    goes_to = forms.ChoiceField(
        label="Their open leads go", required=False, widget=forms.RadioSelect, choices=()
    )
    goes_to_person = forms.ModelChoiceField(
        label="The named person", required=False, queryset=User.objects.none()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = held_by_state(self.instance)
        if not held:
            self.fields.pop("goes_to", None)
            self.fields.pop("goes_to_person", None)
        if "goes_to" not in self.fields:
            return
        self.manager = manager_of(self.instance)
        choices = [(BY_RULES, "to a cover, else by the rules; what was answered to their cover or manager")]
        if self.manager is not None:
            choices.append((TO_MANAGER, f"all to their manager, {self.manager}"))
        choices.append((TO_PERSON, "all to the person named below"))
        goes_to = cast(forms.ChoiceField, self.fields["goes_to"])
        goes_to.choices = choices
        # The admin shows a help text as it is, tags and all.
        goes_to.help_text = format_html(
            "Asked when {} is deactivated or leaves sales. Open now: {}.", str(self.instance), held
        )
        people = User.objects.filter(is_active=True, groups__name__in=IN_SALES).exclude(pk=self.instance.pk)
        cast(forms.ModelChoiceField, self.fields["goes_to_person"]).queryset = people.distinct()

    class Meta:
        model = User
        fields = (
            "email", "name", "password", "groups", "team", "calendar", "time_zone", "country", "subdivision",
            "is_active", "is_staff", "is_superuser",
        )  # fmt: skip

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"].strip()
        if name and name not in zoneinfo.available_timezones():
            raise ValidationError(f"{name} is not a known time zone; an example is Europe/Berlin.")
        return name

    def clean_is_active(self) -> bool:
        active: bool = self.cleaned_data["is_active"]
        if active or not self.instance.is_active:
            return active
        if self.acting is not None and self.acting.pk == self.instance.pk:
            raise ValidationError("You cannot deactivate yourself.")
        if queues := ", ".join(Queue.objects.filter(owner=self.instance).values_list("name", flat=True)):
            raise ValidationError(f"Owns the queues {queues}: give them another owner first.")
        return active

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "goes_to" not in self.fields or not self._leaves(cleaned):
            return cleaned
        way, person = cleaned.get("goes_to"), cleaned.get("goes_to_person")
        if not way:
            self.add_error("goes_to", "Choose where the open leads go.")
        elif way == TO_PERSON and person is None:
            self.add_error("goes_to_person", "Name the person.")
        elif way == TO_PERSON and person is not None and not rotation.can_take(person, timezone.now()):
            self.add_error("goes_to_person", f"{person} is away and could not answer.")
        return cleaned

    def _leaves(self, cleaned: dict[str, Any]) -> bool:
        """Whether this edit leaves them unable to answer for what they hold."""
        stops = self.instance.is_active and cleaned.get("is_active") is False
        roles = {group.name for group in cleaned.get("groups") or ()}
        if stops or roles & set(IN_SALES) or not self.instance.roles & set(IN_SALES):
            return stops
        # As a member of a queue they keep what they hold, while they are more than a viewer.
        acts = bool(roles - {VIEWER} or cleaned.get("is_superuser"))
        return not (acts and self.instance.queues.exists())

    @property
    def heir(self) -> User | None:
        """Who was named to get everything; None leaves it to the rules."""
        way = self.cleaned_data.get("goes_to")
        if way == TO_PERSON:
            named: User | None = self.cleaned_data.get("goes_to_person")
            return named
        return self.manager if way == TO_MANAGER else None


def held_by_state(person: User) -> str:
    """What this person holds, in words by state; "" for nothing."""
    if person.pk is None:
        return ""
    rows = Handoff.objects.open().filter(assignee=person).order_by().values_list("state")
    counts = dict(rows.annotate(n=Count("pk")))
    return ", ".join(f"{counts[str(s)]} {s.label.lower()}" for s in State if str(s) in counts)


def manager_of(person: User) -> User | None:
    """Their team's manager or who covers for them, where they can take leads and are somebody else."""
    now = timezone.now()
    found = notifications.present(person.team.manager if person.team else None, now)
    able = found is not None and found.pk != person.pk and rotation.can_take(found, now)
    return found if able else None


class NewPersonForm(OneAddress, AdminUserCreationForm):
    """A new person. Without a password they sign in through single sign-on or a reset."""

    class Meta:
        model = User
        fields = ("email", "name", "team", "groups")


# What somebody decides on who gives a role; who may what is `leads.permissions`.
ROLE_WORDS = {
    REP: "answers and contacts the leads they are given",
    MANAGER: "watches the teams they lead, reassigns, enters absences; may take leads too",
    MARKETING: "completes data, edits routing, decides in triage; sees every lead",
    VIEWER: "reads figures and lists, no personal phone or e-mail",
    ADMIN: "keeps people, keys and settings; sees everything, signs nothing",
}


class RolesField(forms.ModelMultipleChoiceField):
    """Roles, each with what it does."""

    def label_from_instance(self, obj: Any) -> str:
        means = ROLE_WORDS.get(obj.name)
        return f"{obj.name}: {means}" if means else str(obj.name)


@admin.register(User)
class PersonAdmin(Kept, Proved, Recorded, UserAdmin):
    """People. They are deactivated, never deleted: the log names them for ever."""

    form = PersonForm
    add_form = NewPersonForm
    list_display = ("email", "name", "role_names", "team", "is_active")
    list_filter = ("is_active", "groups", "team")
    list_select_related = ("team",)
    search_fields = ("email", "name")
    ordering = ("name", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Work", {"fields": ("groups", "team", "calendar", "time_zone", "country", "subdivision")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": ("email", "name", "team", "groups", "usable_password", "password1", "password2")},
        ),
    )
    readonly_fields = ("last_login", "date_joined")

    @admin.display(description="Roles")
    def role_names(self, person: User) -> str:
        return ", ".join(role for role in ROLES if role in person.roles)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs |= {"form_class": RolesField, "widget": forms.CheckboxSelectMultiple, "label": "Roles"}
            kwargs["help_text"] = "Several may be given; what each allows adds up."
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # Whoever may change a password may become that person.
        if obj is not None and obj.is_superuser and not acting(request).is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        own = () if acting(request).is_superuser else ("is_superuser",)
        return (*self.readonly_fields, *own)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.acting = acting(request)  # type: ignore[attr-defined]
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not held_by_state(obj):
            return fieldsets
        asked = ("When they leave", {"fields": ("goes_to", "goes_to_person")})
        return (*fieldsets[:3], asked, *fieldsets[3:])

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        form.before, form.stood = None, Standing()
        if change:
            stored = User.objects.get(pk=obj.pk)
            form.before, form.stood = (stored.is_active, stored.roles), Standing.of(stored)
            form.team_before = stored.team_id
        super().save_model(request, obj, form, change)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Whoever set a password may become that person: it is in the access log."""
        if request.resolver_match is not None and request.resolver_match.url_name == TAKE_OVER:
            kind, about = AccessEntry.Kind.PASSWORD_SET, ("person", obj.pk)
            access_log.record(kind, timezone.now(), acting(request), about=about)
        return super().log_change(request, obj, message)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        proof.for_secrets(request)
        answer: HttpResponse = super().user_change_password(request, id, form_url)
        person = self.get_object(request, id) if request.method == "POST" else None
        if person is not None and isinstance(answer, HttpResponseRedirect):
            signed_in.end(person, but=request.session.session_key)
        return answer

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        person = User.objects.get(pk=form.instance.pk)
        access_log.record_roles(person, form.stood, timezone.now(), acting(request))
        if form.before is None:
            return
        if not person.is_active:
            signed_in.end(person)
        if (person.is_active, person.roles) != form.before:
            _let_go(request, person, form.heir)
        if person.team_id != form.team_before:
            act = Act(timezone.now(), acting(request))
            _say_moved(request, person, lifecycle.change_team(person, act), "others who can take them")


@admin.register(Team)
class TeamAdmin(Recorded):
    list_display = ("name", "manager", "calendar")
    list_select_related = ("manager", "calendar")
    search_fields = ("name",)


class AbsenceForm(forms.ModelForm):
    class Meta:
        model = Absence
        fields = ("user", "starts_at", "ends_at", "cover", "note")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("cover") and cleaned["cover"] == cleaned.get("user"):
            self.add_error("cover", "Somebody else has to cover.")
        starts, ends = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts and ends and ends <= starts:
            self.add_error("ends_at", "The absence ends before it starts.")
        return cleaned


@admin.register(Absence)
class AbsenceAdmin(Recorded):
    """Absences. One that has begun moves on what the person still owes an answer; a later one does so by
    the sweep when it begins. Who is back takes what waits."""

    form = AbsenceForm
    list_display = ("user", "starts_at", "ends_at", "cover", "note")
    list_select_related = ("user", "cover")
    list_filter = ("user__team",)
    search_fields = ("user__email", "user__name")
    date_hierarchy = "starts_at"

    def save_model(self, request: HttpRequest, obj: Absence, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        act = Act(timezone.now(), acting(request))
        if not change or {"starts_at", "ends_at", "cover", "user"} & set(form.changed_data):
            absences.say(obj, notifications.AWAY, act)
        if absences.is_now(obj, act.now):
            _let_go(request, obj.user)
        else:
            lifecycle.drain_soon(act.now)

    def delete_model(self, request: HttpRequest, obj: Absence) -> None:
        absences.say(obj, notifications.BACK, Act(timezone.now(), acting(request)))
        super().delete_model(request, obj)
        lifecycle.drain_soon(timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Absence]) -> None:
        act = Act(timezone.now(), acting(request))
        for absence in queryset.select_related("user", "cover"):
            absences.say(absence, notifications.BACK, act)
        super().delete_queryset(request, queryset)
        lifecycle.drain_soon(timezone.now())


def _let_go(request: HttpRequest, person: User, to: User | None = None) -> None:
    """Move on what this person can no longer answer for; who can again takes what waits."""
    now = timezone.now()
    held = list(Handoff.objects.open().filter(assignee=person).values_list("pk", flat=True))
    moved = escalation.let_go(person, Act(now, acting(request)), to)
    _say_moved(request, person, moved, _holders(held, person) or "nobody")
    if not person.is_active and (left := held_by_state(person)):
        messages.warning(request, f"Not moved: {left}. The team page lists what nobody answers for.")
    lifecycle.drain_soon(now)


def _holders(handoff_ids: Collection[int], person: User) -> str:
    """Who holds these now besides this person: "Mia Brandt (8), Jonas Keller (1), queue Overflow (2)"."""
    rows = Handoff.objects.filter(pk__in=handoff_ids).exclude(assignee=person)
    counted = Counter(
        str(row.assignee) if row.assignee else f"queue {row.queue}" if row.queue else "data completion"
        for row in rows.select_related("assignee", "queue")
    )
    return ", ".join(f"{name} ({count})" for name, count in counted.most_common())


def _say_moved(request: HttpRequest, person: User, moved: int, whom: str) -> None:
    if moved:
        plural = "" if moved == 1 else "s"
        messages.info(request, f"{moved} handoff{plural} of {person} moved on to {whom}.")
