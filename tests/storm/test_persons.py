"""Merges, erasures and events about the same people at once: one person at the end, or nobody."""

from __future__ import annotations

import pytest
from django.db import connection

from leads import lifecycle
from leads.choices import Why
from leads.intake import receive
from leads.models import ExternalId, Handoff, Lead, Merge, PrivacyAct
from tests.acting import assert_sound, at, by
from tests.conftest import NOW, Cast
from tests.factories import event, route_to
from tests.leads.intake.test_persons import erased, id_of, merged
from tests.storm.test_storm import run_threads

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]


def many() -> int:
    return 16 if connection.vendor == "postgresql" else 4


def test_two_senders_and_more_merge_the_same_two_both_ways(cast: Cast) -> None:
    route_to(cast.femke, cast.jonas)
    receive([event(1), event(2)], None, NOW)

    def send(number: int) -> None:
        one, other = (1, 2) if number % 2 else (2, 1)
        sent = merged(one, id_of(other), id=f"m{number}") | {"source": f"/sender/{number % 3}"}
        receive([sent], None, at(hours=1))

    run_threads(many(), send)
    assert Merge.objects.count() == 1
    assert Lead.objects.filter(merged_into__isnull=True).count() == 1
    assert ExternalId.objects.values("lead").distinct().count() == 1
    assert Handoff.objects.open().count() == 1
    assert_sound()


def test_an_erasure_amid_events_leaves_nobody(cast: Cast) -> None:
    route_to(cast.femke, cast.jonas)
    receive([event(1)], None, NOW)
    pk = Lead.objects.get().pk

    def act(number: int) -> None:
        if number % 4 == 0:
            lifecycle.erase(pk, by(cast.otto, hours=1), Why.ASKED)
        elif number % 4 == 1:
            receive([erased(1, id=f"e{number}")], None, at(hours=1))
        else:
            receive([event(1, id=f"u{number}", type="lead.updated")], None, at(hours=1))

    run_threads(many(), act)
    assert list(Lead.objects.values_list("erased_at", flat=True)) == [at(hours=1)]
    assert PrivacyAct.objects.filter(lead__isnull=False).count() == 1
    assert_sound()
