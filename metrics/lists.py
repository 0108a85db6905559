"""Lists behind figures that are not the dashboard's own: of a stage, of weak signals, of the loop.

Owns their names, their words and their addresses (`list=` in the address of `metrics.views.behind`). What is
in them is the measure's; each list is made by the measure that made the figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from leads.querysets import HandoffQuerySet
from metrics import loop, stages, tallying, weak
from metrics.address import Asked
from metrics.filters import NONE
from metrics.measures import RATES, Measure
from metrics.periods import WeekRange
from metrics.query import Asked as Figures


@dataclass(frozen=True)
class Behind:
    """A measure in words: what it is about, what is counted, and what of it are hits."""

    measure: Measure
    title: str
    counted: str
    hits: str
    about: str
    misses: str = ""

    @property
    def parts(self) -> dict[str, str]:
        """The parts that there are, in words."""
        return {
            "hits": self.hits,
            **({"misses": self.misses} if self.misses else {}),
            "all": self.counted,
        }

    def rows(self, figures: Figures, part: str) -> HandoffQuerySet:
        return tallying.listed(figures, self.measure, part)


_STAGES = (
    ("not_named", "Trigger", "MQLs", "without a named trigger", "The sender named no trigger"),
    ("incomplete", "Enrichment pass", "MQLs checked", "held for data", "Did not pass every check at once"),
    ("never_ready", "Enrichment pass", "MQLs", "never complete", "Never passed the enrichment pass"),
    (
        "misrouted",
        "Routing",
        "assigned",
        "routed wrongly",
        "Rejected as out of territory, or routed again after a no",
    ),
    ("never_assigned", "Routing", "complete", "never assigned", "Nobody in sales ever held them"),
    (
        "black_holes",
        "Acceptance",
        "assigned a day ago or longer",
        "without activity in 24 h",
        "Assigned, and nobody touched them within 24 hours",
    ),
    (
        "answered_late",
        "Acceptance",
        "due or answered",
        "answered late",
        "Answered after the deadline, or past it still",
    ),
    (
        "never_answered",
        "Acceptance",
        "assigned",
        "never answered",
        "Neither accepted nor rejected nor deferred",
    ),
    (
        "contacted_late",
        "First contact",
        "contacted",
        "contacted late",
        "Later than was agreed for the lead type",
    ),
    (
        "generic",
        "First contact",
        "contacted, of which it is known",
        "generic",
        "Referred to none of the lead’s signals",
    ),
    (
        "never_contacted",
        "First contact",
        "accepted",
        "never contacted",
        "Accepted, and no attempt was logged",
    ),
    ("complete", "Complete handoffs", "assigned", "accepted and contacted", "Every loop is closed"),
)
_GROUPS = {
    "weak": ("Weak signals", "Needed e-mail opens or page views to cross the threshold"),
    "rest": ("Other signals", "Crossed the threshold without e-mail opens and page views"),
}
_WEAK_PARTS = {
    "all": ("conversions by score", "conversions by score"),
    "decided": ("decided", "accepted"),
    "accepted": ("accepted", "with an opportunity"),
}
LISTS: dict[str, Behind] = {name: Behind(stages.STAGES[name], *words) for name, *words in _STAGES}
LISTS |= {
    f"{group}_{part}": Behind(weak.MEASURES[group][part], title, counted, hits, about)
    for group, (title, about) in _GROUPS.items()
    for part, (counted, hits) in _WEAK_PARTS.items()
}
LISTS |= {
    f"loop_{name}": Behind(measure, "Closed loop", counted, hits, about)
    for name, (measure, counted, hits, about) in loop.MEASURES.items()
}
LISTS["converted"] = Behind(
    RATES["mql_to_opportunity"],
    "MQL to opportunity",
    "accepted",
    "with an opportunity",
    "Accepted leads that became an opportunity, or did not",
    misses="without one",
)


def address(
    asked: Asked, name: str, weeks: WeekRange, part: str = "hits", extra: Mapping[str, str] | None = None
) -> str:
    """Where a list of these weeks is; `extra` are filters on top, "" naming the empty group."""
    values = asked.params(metric=None) | {"list": name, "part": part}
    values |= {"first": weeks.first.name, "last": weeks.last.name}
    values |= {key: value or NONE for key, value in (extra or {}).items()}
    return f"{reverse('metrics:behind')}?{urlencode(values)}"


def reason_address(asked: Asked, code: str, weeks: WeekRange, extra: Mapping[str, str] | None = None) -> str:
    """Where what was rejected for a reason is."""
    values = asked.params(metric=None) | {"reason": code}
    values |= {"first": weeks.first.name, "last": weeks.last.name}
    values |= {key: value or NONE for key, value in (extra or {}).items()}
    return f"{reverse('metrics:behind')}?{urlencode(values)}"


def narrow(asked: Asked, view: str, kind: str, name: str) -> str:
    """A page narrowed to one group; the page keeps grouping by that kind."""
    return f"{reverse(view)}?{urlencode(asked.params(metric=None) | {kind: name or NONE, 'by': kind})}"
