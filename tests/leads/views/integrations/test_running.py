"""What is done with a connection: on and off, paused, tried, a test event, the first sync, deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leads import connectors, tasks
from leads.connecting import first_sync, removing
from leads.connectors import signatures
from leads.connectors.base import Connector
from leads.connectors.client import Unreachable
from leads.models import Connection, Delivery, DeliveryAttempt, InboundCall
from tests.factories import make_handoff
from tests.leads.connectors.conftest import Played, played  # noqa: F401 (a fixture)
from tests.leads.views.asking import html, refuses
from tests.leads.views.integrations.made import NOW, PAGE, SECRET, attempt, call, delivery, made

pytestmark = pytest.mark.django_db
ACTS = ("switch", "pause", "check", "test", "sync")


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[tuple]:
    """What the worker was asked for."""
    calls: list[tuple] = []
    monkeypatch.setattr("leads.queueing.put", lambda *args: calls.append(args))
    return calls


def post(client, act: str, status: int = 302, slug: str = "warehouse", **given) -> str:
    response = client.post(f"{PAGE}{slug}/{act}/", given)
    assert response.status_code == status, response.status_code
    return html(client.get(response["Location"])) if status == 302 else response.content.decode()


def test_on_and_off_with_who_did_it(cast, as_):
    row = made("Warehouse", is_active=False)
    client = as_(cast.otto)
    body = post(client, "switch", to="on")
    assert "“Warehouse” runs." in body and "Switched on: <s>no</s>" in body
    entries = row.history.count()
    post(client, "switch", to="on")
    assert row.history.count() == entries, "the same act again writes nothing"
    post(client, "switch", to="off")
    post(client, "switch", to="off")
    row.refresh_from_db()
    assert (row.is_active, row.history.count(), row.history.first().history_user) == (
        False,
        entries + 1,
        cast.otto,
    )


def test_without_an_address_it_only_takes_calls(cast, as_):
    made("Warehouse", is_active=False, base_url="")
    post(as_(cast.otto), "switch", to="on")
    make_handoff("assigned", cast.femke)
    assert not Delivery.objects.exists()
    assert "no address" in post(as_(cast.otto), "test", 422)


def test_without_a_secret_it_does_not_run(cast, as_):
    made("Warehouse", is_active=False, sealed="")
    body = post(as_(cast.otto), "switch", 422, to="on")
    assert "Not yet: no secret is set." in body
    assert Connection.objects.filter(is_active=True).count() == 0


@pytest.mark.parametrize(
    "stood",
    [
        {"is_active": False, "paused_why": "The address answers 410: it wants no more."},
        {"paused_why": "The credentials are refused: 401"},
        {"paused_why": "Rate limit", "paused_until": NOW + timedelta(hours=1)},
        {"failures": 5, "outcomes": "00000", "trips": 1, "probe_at": NOW + timedelta(minutes=1)},
    ],
)
def test_what_stood_runs_again(cast, as_, stood):
    row = made("Warehouse", **stood)
    post(as_(cast.otto), "switch", to="on")
    row.refresh_from_db()
    assert (row.is_active, row.paused_why, row.paused_until) == (True, "", None)
    assert (row.failures, row.outcomes, row.trips, row.probe_at) == (0, "", 0, None)


def test_paused_with_a_reason_nothing_leaves_and_what_is_owed_waits(cast, as_, played):  # noqa: F811
    row = made("Warehouse", base_url=f"{played.url}/in")
    client = as_(cast.otto)
    body = post(client, "pause", 422, why="  ")
    assert "Say why" in body
    body = post(client, "pause", why="They  move\x00 house")
    assert "Paused" in body and "They move house" in body
    make_handoff("assigned", cast.femke)
    row.refresh_from_db()
    assert connectors.deliver(row, lambda: NOW + timedelta(minutes=2), seconds=2) == 0
    owed = Delivery.objects.filter(done_at__isnull=True).count()
    assert owed > 0 and played.calls == []
    entries = row.history.count()
    post(client, "pause", why="They move house")
    assert row.history.count() == entries
    post(client, "switch", to="on")
    assert connectors.deliver(row, lambda: NOW + timedelta(minutes=2), seconds=5) == owed


def test_a_test_event_arrives_and_its_answer_is_shown(cast, as_, played: Played):  # noqa: F811
    made("Warehouse", base_url=f"{played.url}/in")
    played.answer = lambda *_: (202, {}, b'{"taken": true}')
    body = post(as_(cast.otto), "test")
    assert "The test event arrived: answered 202." in body and "&quot;taken&quot;: true" in body
    [(method, path, headers, said)] = played.calls
    assert (method, path) == ("POST", "/in")
    row = Delivery.objects.get()
    assert signatures.verify([SECRET], headers, said, NOW) == row.message_id
    assert (row.type, row.status, row.attempts, row.lead_id) == ("handoff.test", "done", 1, None)


def test_a_test_event_that_fails_says_so_and_is_tried_again_itself(cast, as_, played: Played):  # noqa: F811
    made("Warehouse", base_url=f"{played.url}/in")
    played.answer = lambda *_: (503, {}, b"busy")
    body = post(as_(cast.otto), "test")
    assert "The other side answered 503. It is tried again at 10:00:0" in body and "busy" in body
    played.answer = lambda *_: (200, {}, b"")
    assert "arrived: answered 200" in post(as_(cast.otto), "test")
    row = Delivery.objects.get()
    assert (row.status, row.attempts) == ("done", 2), "one event, not two"
    assert {headers["webhook-id"] for _, _, headers, _ in played.calls} == {row.message_id}


@pytest.mark.parametrize("stands", [{"is_active": False}, {"paused_why": "They move"}])
def test_a_test_event_that_may_not_leave_says_that(cast, as_, played: Played, stands):  # noqa: F811
    made("Warehouse", base_url=f"{played.url}/in", **stands)
    for _ in range(2):
        body = post(as_(cast.otto), "test")
        assert "has not left yet: it waits until the connection runs" in body and "Not tried yet." in body
    assert played.calls == [] and Delivery.objects.count() == 1


def test_a_test_event_to_whom_it_is_gone(cast, as_, played: Played):  # noqa: F811
    row = made("Warehouse", base_url=f"{played.url}/in")
    played.answer = lambda *_: (410, {}, b"")
    assert "The test event was refused:" in post(as_(cast.otto), "test")
    row.refresh_from_db()
    assert not row.is_active and "410" in row.paused_why


def test_other_deliveries_do_not_go_along_with_a_test(cast, as_, played: Played):  # noqa: F811
    row = made("Warehouse", base_url=f"{played.url}/in")
    waiting = delivery(row, "pending")
    post(as_(cast.otto), "test")
    waiting.refresh_from_db()
    assert (len(played.calls), waiting.status, waiting.attempts) == (1, "pending", 0)


class Asks(Connector):
    def check(self) -> str:
        if self.options.get("down"):
            raise Unreachable("No answer within 4 seconds.")
        return "It answers as <b>Handoff</b>."


def test_trying_says_what_the_other_side_says(cast, as_, monkeypatch):
    monkeypatch.setattr("leads.connecting.kinds.CONNECTORS", {"slack": Asks})
    monkeypatch.setattr("leads.connectors.delivering.CONNECTORS", {"slack": Asks})
    row = made("Warehouse", kind="slack")
    assert "It answers as &lt;b&gt;Handoff" in post(as_(cast.otto), "check", 200)
    Connection.objects.filter(pk=row.pk).update(options={"down": True})
    assert "No answer within 4 seconds." in post(as_(cast.otto), "check", 200)
    Connection.objects.filter(pk=row.pk).update(sealed="nonsense")
    assert "set them anew" in post(as_(cast.otto), "check", 200)


def test_what_cannot_be_tried(cast, as_):
    made("Warehouse")
    assert "nothing to try" in post(as_(cast.otto), "check", 422)
    assert "It keeps no state" in post(as_(cast.otto), "sync", 422)


def test_the_first_sync_owes_every_open_handoff_once_in_slices(cast, as_, asked, monkeypatch):
    row = made("Warehouse", kind="mautic", is_active=False)
    open_ones = [make_handoff("assigned", cast.femke) for _ in range(3)]
    make_handoff("rejected", cast.femke)
    assert "Switch it on first." in post(as_(cast.otto), "sync", 422)
    Connection.objects.filter(pk=row.pk).update(is_active=True)
    body = post(as_(cast.otto), "sync")
    assert "The state of 3 leads is written" in body and "First sync asked for" in body
    assert asked == [("leads.tasks.first_sync", row.pk, 0)]
    monkeypatch.setattr(first_sync, "SLICE", 2)
    while asked:
        _, *given = asked.pop(0)
        tasks.first_sync(*given)
    owed = Delivery.objects.filter(connection=row, kind="state", done_at__isnull=True)
    assert sorted(owed.values_list("handoff", flat=True)) == sorted(one.pk for one in open_ones)
    tasks.first_sync(row.pk, 0)
    assert owed.count() == 3, "again supersedes itself"


def test_deleting_asks_for_the_name_and_takes_everything_along(cast, as_, asked):
    row, other = made("Warehouse"), made("Other")
    attempt(delivery(row, "dead"))
    delivery(row, "pending")
    call(row)
    kept = delivery(other)
    client = as_(cast.otto)
    assert "1 delivery that is still owed never leaves" in html(client.get(f"{PAGE}warehouse/delete/"))
    body = post(client, "delete", 422, name="warehouse")
    assert "Type “Warehouse” to delete it." in body and 'value="warehouse"' in body
    assert Connection.objects.count() == 2
    assert "“Warehouse” is deleted." in post(client, "delete", name=" Warehouse ")
    assert list(Connection.objects.all()) == [other]
    assert list(Delivery.objects.all()) == [kept]
    assert not DeliveryAttempt.objects.exists() and not InboundCall.objects.exists() and asked == []
    last = Connection.history.filter(slug="warehouse").first()
    assert (last.history_change_reason, last.history_user) == ("Deleted", cast.otto)
    refuses(client, 404, post=(f"{PAGE}warehouse/delete/",))


def test_a_long_log_is_taken_away_by_the_worker(cast, as_, asked, monkeypatch):
    row = made("Warehouse")
    for _ in range(5):
        delivery(row)
    monkeypatch.setattr("leads.views.integrations.running.WAITED_SECONDS", -1.0)
    monkeypatch.setattr(removing, "SLICE", 2)
    post(as_(cast.otto), "delete", name="Warehouse")
    row.refresh_from_db()
    assert (row.is_active, row.sealed, row.hook_digest, Delivery.objects.count()) == (False, "", None, 3)
    assert asked == [("leads.tasks.remove_connection", row.pk)]
    assert tasks.remove_connection(row.pk) is False
    assert not Connection.objects.exists() and not Delivery.objects.exists()
    assert tasks.remove_connection(row.pk) is False


def test_others_may_do_none_of_it(cast, as_):
    made("Warehouse")
    urls = tuple(f"{PAGE}warehouse/{act}/" for act in (*ACTS, "delete"))
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, post=urls)
    refuses(as_(cast.otto), 405, get=urls[:-1])
    refuses(as_(cast.otto), 404, post=tuple(url.replace("warehouse", "nothing") for url in urls))
    assert Connection.objects.get().is_active and not Delivery.objects.exists()
