"""Merges, erasures and events about the same people at once: one person at the end, or nobody."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from leads import lifecycle
from leads.choices import Why
from leads.intake import receive
from leads.lifecycle import guard
from leads.models import Company, ExternalId, Handoff, Lead, Merge, PrivacyAct
from tests.acting import assert_sound, at, by
from tests.conftest import NOW, Cast
from tests.factories import event, make_handoff, route_to
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


def test_who_gets_another_company_while_an_act_waits_has_that_one(cast: Cast) -> None:
    """The act waits for the lead that the change has locked, and is judged by what it finds then."""
    handoff = make_handoff("assigned", cast.femke)
    other = Company.objects.create(domain="other.example", created_at=NOW, updated_at=NOW)
    locked, seen = threading.Event(), []

    def work(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                Lead.objects.filter(pk=handoff.lead_id).update(company=other)
                locked.set()
                # Until the other one waits.
                threading.Event().wait(0.5)
        else:
            assert locked.wait(10)
            with transaction.atomic():
                seen.append(guard.locked(handoff.pk).lead.company)

    run_threads(2, work)
    assert seen == [other]
