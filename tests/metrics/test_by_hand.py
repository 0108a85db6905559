"""What the benchmark measures the dashboard against, SQL written by hand, counts the same."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leads.models import Handoff
from metrics import counting, query
from metrics.periods import Week
from tests.bench import figures
from tests.conftest import NOW, Cast
from tests.factories import make_handoff


def test_the_sql_by_hand_counts_the_same(cast: Cast) -> None:
    for number, state in enumerate(("assigned", "accepted", "rejected", "working", "converted", "working")):
        for weeks in (0, 1, 5, 11):
            kind = "demo_request" if number % 2 else "score_threshold"
            at = NOW - timedelta(weeks=weeks, minutes=number * 37)
            make_handoff(state, cast.femke, at=at, kind=kind)
    found = figures.by_hand(NOW)
    terms = query.terms(NOW)
    assert {Week.holding(monday).name for monday, _ in found} == {
        "2026-W11",
        "2026-W10",
        "2026-W06",
        "2025-W52",
    }
    for kind in ("demo", "standard"):
        rows = Handoff.objects.filter(lead_type=kind)
        for name, each in counting.by("week", rows, terms, "UTC").items():
            hand = found[Week.parse(name).monday, kind]
            times = each.contact[kind]
            shares = {key: (rate.numerator, rate.denominator) for key, rate in each.rates.items()}
            assert hand["mqls"] == each.mqls
            assert (hand["accepted"], hand["decided"]) == shares["acceptance_rate"]
            assert (hand["decided"] - hand["accepted"], hand["decided"]) == shares["rejection_rate"]
            assert (hand["won"], hand["accepted"]) == shares["mql_to_opportunity"]
            assert (hand["lost"], hand["assigned"]) == shares["black_hole_rate"]
            assert (hand["within"], hand["contacted"]) == (times.within.numerator, times.n)
            for column, value in (("mean", times.mean), ("median", times.median), ("p90", times.p90)):
                said = None if hand[column] is None else float(hand[column])
                assert said == pytest.approx(value, abs=1e-3)
