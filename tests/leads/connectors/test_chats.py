"""Slack and Teams over real HTTP: what arrives, what is tried again, and what stops the connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from leads import connectors, lifecycle
from leads.connectors.addresses import PRIVATE
from leads.lifecycle import Act
from leads.models import Connection, Delivery, DeliveryAttempt
from leads.outbox import letters
from tests import doubles
from tests.conftest import NOW
from tests.factories import make_handoff
from tests.leads.connectors.conftest import Played, make_connection

pytestmark = pytest.mark.django_db
SOON = NOW + timedelta(seconds=30)
SIG = "wQj9-the-signature-is-a-secret"
PATHS = {"slack": "/slack/hook/T0/B0/XsecretX", "teams": f"/teams/hook?api-version=1&sig={SIG}"}
KINDS = pytest.mark.parametrize("kind", ["slack", "teams"])


@pytest.fixture(scope="module")
def _outer() -> Iterator[doubles.Doubles]:
    with doubles.start() as outer:
        yield outer


@pytest.fixture
def outer(_outer, settings) -> doubles.Doubles:
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    _outer.reset()
    _outer.clock.offset = NOW.timestamp() - time.time()
    _outer.teams.configure(sig=SIG)
    return _outer


def chat(outer, kind: str, **fields: Any) -> Connection:
    secrets = {"url": f"{outer.url}{PATHS[kind]}"}
    return make_connection(kind, secrets=secrets, **fields)


def demo(cast):
    """A new demo lead, of which the channel is owed a message."""
    return make_handoff("assigned", cast.femke, kind="demo_request")


def deliver(connection: Connection, at=SOON) -> int:
    connection.refresh_from_db()
    return connectors.deliver(connection, lambda: at, seconds=5)


def arrived(outer, kind: str) -> list[dict[str, Any]]:
    return [message.value for message in getattr(outer, kind).messages]


@KINDS
def test_a_new_demo_lead_is_told_once(cast, outer, kind):
    connection = chat(outer, kind)
    handoff = demo(cast)
    assert [deliver(connection), deliver(connection)] == [1, 0]
    [value] = arrived(outer, kind)
    assert f"/handoffs/{handoff.pk}/" in str(value) and "New demo lead" in str(value)
    assert handoff.lead.last_name not in str(value) and handoff.lead.email not in str(value)
    if kind == "teams":
        assert [message.shown for message in outer.teams.messages] == [True]
    row = Delivery.objects.get()
    assert (row.kind, row.type, row.status, row.body, row.last_status) == (
        "message", "new_demo", "done", "", 200 if kind == "slack" else 202,
    )  # fmt: skip


@KINDS
def test_what_was_accepted_meanwhile_is_not_sent_and_the_log_says_why(cast, outer, kind):
    connection = chat(outer, kind)
    handoff = demo(cast)
    lifecycle.accept(handoff.pk, Act(NOW + timedelta(seconds=20), cast.femke))
    deliver(connection)
    assert arrived(outer, kind) == []
    row = Delivery.objects.get()
    assert (row.status, row.tries.get().request) == ("done", "Nothing: it was accepted meanwhile.")


@KINDS
def test_an_escalation_is_told_and_reminders_only_where_they_are_wanted(cast, outer, kind):
    connection, eager = chat(outer, kind), chat(outer, kind, options={"tells": ["reminder"], "names": "name"})
    handoff = make_handoff("assigned", cast.femke, kind="demo_request")
    lifecycle.fire(handoff.pk, NOW + timedelta(minutes=6))
    told = Delivery.objects.order_by("connection", "id").values_list("connection", "type")
    assert list(told) == [
        (connection.pk, "new_demo"), (connection.pk, "escalation"), (connection.pk, "escalation"),
        (eager.pk, "reminder"), (eager.pk, "reminder"),
    ]  # fmt: skip
    deliver(eager, NOW + timedelta(minutes=7))
    assert all(handoff.lead.full_name in str(value) for value in arrived(outer, kind))
    assert len(arrived(outer, kind)) == 2


@KINDS
@pytest.mark.parametrize("refusal", ["rate_limited", "server_error"])
def test_what_fails_for_now_is_waited_for_and_arrives_once(cast, outer, kind, refusal):
    connection = chat(outer, kind)
    demo(cast)
    outer.fault(system=kind, kind=refusal, times=1)
    assert deliver(connection) == 0
    connection.refresh_from_db()
    asked = "The other side asked to wait (rate limit)." if refusal == "rate_limited" else ""
    assert (connection.paused_why, connection.is_active) == (asked, True)
    if asked:
        seconds = 1 if kind == "slack" else 2
        assert connection.paused_until == SOON + timedelta(seconds=seconds)
    assert deliver(connection, SOON + timedelta(seconds=10)) == 1
    assert len(arrived(outer, kind)) == 1
    assert Delivery.objects.get().attempts == 2


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("prohibited", "Slack answers 403: an admin of the workspace has forbidden it."),
        ("channel_not_found", "Slack answers 404: the channel is not there any more."),
        ("revoked", "Slack answers 404: the webhook was removed or switched off."),
        ("archived", "Slack answers 410: the channel is archived."),
    ],
)
def test_a_webhook_that_is_gone_stops_the_connection_with_words(cast, outer, state, words):
    connection = chat(outer, "slack")
    demo(cast)
    outer.slack.configure(state=state)
    deliver(connection)
    connection.refresh_from_db()
    said = f"{words} Make a new webhook there and set its address."
    assert (connection.is_active, connection.paused_why) == (False, said)
    row = Delivery.objects.get()
    assert (row.status, row.last_error) == ("dead", said)


@pytest.mark.parametrize("status", [403, 404, 410, 302])
def test_a_workflow_that_is_gone_stops_the_connection_with_words(cast, outer, status):
    connection = chat(outer, "teams")
    demo(cast)
    outer.fault(system="teams", status=status, body="")
    deliver(connection)
    connection.refresh_from_db()
    assert (connection.is_active, connection.paused_why) == (
        False, f"Teams answers {status}: the workflow is gone or switched off. Set its new address.",
    )  # fmt: skip


def test_a_signature_that_does_not_fit_keeps_the_message_until_somebody_has_looked(cast, outer):
    connection = chat(outer, "teams")
    demo(cast)
    outer.teams.configure(sig="another")
    deliver(connection)
    connection.refresh_from_db()
    assert (connection.is_active, connection.paused_why) == (
        True,
        "The credentials are refused: Teams answers 401: the signature in the address does not fit.",
    )
    assert Delivery.objects.get().status == "pending"


@pytest.mark.parametrize(
    ("kind", "refusal", "words"),
    [
        ("slack", "invalid_payload", "Slack answers 400: invalid_payload."),
        ("slack", "invalid_blocks", "Slack answers 400: invalid_blocks."),
        ("teams", "too_large", "Teams answers 413."),
    ],
)
def test_a_message_that_is_refused_is_a_dead_letter_and_the_next_one_goes(cast, outer, kind, refusal, words):
    connection = chat(outer, kind)
    demo(cast)
    outer.fault(system=kind, kind=refusal, times=1)
    deliver(connection)
    row = Delivery.objects.get()
    assert (row.status, row.last_error) == ("dead", words)
    demo(cast)
    assert deliver(connection) == 1


def test_what_is_no_slack_is_not_believed(cast, played: Played):
    connection = make_connection("slack", secrets={"url": f"{played.url}/in"})
    played.answer = lambda *_: (200, {}, b"<html>Sign in</html>")
    demo(cast)
    deliver(connection)
    row = Delivery.objects.get()
    assert (row.status, row.last_error) == (
        "dead", "It answers 200 and not “ok”: is this the address of a Slack webhook?",
    )  # fmt: skip


def test_one_message_a_second_is_what_slack_takes(cast, outer):
    warm = chat(outer, "slack")
    demo(cast)
    # The first call of a process reads whose certificates are believed, which takes as long.
    deliver(warm)
    Connection.objects.filter(pk=warm.pk).update(is_active=False)
    connection = chat(outer, "slack", rate=1, burst=1)
    for _ in range(3):
        demo(cast)
    offset = NOW + timedelta(seconds=30) - timedelta(seconds=time.monotonic())
    clock = lambda: offset + timedelta(seconds=time.monotonic())  # noqa: E731
    assert connectors.deliver(connection, clock, seconds=8) == 3
    first, second, third = [message.at for message in outer.slack.messages[1:]]
    # The way takes longer for one than for another.
    assert second - first > 0.8 and third - second > 0.8


@KINDS
def test_the_address_stands_nowhere_but_in_the_call(cast, outer, kind, played: Played, caplog):
    """Also where the other side says it back, and whatever goes wrong."""
    caplog.set_level("DEBUG")
    secret = PATHS[kind].rpartition("=" if kind == "teams" else "/")[2]
    said = f"no such address: {PATHS[kind]}".encode()
    for status in (200, 400, 401, 404, 429, 500):
        connection = make_connection(kind, secrets={"url": f"{played.url}{PATHS[kind]}"})
        played.answer = lambda *_, status=status: (status, {}, said)
        demo(cast)
        deliver(connection)
        Connection.objects.filter(pk=connection.pk).update(is_active=False)
    assert secret in played.calls[0][1], "the secret is called"
    told = [*DeliveryAttempt.objects.values_list("request", "answer", "error")]
    assert len(told) == 6
    kept = [*told, *Delivery.objects.values_list(), *Connection.objects.values_list()]
    kept += list(Connection.history.values_list())
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("leads")]
    assert secret not in str(kept) and secret not in str(ours)


@KINDS
def test_an_address_in_our_own_network_stops_the_connection(cast, kind):
    connection = make_connection(kind, secrets={"url": "https://10.0.0.1/services/T/B/X"})
    demo(cast)
    deliver(connection)
    connection.refresh_from_db()
    assert (connection.is_active, connection.paused_why) == (
        False, f"The address may not be called. {PRIVATE}",
    )  # fmt: skip


@KINDS
def test_nothing_that_a_channel_is_owed_survives_an_erasure(cast, outer, kind):
    connection = chat(outer, kind, options={"names": "full"})
    handoff = demo(cast)
    lifecycle.erase(handoff.lead_id, Act(NOW + timedelta(seconds=20), cast.ada), "asked")
    assert deliver(connection) == 0
    assert arrived(outer, kind) == []
    assert [row.status for row in Delivery.objects.all()] == ["withdrawn"]


def test_what_was_archived_and_set_anew_is_sent_from_the_dead_letters(cast, outer):
    connection = chat(outer, "slack")
    demo(cast)
    outer.slack.configure(state="archived")
    deliver(connection)
    outer.slack.configure(state="live")
    Connection.objects.filter(pk=connection.pk).update(is_active=True, paused_why="")
    assert connectors.deliver(connection, lambda: SOON, seconds=2) == 0
    assert letters.replay(Delivery.objects.get(), SOON)
    assert deliver(connection) == 1
    assert len(arrived(outer, "slack")) == 1
