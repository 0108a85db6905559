"""The definitions, by example and against a second, naive implementation on generated handoffs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.conf import settings as site
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads.models import Handoff, Lead
from metrics import query, spans
from metrics.figures import Figures
from metrics.filters import NO_FILTERS, NONE, Filters
from metrics.measures import BLACK_HOLE, RATES
from metrics.periods import EVERYTHING, WeekFinder
from routing.models import Team, User
from tests.metrics import reference
from tests.metrics.reference import TARGET, Fact, People, as_seen

T = datetime(2026, 3, 10, 10, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PEOPLE = People({1: "ann@x.example", 2: "bob@x.example", 3: "cat@x.example"}, {1: "North", 2: "South"})
ZONE = "Europe/Amsterdam"
GROUPS = ("source", "rep", "team", "type", "week")
# Each example stores its handoffs and takes them back.
stored = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def people(db: None) -> dict[int, int]:
    """The three of PEOPLE, by their number there."""
    site_zone = site.ORG_TIME_ZONE
    site.ORG_TIME_ZONE = ZONE
    found = {}
    for number, email in PEOPLE.emails.items():
        team = PEOPLE.teams.get(number)
        row = Team.objects.create(name=team) if team else None
        found[number] = User.objects.create_user(email, name=email, team=row).pk
    yield found
    site.ORG_TIME_ZONE = site_zone


def store(facts: Sequence[Fact], people: dict[int, int]) -> dict[int, int]:
    """Handoffs with the columns of these facts; their keys by the facts' ids."""
    lead = Lead.objects.create(email="one@x.example", created_at=T, updated_at=T)
    made = []
    for each in facts:
        values = each._asdict()
        values.pop("id")
        persons = {name: people.get(values.pop(name)) for name in list(values) if name.endswith("_id")}
        made.append(
            Handoff(
                lead=lead,
                state="superseded",
                received_at=each.mql_at,
                created_at=each.mql_at,
                updated_at=each.mql_at,
                **values,
                **persons,
            )
        )
    Handoff.objects.bulk_create(made)
    return {each.id: handoff.pk for each, handoff in zip(facts, made, strict=True)}


def asked(now: datetime, filters: Filters = NO_FILTERS) -> query.Asked:
    return query.Asked.of(query.Question(now, EVERYTHING, filters=filters))


def fact(**values: Any) -> Fact:
    return Fact(
        **({"id": 1, "mql_at": T - timedelta(days=3), "lead_type": "demo", "lead_source": "Web"} | values)
    )


def judge(
    measure: str, given_fact: Fact, people: dict[int, int], as_of: datetime = T
) -> tuple[bool, str] | None:
    """Whether it counts, is a hit, and by e-mail whose it is, as the lists behind the figures say."""
    store([given_fact], people)
    look = asked(as_of)
    if not look.listed(measure, "all").exists():
        return None
    hit = look.listed(measure, "hits").exists()
    assert look.listed(measure, "misses").exists() is not hit
    whose = [rep for rep, found in look.by("rep").items() if counted(found, measure)]
    assert len(whose) == 1
    return hit, whose[0]


def counted(found: Figures, measure: str) -> int:
    if measure == "mqls":
        return found.mqls
    if measure == "time_to_first_contact":
        return sum(spread.n for spread in found.contact.values())
    return found.rate(measure).denominator


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
def test_a_definition(
    people: dict[int, int],
    measure: str,
    values: dict[str, Any],
    verdict: tuple[bool, int | None] | None,
) -> None:
    expected = None if verdict is None else (verdict[0], PEOPLE.email(verdict[1]))
    assert judge(measure, fact(**values), people) == expected
    (seen,) = as_seen([fact(**values)], T)
    assert reference.MEASURES[measure](seen, T) == verdict


@pytest.mark.parametrize(("kind", "minutes"), [("demo", 5), ("standard", 60)])
def test_the_target_is_included(people: dict[int, int], kind: str, minutes: int) -> None:
    start = T - timedelta(days=1)
    late = timedelta(microseconds=1)
    waits = (timedelta(minutes=minutes), timedelta(minutes=minutes) + late)
    store([fact(mql_at=start, lead_type=kind, first_contact_at=start + wait) for wait in waits], people)
    spread = asked(T).total().contact[kind]
    assert (spread.n, spread.within.numerator, spread.within.denominator) == (2, 1, 2)


def test_a_later_handoff_does_not_exist_yet(people: dict[int, int]) -> None:
    store([fact(mql_at=T + MINUTE), fact(mql_at=T)], people)
    assert asked(T).total().mqls == 1


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
    assert spans.interpolated([float(each) for each in minutes], share) == value


@stored
@given(
    micros=st.lists(st.integers(0, 10**9), max_size=20),
    others=st.lists(st.integers(0, 10**9), max_size=5),
)
def test_percentiles_of_the_database_are_those(
    people: dict[int, int], micros: list[int], others: list[int]
) -> None:
    with transaction.atomic():
        waits = [("demo", n) for n in micros] + [("standard", n) for n in others]
        store(
            [
                fact(mql_at=AT, lead_type=kind, first_contact_at=AT + timedelta(microseconds=n))
                for kind, n in waits
            ],
            people,
        )
        found = asked(T).total().contact
        transaction.set_rollback(True)
    for kind, each in (("demo", micros), ("standard", others)):
        ordered = sorted(n / spans.MICROSECONDS_A_MINUTE for n in each)
        assert found[kind].n == len(each)
        for value, share in ((found[kind].median, 0.5), (found[kind].p90, 0.9)):
            expected = spans.interpolated(ordered, share)
            assert value == (None if expected is None else pytest.approx(expected, abs=1e-6))


START = T - timedelta(days=3)
LATE = timedelta(minutes=5, microseconds=1)
IN_TIME = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("measure", "columns", "hits_of"),
    [
        ("acknowledged_in_time", {"assigned_at": START, "acknowledged_at": START + IN_TIME}, (1, 1)),
        ("acknowledged_in_time", {"assigned_at": START, "acknowledged_at": START + LATE}, (0, 1)),
        ("acknowledged_in_time", {"assigned_at": START}, (0, 0)),
        ("acknowledged_by_deadline", {"acknowledged_at": AT, "acknowledged_due_at": AT}, (1, 1)),
        ("acknowledged_by_deadline", {"acknowledged_at": AT, "acknowledged_due_at": AT - MINUTE}, (0, 1)),
        ("acknowledged_by_deadline", {"acknowledged_at": AT}, (0, 0)),  # nobody set one
        ("acknowledged_by_deadline", {"state": "accepted", "accept_due_at": T - MINUTE}, (0, 1)),
        ("acknowledged_by_deadline", {"state": "accepted", "accept_due_at": T}, (0, 0)),
        ("acknowledged_by_deadline", {"state": "rejected", "accept_due_at": T - MINUTE}, (0, 0)),
        ("contacted_in_time", {"first_contact_at": START + IN_TIME}, (1, 1)),
        ("contacted_in_time", {"first_contact_at": START + LATE}, (0, 1)),
        ("contacted_by_deadline", {"first_contact_at": AT, "contacted_due_at": AT}, (1, 1)),
        ("contacted_by_deadline", {"state": "accepted", "contact_due_at": T - MINUTE}, (0, 1)),
        ("disposed_in_time", {"disposed_at": START + IN_TIME}, (1, 1)),
        ("disposed_in_time", {"disposed_at": START + LATE}, (0, 1)),
        ("disposed_in_time", {"disposed_at": T + MINUTE}, (0, 0)),
        ("disposed_by_deadline", {"disposed_at": AT, "disposed_due_at": AT - MINUTE}, (0, 1)),
        ("personalised", {"first_contact_at": AT, "first_contact_personal": True}, (1, 1)),
        ("personalised", {"first_contact_at": AT, "first_contact_personal": False}, (0, 1)),
        ("personalised", {"first_contact_at": AT}, (0, 0)),
        ("rejected_after_acceptance", {"accepted_at": AT, "rejected_at": AT}, (1, 1)),
        ("rejected_after_acceptance", {"accepted_at": AT, "rejected_at": AT - MINUTE}, (0, 1)),
        ("logged_late", {"first_contact_at": AT, "first_contact_logged_late": True}, (1, 1)),
        ("complete_at_once", {}, (1, 1)),
        ("complete_at_once", {"completion_visits": 1}, (0, 1)),
        ("complete_at_once", {"is_history": True}, (0, 0)),
        ("discarded", {"state": "discarded", "closed_at": AT}, (1, 1)),
        ("discarded", {"state": "discarded", "closed_at": T + MINUTE}, (0, 1)),
        ("went_silent", {"assigned_at": AT, "no_activity_at": AT + HOUR}, (1, 1)),
        ("went_silent", {"assigned_at": AT}, (0, 1)),
    ],
)
def test_what_stands_beside_the_five(
    people: dict[int, int], measure: str, columns: dict[str, Any], hits_of: tuple[int, int]
) -> None:
    store([fact()], people)
    Handoff.objects.update(**columns)
    look = asked(T)
    rate = look.total().rate(measure)
    assert (rate.numerator, rate.denominator) == hits_of
    assert tuple(look.listed(measure, part).count() for part in ("hits", "all")) == hits_of
    assert look.listed(measure, "misses").count() == hits_of[1] - hits_of[0]


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


def plain(rows: list[Fact], now: datetime) -> dict[str, Any]:
    """The reference's answer."""
    every = reference.dimensions(PEOPLE, WeekFinder(ZONE))
    return reference.report(list(as_seen(rows, now)), now, {name: every[name] for name in GROUPS}, {})


def report(now: datetime, filters: Filters = NO_FILTERS) -> dict[str, Any]:
    return query.ask(query.Question(now, EVERYTHING, filters=filters))


@settings(stored, max_examples=20)
@given(rows=facts(), now=moments)
def test_the_figures_equal_the_naive_ones(people: dict[int, int], rows: list[Fact], now: datetime) -> None:
    with transaction.atomic():
        store(rows, people)
        found = report(now)
        transaction.set_rollback(True)
    assert same(found, plain(rows, now))
    assert same(found["total"], naive(rows, now))
    for name in GROUPS:
        assert list(found[f"by_{name}"]) == sorted(found[f"by_{name}"])
    total = found["total"]
    for by in GROUPS:
        groups = list(found[f"by_{by}"].values())
        assert sum(each["mqls"] for each in groups) == total["mqls"]
        for name in RATES:
            for part in ("numerator", "denominator"):
                assert sum(each[name][part] for each in groups) == total[name][part]
    accepted, rejected = total["acceptance_rate"], total["rejection_rate"]
    assert accepted["denominator"] == rejected["denominator"]
    assert accepted["numerator"] + rejected["numerator"] == accepted["denominator"]


@settings(stored, max_examples=15)
@given(
    rows=facts(),
    now=moments,
    rep=st.sampled_from(["ann@x.example", ""]),
    team=st.sampled_from(["North", ""]),
)
def test_a_filtered_page_says_what_the_group_says_and_lists_it(
    people: dict[int, int], rows: list[Fact], now: datetime, rep: str, team: str
) -> None:
    with transaction.atomic():
        store(rows, people)
        whole = report(now)
        for kind, name in (("rep", rep), ("team", team), ("source", "Google"), ("type", "demo")):
            filters = Filters(**{kind: name})
            look = asked(now, filters)
            narrowed = report(now, filters)["total"]
            assert same(narrowed, whole[f"by_{kind}"].get(name, Figures().as_json()))
            for measure in RATES:
                lists = {
                    part: look.listed(measure, which).count()
                    for part, which in (("denominator", "all"), ("numerator", "hits"))
                }
                assert lists == {part: narrowed[measure][part] for part in lists}
            assert look.listed("mqls", "all").count() == narrowed["mqls"]
            listed = look.listed("time_to_first_contact", "all").values_list("lead_type", flat=True)
            counts = Counter(listed)
            assert all(narrowed["time_to_first_contact"][kind]["n"] == counts[kind] for kind in TARGET)
        transaction.set_rollback(True)


@settings(stored, max_examples=20)
@given(rows=facts(), one=moments, other=moments)
def test_what_was_seen_then_is_seen_now(
    people: dict[int, int], rows: list[Fact], one: datetime, other: datetime
) -> None:
    """Looking back from later gives what was to be seen at the time."""
    then, later = min(one, other), max(one, other)
    with transaction.atomic():
        store(rows, people)
        looking_back = report(then)
        transaction.set_rollback(True)
    with transaction.atomic():
        store(list(as_seen(rows, later)), people)
        at_the_time = report(then)
        transaction.set_rollback(True)
    assert same(looking_back, at_the_time)


def test_people_are_put_down_each_to_their_own(people: dict[int, int]) -> None:
    store(
        [
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
        ],
        people,
    )
    reps = report(T)["by_rep"]
    assert list(reps) == ["ann@x.example", "bob@x.example", "cat@x.example"]
    ann, bob, cat = reps.values()
    assert (ann["mqls"], ann["clean_handoff_rate"]["numerator"]) == (1, 1)
    assert (bob["mqls"], bob["acceptance_rate"]["numerator"], bob["black_hole_rate"]["numerator"]) == (
        0,
        1,
        1,
    )
    assert cat["time_to_first_contact"]["demo"]["n"] == 1
    assert list(report(T)["by_team"]) == ["", "North", "South"]


def test_filters_go_into_an_address_and_back() -> None:
    for filters in (NO_FILTERS, Filters(source="", rep="a@b.c"), Filters(team="", type="demo", band="80+")):
        assert Filters.read(filters.params()) == filters
    assert Filters(source="").params() == {"source": NONE}
    assert Filters.read({"source": "", "week": "2026-W41"}) == NO_FILTERS
