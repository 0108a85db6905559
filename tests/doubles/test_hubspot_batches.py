"""HubSpot's batches and search: partial answers, what is refused whole, the lag."""

from typing import Any

import httpx
import pytest

from tests.doubles import Doubles

CONTACTS = "/crm/objects/2026-09/contacts"


@pytest.fixture
def ids(outer: Doubles) -> list[str]:
    people = [{"email": f"p{n}@acme.example", "handoff_external_id": f"h{n}"} for n in range(3)]
    made: list[str] = outer.hubspot.seed({"contacts": people})["contacts"]
    return made


def batch(client: httpx.Client, verb: str, inputs: list[dict[str, Any]], **more: Any) -> httpx.Response:
    return client.post(f"{CONTACTS}/batch/{verb}", json={"inputs": inputs, **more})


def item(key: str, trace: str = "", **properties: Any) -> dict[str, Any]:
    return {"id": key, **({"objectWriteTraceId": trace} if trace else {}), "properties": properties}


def written(outer: Doubles, ids: list[str]) -> list[list[Any]]:
    return [outer.hubspot.contacts[key].written("hs_lead_status") for key in ids]


def search(client: httpx.Client, *filters: dict[str, Any], **more: Any) -> httpx.Response:
    return client.post(CONTACTS + "/search", json={"filterGroups": [{"filters": list(filters)}], **more})


def where(name: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"propertyName": name, "operator": operator, **({} if value is None else {"value": value}), **more}


def found(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["results"]]


def test_a_batch_of_updates(outer: Doubles, hubspot: httpx.Client, ids: list[str]) -> None:
    answer = batch(hubspot, "update", [item(key, f"t{key}", hs_lead_status="OPEN") for key in ids])
    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETE")
    assert [(r["id"], r["objectWriteTraceId"]) for r in answer.json()["results"]] == [
        (k, f"t{k}") for k in ids
    ]
    assert "errors" not in answer.json()
    assert written(outer, ids) == [["OPEN"], ["OPEN"], ["OPEN"]]


def test_a_part_fails_and_is_told_by_its_trace(outer: Doubles, hubspot: httpx.Client, ids: list[str]) -> None:
    inputs = [item("999", "a", hs_lead_status="OPEN"), item(ids[0], "b", hs_lead_status="OPEN"),
              item(ids[1], "c", hs_lead_status="Nope")]  # fmt: skip
    answer = batch(hubspot, "update", inputs)
    body = answer.json()
    assert (answer.status_code, body["numErrors"], len(body["results"])) == (207, 2, 1)
    told = [(error["context"]["objectWriteTraceId"], error["category"]) for error in body["errors"]]
    assert told == [(["a"], "OBJECT_NOT_FOUND"), (["c"], "VALIDATION_ERROR")]
    assert written(outer, ids) == [["OPEN"], [], []]


def test_without_traces_a_fault_spoils_the_whole(
    outer: Doubles, hubspot: httpx.Client, ids: list[str]
) -> None:
    answer = batch(
        hubspot, "update", [item(ids[0], hs_lead_status="OPEN"), item("999", hs_lead_status="OPEN")]
    )
    assert (answer.status_code, answer.json()["category"]) == (400, "OBJECT_NOT_FOUND")
    assert written(outer, ids) == [[], [], []]


def test_the_same_id_twice_is_refused(outer: Doubles, hubspot: httpx.Client, ids: list[str]) -> None:
    inputs = [item(ids[0], "a", hs_lead_status="NEW"), item(ids[0], "b", hs_lead_status="OPEN")]
    assert batch(hubspot, "update", inputs).json()["message"].startswith("Duplicate IDs found")
    assert written(outer, ids) == [[], [], []]


@pytest.mark.parametrize("verb", ["read", "update", "create", "upsert", "archive"])
def test_a_hundred_is_the_most(hubspot: httpx.Client, verb: str) -> None:
    answer = batch(hubspot, verb, [item(str(n)) for n in range(101)])
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_reading_many_misses_some(hubspot: httpx.Client, ids: list[str]) -> None:
    answer = batch(hubspot, "read", [{"id": ids[0]}, {"id": "999"}, {"id": ids[2]}], properties=["email"])
    body = answer.json()
    assert (answer.status_code, body["numErrors"]) == (207, 1)
    assert [result["properties"]["email"] for result in body["results"]] == [
        "p0@acme.example",
        "p2@acme.example",
    ]
    assert body["errors"][0]["context"] == {"ids": ["999"]}
    by_own_id = batch(hubspot, "read", [{"id": "h1"}], idProperty="handoff_external_id")
    assert [result["id"] for result in by_own_id.json()["results"]] == [ids[1]]


def upsert(key: str, id_property: str, **properties: Any) -> dict[str, Any]:
    return {**item(key, "t", **properties), "idProperty": id_property}


def test_an_upsert_by_our_id_creates_or_updates(
    outer: Doubles, hubspot: httpx.Client, ids: list[str]
) -> None:
    inputs = [upsert("h0", "handoff_external_id", hs_lead_status="OPEN"),
              upsert("h9", "handoff_external_id", email="new@acme.example")]  # fmt: skip
    results = batch(hubspot, "upsert", inputs).json()["results"]
    assert [result["new"] for result in results] == [False, True]
    assert results[0]["id"] == ids[0]
    assert outer.hubspot.contacts[results[1]["id"]].values["handoff_external_id"] == "h9"


def test_a_partial_upsert_by_address_is_refused(
    outer: Doubles, hubspot: httpx.Client, ids: list[str]
) -> None:
    partial = batch(hubspot, "upsert", [upsert("p0@acme.example", "email", hs_lead_status="OPEN")])
    assert partial.status_code == 400
    inputs = [upsert("p0@acme.example", "email", email="p0@acme.example", hs_lead_status="OPEN"),
              upsert("p1@acme.example", "email", email="p1@acme.example", hs_lead_status="Nope")]  # fmt: skip
    assert batch(hubspot, "upsert", inputs).status_code == 400
    assert written(outer, ids) == [[], [], []]
    assert batch(hubspot, "upsert", inputs[:1]).status_code == 200
    not_unique = batch(hubspot, "upsert", [upsert("x", "lastname", lastname="x")])
    assert not_unique.status_code == 400


def test_a_fault_spoils_some_items(outer: Doubles, hubspot: httpx.Client, ids: list[str]) -> None:
    outer.fault(system="hubspot", items=[0], item_match=f'"id":"{ids[2]}"', kind="locked")
    answer = batch(hubspot, "update", [item(key, key, hs_lead_status="OPEN") for key in ids])
    told = [(e["context"]["objectWriteTraceId"], e["category"]) for e in answer.json()["errors"]]
    assert (answer.status_code, told) == (207, [([ids[0]], "LOCKED"), ([ids[2]], "LOCKED")])
    assert written(outer, ids) == [[], ["OPEN"], []]


def test_results_may_come_in_any_order(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.hubspot.seed({"generate": 20, "settings": {"shuffle_results": True}})
    keys = list(outer.hubspot.contacts.all)
    answer = batch(hubspot, "update", [item(key, key, phone="1") for key in keys])
    given = [result["id"] for result in answer.json()["results"]]
    assert given != keys
    assert sorted(given) == sorted(keys)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (where("email", "EQ", "P1@acme.example"), [1]),
        (where("email", "NEQ", "p1@acme.example"), [0, 2]),
        (where("email", "IN", values=["p0@acme.example", "p2@acme.example"]), [0, 2]),
        (where("email", "NOT_IN", values=["p0@acme.example"]), [1, 2]),
        (where("handoff_revision", "GTE", "10"), [1, 2]),
        (where("handoff_revision", "GT", "10"), [2]),
        (where("handoff_revision", "LT", "10"), [0]),
        (where("handoff_revision", "LTE", "10"), [0, 1]),
        (where("handoff_revision", "BETWEEN", "9", highValue="10"), [0, 1]),
        (where("phone", "HAS_PROPERTY"), [0]),
        (where("phone", "NOT_HAS_PROPERTY"), [1, 2]),
        (where("phone", "NEQ", "5"), [1, 2]),
        (where("phone", "LT", "9"), [0]),
        (where("email", "CONTAINS_TOKEN", "p0*"), [0]),
        (where("email", "NOT_CONTAINS_TOKEN", "p0"), [1, 2]),
        (where("lastmodifieddate", "GTE", "1000"), [0, 1, 2]),
        (where("createdate", "LT", "2020-01-01T00:00:00Z"), []),
    ],
)
def test_filters(
    outer: Doubles, hubspot: httpx.Client, ids: list[str], condition: dict[str, Any], expected: list[int]
) -> None:
    for key, revision in zip(ids, (9, 10, 11), strict=True):
        hubspot.patch(f"{CONTACTS}/{key}", json={"properties": {"handoff_revision": revision}})
    hubspot.patch(f"{CONTACTS}/{ids[0]}", json={"properties": {"phone": "5"}})
    assert sorted(found(search(hubspot, condition))) == [ids[place] for place in expected]


def test_groups_are_alternatives_and_filters_are_not(hubspot: httpx.Client, ids: list[str]) -> None:
    first, second = (where("email", "EQ", f"p{n}@acme.example") for n in range(2))
    assert found(search(hubspot, first, second)) == []
    body = {"filterGroups": [{"filters": [first]}, {"filters": [second]}]}
    assert found(hubspot.post(CONTACTS + "/search", json=body)) == ids[:2]


def test_pages_follow_the_order_of_changes(outer: Doubles, hubspot: httpx.Client, ids: list[str]) -> None:
    for key in (ids[2], ids[0], ids[1]):
        outer.clock.advance(1)
        hubspot.patch(f"{CONTACTS}/{key}", json={"properties": {"phone": "1"}})
    first = search(hubspot, sorts=["lastmodifieddate"], limit=2)
    after = first.json()["paging"]["next"]["after"]
    second = search(hubspot, sorts=["lastmodifieddate"], limit=2, after=after)
    assert found(first) + found(second) == [ids[2], ids[0], ids[1]]
    assert (first.json()["total"], "paging" in second.json()) == (3, False)
    down = [{"propertyName": "lastmodifieddate", "direction": "DESCENDING"}]
    assert found(search(hubspot, sorts=down)) == [ids[1], ids[0], ids[2]]


def test_a_search_lags_behind_the_writes(outer: Doubles, hubspot: httpx.Client, ids: list[str]) -> None:
    outer.clock.advance(60)
    outer.hubspot.configure(search_lag=10)
    since = str(int((outer.clock.now() - 5) * 1000))
    hubspot.patch(f"{CONTACTS}/{ids[0]}", json={"properties": {"hs_lead_status": "OPEN"}})
    made = hubspot.post(CONTACTS, json={"properties": {"email": "new@acme.example"}}).json()["id"]
    hubspot.delete(f"{CONTACTS}/{ids[2]}")
    assert (
        hubspot.get(f"{CONTACTS}/{ids[0]}?properties=hs_lead_status").json()["properties"]["hs_lead_status"]
        == "OPEN"
    )
    assert found(search(hubspot, where("hs_lead_status", "EQ", "OPEN"))) == []
    assert found(search(hubspot, where("lastmodifieddate", "GTE", since))) == []
    assert found(search(hubspot)) == ids
    outer.clock.advance(11)
    assert found(search(hubspot, where("hs_lead_status", "EQ", "OPEN"))) == [ids[0]]
    assert found(search(hubspot, where("lastmodifieddate", "GTE", since))) == [ids[0], made]
    assert found(search(hubspot)) == [*ids[:2], made]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 200, "after": "9900"},
        {"limit": "many"},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [where("email", "EQ", "x")] * 7}]},
        {"filterGroups": [{"filters": [where("email", "EQ", "x")] * 5}] * 4},
        {"filterGroups": [{"filters": [where("nothing", "EQ", "x")]}]},
        {"filterGroups": [{"filters": [where("email", "LIKE", "x")]}]},
        {"filterGroups": [{"filters": [where("email", "IN", "x")]}]},
        {"filterGroups": "all"},
    ],
)
def test_searches_that_are_refused(hubspot: httpx.Client, body: dict[str, Any]) -> None:
    answer = hubspot.post(CONTACTS + "/search", json=body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_a_search_has_a_limit_of_its_own_and_no_headers(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.hubspot.configure(enforce_limits=True)
    answers = [search(hubspot) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[5].json()["policyName"] == "SECONDLY"
    assert "x-hubspot-ratelimit-max" not in answers[0].headers
    outer.clock.advance(1)
    assert search(hubspot).status_code == 200
