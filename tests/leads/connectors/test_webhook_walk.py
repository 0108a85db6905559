"""A webhook's whole way: an act owes it, the loop sends it, signed, once."""

import json
from datetime import timedelta

from leads import connectors, lifecycle
from leads.connectors import signatures
from leads.lifecycle import Act
from leads.models import Delivery
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.connectors.conftest import SECRET, Played, make_connection

LATER = NOW + timedelta(seconds=13)


def test_an_accept_is_told_once_and_signed(cast: Cast, played: Played) -> None:
    connection = make_connection(base_url=f"{played.url}/hook")
    handoff = make_handoff("assigned", cast.femke)
    Delivery.objects.all().delete()

    lifecycle.accept(handoff.pk, Act(NOW, cast.femke))

    assert connectors.deliver(connection, lambda: NOW, seconds=5) == 0
    assert connectors.deliver(connection, lambda: LATER, seconds=5) == 1
    assert connectors.deliver(connection, lambda: LATER, seconds=5) == 0
    [(method, path, headers, body)] = played.calls
    assert (method, path) == ("POST", "/hook")
    row = Delivery.objects.get()
    assert signatures.verify([SECRET], headers, body, LATER) == row.message_id
    content = json.loads(body)
    assert content["type"] == "handoff.accepted"
    assert content["data"]["handoff"]["state"] == "accepted"
    assert (row.status, row.attempts, row.last_status) == ("done", 1, 200)
    attempt = row.tries.get()
    assert (attempt.number, attempt.outcome, attempt.status) == (1, "done", 200)


def test_what_is_taken_back_in_time_never_leaves(cast: Cast, played: Played) -> None:
    connection = make_connection(base_url=f"{played.url}/hook")
    handoff = make_handoff("assigned", cast.femke)
    Delivery.objects.all().delete()
    lifecycle.accept(handoff.pk, Act(NOW, cast.femke))

    lifecycle.undo(handoff.pk, Act(NOW + timedelta(seconds=9), cast.femke))

    assert connectors.deliver(connection, lambda: LATER + timedelta(minutes=1), seconds=5) == 0
    assert played.calls == []
    assert Delivery.objects.get().status == "withdrawn"
