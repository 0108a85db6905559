"""The figures against plain Python over the event log, on random histories around the borders of weeks.

The log is folded event by event and counted row by row (`tests.metrics.reference`); nothing of what it is
held against takes part. Leads come back and are merged, rejected, recycled, deferred and given on; contacts
are logged late; acts are taken back; the clock changes, weeks end, in several zones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from leads import lifecycle
from leads.choices import State
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Event, Handoff, Lead, Rejection
from metrics import query
from metrics.periods import WeekFinder
from routing.models import User
from tests.conftest import Cast, forget_kept
from tests.factories import event, route_to
from tests.metrics import reference
from tests.metrics.reference import Fact, People, as_seen
from tests.metrics.test_measures import GROUPS, same
from tests.storm import deeds

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = ("UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
# Sundays on which a clock changes or a year ends, and one on which nothing does; from there up to two days.
SUNDAYS = (
    datetime(2026, 9, 26, 12, tzinfo=UTC),
    datetime(2026, 10, 24, 22, tzinfo=UTC),
    datetime(2026, 11, 1, 4, tzinfo=UTC),
    datetime(2026, 11, 15, 11, tzinfo=UTC),
    datetime(2027, 1, 3, 10, tzinfo=UTC),
)
GAPS = (MINUTE, 5 * MINUTE, 5 * MINUTE + timedelta(microseconds=1), HOUR, 3 * HOUR, 13 * HOUR, DAY, 8 * DAY)
# How far back a contact is logged that was forgotten.
FORGOTTEN = (MINUTE, HOUR, 5 * HOUR, 2 * DAY)
# What was done in all examples together: histories in which little happens would show little.
DONE: Counter[str] = Counter()

steps = st.tuples(
    st.sampled_from(("arrive", "deed", "deed", "deed", "deed", "late", "merge", "sweep")),
    st.sampled_from(GAPS),
    st.integers(0, deeds.MOST_VERBS),
    st.integers(0, 5),
    st.booleans(),
)


class History:
    """Plays steps from a moment on."""

    def __init__(self, cast: Cast, start: datetime) -> None:
        self.cast, self.now, self.number = cast, start, 0

    def play(self, what: str, gap: timedelta, which: int, who: int, flag: bool) -> None:
        self.now += gap
        self.number += 1
        try:
            with transaction.atomic():
                getattr(self, what)(which, who, flag)
            DONE[what] += 1
        except (Refused, Invalid):
            DONE["refused"] += 1

    def arrive(self, which: int, who: int, flag: bool) -> None:
        data: dict[str, Any] = {"trigger": {"kind": "demo_request" if flag else "score_threshold"}}
        if which % 5 == 0:
            data["lead"] = {"first_name": "-"}
        made = event(who + 1, at=self.now, id=f"log-{self.number}", **data)
        made["data"]["source"] = {"lead_source": ("Webinar", "webinar", "")[which % 3]}
        (answer,) = receive([made], None, self.now)
        DONE["opened"] += answer["status"] == "processed"

    def deed(self, which: int, who: int, flag: bool) -> None:
        handoff = self.picked(which, deeds.FITTING)
        actor = handoff.assignee or deeds.person(self.cast, who)
        deeds.do(handoff, which, Act(self.now, actor), self.cast, self.number)
        if flag and who < 3:
            self.now += timedelta(seconds=4)
            lifecycle.undo(handoff.pk, Act(self.now, actor))
            DONE["undone"] += 1

    def late(self, which: int, who: int, flag: bool) -> None:
        handoff = self.picked(which)
        at = max(self.now - FORGOTTEN[who % len(FORGOTTEN)], handoff.mql_at)
        act = Act(self.now, handoff.assignee or deeds.person(self.cast, who))
        lifecycle.contact(handoff.pk, act, channel="phone", outcome="no_answer", at=at)

    def merge(self, which: int, who: int, flag: bool) -> None:
        leads = list(Lead.objects.filter(merged_into=None).order_by("pk"))
        if len(leads) < 2:
            raise Invalid({"lead": "There is nobody to merge."})
        lifecycle.merge(leads[which % len(leads)], leads[who % len(leads)], Act(self.now, self.cast.otto))

    def sweep(self, which: int, who: int, flag: bool) -> None:
        for pk in Handoff.objects.due(self.now).values_list("pk", flat=True):
            lifecycle.fire(pk, self.now)

    def picked(self, which: int, states: Collection[str] = State.values) -> Handoff:
        rows = list(Handoff.objects.filter(state__in=states).order_by("pk"))
        if not rows:
            raise Invalid({"handoff": "There is none yet."})
        return rows[which % len(rows)]


def folded() -> list[Fact]:
    """One fact a handoff: what its events set, one after the other."""
    columns: dict[int, dict[str, Any]] = {}
    for one in Event.objects.order_by("handoff_id", "number"):
        columns.setdefault(one.handoff_id, {}).update(one.data.get("set", {}))
    facts = []
    for pk, values in columns.items():
        read = {name: values.get(name) for name in Fact._fields if name != "id"}
        for name, value in read.items():
            if name.endswith("_at") and value is not None:
                read[name] = datetime.fromisoformat(value)
        read["lead_source"] = read["lead_source"] or ""
        facts.append(Fact(id=pk, **read))
    return facts


def reasons(now: datetime) -> dict[str, int]:
    """By the log: each act of rejection that was not taken back."""
    acts: dict[tuple[int, int], str] = {}
    for one in Event.objects.order_by("handoff_id", "number"):
        if one.kind == "rejected" and one.occurred_at <= now:
            acts[one.handoff_id, one.number] = one.data["reason"]
        for number in one.data.get("undid", ()):
            acts.pop((one.handoff_id, number), None)
    return Counter(acts.values())


@pytest.fixture(scope="module", autouse=True)
def much_was_done() -> Iterator[None]:
    DONE.clear()
    yield
    if DONE["histories"] >= 40:
        few = ("opened", "deed", "late", "merge", "sweep", "undone")
        assert min(DONE[what] for what in few) >= 5, DONE


# Without shrinking, which takes minutes here: a step can be left out of a failing history by hand.
@settings(
    max_examples=16,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    start=st.sampled_from(SUNDAYS),
    offset=st.integers(0, 48 * 60),
    played=st.lists(steps, min_size=12, max_size=40),
    zone=st.sampled_from(ZONES),
    looks=st.lists(st.integers(0, 60 * 24 * 20), min_size=1, max_size=3),
)
def test_the_figures_are_those_of_the_log(
    cast: Cast,
    settings: Any,
    start: datetime,
    offset: int,
    played: list[Any],
    zone: str,
    looks: list[int],
) -> None:
    settings.ORG_TIME_ZONE = zone
    forget_kept()
    with transaction.atomic():
        route_to(cast.femke, cast.jonas, cast.rosa)
        history = History(cast, start + offset * MINUTE)
        for step in played:
            history.play(*step)
        DONE["histories"] += 1
        rows = folded()
        people = People(
            dict(User.objects.values_list("pk", "email")),
            dict(User.objects.exclude(team=None).values_list("pk", "team__name")),
        )
        every = reference.dimensions(people, WeekFinder(zone))
        for minutes in (*looks, 60 * 24 * 400):
            now = start + minutes * MINUTE
            found = query.ask(query.Question(now))
            seen = list(as_seen(rows, now))
            expected = reference.report(seen, now, {name: every[name] for name in GROUPS})
            assert same({name: found[name] for name in expected}, expected)
            assert found["rejections_by_reason"] == dict(
                sorted(reasons(now).items(), key=lambda pair: (-pair[1], pair[0]))
            )
        assert Rejection.objects.count() >= sum(reasons(now).values())
        transaction.set_rollback(True)
