"""The subset of SOQL: what it finds, in which order, in which pages, and what it refuses."""

import httpx
import pytest

from tests.doubles import Doubles

PEOPLE = [
    {"LastName": "Adams", "Company": "O'Neil & Co", "Email": "a@acme.example", "NumberOfEmployees": 5},
    {"LastName": "Brown", "Company": "Acme", "Email": "b@acme.example", "NumberOfEmployees": 50},
    {"LastName": "clark", "Company": "Acme", "Email": "c@other.example"},
]


@pytest.fixture
def ids(outer: Doubles) -> list[str]:
    made: list[str] = outer.salesforce.seed(
        {"leads": [{**person, "Handoff_Id__c": f"h{number}"} for number, person in enumerate(PEOPLE, 1)]}
    )["leads"]
    return made


def ask(client: httpx.Client, query: str) -> httpx.Response:
    return client.get("/query", params={"q": query})


def names(client: httpx.Client, where: str) -> list[str]:
    answer = ask(client, f"SELECT LastName FROM Lead {where}")
    assert answer.status_code == 200, answer.text
    return [record["LastName"] for record in answer.json()["records"]]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", ["Adams", "Brown", "clark"]),
        ("WHERE Handoff_Id__c IN ('h1', 'h3')", ["Adams", "clark"]),
        ("WHERE Handoff_Id__c NOT IN ('h1')", ["Brown", "clark"]),
        ("WHERE LastName = 'CLARK'", ["clark"]),
        ("WHERE LastName != 'Clark'", ["Adams", "Brown"]),
        (r"WHERE Company = 'O\'Neil & Co'", ["Adams"]),
        ("WHERE Email LIKE '%@acme.example'", ["Adams", "Brown"]),
        ("WHERE LastName LIKE 'a_ams'", ["Adams"]),
        (r"WHERE LastName LIKE 'a\_ams'", []),
        ("WHERE LastName LIKE '[A]dams'", []),
        ("WHERE NumberOfEmployees > 5", ["Brown"]),
        ("WHERE NumberOfEmployees >= 5 AND NumberOfEmployees <= 5", ["Adams"]),
        ("WHERE NumberOfEmployees = null", ["clark"]),
        ("WHERE NumberOfEmployees != null", ["Adams", "Brown"]),
        ("WHERE IsConverted = false", ["Adams", "Brown", "clark"]),
        ("WHERE IsConverted = TRUE", []),
        ("WHERE (LastName = 'Adams' OR LastName = 'Brown') AND NOT Company = 'Acme'", ["Adams"]),
        ("WHERE SystemModstamp > 2020-01-01T00:00:00Z", ["Adams", "Brown", "clark"]),
        ("where SystemModstamp < 2020-01-01T00:00:00.000+0000", []),
        ("ORDER BY LastName DESC", ["clark", "Brown", "Adams"]),
        ("ORDER BY NumberOfEmployees ASC", ["clark", "Adams", "Brown"]),
        ("ORDER BY NumberOfEmployees ASC NULLS LAST", ["Adams", "Brown", "clark"]),
        ("ORDER BY Company, LastName LIMIT 2", ["Brown", "clark"]),
        ("ORDER BY LastName LIMIT 1 OFFSET 1", ["Brown"]),
    ],
)
def test_what_is_found(salesforce: httpx.Client, ids: list[str], where: str, expected: list[str]) -> None:
    assert names(salesforce, where) == expected


def test_since_when_is_to_the_millisecond(outer: Doubles, salesforce: httpx.Client, ids: list[str]) -> None:
    outer.clock.advance(1)
    salesforce.patch(f"/sobjects/Lead/{ids[1]}", json={"Title": "CEO"})
    stamp = salesforce.get(f"/sobjects/Lead/{ids[1]}?fields=SystemModstamp").json()["SystemModstamp"]
    assert names(salesforce, f"WHERE SystemModstamp >= {stamp}") == ["Brown"]
    assert names(salesforce, f"WHERE SystemModstamp > {stamp}") == []
    assert names(salesforce, f"WHERE SystemModstamp < {stamp}") == ["Adams", "clark"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "MALFORMED_QUERY"),
        ("SELECT Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE LastName = Adams", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE LastName = 'Adams", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Id IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Id IN ('a'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT many", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead; DELETE", "MALFORMED_QUERY"),
        ("SELECT * FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE SystemModstamp > 2026-01-01T00:00:00 00:00", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Nope FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Nope = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Lead ORDER BY Nope", "INVALID_FIELD"),
        ("SELECT Id FROM Contact", "INVALID_TYPE"),
    ],
)
def test_queries_that_are_refused(salesforce: httpx.Client, ids: list[str], query: str, code: str) -> None:
    answer = ask(salesforce, query)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_a_plus_that_was_not_encoded_is_a_blank(salesforce: httpx.Client, ids: list[str]) -> None:
    query = "SELECT+Id+FROM+Lead+WHERE+SystemModstamp>2020-01-01T00:00:00"
    assert salesforce.get(f"/query?q={query}+00:00").json()[0]["errorCode"] == "MALFORMED_QUERY"
    assert salesforce.get(f"/query?q={query}%2B00:00").json()["totalSize"] == 3


def test_pages_are_of_the_moment_of_the_question(
    outer: Doubles, salesforce: httpx.Client, ids: list[str]
) -> None:
    outer.salesforce.configure(page_size=2)
    first = ask(salesforce, "SELECT Id FROM Lead ORDER BY Id").json()
    assert (first["totalSize"], first["done"], len(first["records"])) == (3, False, 2)
    outer.salesforce.act({"do": "delete", "id": ids[2]})
    rest = first["nextRecordsUrl"].removeprefix("/services/data/v68.0")
    second = salesforce.get(rest).json()
    assert (second["done"], [record["Id"] for record in second["records"]]) == (True, [ids[2]])
    assert "nextRecordsUrl" not in second
    assert salesforce.get(rest).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    assert ask(salesforce, "SELECT COUNT() FROM Lead").json() == {"totalSize": 2, "done": True, "records": []}


def test_a_page_has_the_size_asked_for(outer: Doubles, salesforce: httpx.Client) -> None:
    outer.salesforce.seed({"generate": 250})
    headers = {"Sforce-Query-Options": "batchSize=200"}
    page = salesforce.get("/query", params={"q": "SELECT Id FROM Lead"}, headers=headers).json()
    assert (len(page["records"]), page["totalSize"]) == (200, 250)


def test_statuses_and_users(outer: Doubles, salesforce: httpx.Client) -> None:
    rows = ask(salesforce, "SELECT ApiName,MasterLabel,IsConverted,IsDefault FROM LeadStatus").json()[
        "records"
    ]
    assert [(row["ApiName"], row["IsConverted"], row["IsDefault"]) for row in rows] == [
        ("Open - Not Contacted", False, True),
        ("Working - Contacted", False, False),
        ("Closed - Converted", True, False),
        ("Closed - Not Converted", False, False),
    ]
    outer.salesforce.seed(
        {"users": [{"Email": "rep@us.example", "Name": "Rep", "Username": "rep@us.example.prod"}]}
    )
    query = "SELECT Id, Email FROM User WHERE Email IN ('rep@us.example') AND IsActive = true"
    assert [row["Email"] for row in ask(salesforce, query).json()["records"]] == ["rep@us.example"]
    outer.salesforce.seed({"statuses": [["Neu", False, True], ["Fertig", True, False]]})
    labels = [row["ApiName"] for row in ask(salesforce, "SELECT ApiName FROM LeadStatus").json()["records"]]
    assert labels == ["Neu", "Fertig"]
    described = salesforce.get("/sobjects/Lead/describe").json()["fields"]
    [status] = [field for field in described if field["name"] == "Status"]
    assert [value["value"] for value in status["picklistValues"]] == ["Neu", "Fertig"]
