"""What occurs after a report is made is not in it: on generated handoffs, byte for byte."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from django.db import transaction
from hypothesis import given, settings

from leads.models import Handoff
from metrics.measures import RATES
from metrics.periods import Week
from metrics.reports import gathering, making
from tests.metrics import test_measures
from tests.metrics.reference import Fact
from tests.metrics.test_measures import facts, moments, store, stored

MOMENTS = (
    "assigned_at",
    "accepted_at",
    "rejected_at",
    "first_contact_at",
    "first_activity_at",
    "opportunity_at",
)
people = pytest.fixture(test_measures.people.__wrapped__)
WEEK = Week(2026, 15)


def content(now: datetime) -> str:
    return making.frozen(gathering.gather(WEEK, now))


@settings(stored, max_examples=30)
@given(rows=facts(), now=moments)
def test_a_report_knows_only_what_had_occurred(
    people: dict[int, int], rows: list[Fact], now: datetime
) -> None:
    with transaction.atomic():
        store(rows, people)
        made = content(now)
        Handoff.objects.filter(mql_at__gt=now).delete()
        for column in MOMENTS:
            Handoff.objects.filter(**{f"{column}__gt": now}).update(**{column: None})
        again = content(now)
        transaction.set_rollback(True)
    assert again == made


@settings(stored, max_examples=20)
@given(rows=facts(), now=moments)
def test_its_lists_are_as_long_as_its_figures(
    people: dict[int, int], rows: list[Fact], now: datetime
) -> None:
    with transaction.atomic():
        store(rows, people)
        kept = json.loads(content(now))
        transaction.set_rollback(True)
    listed = kept["lists"]["counted"]
    for metric in kept["metrics"]:
        last = metric["last"] or {"n": 0, "of": 0}
        hits = [hit for _, hit in listed[metric["key"]]]
        assert (sum(hits), len(hits)) == (last["n"], last["of"]), metric["key"]
        assert {str(number) for number, _ in listed[metric["key"]]} <= kept["lists"]["facts"].keys()
    assert len(listed["mqls"]) == kept["mqls"]
    assert {metric["key"] for metric in kept["metrics"]} & RATES.keys() < RATES.keys()
    stages = [each["count"] for each in kept["funnel"]]
    assert stages == sorted(stages, reverse=True)
