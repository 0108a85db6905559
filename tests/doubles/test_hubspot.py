"""HubSpot's traps are really there: stages, options, ids, limits, tokens."""

from typing import Any

import httpx
import pytest

from tests.doubles import Doubles

V = "/crm/objects/2026-09"
CONTACTS = V + "/contacts"


@pytest.fixture
def jane(outer: Doubles) -> str:
    values = {"email": "jane@acme.example", "lifecyclestage": "marketingqualifiedlead", "lastname": "Doe"}
    key: str = outer.hubspot.seed({"contacts": [values]})["contacts"][0]
    return key


def patch(client: httpx.Client, key: str, **properties: Any) -> httpx.Response:
    return client.patch(f"{CONTACTS}/{key}", json={"properties": properties})


def test_a_read_gives_what_was_asked(hubspot: httpx.Client, jane: str) -> None:
    answer = hubspot.get(f"{CONTACTS}/{jane}?properties=email,phone")
    body = answer.json()
    assert answer.status_code == 200
    assert sorted(body["properties"]) == ["createdate", "email", "hs_object_id", "lastmodifieddate", "phone"]
    assert (body["id"], body["properties"]["email"], body["properties"]["phone"]) == (
        jane,
        "jane@acme.example",
        None,
    )
    assert body["archived"] is False
    by_email = hubspot.get(f"{CONTACTS}/JANE@acme.example?idProperty=email")
    assert by_email.json()["id"] == jane
    assert hubspot.get(CONTACTS + "/999").json()["category"] == "OBJECT_NOT_FOUND"


def test_a_write_answers_the_written_and_moves_the_time(
    outer: Doubles, hubspot: httpx.Client, jane: str
) -> None:
    before = hubspot.get(f"{CONTACTS}/{jane}").json()["updatedAt"]
    outer.clock.advance(5)
    answer = patch(hubspot, jane, hs_lead_status="OPEN", handoff_revision=3)
    assert answer.status_code == 200
    properties = answer.json()["properties"]
    assert (properties["hs_lead_status"], properties["handoff_revision"]) == ("OPEN", "3")
    assert answer.json()["updatedAt"] > before
    assert patch(hubspot, jane, hs_lead_status="").json()["properties"]["hs_lead_status"] is None


def test_every_write_is_kept_though_it_changes_nothing(
    outer: Doubles, hubspot: httpx.Client, jane: str
) -> None:
    for status in ("OPEN", "OPEN", "CONNECTED"):
        patch(hubspot, jane, hs_lead_status=status)
    record = outer.hubspot.contacts[jane]
    assert record.written("hs_lead_status") == ["OPEN", "OPEN", "CONNECTED"]
    assert [write.changed for write in record.history[1:]] == [
        {"hs_lead_status": "OPEN"}, {}, {"hs_lead_status": "CONNECTED"}
    ]  # fmt: skip


def test_a_stage_only_goes_forward_without_a_word(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    answer = patch(hubspot, jane, lifecyclestage="lead")
    assert answer.status_code == 200
    assert answer.json()["properties"]["lifecyclestage"] == "marketingqualifiedlead"
    assert outer.hubspot.contacts[jane].written("lifecyclestage") == []
    assert patch(hubspot, jane, lifecyclestage="").status_code == 200
    assert patch(hubspot, jane, lifecyclestage="lead").json()["properties"]["lifecyclestage"] == "lead"
    assert (
        patch(hubspot, jane, lifecyclestage="customer").json()["properties"]["lifecyclestage"] == "customer"
    )


def test_a_step_back_is_refused_by_setting(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    outer.hubspot.configure(backward="reject")
    assert patch(hubspot, jane, lifecyclestage="lead").json()["category"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"nothing_such": "x"}, "PROPERTY_DOESNT_EXIST"),
        ({"hs_lead_status": "Accepted"}, "INVALID_OPTION"),
        ({"lastmodifieddate": "1"}, "READ_ONLY_VALUE"),
        ({"handoff_revision": "many"}, "INVALID_LONG"),
    ],
)
def test_a_wrong_property_refuses_the_whole_write(
    outer: Doubles, hubspot: httpx.Client, jane: str, properties: dict[str, str], code: str
) -> None:
    answer = patch(hubspot, jane, phone="1", **properties)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
    assert answer.json()["errors"][0]["code"] == code
    assert outer.hubspot.contacts[jane].written("phone") == []


def test_the_account_s_rules_hold_for_the_api(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    outer.hubspot.configure(validation_rules=[{"property": "hs_lead_status", "value": "UNQUALIFIED"}])
    assert patch(hubspot, jane, hs_lead_status="UNQUALIFIED").json()["category"] == "VALIDATION_ERROR"
    assert patch(hubspot, jane, hs_lead_status="OPEN").status_code == 200


def test_an_address_belongs_to_one_contact(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    answer = hubspot.post(CONTACTS, json={"properties": {"email": "Jane@acme.example"}})
    assert (answer.status_code, answer.json()["category"]) == (409, "CONFLICT")
    assert f"Existing ID: {jane}" in answer.json()["message"]
    assert len(outer.hubspot.contacts) == 1


def test_created_archived_gone(outer: Doubles, hubspot: httpx.Client) -> None:
    made = hubspot.post(CONTACTS, json={"properties": {"email": "new@acme.example"}})
    path = f"{CONTACTS}/{made.json()['id']}"
    assert made.status_code == 201
    assert [hubspot.delete(path).status_code, hubspot.delete(path).status_code] == [204, 204]
    assert hubspot.get(path).status_code == 404
    assert hubspot.patch(path, json={"properties": {"phone": "1"}}).status_code == 404


def test_the_history_of_a_property(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    patch(hubspot, jane, hs_lead_status="OPEN")
    outer.hubspot.act({"id": jane, "values": {"hs_lead_status": "CONNECTED"}})
    body = hubspot.get(f"{CONTACTS}/{jane}?propertiesWithHistory=hs_lead_status").json()
    entries = [
        (each["value"], each["sourceType"]) for each in body["propertiesWithHistory"]["hs_lead_status"]
    ]
    assert entries == [("CONNECTED", "CRM_UI"), ("OPEN", "INTEGRATION")]


def test_merged_ids_lead_to_the_new_record(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    other = outer.hubspot.seed({"contacts": [{"email": "j@acme.example", "phone": "7"}]})["contacts"][0]
    body = {"primaryObjectId": jane, "objectIdToMerge": other}
    kept = hubspot.post(CONTACTS + "/merge", json=body).json()["id"]
    assert kept not in (jane, other)
    for key in (jane, other, kept):
        read = hubspot.get(f"{CONTACTS}/{key}?properties=email,phone,hs_merged_object_ids").json()
        assert (read["id"], read["properties"]["email"], read["properties"]["phone"]) == (
            kept, "jane@acme.example", "7"
        )  # fmt: skip
        assert read["properties"]["hs_merged_object_ids"] == f"{jane};{other}"


def test_a_lead_needs_a_name_and_a_contact(hubspot: httpx.Client, jane: str) -> None:
    def make(properties: dict[str, str], contact: str, kind: int = 578) -> httpx.Response:
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind}]
        body = {"properties": properties, "associations": [{"to": {"id": contact}, "types": types}]}
        return hubspot.post(V + "/leads", json=body)

    named = {"hs_lead_name": "Jane Doe", "hs_pipeline_stage": "new-stage-id"}
    refused = [make({}, jane), make(named, "999"), make(named, jane, 580)]
    assert [answer.status_code for answer in refused] == [400, 400, 400]
    made = make(named, jane)
    assert made.status_code == 201
    read = hubspot.get(f"{V}/0-136/{made.json()['id']}?associations=contacts").json()
    assert read["associations"]["contacts"]["results"][0]["id"] == jane


@pytest.mark.parametrize(
    ("kind", "alias", "properties"),
    [
        ("companies", "0-2", {"name": "Acme", "domain": "acme.example"}),
        ("deals", "0-3", {"dealname": "Acme, 50 seats", "amount": "1200"}),
    ],
)
def test_companies_and_deals_too(
    outer: Doubles, hubspot: httpx.Client, kind: str, alias: str, properties: dict[str, str]
) -> None:
    made = hubspot.post(f"{V}/{kind}", json={"properties": properties})
    key = made.json()["id"]
    assert made.status_code == 201
    name, value = next(iter(properties.items()))
    assert hubspot.get(f"{V}/{alias}/{key}").json()["properties"][name] == value
    assert hubspot.patch(f"{V}/{kind}/{key}", json={"properties": {name: "Other"}}).status_code == 200
    body = {"filterGroups": [{"filters": [{"propertyName": name, "operator": "EQ", "value": "other"}]}]}
    assert [each["id"] for each in hubspot.post(f"{V}/{kind}/search", json=body).json()["results"]] == [key]
    assert outer.hubspot.books[kind][key].written(name) == [value, "Other"]


def test_properties_say_their_options(hubspot: httpx.Client) -> None:
    found = hubspot.get("/crm/properties/2026-09/contacts/hs_lead_status").json()
    assert [option["value"] for option in found["options"]] == [
        "NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED",
        "BAD_TIMING",
    ]  # fmt: skip
    assert hubspot.get("/crm/properties/2026-09/contacts/nothing").status_code == 404
    new = {"name": "sla_state", "label": "SLA", "type": "string", "fieldType": "text", "groupName": "x"}
    made = [hubspot.post("/crm/properties/2026-09/contacts", json=new).status_code for _ in range(2)]
    assert made == [201, 409]
    assert hubspot.get("/crm/properties/2026-09/contacts/sla_state").json()["label"] == "SLA"


def test_owners_by_address(outer: Doubles, hubspot: httpx.Client) -> None:
    outer.hubspot.seed(
        {"owners": [{"id": 41, "email": "rep@us.example"}, {"id": 42, "email": "b@us.example"}]}
    )
    found = hubspot.get("/crm/owners/2026-09?email=rep@us.example").json()["results"]
    assert [(owner["id"], owner["userId"], owner["archived"]) for owner in found] == [("41", 41, False)]
    assert hubspot.get("/crm/owners/2026-09/42").json()["email"] == "b@us.example"
    page = hubspot.get("/crm/owners/2026-09?limit=1").json()
    assert (len(page["results"]), page["paging"]["next"]["after"]) == (1, "1")


@pytest.mark.parametrize("path", ["/crm/v3/objects/contacts/101", "/crm/objects/v3/contacts/101", "/crm"])
def test_old_paths_are_unsupported(hubspot: httpx.Client, jane: str, path: str) -> None:
    assert hubspot.get(path).status_code == 404


def test_a_body_that_is_no_object(hubspot: httpx.Client, jane: str) -> None:
    for body in (b"{", b"[]", b"\xff"):
        assert hubspot.patch(f"{CONTACTS}/{jane}", content=body).json()["category"] == "VALIDATION_ERROR"


def token(control: httpx.Client, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "refresh_token", "client_id": "hubspot-client", "client_secret": "hubspot-secret",
        "refresh_token": "hubspot-refresh", **changes,
    }  # fmt: skip
    return control.post("/hubspot/oauth/2026-03/token", data=form)


def test_a_token_lives_half_an_hour(outer: Doubles, control: httpx.Client, jane: str) -> None:
    given = token(control).json()
    path, headers = (
        f"/hubspot{CONTACTS}/{jane}",
        {"Authorization": f"Bearer {given['access_token']}"},
    )
    assert given["expires_in"] == 1800
    assert control.get(path, headers=headers).status_code == 200
    outer.clock.advance(1801)
    late = control.get(path, headers=headers)
    assert (late.status_code, late.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    fresh = {"Authorization": f"Bearer {token(control).json()['access_token']}"}
    assert control.get(path, headers=fresh).status_code == 200
    outer.fault(system="hubspot", expire_tokens=True)
    assert [control.get(path, headers=fresh).status_code for _ in range(2)] == [401, 401]


def test_wrong_credentials(outer: Doubles, control: httpx.Client, jane: str) -> None:
    assert [token(control, client_secret="x").status_code, token(control, refresh_token="x").status_code] == [
        400,
        400,
    ]
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        answer = control.get(f"/hubspot{CONTACTS}/{jane}", headers=headers)
        assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


def test_the_rate_is_told_and_held(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    outer.hubspot.configure(enforce_limits=True, limit=3)
    answers = [hubspot.get(f"{CONTACTS}/{jane}") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-hubspot-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[3].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert "retry-after" not in answers[3].headers
    outer.clock.advance(10)
    assert hubspot.get(f"{CONTACTS}/{jane}").status_code == 200


def test_the_day_s_calls_run_out(outer: Doubles, hubspot: httpx.Client, jane: str) -> None:
    outer.hubspot.configure(enforce_limits=True, daily_limit=1)
    hubspot.get(f"{CONTACTS}/{jane}")
    assert hubspot.get(f"{CONTACTS}/{jane}").json()["policyName"] == "DAILY"


@pytest.mark.parametrize(
    ("kind", "status", "category"),
    [
        ("locked", 423, "LOCKED"),
        ("migration", 477, "MIGRATION_IN_PROGRESS"),
        ("ten_secondly", 429, "RATE_LIMITS"),
    ],
)
def test_refusals_in_its_own_words(
    outer: Doubles, hubspot: httpx.Client, jane: str, kind: str, status: int, category: str
) -> None:
    outer.fault(system="hubspot", kind=kind)
    answer = hubspot.get(f"{CONTACTS}/{jane}")
    assert (answer.status_code, answer.json()["category"]) == (status, category)
    assert ("retry-after" in answer.headers) is (kind == "migration")
    assert "x-hubspot-ratelimit-max" in answer.headers
