"""The form of a connection: what every one has, and the options and secrets that its kind asks for.

Owns reading what was typed into values for `leads.connecting`, and the words for what is wrong with it. A
secret goes in and never comes back: its field is empty each time it is shown, and empty means "as it is".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from leads.connecting import kinds
from leads.connectors.addresses import LONGEST, Forbidden, checked_url
from leads.connectors.options import Option
from leads.models import Connection

MOST_LINES, LONGEST_LINE, LONGEST_SECRET = 200, 200, 8000
OPTION, SECRET = "option-", "secret-"
_SLUG_ERROR = {"invalid": "Use letters, digits, hyphens and underscores."}


class ConnectionForm(forms.Form):
    """`kind` decides which fields there are. Fields of options are named "option-NAME", those of secrets
    "secret-NAME"."""

    # The page says what is missing, all of it at once; the browser stops at the first.
    use_required_attribute = False

    name = forms.CharField(max_length=100, error_messages={"required": "Give it a name."})
    role = forms.ChoiceField(label="What it is to us", required=False)
    base_url = forms.CharField(required=False, max_length=LONGEST)
    is_quiet = forms.BooleanField(
        label="Quietly",
        required=False,
        help_text="What it sends is checked, routed and measured, but nobody is told and no clock runs.",
    )
    id_system = forms.SlugField(
        label="Name of its record ids",
        required=False,
        max_length=60,
        error_messages=_SLUG_ERROR,
        help_text="The system under which leads keep their ids there.",
    )
    rate = forms.FloatField(
        label="Calls a second, at most",
        min_value=0.1,
        max_value=1000,
        error_messages={"required": "Say how many.", "invalid": "Write a number such as 10 or 0.5."},
    )
    burst = forms.IntegerField(
        label="At once, at most",
        min_value=1,
        max_value=10_000,
        error_messages={"required": "Say how many.", "invalid": "Write a whole number."},
    )

    def __init__(self, kind: str, data: QueryDict | None = None, row: Connection | None = None) -> None:
        self.kind, self.row = Connection.Kind(kind), row
        self.shape = kinds.SHAPES[self.kind]
        super().__init__(data, initial=self._initial(row), auto_id="f-%s")
        self._shape()
        for option in kinds.options(kind):
            self.fields[f"{OPTION}{option.name}"] = _field(option)
        for option in kinds.secrets(kind):
            self.fields[f"{SECRET}{option.name}"] = _secret(option)

    def _initial(self, row: Connection | None) -> dict[str, Any]:
        known = row.options if row is not None else {}
        first = row or Connection(kind=self.kind, role=self.shape.roles[0], base_url=self.shape.usual)
        if row is None:
            first.rate, first.burst = self.shape.rate, self.shape.burst
        found = {name: getattr(first, name) for name in ("role", "base_url", "is_quiet", "rate", "burst")}
        found |= {"name": row.name if row else "", "id_system": row.id_system if row else str(self.kind)}
        for option in kinds.options(self.kind):
            value = known.get(option.name, option.default)
            if option.kind == "list" and not option.choices:
                value = "\n".join(str(line) for line in value or ())
            found[f"{OPTION}{option.name}"] = value
        return found

    def _shape(self) -> None:
        """Only the fields that this kind has."""
        role = self.fields["role"]
        if isinstance(role, forms.ChoiceField) and len(self.shape.roles) > 1:
            role.choices = [(str(value), value.label) for value in self.shape.roles]
        else:
            del self.fields["role"]
        if self.shape.address:
            field = self.fields["base_url"]
            field.label, field.help_text = self.shape.address, self.shape.help
            field.widget.attrs |= {"inputmode": "url", "autocomplete": "off", "placeholder": "https://"}
        else:
            del self.fields["base_url"]
        if not (kinds.does(self.kind, "identify") or kinds.does(self.kind, "changes")):
            del self.fields["is_quiet"]
        if not (kinds.does(self.kind, "push") or self.shape.has_ids):
            del self.fields["id_system"]

    def clean_name(self) -> str:
        name = " ".join(str(self.cleaned_data["name"]).split())
        others = Connection.objects.filter(name=name)
        if self.row is not None:
            others = others.exclude(pk=self.row.pk)
        if others.exists():
            raise forms.ValidationError(f"There is a connection “{name}” already.")
        return name

    def clean_base_url(self) -> str:
        url = str(self.cleaned_data["base_url"]).strip().rstrip("/")
        if not url:
            if self.shape.is_needed:
                raise forms.ValidationError("Say where it is.")
            return ""
        try:
            return checked_url(url)
        except Forbidden as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        connector = kinds.connector(self.kind)
        for prefix, options in ((OPTION, connector.OPTIONS), (SECRET, connector.SECRETS)):
            for option in options:
                given = found.get(f"{prefix}{option.name}")
                given = given.strip() if isinstance(given, str) else given
                if given and (problem := connector.wrong(option.name, given)):
                    self.add_error(f"{prefix}{option.name}", problem)
        return found

    @property
    def values(self) -> dict[str, Any]:
        """What `leads.connecting.changing` takes. Call after `is_valid`."""
        given = self.cleaned_data
        found: dict[str, Any] = {
            name: given[name]
            for name in ("name", "role", "base_url", "is_quiet", "id_system", "rate", "burst")
            if name in given
        }
        if "role" not in given:
            found["role"] = str(self.shape.roles[0])
        found["options"] = {
            option.name: _value(option, given[f"{OPTION}{option.name}"])
            for option in kinds.options(self.kind)
        }
        return found

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets that were typed, by name; those left empty are not among them."""
        names = [option.name for option in kinds.secrets(self.kind)]
        return {name: given for name in names if (given := self.cleaned_data[f"{SECRET}{name}"].strip())}

    @property
    def plain_fields(self) -> list[forms.BoundField]:
        """The options, as fields."""
        return [self[name] for name in self.fields if name.startswith(OPTION)]

    @property
    def secret_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(SECRET)]


def _field(option: Option) -> forms.Field:
    common: dict[str, Any] = {"label": option.label, "help_text": option.help, "required": False}
    choices = list(option.choices.items())
    if option.kind == "flag":
        return forms.BooleanField(**common)
    if option.kind == "number":
        wrong = {"invalid": "Write a number."}
        return forms.FloatField(**common, min_value=0, max_value=1_000_000, error_messages=wrong)
    if option.kind == "choice":
        return forms.ChoiceField(**common, choices=choices)
    if option.kind == "list" and choices:
        return forms.MultipleChoiceField(**common, choices=choices, widget=forms.CheckboxSelectMultiple)
    if option.kind == "list":
        widget = forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"})
        return _Lines(**common, max_length=MOST_LINES * LONGEST_LINE, widget=widget)
    return forms.CharField(**common, max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}))


class _Lines(forms.CharField):
    """One value a line, none twice."""

    def clean(self, value: Any) -> Any:
        typed = str(super().clean(value) or "")
        lines = list(dict.fromkeys(line.strip() for line in typed.splitlines() if line.strip()))
        if len(lines) > MOST_LINES:
            raise forms.ValidationError(f"At most {MOST_LINES} lines.")
        if any(len(line) > LONGEST_LINE for line in lines):
            raise forms.ValidationError(f"A line has at most {LONGEST_LINE} characters.")
        return lines


def _secret(option: Option) -> forms.Field:
    # Never kept by browsers, never filled by them, never given back.
    attrs = {"autocomplete": "new-password", "spellcheck": "false", "class": "code"}
    widget = forms.PasswordInput(attrs=attrs, render_value=False)
    return forms.CharField(
        label=option.label, help_text=option.help, required=False, max_length=LONGEST_SECRET, widget=widget
    )


def _value(option: Option, given: Any) -> Any:
    """What was typed, as the connector reads it."""
    if option.kind == "list":
        return list(given or ())
    if option.kind == "number":
        if given is None:
            return option.default
        return int(given) if float(given).is_integer() else given
    if option.kind == "choice" and not given:
        return option.default
    return given
