"""Of two leads that are one person, which value is worth keeping, and why.

Owns which columns belong together as one choice, what is proposed, and in which words. Pure: a person may
choose otherwise, and `leads.lifecycle.merge` carries it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from leads.models import Handoff, Lead

Side = Literal["first", "second"]


@dataclass(frozen=True)
class Group:
    """Columns of a lead that are chosen together."""

    key: str
    label: str
    columns: tuple[str, ...]


GROUPS: Mapping[str, Group] = {
    group.key: group
    for group in (
        Group("name", "Name", ("first_name", "last_name")),
        Group("email", "E-mail", ("email",)),
        Group("phone", "Phone", ("phone", "phone_key")),
        Group("job_title", "Title", ("job_title",)),
        Group("company", "Company", ("company_id",)),
        Group("country", "Country", ("country_code",)),
        Group("region", "Region", ("region",)),
        Group("postal_code", "Postal code", ("postal_code",)),
        Group("timezone", "Time zone", ("timezone",)),
        Group("language", "Language", ("language",)),
        Group("linkedin", "LinkedIn", ("linkedin_url",)),
        Group("source", "Source", ("lead_source", "channel", "campaign")),
    )
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of both. `side` is whose is proposed, `why` in words; "" where nothing is to be chosen."""

    group: Group
    first: str
    second: str
    side: Side
    why: str

    @property
    def is_open(self) -> bool:
        """Whether both have a value and they are not the same."""
        return bool(self.first and self.second and self.first != self.second)


# Where the fuller value says more of the same thing; another address or place is not better for being long.
FULLER = frozenset({"name", "phone", "job_title"})


def choices(first: Lead, second: Lead, stays: Side = "first") -> list[Choice]:
    """Every group with what both say (their companies loaded) and what is proposed when this one stays."""
    return [_choice(group, first, second, stays) for group in GROUPS.values()]


def _choice(group: Group, first: Lead, second: Lead, stays: Side) -> Choice:
    one, other = words(group, first), words(group, second)
    if not (one and other):
        return Choice(
            group, one, other, "second" if other else "first", "only one has it" if one != other else ""
        )
    if one == other:
        return Choice(group, one, other, "first", "")
    times = _known_since(group, first), _known_since(group, second)
    if all(times) and times[0] != times[1]:
        return Choice(group, one, other, "first" if times[0] > times[1] else "second", "newer")
    # A title is of a company: of two companies the longer one says nothing.
    is_same_job = group.key != "job_title" or first.company_id == second.company_id
    if group.key in FULLER and len(one) != len(other) and is_same_job:
        return Choice(group, one, other, "first" if len(one) > len(other) else "second", "fuller")
    return Choice(group, one, other, stays, "of the lead that stays")


def _known_since(group: Group, lead: Lead) -> str:
    """The time of the newest fact of the group, as text that sorts; "" where it is not known."""
    names = (column.removesuffix("_id") for column in group.columns)
    return max((str(lead.field_times.get(name, "")) for name in names), default="")


def words(group: Group, lead: Lead) -> str:
    """What the lead says, on one line (its company loaded)."""
    if group.key == "company":
        return str(lead.company) if lead.company is not None else ""
    if group.key == "name":
        return lead.full_name
    parts = (str(getattr(lead, column)) for column in group.columns if not column.endswith("_key"))
    return ", ".join(part for part in parts if part)


def stays(first: Lead, second: Lead, opened: Mapping[int, Handoff], handoffs: Mapping[int, int]) -> Side:
    """Which of the two is proposed to stay: the one that is worked on, else with more handoffs, else the
    older. `opened` and `handoffs` are by lead."""

    def rank(lead: Lead) -> tuple[bool, int, float]:
        return lead.pk in opened, handoffs.get(lead.pk, 0), -lead.created_at.timestamp()

    return "first" if rank(first) >= rank(second) else "second"


def columns(keys: Iterable[str]) -> list[str]:
    """The columns of these groups, without the keys that follow from others."""
    return [column for key in keys for column in GROUPS[key].columns]
