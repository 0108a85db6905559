"""GET /handoffs and GET /handoffs/{id}: works, wrong method, outsiders, paging, constant queries."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import lifecycle
from leads.models import Handoff
from tests.conftest import NOW
from tests.factories import event, make_handoff, route_to
from tests.leads.api.conftest import problem


@pytest.fixture
def read(keyed):
    return keyed("read")


def ids(response):
    assert response.status_code == 200, response.content
    return [int(row["id"]) for row in response.data["results"]]


def moment(value):
    return quote(value.isoformat())


def test_the_list_is_in_the_order_of_change(cast, read):
    first, second = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.jonas)
    assert ids(read.get("/handoffs")) == [first.pk, second.pk]
    lifecycle.accept(first.pk, lifecycle.Act(NOW + timedelta(minutes=1), cast.femke))
    response = read.get("/handoffs")
    assert ids(response) == [second.pk, first.pk] and response.data["next"] is None
    assert response.data["results"][1]["state"] == "accepted"
    assert response.data["results"][1]["assignee"] == cast.femke.email


def test_filters(cast, read):
    mine = make_handoff("assigned", cast.femke)
    queued = make_handoff("queued")
    taken = make_handoff("accepted", cast.jonas)
    assert ids(read.get("/handoffs?state=assigned")) == [mine.pk]
    assert ids(read.get(f"/handoffs?assignee={cast.femke.email.upper()}")) == [mine.pk]
    assert ids(read.get(f"/handoffs?assignee=queue:{queued.queue.slug}")) == [queued.pk]
    assert ids(read.get("/handoffs?assignee=nobody@example.com")) == []
    assert ids(read.get(f"/handoffs?updated_since={moment(taken.updated_at)}")) == [taken.pk]
    assert ids(read.get("/handoffs?state=&assignee=&updated_since=&cursor=&limit=")) == [
        mine.pk,
        queued.pk,
        taken.pk,
    ]


def test_paging_leaves_out_none_and_repeats_none(cast, read):
    made = [make_handoff("assigned", cast.femke).pk for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = read.get(f"/handoffs?limit=2&cursor={cursor}")
        seen += ids(page)
        cursor = page.data["next"]
        assert (page.data["latest"] is None) == (cursor is not None)
    assert seen == made
    later = page.data["latest"]
    assert ids(read.get(f"/handoffs?cursor={later}")) == []
    lifecycle.accept(made[0], lifecycle.Act(NOW + timedelta(minutes=1), cast.femke))
    assert ids(read.get(f"/handoffs?cursor={later}")) == [made[0]]


def test_history_is_not_listed_but_can_be_read(cast, read):
    old = make_handoff("accepted", cast.femke)
    Handoff.objects.filter(pk=old.pk).update(is_history=True)
    assert ids(read.get("/handoffs")) == []
    assert read.get(f"/handoffs/{old.pk}").status_code == 200


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("state=lost", "/query/state"),
        ("limit=0", "/query/limit"),
        ("limit=201", "/query/limit"),
        ("limit=many", "/query/limit"),
        ("updated_since=yesterday", "/query/updated_since"),
        ("updated_since=2026-03-10", "/query/updated_since"),
        ("updated_since=0001-01-01T00:00:00%2B14:00", "/query/updated_since"),
        ("updated_since=9999-12-31T23:59:59-14:00", "/query/updated_since"),
        ("cursor=nonsense", "/query/cursor"),
        ("cursor=W10=", "/query/cursor"),
        ("cursor=%00", "/query/cursor"),
        ("cursor=-1", "/query/cursor"),
        ("cursor=1-2-3", "/query/cursor"),
        ("cursor=9999999999999999999", "/query/cursor"),
        ("cursor=999999999999999999", "/query/cursor"),
        ("assignee=%00", "/query/assignee"),
    ],
)
def test_parameters_that_mean_nothing(read, query, pointer):
    assert [e["pointer"] for e in problem(read.get(f"/handoffs?{query}"), 422)["errors"]] == [pointer]


def test_one_handoff_with_all_that_is_known(cast, keyed):
    route_to(cast.femke)
    sent = keyed("intake").post("/intake", event(1)).data["handoff"]
    person = cast.femke.email
    keyed("act").post(f"/handoffs/{sent['id']}/accept", {"on_behalf_of": person})
    found = keyed("read").get(f"/handoffs/{sent['id']}").data
    assert found["state"] == "accepted" and found["revision"] == len(found["events"])
    lead = found["lead"]
    assert lead["email"] == "adaeze1@halvorsen-1.com" and lead["company"]["domain"] == "halvorsen-1.com"
    assert lead["score"]["total"] == 80 and lead["external_ids"] == [
        {"system": "map", "object": "contact", "id": "1"}
    ]
    assert {"pricing_view", "demo_request"} == {row["kind"] for row in lead["activities"]}
    kinds = [row["kind"] for row in found["events"]]
    assert kinds == ["opened", "passed", "assigned", "accepted"]
    assert [row["by"] for row in found["events"]] == ["key:Test", "key:Test", "key:Test", person]
    assert found["events"][2]["set"]["assignee"] == person
    assert "assignee_id" not in str(found["events"])
    assert found["clocks"]["accept_due_at"] is not None and found["clocks"]["policy"] == "demo 1"
    [decision] = found["trace"]
    assert decision["sentences"][0].startswith("Rule \u201cAll leads\u201d matched")
    assert decision["facts"]["trigger"] == "demo_request"
    assert decision["trace"] == [{"rule": Handoff.objects.get().rule_id, "matched": True}]
    assert [candidate["took"] for candidate in decision["candidates"]] == ["rule"]


def test_where_the_time_went_adds_up_to_the_microsecond(cast, read):
    handoff = make_handoff("assigned", cast.femke)
    act = lifecycle.Act(NOW + timedelta(minutes=4, microseconds=1), cast.mia)
    lifecycle.reassign(handoff.pk, act, to="queue:overflow", reason="Ill")
    act = lifecycle.Act(NOW + timedelta(minutes=9), cast.mia)
    lifecycle.reassign(handoff.pk, act, to=cast.jonas.email, reason="Free")
    act = lifecycle.Act(NOW + timedelta(minutes=20, microseconds=3), cast.jonas)
    lifecycle.contact(handoff.pk, act, channel="phone", outcome="reached")
    parts = read.get(f"/handoffs/{handoff.pk}").data["clocks"]["parts"]
    told = [(part["kind"], part["party"], part["holder"], part["queue"]) for part in parts]
    assert told == [
        ("acknowledgment", "sales", cast.femke.email, None),
        ("routing", "sales", None, "queue:overflow"),
        ("acknowledgment", "sales", cast.jonas.email, None),
    ]
    assert [part["elapsed_seconds"] for part in parts] == [240.000001, 299.999999, 660.000003]
    assert [part["ends_at"] for part in parts[:-1]] == [part["starts_at"] for part in parts[1:]]


@pytest.mark.parametrize("state", ["incomplete", "queued", "deferred", "working", "converted", "rejected"])
def test_it_can_be_read_in_every_state(cast, read, state):
    handoff = make_handoff(state, cast.femke)
    assert read.get(f"/handoffs/{handoff.pk}").data["state"] == state


@pytest.mark.parametrize("handoff_id", ["0", "999999", "x", "1e3", "-1", "9" * 30, "%00", "\u0661"])
def test_an_unknown_id_is_404(read, handoff_id):
    problem(read.get(f"/handoffs/{handoff_id}"), 404)


@pytest.mark.parametrize("path", ["/handoffs", "/handoffs/1"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(read, path, method):
    response = read(method, path)
    problem(response, 405)
    assert response["Allow"] == "GET"


@pytest.mark.parametrize("path", ["/handoffs", "/handoffs/1", "/metrics"])
def test_without_a_key_or_with_anothers_scope(keyed, path):
    problem(keyed().get(path), 401)
    assert problem(keyed("intake", "act").get(path), 403)["scope"] == "read"


def test_a_session_is_no_key(cast, as_):
    assert as_(cast.ada).get("/api/v1/handoffs").status_code == 401


def test_a_revoked_key_is_none(keyed, read, now):
    from leads import keys
    from leads.models import ApiKey

    assert read.get("/handoffs").status_code == 200
    keys.revoke(ApiKey.objects.get(), now)
    problem(read.get("/handoffs"), 401)


def test_one_row_and_three_cost_the_same_queries(cast, read):
    make_handoff("assigned", cast.femke)
    read.get("/handoffs")

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert read.get("/handoffs").status_code == 200
        return len(found)

    one = queries()
    make_handoff("queued")
    make_handoff("accepted", cast.jonas)
    # Key and rows; the end of the log; on PostgreSQL who is writing, on SQLite whether there are few.
    assert queries() == one == 4


def test_a_handoff_with_much_history_costs_no_more_queries(cast, read):
    short = make_handoff("accepted", cast.femke)
    long = make_handoff("assigned", cast.femke)
    for minute in range(3):
        act = lifecycle.Act(NOW + timedelta(minutes=minute + 1), cast.mia)
        to = (cast.jonas, cast.femke)[minute % 2].email
        lifecycle.reassign(long.pk, act, to=to, reason="Balance")

    def queries(pk: int) -> int:
        with CaptureQueriesContext(connection) as found:
            assert read.get(f"/handoffs/{pk}").status_code == 200
        return len(found)

    queries(short.pk)
    assert queries(short.pk) == queries(long.pk) == 13


def test_metrics_are_served_with_the_scope_read(cast, read):
    make_handoff("accepted", cast.femke)
    assert read.get("/metrics").data["total"]["mqls"] == 1
    problem(read.get("/metrics?weeks=0"), 422)
