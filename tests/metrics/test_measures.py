"""The definitions, by example and against a second, naive implementation on generated facts."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics import measures
from metrics.facts import Fact, People, as_seen
from metrics.filters import NO_FILTERS, NONE, Filters
from metrics.measures import BLACK_HOLE, MEASURES, RATES, TARGET
from metrics.periods import Week, WeekFinder

T = datetime(2026, 3, 10, 10, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PEOPLE = People({1: "ann@x.example", 2: "bob@x.example", 3: "cat@x.example"}, {1: "North", 2: "South"})
ZONE = "Europe/Amsterdam"


def fact(**values: Any) -> Fact:
    return Fact(
        **({"id": 1, "mql_at": T - timedelta(days=3), "lead_type": "demo", "lead_source": "Web"} | values)
    )


def judge(measure: str, given_fact: Fact, as_of: datetime = T) -> tuple[bool, int | None] | None:
    (seen,) = list(as_seen([given_fact], as_of)) or [None]
    return None if seen is None else MEASURES[measure](seen, as_of)


# By example

AT = T - timedelta(days=2)


@pytest.mark.parametrize(
    ("measure", "values", "verdict"),
    [
        ("acceptance_rate", {}, None),
        ("acceptance_rate", {"accepted_at": AT, "accepted_by_id": 1}, (True, 1)),
        ("acceptance_rate", {"rejected_at": AT, "rejected_by_id": 2}, (False, 2)),
        (  # accepted and later rejected, or rejected and accepted by the next: accepted
            "acceptance_rate",
            {"accepted_at": AT, "accepted_by_id": 1, "rejected_at": AT + HOUR, "rejected_by_id": 2},
            (True, 1),
        ),
        ("rejection_rate", {"rejected_at": AT, "rejected_by_id": 2}, (True, 2)),
        ("rejection_rate", {"accepted_at": AT, "accepted_by_id": 1, "rejected_at": AT}, (False, 1)),
        ("acceptance_rate", {"accepted_at": T}, (True, None)),
        ("acceptance_rate", {"accepted_at": T + timedelta(microseconds=1)}, None),
        ("mql_to_opportunity", {"opportunity_at": AT}, None),
        ("mql_to_opportunity", {"accepted_at": AT, "accepted_by_id": 1, "opportunity_at": AT}, (True, 1)),
        ("mql_to_opportunity", {"accepted_at": AT, "opportunity_at": T + HOUR}, (False, None)),
        ("black_hole_rate", {}, None),
        ("black_hole_rate", {"assigned_at": AT, "holder_at_24h_id": 3}, (True, 3)),
        ("black_hole_rate", {"assigned_at": T - BLACK_HOLE}, (True, None)),
        ("black_hole_rate", {"assigned_at": T - BLACK_HOLE + MINUTE}, None),
        ("black_hole_rate", {"assigned_at": AT, "first_activity_at": AT + BLACK_HOLE}, (False, None)),
        ("black_hole_rate", {"assigned_at": AT, "first_activity_at": AT + BLACK_HOLE + MINUTE}, (True, None)),
        # A contact from before the assignment, logged late: somebody was there.
        ("black_hole_rate", {"assigned_at": AT, "first_activity_at": AT - HOUR}, (False, None)),
        ("clean_handoff_rate", {"first_holder_id": 1}, (False, 1)),
        ("clean_handoff_rate", {"accepted_at": AT, "first_contact_at": AT}, (True, None)),
        ("clean_handoff_rate", {"accepted_at": AT, "first_contact_at": T + HOUR}, (False, None)),
        ("mqls", {"first_holder_id": 2}, (True, 2)),
        ("time_to_first_contact", {}, None),
    ],
)
def test_a_definition(measure: str, values: dict[str, Any], verdict: tuple[bool, int | None] | None) -> None:
    assert judge(measure, fact(**values)) == verdict


@pytest.mark.parametrize(("kind", "minutes"), [("demo", 5), ("standard", 60)])
def test_the_target_is_included(kind: str, minutes: int) -> None:
    start = T - timedelta(days=1)
    late = timedelta(microseconds=1)
    for wait, hit in ((timedelta(minutes=minutes), True), (timedelta(minutes=minutes) + late, False)):
        found = fact(mql_at=start, lead_type=kind, first_contact_at=start + wait, first_contact_by_id=1)
        assert judge("time_to_first_contact", found) == (hit, 1)


def test_a_later_handoff_does_not_exist_yet() -> None:
    assert list(as_seen([fact(mql_at=T + MINUTE)], T)) == []
    assert len(list(as_seen([fact(mql_at=T)], T))) == 1


@pytest.mark.parametrize(
    ("minutes", "share", "value"),
    [
        ([], 0.5, None),
        ([7], 0.9, 7.0),
        ([1, 2], 0.5, 1.5),
        ([1, 2, 3], 0.5, 2.0),
        ([10, 20, 30, 40], 0.9, 37.0),
        ([10, 20, 30, 40], 0.0, 10.0),
        ([10, 20, 30, 40], 1.0, 40.0),
    ],
)
def test_percentiles_interpolate(minutes: list[int], share: float, value: float | None) -> None:
    found = measures.percentile([timedelta(minutes=each) for each in minutes], share)
    assert (found / MINUTE if found is not None else None) == value


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PERCENTILE_CONT is PostgreSQL's")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(micros=st.lists(st.integers(0, 10**9), min_size=1, max_size=40), share=st.sampled_from([0.5, 0.9]))
def test_percentiles_are_those_of_postgresql(db: None, micros: list[int], share: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile_cont(%s) WITHIN GROUP (ORDER BY n) FROM unnest(%s::float8[]) n",
            [share, micros],
        )
        expected = cursor.fetchone()[0]
    found = measures.percentile(sorted(timedelta(microseconds=n) for n in micros), share)
    assert found is not None
    assert found / timedelta(microseconds=1) == pytest.approx(expected, abs=1)


# Against a naive second implementation

offsets = st.integers(0, 40 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
person = st.sampled_from([None, 1, 2, 3])


@st.composite
def facts(draw: st.DrawFn) -> list[Fact]:
    made = []
    for number in range(draw(st.integers(0, 14))):
        start = datetime(2026, 3, 1, tzinfo=UTC) + draw(offsets)

        def at(start: datetime = start) -> datetime | None:
            return start + draw(offsets) if draw(st.booleans()) else None

        made.append(
            Fact(
                id=number,
                mql_at=start,
                lead_type=draw(st.sampled_from(["demo", "standard"])),
                lead_source=draw(st.sampled_from(["", "Google", "google", "=1+1"])),
                first_holder_id=draw(person),
                assigned_at=at(),
                holder_at_24h_id=draw(person),
                accepted_at=at(),
                accepted_by_id=draw(person),
                rejected_at=at(),
                rejected_by_id=draw(person),
                first_contact_at=at(),
                first_contact_by_id=draw(person),
                first_activity_at=at(),
                opportunity_at=at(),
            )
        )
    return made


moments = st.integers(0, 80).map(lambda days: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=days))


def naive(rows: list[Fact], now: datetime) -> dict[str, Any]:
    """The contract's figures the plain way: row by row, compared with the moment where used."""

    def happened(at: datetime | None) -> bool:
        return at is not None and at <= now

    rows = [row for row in rows if row.mql_at <= now]
    accepted = [row for row in rows if happened(row.accepted_at)]
    rejected = [row for row in rows if happened(row.rejected_at) and row not in accepted]
    held = [row for row in rows if row.assigned_at is not None and row.assigned_at <= now - timedelta(days=1)]
    lost = [
        row
        for row in held
        if not happened(row.first_activity_at) or row.first_activity_at - row.assigned_at > timedelta(days=1)
    ]

    def share(part: int, whole: int) -> dict[str, Any]:
        return {
            "numerator": part,
            "denominator": whole,
            "rate": round(float(Fraction(part, whole)), 6) if whole else None,
        }

    def spread(kind: str, most: int) -> dict[str, Any]:
        waits = sorted(
            (row.first_contact_at - row.mql_at).total_seconds()
            for row in rows
            if row.lead_type == kind and happened(row.first_contact_at)
        )

        def quantile(q: Fraction) -> float | None:
            if not waits:
                return None
            place = q * (len(waits) - 1)
            low, part = math.floor(place), place - math.floor(place)
            high = waits[min(low + 1, len(waits) - 1)]
            return float((1 - part) * Fraction(waits[low]) + part * Fraction(high)) / 60

        return {
            "n": len(waits),
            "mean_minutes": sum(waits) / 60 / len(waits) if waits else None,
            "median_minutes": quantile(Fraction(1, 2)),
            "p90_minutes": quantile(Fraction(9, 10)),
            "within_target": share(sum(wait <= most * 60 for wait in waits), len(waits)),
        }

    return {
        "mqls": len(rows),
        "acceptance_rate": share(len(accepted), len(accepted) + len(rejected)),
        "mql_to_opportunity": share(sum(happened(row.opportunity_at) for row in accepted), len(accepted)),
        "rejection_rate": share(len(rejected), len(accepted) + len(rejected)),
        "black_hole_rate": share(len(lost), len(held)),
        "clean_handoff_rate": share(sum(happened(row.first_contact_at) for row in accepted), len(rows)),
        "time_to_first_contact": {"demo": spread("demo", 5), "standard": spread("standard", 60)},
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 0.001
    return bool(one == other)


def report(rows: list[Fact], now: datetime, filters: Filters = NO_FILTERS) -> dict[str, Any]:
    every = measures.dimensions(PEOPLE, WeekFinder(ZONE))
    return measures.report(list(as_seen(rows, now)), now, every, {}, filters.belongs(PEOPLE))


@settings(max_examples=150, deadline=None)
@given(facts(), moments)
def test_the_figures_equal_the_naive_ones(rows: list[Fact], now: datetime) -> None:
    found = report(rows, now)
    assert same(found["total"], naive(rows, now))
    seen = [row for row in rows if row.mql_at <= now]
    for name, group in (
        ("source", lambda row: row.lead_source),
        ("type", lambda row: row.lead_type),
        ("week", lambda row: Week.of(row.mql_at, ZONE).name),
    ):
        expected = {key: naive([row for row in seen if group(row) == key], now) for key in map(group, seen)}
        assert found[f"by_{name}"].keys() == expected.keys()
        assert list(found[f"by_{name}"]) == sorted(expected)
        assert all(same(found[f"by_{name}"][key], expected[key]) for key in expected)


@settings(max_examples=80, deadline=None)
@given(facts(), moments)
def test_groups_add_up_and_halves_make_the_whole(rows: list[Fact], now: datetime) -> None:
    found = report(rows, now)
    total = found["total"]
    for by in ("source", "rep", "team", "type", "week"):
        groups = list(found[f"by_{by}"].values())
        assert sum(each["mqls"] for each in groups) == total["mqls"]
        for name in RATES:
            for part in ("numerator", "denominator"):
                assert sum(each[name][part] for each in groups) == total[name][part]
        for kind in TARGET:
            whole = total["time_to_first_contact"][kind]["n"]
            assert sum(each["time_to_first_contact"][kind]["n"] for each in groups) == whole
    accepted, rejected = total["acceptance_rate"], total["rejection_rate"]
    assert accepted["denominator"] == rejected["denominator"]
    assert accepted["numerator"] + rejected["numerator"] == accepted["denominator"]


@settings(max_examples=80, deadline=None)
@given(facts(), moments, st.sampled_from(["ann@x.example", ""]), st.sampled_from(["North", ""]))
def test_a_filtered_page_says_what_the_group_says_and_lists_it(
    rows: list[Fact], now: datetime, rep: str, team: str
) -> None:
    whole = report(rows, now)
    seen = list(as_seen(rows, now))
    for kind, name in (("rep", rep), ("team", team), ("source", "Google"), ("type", "demo")):
        filters = Filters(**{kind: name})
        narrowed = report(rows, now, filters)["total"]
        nothing = measures.Figures().as_json()
        assert narrowed == whole[f"by_{kind}"].get(name, nothing)
        belongs = filters.belongs(PEOPLE)
        for measure in RATES:
            lists = {
                part: len(measures.behind(seen, now, measure, hit, belongs))
                for part, hit in (("denominator", None), ("numerator", True))
            }
            assert lists == {part: narrowed[measure][part] for part in lists}
        assert len(measures.behind(seen, now, "mqls", None, belongs)) == narrowed["mqls"]
        contacted = measures.behind(seen, now, "time_to_first_contact", None, belongs)
        counts = Counter(each.lead_type for each in contacted)
        assert all(narrowed["time_to_first_contact"][kind]["n"] == counts[kind] for kind in TARGET)


@settings(max_examples=60, deadline=None)
@given(facts(), moments, moments)
def test_what_was_seen_then_is_seen_now(rows: list[Fact], one: datetime, other: datetime) -> None:
    """Looking back from later gives what was to be seen at the time."""
    then, later = min(one, other), max(one, other)
    assert report(list(as_seen(rows, later)), then) == report(rows, then)


def test_people_are_put_down_each_to_their_own() -> None:
    rows = [
        fact(
            first_holder_id=1,
            assigned_at=AT,
            holder_at_24h_id=2,
            accepted_at=AT + 30 * HOUR,
            accepted_by_id=2,
            first_contact_at=AT + 31 * HOUR,
            first_contact_by_id=3,
            first_activity_at=AT + 30 * HOUR,
        )
    ]
    reps = report(rows, T)["by_rep"]
    assert list(reps) == ["ann@x.example", "bob@x.example", "cat@x.example"]
    ann, bob, cat = reps.values()
    assert (ann["mqls"], ann["clean_handoff_rate"]["numerator"]) == (1, 1)
    assert (bob["mqls"], bob["acceptance_rate"]["numerator"], bob["black_hole_rate"]["numerator"]) == (
        0,
        1,
        1,
    )
    assert cat["time_to_first_contact"]["demo"]["n"] == 1
    assert list(report(rows, T)["by_team"]) == ["", "North", "South"]


def test_filters_go_into_an_address_and_back() -> None:
    for filters in (NO_FILTERS, Filters(source="", rep="a@b.c"), Filters(team="", type="demo")):
        assert Filters.read(filters.params()) == filters
    assert Filters(source="").params() == {"source": NONE}
    assert Filters.read({"source": "", "week": "2026-W41"}) == NO_FILTERS
