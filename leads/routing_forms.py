"""The forms of the routing pages: rules, territories, pools, queues, lists and what publishing asks.

Owns the shape of the input and the words for what is wrong with it. Conditions are `leads.rule_form`, the
saving is `routing.draft`; whether a draft can be published is `routing.publish`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import Model
from django.utils.text import slugify

from leads.drafts import Names
from routing.models import Draft, NamedList, Pool, Queue, Rule, Territory, User
from routing.publish import LONGEST_NOTE

MOST_CAP = 100_000
MOST_WEIGHT = 1_000
NO_NAME = "Give it a name."


class RoutingForm(forms.Form):
    """A form of these pages; unbound with what was typed, it shows that and complains of nothing."""

    # The page says what is missing, all of it at once and in its own words; the browser stops at the first.
    use_required_attribute = False

    def __init__(self, data: Any = None, *, names: Names, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}), auto_id="f-%s")
        self.names = names
        self.offer()

    def offer(self) -> None:
        """Fill in what can be chosen."""

    @classmethod
    def typed(cls, data: Any, names: Names) -> RoutingForm:
        """What was sent, to go on typing."""
        given: dict[str, Any] = {}
        for name, field in cls.base_fields.items():
            if isinstance(field, forms.MultipleChoiceField):
                given[name] = data.getlist(name)
            elif isinstance(field, forms.BooleanField):
                given[name] = name in data
            else:
                given[name] = data.get(name, "")
        return cls(names=names, initial=given)

    def choose(self, name: str, choices: Iterable[Any]) -> None:
        """What a field offers; what it holds and is offered no more stays, marked as gone."""
        offered = list(choices)
        values = {
            value
            for label, some in offered
            for value in ([choice for choice, _ in some] if isinstance(some, list) else [label])
        }
        held = self.initial.get(name) or []
        for value in [held] if isinstance(held, str) else held:
            if value and value not in values:
                person = self.names.by_id.get(value) if name in ("owner", "members") else None
                offered.append((value, f"{person} (not to choose any more)" if person else f"{value} (gone)"))
        self.fields[name].choices = offered  # type: ignore[attr-defined]


def _name(most: int) -> forms.CharField:
    return forms.CharField(
        max_length=most,
        error_messages={"required": NO_NAME},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def _person(
    label: str,
    help_text: str = "",
    *,
    required: bool = False,
    wrong: str = "",
    gone: str = "Choose somebody who is active.",
) -> forms.ChoiceField:
    messages = {"required": wrong, "invalid_choice": gone}
    return forms.ChoiceField(label=label, required=required, help_text=help_text, error_messages=messages)


class RuleForm(RoutingForm):
    name = _name(120)
    target = forms.ChoiceField(
        label="Give it to",
        error_messages={"required": "Choose who gets it.", "invalid_choice": "Choose who gets it."},
    )
    fallback = forms.ChoiceField(
        label="Else to",
        required=False,
        error_messages={"invalid_choice": "Choose who gets it otherwise."},
    )
    policy = forms.ChoiceField(
        label="SLA policy",
        required=False,
        error_messages={"invalid_choice": "Choose one of the policies in force."},
    )
    owner = _person("Owner of this rule", "Is asked to look at it every quarter")
    is_active = forms.BooleanField(label="In the draft", required=False)

    def offer(self) -> None:
        places = self.names.places()
        self.choose("target", [("", "Choose"), *places])
        self.choose("fallback", [("", "Nobody: to the overflow queue"), *places])
        self.choose("policy", [("", "The default of the lead’s type"), *self.names.policies])
        self.choose("owner", [("", "Nobody"), *active(self.names.people)])

    @staticmethod
    def of(rule: Rule) -> dict[str, Any]:
        """What the form shows of a stored rule."""
        return {
            "name": rule.name,
            "target": f"{rule.target_kind}:{rule.target_id}" if rule.target_kind else "",
            "fallback": f"{rule.fallback_kind}:{rule.fallback_id}" if rule.fallback_kind else "",
            "policy": rule.policy_slug,
            "owner": str(rule.owner_id or ""),
            "is_active": rule.is_active,
        }

    def fill(self, rule: Rule) -> None:
        """Write what was typed onto the rule. Call after `is_valid`."""
        given = self.cleaned_data
        rule.name = " ".join(given["name"].split())
        rule.target_kind, _, rule.target_id = given["target"].partition(":")
        rule.fallback_kind, _, rule.fallback_id = given["fallback"].partition(":")
        rule.policy_slug = given["policy"]
        rule.owner = _who(self.names, given["owner"])
        rule.is_active = given["is_active"]


class TerritoryForm(RoutingForm):
    name = _name(100)
    owner = _person("Owner", "Gets what a rule gives to the owner of the territory")
    members = forms.MultipleChoiceField(
        required=False,
        error_messages={"invalid_choice": "Choose people in sales who are active."},
    )
    is_active = forms.BooleanField(label="In the draft", required=False)

    def offer(self) -> None:
        self.choose("owner", [("", "Nobody"), *active(self.names.sellers)])
        self.choose("members", active(self.names.sellers))

    @staticmethod
    def of(territory: Territory) -> dict[str, Any]:
        members = territory.members.values_list("pk", flat=True) if territory.pk else ()
        return {
            "name": territory.name,
            "owner": str(territory.owner_id or ""),
            "members": [str(pk) for pk in members],
            "is_active": territory.is_active,
        }

    def fill(self, territory: Territory) -> None:
        given = self.cleaned_data
        territory.name = " ".join(given["name"].split())
        territory.owner = _who(self.names, given["owner"])
        territory.is_active = given["is_active"]

    @property
    def people(self) -> list[User]:
        return [self.names.by_id[pk] for pk in self.cleaned_data["members"] if pk in self.names.by_id]


class QueueForm(RoutingForm):
    name = _name(100)
    owner = _person(
        "Owner",
        "Answers for everything that waits here",
        required=True,
        wrong="A queue needs an owner: somebody answers for what waits here.",
        gone="Choose somebody who is active and may act.",
    )
    members = forms.MultipleChoiceField(
        required=False,
        help_text="They see what waits and may claim it",
        error_messages={"invalid_choice": "Choose people in sales who are active."},
    )
    calendar = forms.ChoiceField(
        required=False,
        help_text="Its working time counts for what waits here",
        error_messages={"invalid_choice": "Choose one of the calendars."},
    )

    def offer(self) -> None:
        self.choose("owner", [("", "Choose"), *active(self.names.owners)])
        self.choose("members", active(self.names.sellers))
        self.choose("calendar", [("", "The default calendar"), *self.names.calendars])

    def clean_owner(self) -> str:
        owner = str(self.cleaned_data["owner"])
        if all(owner != str(person.pk) for person in self.names.owners):
            raise forms.ValidationError(
                "The owner answers for what waits here; choose somebody who is active and may act."
            )
        return owner

    @staticmethod
    def of(queue: Queue) -> dict[str, Any]:
        members = queue.members.values_list("pk", flat=True) if queue.pk else ()
        return {
            "name": queue.name,
            "owner": str(queue.owner_id or ""),
            "members": [str(pk) for pk in members],
            "calendar": str(queue.calendar_id or ""),
        }

    def fill(self, queue: Queue) -> None:
        given = self.cleaned_data
        queue.name = " ".join(given["name"].split())
        queue.owner = self.names.by_id[given["owner"]]
        queue.calendar_id = int(given["calendar"]) if given["calendar"] else None

    @property
    def people(self) -> list[User]:
        return [self.names.by_id[pk] for pk in self.cleaned_data["members"] if pk in self.names.by_id]


def _cap(label: str, most: int = MOST_CAP) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=0,
        max_value=most,
        error_messages={
            "invalid": "Write a whole number, or nothing for no cap.",
            "min_value": "This cannot be below zero.",
            "max_value": f"At most {most:,}.",
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "size": 5}),
    )


class PoolForm(RoutingForm):
    name = _name(100)
    method = forms.ChoiceField(
        label="Whose turn it is",
        choices=Pool.Method.choices,
        error_messages={"invalid_choice": "Choose one of the methods."},
    )
    cap_open = _cap("Open at once")
    cap_day = _cap("A day")
    cap_week = _cap("A week")
    in_hours_only = forms.BooleanField(
        label="In working hours only",
        required=False,
        help_text="Members outside their hours are passed over",
    )
    calendar = forms.ChoiceField(
        label="Duty roster",
        required=False,
        help_text="In these hours somebody is to be there; this page then shows when nobody is",
        error_messages={"invalid_choice": "Choose one of the calendars."},
    )

    FIELDS = ("name", "method", "cap_open", "cap_day", "cap_week", "in_hours_only")

    def offer(self) -> None:
        self.choose("calendar", [("", "None"), *self.names.calendars])

    @classmethod
    def of(cls, pool: Pool) -> dict[str, Any]:
        return {name: getattr(pool, name) for name in cls.FIELDS} | {"calendar": str(pool.calendar_id or "")}

    def fill(self, pool: Pool) -> None:
        for name in self.FIELDS:
            setattr(pool, name, self.cleaned_data[name])
        pool.calendar_id = int(self.cleaned_data["calendar"]) if self.cleaned_data["calendar"] else None
        pool.name = " ".join(pool.name.split())


class SeatForm(forms.Form):
    """One member of a pool, beside the others."""

    user = forms.CharField(max_length=20)
    weight = forms.IntegerField(
        min_value=1,
        max_value=MOST_WEIGHT,
        error_messages={
            "required": "Write a weight from 1.",
            "invalid": "Write a whole number from 1.",
            "min_value": "The weight is at least 1; switch a member off instead.",
            "max_value": f"The weight is at most {MOST_WEIGHT:,}.",
        },
    )
    cap_open = _cap("Open at once")
    cap_day = _cap("A day")
    cap_week = _cap("A week")
    is_active = forms.BooleanField(required=False)

    FIELDS = ("weight", "cap_open", "cap_day", "cap_week", "is_active")


class ListForm(RoutingForm):
    name = _name(100)
    kind = forms.ChoiceField(
        choices=NamedList.Kind.choices,
        error_messages={"invalid_choice": "Choose what it holds."},
    )
    values = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "autocomplete": "off"}),
        help_text="One a line",
    )
    is_active = forms.BooleanField(label="In the draft", required=False)


class SettingsForm(RoutingForm):
    account_first = forms.ChoiceField(
        choices=Draft.AccountFirst.choices,
        error_messages={"required": "Choose one of them.", "invalid_choice": "Choose one of them."},
    )


class NoteForm(RoutingForm):
    """Why: one line that whoever reads the version later will look for."""

    note = forms.CharField(
        label="Why, in one line",
        max_length=LONGEST_NOTE,
        error_messages={"required": "Write why; whoever looks at this version later will ask."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class PolicyForm(NoteForm):
    """What a policy is called, and why its version was made. Targets and ladder are `leads.policy_form`."""

    name = _name(100)


class NewPolicyForm(PolicyForm):
    lead_type = forms.ChoiceField(
        label="For leads of the type",
        choices=[("standard", "Standard"), ("demo", "Demo")],
        error_messages={"required": "Choose one of them.", "invalid_choice": "Choose one of them."},
    )


def active(people: Iterable[User]) -> list[tuple[str, str]]:
    """Active people as choices; two of one name are told apart by their address."""
    found = [person for person in people if person.is_active]
    times: dict[str, int] = {}
    for person in found:
        times[str(person)] = times.get(str(person), 0) + 1
    return [
        (str(person.pk), str(person) if times[str(person)] == 1 else f"{person} ({person.email})")
        for person in found
    ]


def _who(names: Names, pk: str) -> User | None:
    return names.by_id.get(pk) if pk else None


def new_slug(model: type[Model], name: str) -> str:
    """A slug of its own for a new row; names that leave none get the kind and a number."""
    base = slugify(name)[:40] or str(model._meta.model_name)
    taken = set(model._default_manager.filter(slug__startswith=base).values_list("slug", flat=True))
    number, slug = 2, base
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug
