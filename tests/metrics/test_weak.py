"""Which conversions needed weak signals: by example, and against plain Python on generated trails."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads.choices import WEAK_SIGNALS
from leads.models import Activity, Handoff, Lead, MqlDefinition
from metrics import query, tallying, weak
from metrics.figures import Rate
from metrics.periods import EVERYTHING, Week
from tests.conftest import NOW, Cast
from tests.factories import agree

HOUR = timedelta(hours=1)
stored = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Done:
    """One activity: its kind, hours after the conversion (negative before), its points."""

    kind: str
    hours: int = -1
    points: int | None = 5


@dataclass(frozen=True)
class Case:
    total: int | None = 70
    behavior: int | None = 30
    threshold: int | None = 65
    trigger: str = "score_threshold"
    trail: tuple[Done, ...] = ()
    is_history: bool = False
    accepted: bool = False
    rejected: bool = False
    won: bool = False
    weeks: int = field(default=0)


def naive(case: Case) -> str:
    """ "weak", "rest", or "" for what is no conversion by score: as the definition reads."""
    if case.trigger != "score_threshold" or case.total is None or case.threshold is None or case.is_history:
        return ""
    trail = [done for done in case.trail if done.hours <= 0]
    weak_ones = [done for done in trail if done.kind in WEAK_SIGNALS]
    points = sum(max(0, done.points or 0) for done in weak_ones)
    if case.behavior is not None:
        points = min(points, case.behavior)
    if points > 0 and case.total - points < case.threshold:
        return "weak"
    unknown = any(done.points is None for done in weak_ones)
    return "weak" if unknown and len(weak_ones) == len(trail) else "rest"


def definitions(cast: Cast, thresholds: set[int]) -> dict[int, MqlDefinition]:
    """Signed definitions with these thresholds: the shipped one, and one after another."""
    found = {row.threshold: row for row in MqlDefinition.objects.all()}
    for place, threshold in enumerate(sorted(thresholds - found.keys())):
        at = NOW + timedelta(seconds=place)
        found[threshold] = agree(cast.otto, cast.mia, at, threshold=threshold).definition
    return found


def store(cast: Cast, cases: list[Case]) -> list[int]:
    known = definitions(cast, {case.threshold for case in cases if case.threshold is not None})
    ids = []
    for case in cases:
        lead = Lead.objects.create(created_at=NOW, updated_at=NOW)
        at = NOW - timedelta(weeks=case.weeks)
        Activity.objects.bulk_create(
            Activity(
                lead=lead,
                kind=done.kind,
                occurred_at=at + done.hours * HOUR,
                received_at=NOW,
                points=done.points,
            )
            for done in case.trail
        )
        handoff = Handoff.objects.create(
            lead=lead,
            state="superseded",
            lead_type="standard",
            trigger=case.trigger,
            definition=known.get(case.threshold or -1),
            mql_at=at,
            received_at=at,
            created_at=at,
            updated_at=at,
            score_total=case.total,
            score_behavior=case.behavior,
            is_history=case.is_history,
            accepted_at=at if case.accepted else None,
            rejected_at=at if case.rejected else None,
            opportunity_at=at if case.won else None,
        )
        ids.append(handoff.pk)
    return ids


def asked() -> query.Asked:
    return query.Asked.of(query.Question(NOW + HOUR, EVERYTHING))


OPENS = (Done("email_open"), Done("page_view"))


@pytest.mark.parametrize(
    ("case", "group"),
    [
        (Case(), "rest"),
        (Case(trail=OPENS), "weak"),  # 70 - 10 < 65
        (Case(total=75, trail=OPENS), "rest"),  # 75 - 10 is 65: at the threshold
        (Case(total=74, trail=OPENS), "weak"),
        (Case(trail=(Done("pricing_view", points=30), Done("email_open", points=5))), "rest"),
        (Case(trail=(Done("pricing_view", points=30), Done("email_open", points=6))), "weak"),
        (Case(trail=(Done("email_open", points=20),), behavior=5), "rest"),  # at most the behaviour score
        (Case(trail=(Done("email_open", points=20),), behavior=6), "weak"),
        (Case(trail=(Done("email_open", points=20),), behavior=None), "weak"),
        (Case(trail=(Done("email_open", hours=1, points=20),)), "rest"),  # after the conversion
        (Case(trail=(Done("email_open", hours=0, points=20),)), "weak"),
        (Case(trail=(Done("email_open", points=None),)), "weak"),
        (Case(trail=(Done("email_open", points=None), Done("chat", points=None))), "rest"),
        (Case(trail=(Done("email_open", points=None), Done("chat", hours=1))), "weak"),
        (Case(trail=(Done("email_open", points=-20),)), "rest"),
        (Case(trigger="demo_request", trail=OPENS), ""),
        (Case(total=None, trail=OPENS), ""),
        (Case(threshold=None, trail=OPENS), ""),
        (Case(is_history=True, trail=OPENS), ""),
    ],
)
def test_a_conversion(cast: Cast, case: Case, group: str) -> None:
    assert naive(case) == group
    [pk] = store(cast, [case])
    look = asked()
    for name, measures in weak.MEASURES.items():
        found = tallying.listed(look, measures["all"], "all").values_list("pk", flat=True)
        assert list(found) == ([pk] if name == group else [])


DONE = st.builds(
    Done,
    st.sampled_from(["email_open", "page_view", "email_sent", "pricing_view", "chat", "email_click"]),
    st.integers(-3, 1),
    st.one_of(st.none(), st.integers(-5, 20)),
)
CASES = st.lists(
    st.builds(
        Case,
        st.one_of(st.none(), st.integers(60, 90)),
        st.one_of(st.none(), st.integers(0, 30)),
        st.sampled_from([None, 65, 70]),
        st.sampled_from(["score_threshold", "score_threshold", "demo_request", ""]),
        st.lists(DONE, max_size=4).map(tuple),
        st.sampled_from([False, False, True]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.integers(0, 2),
    ),
    max_size=6,
)


@stored
@given(cases=CASES)
def test_weeks_agree_with_plain_python(cast: Cast, cases: list[Case]) -> None:
    with transaction.atomic():
        store(cast, cases)
        look = asked()
        found = weak.by_week(look, "UTC")
        for week in {Week.of(NOW - timedelta(weeks=case.weeks), "UTC") for case in cases}:
            for group in ("weak", "rest"):
                mine = [
                    case
                    for case in cases
                    if naive(case) == group and Week.of(NOW - timedelta(weeks=case.weeks), "UTC") == week
                ]
                tally = found.get(week, {}).get(group, weak.EMPTY)
                decided = [case for case in mine if case.accepted or case.rejected]
                accepted = [case for case in mine if case.accepted]
                assert tally == {
                    "all": Rate(len(mine), len(mine)),
                    "decided": Rate(len(accepted), len(decided)),
                    "accepted": Rate(sum(case.won for case in accepted), len(accepted)),
                }
        for group, measures in weak.MEASURES.items():
            counted, _ = tallying.total(look, measures)
            assert counted["all"].numerator == sum(naive(case) == group for case in cases)
            for name, measure in measures.items():
                assert tallying.listed(look, measure, "hits").count() == counted[name].numerator
        transaction.set_rollback(True)
