from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.choices import TriggerKind
from leads.models import MqlDefinition
from leads.qualification import ScorePoint, clamp, crosses, definitions, in_force, lead_type
from tests.conftest import NOW
from tests.factories import agree

AT_65 = MqlDefinition(version=1, threshold=65, in_force_from=NOW - timedelta(days=100))
EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def verdict(total, before=None, previous=None, later=None):
    earlier = None if before is None else ScorePoint(before, EARLIER)
    after = None if later is None else ScorePoint(later, LATER)
    return crosses(ScorePoint(total, NOW), earlier, after, previous, AT_65)


@pytest.mark.parametrize(
    ("score", "crossed"),
    [
        ({"total": 65}, True),
        ({"total": 64}, False),
        ({"total": 65, "before": 64}, True),
        ({"total": 65, "before": 65}, False),
        ({"total": 90, "before": 66}, False),
        # The latest earlier score outranks what the sender says of it.
        ({"total": 70, "before": 70, "previous": 10}, False),
        ({"total": 70, "before": 10, "previous": 70}, True),
        ({"total": 70, "previous": 64}, True),
        ({"total": 70, "previous": 65}, False),
        # An older score arriving late never opens.
        ({"total": 70, "later": 60}, False),
        ({"total": 70, "later": 90}, False),
    ],
)
def test_a_crossing(score, crossed):
    assert verdict(**score) is crossed


@given(st.lists(st.integers(-10, 120), min_size=1, max_size=20))
def test_crossings_in_order_are_the_rises_over_the_line(totals):
    crossed = [
        verdict(total, before=totals[place - 1] if place else None) for place, total in enumerate(totals)
    ]
    above = [total >= 65 for total in totals]
    assert crossed == [now and not (place and above[place - 1]) for place, now in enumerate(above)]


def test_a_score_is_judged_by_the_definition_of_its_time(cast):
    old = MqlDefinition.objects.get()
    new = agree(cast.otto, cast.mia, NOW, threshold=80).definition
    versions = definitions()
    assert versions == [new, old]
    assert in_force(versions, NOW) == new
    assert in_force(versions, NOW - timedelta(microseconds=1)) == old
    # The oldest stands for all time before it.
    assert in_force(versions, NOW - timedelta(days=4000)) == old
    assert in_force([], NOW) is None


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (timedelta(0), (timedelta(0), False)),
        (timedelta(minutes=5), (timedelta(minutes=5), False)),
        (timedelta(minutes=5, microseconds=1), (timedelta(0), True)),
        (timedelta(days=400), (timedelta(0), True)),
        (timedelta(days=-400), (timedelta(days=-400), False)),
    ],
)
def test_more_than_five_minutes_ahead_is_clamped_and_flagged(ahead, expected):
    offset, clamped = expected
    assert clamp(NOW + ahead, NOW) == (NOW + offset, clamped)


@pytest.mark.parametrize("kind", TriggerKind.values)
def test_the_lead_type(kind):
    expected = "demo" if kind in ("demo_request", "pricing_inquiry") else "standard"
    assert lead_type(kind, AT_65) == expected
    assert lead_type(kind, MqlDefinition(high_intent=["manual_flag"])) == (
        "demo" if kind == "manual_flag" else "standard"
    )
