"""Facts as somebody types them, to try a ruleset on: a typed field for each, nothing required.

Owns the form and how its fields become `Facts`. The vocabulary is `routing.facts`. Stores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from leads.choices import LeadType, size_band
from leads.drafts import Names
from leads.presenters.conditions import FIELD_GROUPS
from routing.facts import FIELDS, Facts, Field, score_band

LONGEST = 200
MOST_CUSTOM, MOST_ITEMS = 10, 20
# What follows from another fact when it is left empty.
DERIVED = {
    "score_band": "Left empty, it follows from the score.",
    "size_band": "Left empty, it follows from the number of employees.",
}
HINTS = {
    "country": "Two letters, such as DE",
    "language": "Two letters, such as de",
    "revenue": "A year, in the organisation’s currency",
    "technologies": "With commas between them",
}
INTEGERS = ("score_total", "score_fit", "score_intent", "score_behavior", "employees")


class FactsForm(forms.Form):
    """The facts of a lead that does not exist."""

    custom = forms.CharField(
        label="Custom fields",
        required=False,
        max_length=LONGEST * MOST_CUSTOM,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One a line, such as plan = premium",
    )

    def __init__(self, data: Any = None, *, names: Names) -> None:
        super().__init__(data, auto_id="f-%s", label_suffix="")
        for name, field in FIELDS.items():
            self.fields[name] = _field(name, field, names)
        self.order_fields([*FIELDS, "custom"])

    @property
    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields under their headings, the custom ones last."""
        known = [
            (title, [self[name] for name in names if name in self.fields]) for title, names in FIELD_GROUPS
        ]
        named = {name for _, names in FIELD_GROUPS for name in names}
        rest = [self[name] for name in self.fields if name not in named]
        return [(title, fields) for title, fields in [*known, ("More", rest)] if fields]

    def clean_technologies(self) -> tuple[str, ...]:
        given = [item.strip() for item in self.cleaned_data["technologies"].split(",")]
        found = tuple(dict.fromkeys(item for item in given if item))
        if len(found) > MOST_ITEMS:
            raise forms.ValidationError(f"At most {MOST_ITEMS} technologies can be tried at once.")
        return found

    def clean_custom(self) -> Mapping[str, str]:
        lines = [line for line in self.cleaned_data["custom"].splitlines() if line.strip()]
        if len(lines) > MOST_CUSTOM:
            raise forms.ValidationError(f"At most {MOST_CUSTOM} custom fields can be tried at once.")
        found = {}
        for line in lines:
            name, equals, value = (part.strip() for part in line.partition("="))
            if not name or not equals:
                raise forms.ValidationError(f"“{line.strip()[:60]}” is no name = value.")
            found[name] = value
        return found

    def facts(self) -> Facts:
        """What was typed; only for a valid form."""
        given = self.cleaned_data
        values: dict[str, Any] = {
            name: given[name] or None for name in FIELDS if given[name] not in (None, "")
        }
        values |= {name: given[name] for name in INTEGERS if given[name] is not None}
        if given["account_owner"]:
            values["account_owner"] = int(given["account_owner"])
        if given["revenue"] is not None:
            values["revenue"] = str(given["revenue"])
        values["technologies"] = given["technologies"]
        values["custom"] = given["custom"]
        values.setdefault("lead_type", str(LeadType.STANDARD))
        if given["score_total"] is not None:
            values.setdefault("score_band", score_band(given["score_total"]))
        if given["employees"]:
            values.setdefault("size_band", size_band(given["employees"]))
        return Facts(**values)


def _field(name: str, field: Field, names: Names) -> forms.Field:
    hint = DERIVED.get(name) or HINTS.get(name, "")
    common: dict[str, Any] = {"label": field.title, "required": False, "help_text": hint}
    if name == "account_owner":
        people = [(str(person.pk), str(person)) for person in names.people if person.is_active]
        return forms.ChoiceField(choices=[("", "Nobody, or not known"), *people], **common)
    if field.choices:
        choices = [(value, value.replace("_", " ")) for value in field.choices]
        return forms.ChoiceField(choices=[("", "Not known"), *choices], **common)
    if name in INTEGERS:
        most = 10**12 if name == "employees" else 10**6
        return forms.IntegerField(min_value=0, max_value=most, **common)
    if field.kind == "number":
        return forms.DecimalField(min_value=0, max_digits=20, decimal_places=2, **common)
    widget = forms.TextInput(attrs={"autocomplete": "off"})
    return forms.CharField(max_length=LONGEST, widget=widget, **common)
