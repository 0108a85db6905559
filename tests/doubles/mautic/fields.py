"""The fields of a Mautic contact, core and custom, and what a value becomes when it is written.

`GET /api/fields/contact` lists them, keyed by id. Groups core, social, personal, professional [V]. A value
that is 0 or blank is not written by POST and PATCH unless `overwriteWithBlank` is given, and 0 not even then
[V, CustomFieldsApiControllerTrait::setCustomFieldValues]: a number is cleared or set to 0 by other means.
Aliases that are no field are ignored without a word [V: extra fields are allowed].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Field:
    """One field; `options` are the values of a select."""

    id: int
    alias: str
    type: str = "text"
    group: str = "core"
    options: tuple[str, ...] = ()
    unique: bool = False

    @property
    def label(self) -> str:
        return self.alias.replace("_", " ").capitalize()

    def as_json(self) -> dict[str, Any]:
        listed: Any = [{"label": value, "value": value} for value in self.options]
        return {
            "isPublished": True,
            "id": self.id,
            "label": self.label,
            "alias": self.alias,
            "type": self.type,
            "group": self.group,
            "order": self.id,
            "object": "lead",
            "defaultValue": None,
            "isRequired": False,
            "isPubliclyUpdatable": False,
            "isUniqueIdentifier": self.unique,
            "properties": {"list": listed} if listed else [],
        }

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        """What the field has in every contact; a contact has dozens of fields, a batch 200 contacts."""
        return {
            "id": str(self.id),
            "label": self.label,
            "alias": self.alias,
            "type": self.type,
            "group": self.group,
        }

    def as_value(self, value: Any) -> dict[str, Any]:
        """The field in a contact; ids may be text [V]."""
        return {**self._fixed, "value": value}


NAMES = (
    "title:lookup:core firstname:text:core lastname:text:core company:text:core position:text:core"
    " email:email:core mobile:tel:core phone:tel:core points:number:core fax:tel:core address1:text:core"
    " address2:text:core city:text:core state:region:core zipcode:text:core country:country:core"
    " preferred_locale:locale:core timezone:timezone:core last_active:datetime:core website:url:core"
    " attribution:number:core attribution_date:datetime:core"
    " facebook:text:social linkedin:text:social twitter:text:social"
    " companywebsite:url:professional companynumber_of_employees:number:professional"
    " companyindustry:select:professional companyannual_revenue:number:professional"
    " handoff_status:text:professional handoff_reason:text:professional handoff_revision:number:professional"
    " handoff_updated_at:datetime:professional handoff_deferred_until:datetime:professional"
    " handoff_id:text:professional"
)
GROUPS = ("core", "social", "personal", "professional")


def first() -> dict[str, Field]:
    """The fields of a new instance, by alias."""
    rows = [row.split(":") for row in NAMES.split()]
    return {
        alias: Field(number, alias, kind, group, unique=alias == "email")
        for number, (alias, kind, group) in enumerate(rows, 1)
    }


def written(
    known: dict[str, Field], given: dict[str, Any], blank_too: bool, zero_too: bool = False
) -> dict[str, Any]:
    """The values that a PATCH or POST leaves, by alias; a form in the interface leaves zeros too."""
    values = {}
    for alias, value in given.items():
        if alias not in known or (_is_zero(value) and not zero_too):
            continue
        if value in (None, "", []) and not blank_too:
            continue
        values[alias] = stored(known[alias], value)
    return values


def replaced(known: dict[str, Field], given: dict[str, Any]) -> dict[str, Any]:
    """The values that a PUT leaves: what was not given is emptied, points excepted."""
    return {
        alias: stored(field, given[alias]) if alias in given else None
        for alias, field in known.items()
        if alias != "points" or alias in given
    }


def stored(field: Field, value: Any) -> Any:
    """As the database keeps it: blank is null, a number is a number, the rest text."""
    if value in (None, "", []):
        return 0 if field.alias == "points" else None
    if field.type == "number":
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        return int(number) if number.is_integer() else number
    if isinstance(value, list):
        return "|".join(str(each) for each in value)
    return "1" if value is True else str(value)


def _is_zero(value: Any) -> bool:
    """What PHP's is_numeric and (int) make of it: 0, "0", "0.4", false is none."""
    if isinstance(value, bool) or value is None:
        return False
    try:
        return int(float(value)) == 0
    except (TypeError, ValueError, OverflowError):
        return False
