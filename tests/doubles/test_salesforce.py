"""Salesforce's traps are really there: upserts, collections, conversion, refusals, tokens, limits."""

from typing import Any

import httpx
import pytest

from tests.doubles import Doubles, keys, rs256

JANE = {"LastName": "Doe", "Company": "Acme", "Email": "jane@acme.example", "Handoff_Id__c": "h1"}
EXTERNAL = "/sobjects/Lead/Handoff_Id__c/"
MANY = "/composite/sobjects/Lead/Handoff_Id__c"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
def jane(outer: Doubles) -> str:
    key: str = outer.salesforce.seed({"leads": [JANE]})["leads"][0]
    return key


def upsert(client: httpx.Client, key: str, **fields: Any) -> httpx.Response:
    return client.patch(EXTERNAL + key, json=fields)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()[0]["errorCode"]


def record(key: str, **fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Lead"}, "Handoff_Id__c": key, **fields}


def many(client: httpx.Client, *records: dict[str, Any], all_or_none: bool = False) -> httpx.Response:
    return client.patch(MANY, json={"allOrNone": all_or_none, "records": list(records)})


def codes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return ["" if each["success"] else each["errors"][0]["statusCode"] for each in answer.json()]


def test_an_upsert_creates_then_updates(outer: Doubles, salesforce: httpx.Client) -> None:
    made = upsert(salesforce, "h7", LastName="Doe", Company="Acme")
    again = upsert(salesforce, "h7", Handoff_Status__c="Accepted", Handoff_Revision__c=2)
    assert (made.status_code, again.status_code) == (201, 200)
    assert [(each.json()["success"], each.json()["created"]) for each in (made, again)] == [
        (True, True),
        (True, False),
    ]
    lead = outer.salesforce.leads[made.json()["id"]]
    assert (made.json()["id"], again.json()["id"]) == (lead.id, lead.id)
    assert (lead.values["Status"], lead.values["Handoff_Status__c"]) == ("Open - Not Contacted", "Accepted")
    assert lead.written("Handoff_Revision__c") == [2]
    assert len(lead.id) == 18


def test_an_upsert_may_only_update(salesforce: httpx.Client, jane: str) -> None:
    missing = salesforce.patch(EXTERNAL + "h9?updateOnly=true", json={"Title": "x"})
    there = salesforce.patch(EXTERNAL + "h1?updateOnly=true", json={"Title": "x"})
    assert (missing.status_code, there.status_code) == (404, 200)


def test_several_matches_write_nothing(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    outer.salesforce.seed({"leads": [JANE]})
    answer = upsert(salesforce, "h1", Title="CEO")
    assert answer.status_code == 300
    assert answer.json() == [
        f"/services/data/v68.0/sobjects/Lead/{lead.id}" for lead in outer.salesforce.leads
    ]
    assert [lead.written("Title") for lead in outer.salesforce.leads] == [[], []]


def test_an_external_id_that_looks_like_a_file(outer: Doubles, salesforce: httpx.Client) -> None:
    assert refused(upsert(salesforce, "jane@acme.inc", LastName="Doe", Company="Acme")) == (404, "NOT_FOUND")
    assert len(outer.salesforce.leads) == 0
    assert upsert(salesforce, "jane@acme.example", LastName="Doe", Company="Acme").status_code == 201


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Handoff_Id__c": "h1"}, "INVALID_FIELD"),
        ({"Id": "00Q"}, "INVALID_FIELD"),
        ({"Nothing__c": 1}, "INVALID_FIELD"),
        ({"IsConverted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"SystemModstamp": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Status": "Accepted"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"Status": "Closed - Converted"}, "INVALID_STATUS"),
        ({"LastName": None}, "REQUIRED_FIELD_MISSING"),
        ({"Handoff_Revision__c": "2"}, "JSON_PARSER_ERROR"),
        ({"Handoff_Deferred_Until__c": "soon"}, "JSON_PARSER_ERROR"),
    ],
)
def test_fields_that_are_refused(
    outer: Doubles, salesforce: httpx.Client, jane: str, fields: dict[str, Any], code: str
) -> None:
    assert refused(upsert(salesforce, "h1", Title="CEO", **fields)) == (400, code)
    assert outer.salesforce.leads[jane].written("Title") == []


def test_a_new_lead_needs_name_and_company(salesforce: httpx.Client) -> None:
    answer = upsert(salesforce, "h2", Email="x@acme.example")
    assert refused(answer) == (400, "REQUIRED_FIELD_MISSING")
    assert answer.json()[0]["fields"] == ["Company", "LastName"]
    assert refused(salesforce.post("/sobjects/Lead", json={"LastName": "x"})) == (
        400,
        "REQUIRED_FIELD_MISSING",
    )
    assert salesforce.post("/sobjects/Lead", json={"LastName": "x", "Company": "y"}).status_code == 201


def test_the_org_s_own_rules(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    rule = {"field": "Status", "value": "Working - Contacted", "message": "Needs a phone number"}
    outer.salesforce.configure(validation_rules=[rule])
    answer = upsert(salesforce, "h1", Status="Working - Contacted")
    assert refused(answer) == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert answer.json()[0]["message"] == "Needs a phone number"


def test_the_duplicate_rule(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    outer.salesforce.configure(duplicate_rule=True)
    new = {"LastName": "Doe", "Company": "Acme", "Email": "Jane@acme.example"}
    assert refused(upsert(salesforce, "h2", **new)) == (400, "DUPLICATES_DETECTED")
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert salesforce.patch(EXTERNAL + "h2", json=new, headers=allowed).status_code == 201


def test_one_lead_by_id(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    answer = salesforce.patch(f"/sobjects/Lead/{jane}", json={"Title": "CEO"})
    assert (answer.status_code, answer.content) == (204, b"")
    read = salesforce.get(
        f"/sobjects/Lead/{jane[:15]}?fields=Id,Title,IsConverted,ConvertedOpportunityId"
    ).json()
    assert {name: read[name] for name in read if name != "attributes"} == {
        "Id": jane, "Title": "CEO", "IsConverted": False, "ConvertedOpportunityId": None
    }  # fmt: skip
    assert read["attributes"]["type"] == "Lead"
    assert salesforce.get(EXTERNAL + "h1?fields=Id").json()["Id"] == jane
    assert refused(salesforce.get(f"/sobjects/Lead/{jane}?fields=Nope")) == (400, "INVALID_FIELD")


def test_deleted_is_another_404(salesforce: httpx.Client, jane: str) -> None:
    path = f"/sobjects/Lead/{jane}"
    assert salesforce.delete(path).status_code == 204
    for answer in (
        salesforce.delete(path),
        salesforce.get(path),
        salesforce.patch(path, json={"Title": "x"}),
    ):
        assert refused(answer) == (404, "ENTITY_IS_DELETED")
    assert refused(salesforce.get("/sobjects/Lead/00Q000000000000AAA")) == (404, "NOT_FOUND")


def test_a_converted_lead_refuses_writes(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    opportunity = {"Amount": 1200, "StageName": "Qualification", "CurrencyIsoCode": "EUR"}
    outer.salesforce.convert(jane, opportunity)
    assert refused(upsert(salesforce, "h1", Title="CEO")) == (400, "CANNOT_UPDATE_CONVERTED_LEAD")
    assert codes(many(salesforce, record("h1", Title="CEO"))) == ["CANNOT_UPDATE_CONVERTED_LEAD"]
    fields = "IsConverted,Status,ConvertedOpportunityId,ConvertedDate"
    lead = salesforce.get(f"/sobjects/Lead/{jane}?fields={fields}").json()
    assert (lead["IsConverted"], lead["Status"]) == (True, "Closed - Converted")
    query = f"SELECT Amount, StageName FROM Opportunity WHERE Id = '{lead['ConvertedOpportunityId']}'"
    found = salesforce.get("/query", params={"q": query}).json()["records"][0]
    assert (found["Amount"], found["StageName"]) == (1200, "Qualification")


@pytest.mark.parametrize("path", ["/actions/standard/convertLead", "/sobjects/Lead/convert/x/y"])
def test_there_is_no_conversion_over_rest(salesforce: httpx.Client, jane: str, path: str) -> None:
    assert refused(salesforce.post(path, json={"inputs": [{"leadId": jane}]})) == (404, "NOT_FOUND")


def test_a_collection_answers_200_whatever_happens(
    outer: Doubles, salesforce: httpx.Client, jane: str
) -> None:
    answer = many(
        salesforce,
        record("h1", Handoff_Status__c="Accepted"),
        record("h2", Email="x@acme.example"),
        record("h3", LastName="New", Company="Acme"),
        record("h4", LastName="New", Company="Acme", Status="Nope"),
    )
    assert codes(answer) == ["", "REQUIRED_FIELD_MISSING", "", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"]
    assert [each.get("created") for each in answer.json()] == [False, None, True, None]
    assert answer.json()[0]["id"] == jane
    assert outer.salesforce.leads[jane].written("Handoff_Status__c") == ["Accepted"]


def test_all_or_none(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    answer = many(salesforce, record("h1", Title="CEO"), record("h2"), all_or_none=True)
    assert codes(answer) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert outer.salesforce.leads[jane].written("Title") == []


def test_the_same_external_id_twice(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    answer = many(salesforce, record("h1", Title="CEO"), record("h1", Title="CTO"), record("", Title="x"))
    assert codes(answer) == ["DUPLICATE_EXTERNAL_ID", "DUPLICATE_EXTERNAL_ID", "MISSING_ARGUMENT"]
    assert outer.salesforce.leads[jane].written("Title") == []


def test_what_a_collection_refuses_whole(salesforce: httpx.Client, jane: str) -> None:
    people = [record(f"n{number}", LastName="x", Company="y") for number in range(201)]
    assert refused(many(salesforce, *people)) == (400, "EXCEEDED_MAX_SIZE_REQUEST")
    assert codes(many(salesforce, *people[:200])) == [""] * 200
    assert refused(many(salesforce, {"Handoff_Id__c": "h1"})) == (400, "INVALID_TYPE")
    assert refused(salesforce.patch(MANY, json={"records": "all"})) == (400, "JSON_PARSER_ERROR")
    assert refused(salesforce.patch(MANY, content=b"{")) == (400, "JSON_PARSER_ERROR")


def test_a_collection_by_id(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    records = [
        {"attributes": {"type": "Lead"}, "Id": key, "Title": "CEO"} for key in (jane, "00Q000000000000AAA")
    ]
    assert codes(salesforce.patch("/composite/sobjects", json={"records": records})) == ["", "NOT_FOUND"]
    assert outer.salesforce.leads[jane].written("Title") == ["CEO"]


def test_a_fault_spoils_some_items(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    outer.fault(system="salesforce", item_match='"h1"', kind="lock_row")
    records = record("h1", Title="CEO"), record("h5", LastName="x", Company="y")
    assert [codes(many(salesforce, *records)) for _ in range(2)] == [["UNABLE_TO_LOCK_ROW", ""], ["", ""]]
    assert outer.salesforce.leads[jane].written("Title") == ["CEO"]


def test_reading_many_gives_null_for_the_missing(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    gone = outer.salesforce.seed({"leads": [{**JANE, "Handoff_Id__c": "h2"}]})["leads"][0]
    outer.salesforce.act({"do": "merge", "id": jane, "other": gone})
    ids = [jane, "00Q000000000000AAA", gone]
    posted = salesforce.post("/composite/sobjects/Lead", json={"ids": ids, "fields": ["Id", "Email"]}).json()
    assert [each and each["Email"] for each in posted] == ["jane@acme.example", None, None]
    params = {"ids": ",".join(ids), "fields": "Id,Email"}
    assert salesforce.get("/composite/sobjects/Lead", params=params).json() == posted
    query = f"SELECT MasterRecordId, IsDeleted FROM Lead WHERE Id = '{gone}'"
    row = salesforce.get("/queryAll", params={"q": query}).json()["records"][0]
    assert (row["MasterRecordId"], row["IsDeleted"]) == (jane, True)


def test_an_answer_tells_the_calls_made(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    outer.salesforce.configure(daily_limit=2, enforce_limits=True)
    answers = [salesforce.get(f"/sobjects/Lead/{jane}?fields=Id") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert [answer.headers["sforce-limit-info"] for answer in answers] == [
        "api-usage=1/2", "api-usage=2/2", "api-usage=3/2"
    ]  # fmt: skip
    assert refused(answers[2]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert "retry-after" not in answers[2].headers


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("request_limit", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("lock_row", 400, "UNABLE_TO_LOCK_ROW"),
        ("duplicates", 400, "DUPLICATES_DETECTED"),
        ("bad_session", 401, "INVALID_SESSION_ID"),
        ("deleted", 404, "ENTITY_IS_DELETED"),
    ],
)
def test_refusals_in_its_own_words(
    outer: Doubles, salesforce: httpx.Client, jane: str, kind: str, status: int, code: str
) -> None:
    outer.fault(system="salesforce", kind=kind)
    answer = upsert(salesforce, "h1", Title="CEO")
    assert refused(answer) == (status, code)
    assert "sforce-limit-info" in answer.headers
    assert "retry-after" not in answer.headers
    assert upsert(salesforce, "h1", Title="CEO").status_code == 200


def test_a_session_ends(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    path = f"/sobjects/Lead/{jane}?fields=Id"
    assert salesforce.get(path).status_code == 200
    outer.fault(system="salesforce", match="sobjects", expire_tokens=True)
    assert refused(salesforce.get(path)) == (401, "INVALID_SESSION_ID")


def token(control: httpx.Client, **form: str) -> httpx.Response:
    return control.post("/salesforce/services/oauth2/token", data=form)


def test_a_token_says_where_to_go_and_not_how_long(outer: Doubles, control: httpx.Client, jane: str) -> None:
    auth = ("salesforce-key", "salesforce-secret")
    form = {"grant_type": "client_credentials"}
    given = control.post("/salesforce/services/oauth2/token", data=form, auth=auth).json()
    assert given["instance_url"] == outer.url + "/salesforce"
    assert "expires_in" not in given
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    path = f"{given['instance_url']}/services/data/v68.0/sobjects/Lead/{jane}?fields=Id"
    assert control.get(path, headers=headers).status_code == 200
    outer.clock.advance(7201)
    assert control.get(path, headers=headers).status_code == 401


def test_wrong_credentials(outer: Doubles, control: httpx.Client) -> None:
    wrong = token(control, grant_type="client_credentials", client_id="salesforce-key", client_secret="x")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    assert token(control, grant_type="password").json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"iss": "other"}, "invalid client credentials"),
        ({"sub": "other@salesforce.example"}, "user hasn't approved this consumer"),
        ({"aud": "https://evil.example"}, "audience is invalid"),
        ({"exp": -60}, "expired authorization code"),
        ({"exp": 3600}, "expired authorization code"),
        ({"exp": None}, "expired authorization code"),
    ],
)
def test_the_claims_of_an_assertion(
    outer: Doubles, control: httpx.Client, changes: dict[str, Any], says: str
) -> None:
    outer.salesforce.configure(public_key=keys.PUBLIC)
    claims = {"iss": "salesforce-key", "sub": "handoff@salesforce.example", "aud": "https://login.salesforce.com",
              "exp": 180, **changes}  # fmt: skip
    if claims["exp"] is not None:
        claims["exp"] = int(outer.clock.now()) + claims["exp"]
    answer = token(control, grant_type=JWT_BEARER, assertion=rs256.jwt(keys.PRIVATE, claims))
    assert answer.json().get("error_description", "") == says
    assert answer.status_code == (400 if says else 200)


def test_an_assertion_with_a_wrong_signature(outer: Doubles, control: httpx.Client) -> None:
    claims = {"iss": "salesforce-key", "sub": "handoff@salesforce.example", "aud": "https://login.salesforce.com",
              "exp": int(outer.clock.now()) + 180}  # fmt: skip
    good = rs256.jwt(keys.PRIVATE, claims)
    head, body, _ = good.split(".")
    forged = f"{head}.{body}.{rs256.encode(bytes(256))}"
    outer.salesforce.configure(public_key=keys.PUBLIC)
    for assertion in (forged, "a.b.c", "nonsense", ""):
        answer = token(control, grant_type=JWT_BEARER, assertion=assertion)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    outer.salesforce.configure(public_key="")
    assert token(control, grant_type=JWT_BEARER, assertion=forged).status_code == 200


def test_tasks_go_onto_living_leads_and_contacts(outer: Doubles, salesforce: httpx.Client, jane: str) -> None:
    def noted(who: str, **fields: Any) -> httpx.Response:
        return salesforce.post("/sobjects/Task", json={"WhoId": who, "Subject": "Call 7", **fields})

    assert noted(jane).status_code == 201
    assert refused(noted(jane, Body="x")) == (400, "INVALID_FIELD")
    assert refused(noted(jane, Subject="x" * 256)) == (400, "STRING_TOO_LONG")
    contact = outer.salesforce.convert(jane)["values"]["ConvertedContactId"]
    assert refused(noted(jane)) == (400, "CANNOT_UPDATE_CONVERTED_LEAD")
    assert noted(contact).status_code == 201
    query = f"SELECT WhoId FROM Task WHERE WhoId = '{contact}' AND Subject LIKE '%Call%'"
    found = salesforce.get("/query", params={"q": query}).json()["records"]
    assert [each["WhoId"] for each in found] == [contact]
