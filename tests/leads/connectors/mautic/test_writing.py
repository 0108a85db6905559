"""States written into Mautic's contacts: how, and what each trap of its API comes to."""

import json
from typing import Any

import pytest

from leads import outbox, sealing
from leads.connectors import opened
from leads.connectors.base import Pushed
from leads.lifecycle import Act, accept, contact, defer
from leads.models import Handoff
from leads.outbox import Result
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.connectors.mautic.conftest import Hooked


def push(hooked: Hooked, *handoffs: Handoff) -> list[Pushed]:
    hooked.connection.refresh_from_db()
    wants = outbox.wanted([handoff.lead_id for handoff in handoffs])
    with opened(hooked.connection) as connector:
        return connector.push([wants[handoff.lead_id] for handoff in handoffs], NOW)


def calls(hooked: Hooked) -> list[tuple[str, str]]:
    log = hooked.outer.log.of("mautic")
    return [(entry.method, entry.path.removeprefix("/mautic")) for entry in log if "token" not in entry.path]


@pytest.fixture
def accepted(cast: Cast, hooked: Hooked) -> tuple[Handoff, str]:
    handoff = make_handoff("assigned", cast.femke)
    accept(handoff.pk, Act(NOW, cast.femke))
    return handoff, hooked.system.make_record(handoff.lead)


def test_fields_tags_and_stage_by_patch_and_add(hooked: Hooked, accepted: tuple[Handoff, str]) -> None:
    handoff, remote_id = accepted
    record = hooked.outer.mautic.contacts[remote_id]
    record.extra["tags"] = ["mql", "webinar"]
    record.values["phone"] = "1"

    [pushed] = push(hooked, handoff)

    assert pushed.outcome.result == Result.DONE
    assert calls(hooked) == [
        ("GET", "/api/stages?start=0&limit=100"),
        ("PATCH", "/api/contacts/batch/edit"),
        ("POST", f"/api/stages/3/contact/{remote_id}/add"),
    ]
    [sent] = json.loads(hooked.outer.log.of("mautic", "batch/edit")[0].request)
    assert sent == {
        "id": int(remote_id),
        "handoff_id": str(handoff.pk),
        "handoff_revision": str(pushed.written["handoff_revision"]),
        "handoff_reason": "",
        "handoff_deferred_until": "",
        "handoff_updated_at": "2026-03-10 10:00:00",
        "handoff_status": "accepted",
        "tags": ["sal", "-disqualified", "-mql", "-nurture", "-rejected", "-sql"],
        "overwriteWithBlank": True,
    }
    assert sorted(record.extra["tags"]) == ["sal", "webinar"]
    assert record.values["phone"] == "1"


def test_a_second_time_it_is_one_call(hooked: Hooked, accepted: tuple[Handoff, str]) -> None:
    push(hooked, accepted[0])
    before = len(calls(hooked))
    push(hooked, accepted[0])
    assert [path for _, path in calls(hooked)[before:]] == [
        "/api/stages?start=0&limit=100",
        "/api/contacts/batch/edit",
    ]


def test_what_is_no_longer_so_is_emptied(cast: Cast, hooked: Hooked) -> None:
    handoff = make_handoff("assigned", cast.femke)
    remote_id = hooked.system.make_record(handoff.lead)
    defer(handoff.pk, Act(NOW, cast.femke), until=NOW.replace(month=4), explanation="Later")
    push(hooked, handoff)
    assert hooked.system.read_record(remote_id)["handoff_deferred_until"] == "2026-04-10T10:00:00Z"

    contact(handoff.pk, Act(NOW, cast.femke), channel="phone", outcome="reached")
    push(hooked, handoff)
    there = hooked.system.read_record(remote_id)
    assert (there["handoff_deferred_until"], there["handoff_status"]) == ("", "contacted")


def test_a_deleted_contact_is_not_made_anew(hooked: Hooked, accepted: tuple[Handoff, str]) -> None:
    handoff, remote_id = accepted
    hooked.act("delete", remote_id)
    hooked.connection.options = {"creates": True}
    hooked.connection.save()

    [pushed] = push(hooked, handoff)

    assert (pushed.outcome.result, pushed.outcome.status) == (Result.PERMANENT, 404)
    assert pushed.outcome.error == f"There is no contact {remote_id} any more."
    assert len(list(hooked.outer.mautic.contacts)) == 0


def test_a_merged_contact_is_followed(hooked: Hooked, accepted: tuple[Handoff, str]) -> None:
    handoff, gone = accepted
    kept = hooked.outer.mautic.seed({"contacts": [{"id": "900", "email": "b@x.example"}]})["contacts"][0]
    hooked.outer.mautic.contacts.remove(hooked.outer.mautic.contacts[gone], merged_into=kept)

    [pushed] = push(hooked, handoff)

    assert (pushed.outcome.result, pushed.remote_id) == (Result.DONE, kept)
    assert hooked.outer.mautic.contacts[kept].values["handoff_status"] == "accepted"


def test_of_several_with_one_address_the_oldest(cast: Cast, hooked: Hooked) -> None:
    handoff = make_handoff("accepted", cast.femke)
    ids = [hooked.system.make_record(handoff.lead, known=False) for _ in range(11)]
    [pushed] = push(hooked, handoff)
    assert pushed.remote_id == ids[0]


def test_an_address_that_only_looks_alike_is_nobody(cast: Cast, hooked: Hooked) -> None:
    handoff = make_handoff("accepted", cast.femke)
    body = {
        "total": "1",
        "contacts": {"7": {"id": 7, "fields": {"core": {"email": {"value": "x@y.example"}}}}},
    }
    hooked.outer.fault(system="mautic", match="GET .*search=email", status=200, body=body)
    [pushed] = push(hooked, handoff)
    assert pushed.outcome.result == Result.PERMANENT


def test_a_batch_that_is_refused_as_a_whole_goes_one_by_one(cast: Cast, hooked: Hooked) -> None:
    handoffs = [make_handoff("accepted", cast.femke) for _ in range(3)]
    for handoff in handoffs:
        hooked.system.make_record(handoff.lead)
    hooked.outer.fault(system="mautic", match="batch/edit", status=400, body={"errors": [{"message": "No"}]})

    pushed = push(hooked, *handoffs)

    assert [one.outcome.result for one in pushed] == [Result.DONE] * 3
    assert len(hooked.outer.log.of("mautic", "batch/edit")) == 4


def test_a_stage_that_is_not_there_is_said_by_name(hooked: Hooked, accepted: tuple[Handoff, str]) -> None:
    statuses = {"accepted": {"handoff_status": "accepted", "stage": "Accepted", "tags": ""}}
    hooked.connection.mapping = {"statuses": statuses}
    hooked.connection.save()
    [pushed] = push(hooked, accepted[0])
    assert pushed.outcome.result == Result.PERMANENT
    assert pushed.outcome.error == "There is no stage Accepted there."


def test_stages_that_could_not_be_read_are_read_again(hooked: Hooked, accepted: tuple[Handoff, str]) -> None:
    hooked.outer.fault(system="mautic", match="/stages", status=503, times=1)
    wants = list(outbox.wanted([accepted[0].lead_id]).values())
    with opened(hooked.connection) as connector:
        [[first], [second]] = [connector.push(wants, NOW) for _ in range(2)]
    assert (first.outcome.result, second.outcome.result) == (Result.TRANSIENT, Result.DONE)


def test_without_stages_and_tags_it_is_one_call_for_all(cast: Cast, hooked: Hooked) -> None:
    handoffs = [make_handoff("accepted", cast.femke) for _ in range(3)]
    for handoff in handoffs:
        hooked.system.make_record(handoff.lead)
    names = (
        "pending",
        "accepted",
        "contacted",
        "deferred",
        "rejected",
        "opportunity",
        "disqualified",
        "closed",
    )
    hooked.connection.mapping = {"statuses": {name: {"handoff_status": name} for name in names}}
    hooked.connection.save()

    assert [one.outcome.result for one in push(hooked, *handoffs)] == [Result.DONE] * 3
    assert calls(hooked) == [("PATCH", "/api/contacts/batch/edit")]
    with opened(hooked.connection) as connector:
        assert connector.calls == 0


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        ({"kind": "disabled"}, Result.UNAUTHORISED),
        ({"kind": "denied"}, Result.PERMANENT),
        ({"kind": "rate_limited"}, Result.THROTTLED),
        ({"kind": "bad_gateway"}, Result.TRANSIENT),
        ({"status": 200, "body": "<html>"}, Result.TRANSIENT),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1/"}}, Result.PERMANENT),
    ],
)
def test_what_an_answer_comes_to(
    hooked: Hooked, accepted: tuple[Handoff, str], fault: dict[str, Any], result: Result
) -> None:
    hooked.outer.fault(system="mautic", match="batch/edit", times=-1, **fault)
    [pushed] = push(hooked, accepted[0])
    assert pushed.outcome.result == result
    if result == Result.THROTTLED:
        assert pushed.outcome.retry_after is not None


def test_basic_auth_where_it_is_set(hooked: Hooked, accepted: tuple[Handoff, str]) -> None:
    hooked.connection.sealed = sealing.seal({"username": "handoff", "password": "mautic-password"})
    hooked.connection.save()
    [pushed] = push(hooked, accepted[0])
    assert pushed.outcome.result == Result.DONE
    assert hooked.outer.log.of("mautic", "token") == []

    hooked.connection.sealed = sealing.seal({"username": "handoff", "password": "wrong"})
    hooked.connection.save()
    [pushed] = push(hooked, accepted[0])
    assert pushed.outcome.result == Result.UNAUTHORISED


def test_nothing_of_a_call_holds_a_secret_or_the_person(
    hooked: Hooked, accepted: tuple[Handoff, str]
) -> None:
    handoff, _ = accepted
    [pushed] = push(hooked, handoff)
    said = f"{pushed.outcome.request} {pushed.outcome.answer} {pushed.outcome.error}"
    for secret in ("mautic-secret", "Bearer", handoff.lead.email, handoff.lead.first_name):
        assert secret not in said
