"""What the figures are narrowed to: a source, a rep, a team, a lead type, and the other dimensions.

Owns the names in an address, and the conditions on a handoff that they stand for. Who a rep or a team
stands for depends on the measure: that is `metrics.whose`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from django.db.models import Q

from leads.choices import SCORE_BANDS

# How an address says "the empty one": an empty value there means no filter.
NONE = "(none)"
# Those of the handoff itself, by the column they compare.
COLUMNS = {
    "source": "lead_source",
    "channel": "channel",
    "campaign": "campaign",
    "type": "lead_type",
    "trigger": "trigger",
    "territory": "territory",
    "rule": "rule_name",
}


@dataclass(frozen=True)
class Filters:
    """None lets everything through; "" is the group without a name (no source, nobody, no team).

    `raised` is "yes" or "no": whether a standard lead became a demo lead while it was open.
    """

    source: str | None = None
    rep: str | None = None
    team: str | None = None
    type: str | None = None
    channel: str | None = None
    campaign: str | None = None
    trigger: str | None = None
    territory: str | None = None
    rule: str | None = None
    band: str | None = None
    raised: str | None = None

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Filters:
        """From an address's query: absent or empty is no filter, NONE the empty group."""
        # No group's name holds a NUL, which a database may refuse to compare with.
        found = {name: values.get(name, "").replace("\0", "\ufffd") for name in NAMES}
        return cls(**{name: "" if text == NONE else text for name, text in found.items() if text})

    def params(self) -> dict[str, str]:
        """As an address's query; the inverse of `read`."""
        return {name: value or NONE for name in NAMES if (value := getattr(self, name)) is not None}

    def where(self, prefix: str = "") -> Q:
        """The handoffs themselves; `prefix` leads to them from another table."""
        found = Q()
        for name, column in COLUMNS.items():
            if (value := getattr(self, name)) is not None:
                found &= Q(**{f"{prefix}{column}": value})
        if self.band is not None:
            found &= in_band(self.band, prefix)
        if self.raised is not None:
            found &= Q(**{f"{prefix}raised_at__isnull": self.raised != "yes"})
        return found

    @property
    def by_person(self) -> bool:
        return self.rep is not None or self.team is not None


def in_band(name: str, prefix: str = "") -> Q:
    """The handoffs whose score at `mql_at` lies in the band; "" is those without a score."""
    if name == "":
        return Q(**{f"{prefix}score_total__isnull": True})
    for place, (band, low, high) in enumerate(SCORE_BANDS):
        if band == name:
            least = Q(**{f"{prefix}score_total__gte": low}) if place else Q()
            return least if high is None else least & Q(**{f"{prefix}score_total__lte": high})
    return Q(**{f"{prefix}pk__isnull": True})


NAMES = tuple(each.name for each in fields(Filters))
NO_FILTERS = Filters()
