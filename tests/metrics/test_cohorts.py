"""When a week's figure may be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from metrics import cohorts
from metrics.periods import Week, WeekRange

WEEK = Week(2026, 41)  # ends on Monday 12 October 00:00


@pytest.mark.parametrize(
    ("measure", "moment"),
    [
        ("acceptance_rate", "2026-10-19T00:00:00"),
        ("rejection_rate", "2026-10-19T00:00:00"),
        ("time_to_first_contact", "2026-10-19T00:00:00"),
        ("clean_handoff_rate", "2026-10-19T00:00:00"),
        ("black_hole_rate", "2026-10-13T00:00:00"),
        ("mql_to_opportunity", "2026-11-26T00:00:00"),
    ],
)
def test_each_measure_waits_for_its_facts(measure: str, moment: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert cohorts.mature_at(WEEK, measure, "UTC") == at
    assert cohorts.is_mature(WEEK, measure, "UTC", at)
    assert not cohorts.is_mature(WEEK, measure, "UTC", at - timedelta(microseconds=1))


def test_the_waits_can_be_set() -> None:
    end = datetime(2026, 10, 12, tzinfo=UTC)
    assert cohorts.is_mature(WEEK, "black_hole_rate", "UTC", end, {"black_hole_rate": timedelta(0)})


def test_the_last_mature_week() -> None:
    weeks = WeekRange.ending(WEEK, 12, "UTC")
    at = datetime(2026, 10, 9, tzinfo=UTC)
    assert cohorts.last_mature(weeks, "acceptance_rate", "UTC", at) == Week(2026, 39)
    assert cohorts.last_mature(weeks, "black_hole_rate", "UTC", at) == Week(2026, 40)
    assert cohorts.last_mature(weeks, "mql_to_opportunity", "UTC", at) == Week(2026, 34)
    assert cohorts.last_mature(weeks.only(WEEK), "acceptance_rate", "UTC", at) is None
