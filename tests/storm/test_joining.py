"""Many single events at once by one key: each is answered for itself and stored once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from leads import keys
from leads.intake import joining, receive, receive_one
from leads.models import ApiKey, Handoff, Lead, Receipt
from tests.acting import assert_sound
from tests.conftest import NOW, Cast
from tests.factories import event, route_to
from tests.storm.test_storm import run_threads

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]


def test_single_events_at_once_are_answered_each_for_itself(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    route_to(cast.femke, cast.jonas)
    key, _ = keys.make_key("map", ["intake"], NOW)
    count = 48 if connection.vendor == "postgresql" else 16
    taken: list[int] = []

    def counted(raw: Sequence[Any], api_key: ApiKey, now: datetime) -> list[dict[str, Any]]:
        taken.append(len(raw))
        return receive(raw, api_key, now)

    monkeypatch.setattr(joining, "_queues", {(key.pk, False): joining.Queue(counted)})
    told: dict[int, Any] = {}

    def send(number: int) -> None:
        # Every fourth is sent twice, every seventh is no event.
        raw = event(number - number % 4 // 3) if number % 7 else {"id": f"bad-{number}"}
        told[number] = receive_one(raw, key, NOW)

    run_threads(count, send)
    bad = {number for number in range(count) if number % 7 == 0}
    wanted = {number - number % 4 // 3 for number in set(range(count)) - bad}
    assert {number for number, answer in told.items() if answer["status"] == "invalid"} == bad
    for number in set(range(count)) - bad:
        name = event(number - number % 4 // 3)["id"]
        assert (told[number]["id"], told[number]["status"] in ("processed", "duplicate")) == (name, True)
    assert set(Receipt.objects.values_list("event_id", flat=True)) == {event(n)["id"] for n in wanted}
    assert Lead.objects.count() == Handoff.objects.count() == len(wanted)
    # Some were taken together, and nobody's was taken twice.
    assert sum(taken) == count and len(taken) < count
    assert_sound()
