"""What the figures are narrowed to: a source, a rep, a team, a lead type.

Pure. A rep's or team's figures follow each measure's own person, as the groups do, so that a filtered
page and the row of a table say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metrics.facts import Fact, People
from metrics.measures import Belongs

# How an address says "the empty one": an empty value there means no filter.
NONE = "(none)"
NAMES = ("source", "rep", "team", "type")


@dataclass(frozen=True)
class Filters:
    """None lets everything through; "" is the group without a name (no source, nobody, no team)."""

    source: str | None = None
    rep: str | None = None
    team: str | None = None
    type: str | None = None

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Filters:
        """From an address's query: absent or empty is no filter, NONE the empty group."""
        found = {name: values.get(name, "") for name in NAMES}
        return cls(**{name: "" if text == NONE else text for name, text in found.items() if text})

    def params(self) -> dict[str, str]:
        """As an address's query; the inverse of `read`."""
        return {name: value or NONE for name in NAMES if (value := getattr(self, name)) is not None}

    def fit(self, source: str, lead_type: str, who: int | None, people: People) -> bool:
        return (
            (self.source is None or source == self.source)
            and (self.type is None or lead_type == self.type)
            and (self.rep is None or people.email(who) == self.rep)
            and (self.team is None or people.team(who) == self.team)
        )

    def belongs(self, people: People) -> Belongs | None:
        """The filter as `metrics.measures` asks it; None when there is none."""
        if self == NO_FILTERS:
            return None

        def belongs(fact: Fact, who: int | None) -> bool:
            return self.fit(fact.lead_source, fact.lead_type, who, people)

        return belongs


NO_FILTERS = Filters()
