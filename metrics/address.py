"""What an address of the dashboard asks for, and the addresses that the page gives out.

Owns the names in the query string. Never looks at a handoff.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone

from leads.models import Handoff
from leads.querysets import HandoffQuerySet
from metrics import query
from metrics.filters import NONE, Filters
from metrics.periods import Week, WeekRange
from metrics.words import SHOWN, Shown
from routing.people import User

WEEKS = 12
# The dimensions of the table, in the order of its chooser; the first is what an address without one gets.
BY = ("team", "rep", "source", "channel", "campaign", "trigger", "territory", "rule", "band")
STACKS = ("week", "source")


@dataclass(frozen=True)
class Asked:
    """What an address asks for. `back` is the moment the page looks back to, None for now."""

    now: datetime
    back: datetime | None
    weeks: WeekRange
    filters: Filters
    metric: Shown
    by: str = BY[0]
    stack: str = STACKS[0]

    @property
    def as_of(self) -> datetime:
        return self.back or self.now

    def params(self, **changes: str | None) -> dict[str, str]:
        """The page's own address, with some values changed (None: left out)."""
        own: dict[str, str | None] = {"week": self.weeks.last.name, **self.filters.params()}
        if self.metric.key != "acceptance_rate":
            own["metric"] = self.metric.key
        if self.by != BY[0]:
            own["by"] = self.by
        if self.stack != STACKS[0]:
            own["stack"] = self.stack
        if self.back is not None:
            own["as_of"] = self.back.isoformat().replace("+00:00", "Z")
        return {name: value for name, value in {**own, **changes}.items() if value is not None}

    def address(self, **changes: str | None) -> str:
        return f"{reverse('metrics:dashboard')}?{urlencode(self.params(**changes))}"

    def part(self, name: str, **changes: str | None) -> str:
        """The address of a part of the page that is fetched by itself."""
        return f"{reverse('metrics:part', args=[name])}?{urlencode(self.params(**changes))}"

    @property
    def before(self) -> WeekRange:
        """As many weeks, just before."""
        return WeekRange.ending(self.weeks.first.plus(-1), len(self.weeks), self.weeks.zone)

    def narrow(self, kind: str, name: str) -> str:
        """This page for one group only."""
        return self.address(**{kind: name or NONE})

    def behind(self, shown: Shown, part: str, weeks: WeekRange, extra: Mapping[str, str]) -> str:
        """The address of the list behind a figure; `extra` are filters on top, "" naming the empty group.

        A time is of one lead type; an extra "type" takes those that the page shows.
        """
        values = self.params() | {"measure": shown.measure, "part": part}
        values |= {"first": weeks.first.name, "last": weeks.last.name}
        if shown.lead_type and "type" not in extra:
            values["type"] = shown.lead_type
        values |= {name: value or NONE for name, value in extra.items() if name != "type"}
        return f"{reverse('metrics:behind')}?{urlencode(values)}"

    def behind_reason(self, code: str) -> str:
        """The list of what was rejected for this reason over all the weeks of the page."""
        values = self.params(first=self.weeks.first.name, last=self.weeks.last.name, reason=code)
        return f"{reverse('metrics:behind')}?{urlencode(values)}"

    def behind_all(self, shown: Shown, part: str, extra: Mapping[str, str]) -> str:
        """The list behind a figure over all the weeks of the page."""
        return self.behind(shown, part, self.weeks, extra)


def read(request: HttpRequest) -> Asked:
    """What the address asks for; 404 for a week, moment or measure that there is none of."""
    now = timezone.now()
    zone = settings.ORG_TIME_ZONE
    try:
        back = query.moment(request.GET["as_of"]) if request.GET.get("as_of") else None
        last = Week.parse(request.GET["week"]) if request.GET.get("week") else Week.of(back or now, zone)
        metric = SHOWN[request.GET.get("metric") or "acceptance_rate"]
        by = BY[BY.index(request.GET.get("by") or BY[0])]
        stack = STACKS[STACKS.index(request.GET.get("stack") or STACKS[0])]
    except (ValueError, KeyError):
        raise Http404 from None
    filters = Filters.read({name: str(value)[:200] for name, value in request.GET.items()})
    return Asked(now, back, WeekRange.ending(last, WEEKS, zone), filters, metric, by, stack)


def read_range(request: HttpRequest, default: WeekRange) -> WeekRange:
    """The weeks of a list, as its address names them."""
    try:
        first = Week.parse(request.GET["first"]) if request.GET.get("first") else default.first
        last = Week.parse(request.GET["last"]) if request.GET.get("last") else default.last
    except ValueError:
        raise Http404 from None
    weeks = WeekRange(first, last, default.zone)
    if not 1 <= len(weeks) <= query.MAX_WEEKS:
        raise Http404
    return weeks


def visible(request: HttpRequest) -> HandoffQuerySet:
    """The handoffs that this person's figures and lists may cover."""
    user = request.user
    if not isinstance(user, User):
        raise Http404
    return Handoff.objects.visible_to(user)
