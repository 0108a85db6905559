"""States into Leads: absolute, once, linked by our number, made where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leads.connectors.salesforce.usual import NOT_GIVEN
from leads.outbox import Result
from leads.outbox.wanted import Status
from tests.conftest import NOW
from tests.leads.connectors.salesforce.conftest import Side, want

ANN = "ann@acme.example"
UPSERT, UPDATE = "PATCH composite/sobjects/Lead/Handoff_Id__c", "PATCH composite/sobjects"
READ, QUERY = "POST composite/sobjects/Lead", "GET query"
FACTS = {
    "lead.first_name": "Ann", "lead.last_name": "Lee", "lead.email": ANN, "lead.country_code": "DE",
    "company.name": "Acme", "company.domain": "acme.example", "company.industry": "Ships",
    "source.lead_source": "Webinar",
}  # fmt: skip


@pytest.mark.parametrize("status", Status)
def test_every_status_can_follow_every_other(side: Side, status: str) -> None:
    key = side.lead(Email=ANN)
    revision = 2
    for before in Status:
        for one in (before, status):
            revision += 1
            [pushed] = side.it.push([want(one, key, revision=revision)], NOW)
            assert pushed.outcome.result == Result.DONE
            assert dict(pushed.written) == dict(side.it.expected(want(one, key, revision=revision)))
            there = {name: side.values(key)[name] for name in pushed.written}
            assert {name: str(value or "") for name, value in there.items()} == dict(pushed.written)


def test_the_first_time_it_is_linked_and_from_then_on_upserted(side: Side) -> None:
    key = side.lead(Email=ANN)
    assert side.push(want("pending", key)) == ["done"]
    assert side.values(key)["Handoff_Id__c"] == "7"
    assert side.paths() == [READ, QUERY, UPDATE]
    assert side.push(want("accepted", key, revision=4)) == ["done"]
    assert side.paths()[3:] == [READ, UPSERT]
    assert side.there.leads[key].written("Handoff_Revision__c") == [3, 4]
    assert len(side.there.leads) == 1


def test_one_that_is_known_by_nothing_is_found_by_address_and_linked(side: Side) -> None:
    key = side.lead(Email="Ann@Acme.example", LastName="Lee-Smith")
    [pushed] = side.it.push([want(facts=FACTS)], NOW)
    assert (pushed.outcome.result, pushed.object, pushed.remote_id) == (Result.DONE, "Lead", key)
    values = side.values(key)
    assert (values["Handoff_Id__c"], values["LastName"], values["Company"]) == ("7", "Lee-Smith", "Acme")
    assert len(side.there.leads) == 1


def test_the_person_is_not_written_into_what_was_there(side: Side) -> None:
    key = side.lead(Email=ANN)
    side.push(want("accepted", key, facts=FACTS))
    written = {name for write in side.there.leads[key].history[1:] for name in write.values}
    assert written == {"Handoff_Id__c", *side.it.expected(want())}


def test_two_hundred_are_two_calls(side: Side) -> None:
    wants = []
    for number in range(200):
        email = f"p{number}@acme.example"
        key = side.lead(Email=email, Handoff_Id__c=str(number + 1))
        wants.append(want(key=key, lead_id=number + 1, email=email))
    assert set(side.push(*wants)) == {"done"}
    assert side.paths() == [READ, UPSERT]


def test_the_same_again_changes_nothing(side: Side) -> None:
    key = side.lead(Email=ANN)
    for _ in range(3):
        assert side.push(want("rejected", key, reason="not_icp")) == ["done"]
    assert [write.changed for write in side.there.leads[key].history[2:]] == [{}, {}]


def test_each_item_is_judged_by_itself(side: Side) -> None:
    kinds = ["lock_row", "validation", "invalid_field", "duplicates", "forbidden", "deleted", ""]
    wants = []
    for number, kind in enumerate(kinds, 1):
        email = f"p{number}@acme.example"
        key = side.lead(Email=email, Handoff_Id__c=str(number))
        wants.append(want(key=key, lead_id=number, email=email))
        if kind:
            side.outer.fault(
                system="salesforce", match="^PATCH", kind=kind, item_match=f'Id__c":"{number}"', times=-1
            )
    for number, kind in enumerate(kinds[:-1], 1):
        side.outer.faults.clear()
        side.outer.fault(system="salesforce", match="^PATCH", kind=kind, item_match=f'Id__c":"{number}"')
        results = side.push(*wants)
        wanted = "transient" if kind == "lock_row" else "permanent"
        assert results == ["done"] * (number - 1) + [wanted] + ["done"] * (len(kinds) - number)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("validation", "A validation rule of this org refuses the change."),
        ("duplicates", "You're creating a duplicate record. Use an existing record instead."),
        ("invalid_field", "No such column 'Handoff_Status__c' on sobject of type Lead"),
    ],
)
def test_why_it_was_refused_is_said_in_the_orgs_words(side: Side, kind: str, words: str) -> None:
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    side.outer.fault(system="salesforce", match="^PATCH", kind=kind, items=[0])
    assert side.error(want(key=key)) == words


# converted


@pytest.mark.parametrize("status", [status for status in Status if status != Status.OPPORTUNITY])
def test_a_converted_lead_takes_no_other_state(side: Side, status: str) -> None:
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    side.there.convert(key, {"Amount": 10})
    assert "was converted there and can't be written" in side.error(want(status, key))
    assert side.there.leads[key].written("Handoff_Revision__c") == []


def test_at_an_opportunity_a_converted_lead_is_as_it_should_be(side: Side) -> None:
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    side.there.convert(key, {"Id": "0065e0000000001AAA"})
    [pushed] = side.it.push([want("opportunity", key)], NOW)
    assert (pushed.outcome.result, pushed.object, pushed.remote_id) == (Result.DONE, "Lead", key)
    assert pushed.outcome.request == (
        f"Nothing: Lead {key} was converted there (opportunity 0065e0000000001AAA), observed."
    )
    assert side.paths() == [READ]


@pytest.mark.parametrize(("status", "result"), [("opportunity", "done"), ("contacted", "permanent")])
def test_one_that_is_converted_in_the_same_moment_is_looked_at_again(
    side: Side, status: str, result: str
) -> None:
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    call = side.it.api.call

    def raced(method: str, path: str, **more: Any) -> Any:
        if method == "PATCH":
            side.there.convert(key, {"Amount": 10})
        return call(method, path, **more)

    side.it.api.call = raced  # type: ignore[method-assign]
    assert side.push(want(status, key)) == [result]


def test_no_converted_status_is_ever_set(connect: Any) -> None:
    side: Side = connect(
        mapping={"statuses": {"opportunity": {"Status": "Closed - Converted", "Handoff_Status__c": "Sold"}}}
    )
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    assert '"Closed - Converted" is a converted status' in side.error(want("opportunity", key))
    assert UPSERT not in side.paths()
    assert side.push(want("accepted", key)) == ["done"]
    assert side.paths().count(QUERY) == 1


# made anew


def test_a_lead_is_made_once_by_our_number(side: Side) -> None:
    [pushed] = side.it.push([want("pending", facts=FACTS)], NOW)
    assert pushed.outcome.result == Result.DONE
    assert side.values(pushed.remote_id) == {
        "Handoff_Id__c": "7",
        "OwnerId": side.there.owner_id,
        "FirstName": "Ann",
        "LastName": "Lee",
        "Email": ANN,
        "Company": "Acme",
        "Website": "acme.example",
        "Industry": "Ships",
        "LeadSource": "Webinar",
        "Handoff_Number__c": 70,
        "Handoff_Revision__c": 3,
        "Handoff_Status__c": "Pending",
        "Status": "Open - Not Contacted",
    }
    assert side.paths() == [QUERY, QUERY, UPSERT]
    assert side.push(want("accepted", facts=FACTS)) == ["done"]
    assert len(side.there.leads) == 1


def test_an_answer_that_was_lost_makes_no_second_lead(side: Side) -> None:
    side.outer.fault(system="salesforce", match="^PATCH", drop="after")
    assert side.push(want("pending", facts=FACTS)) == ["transient"]
    assert side.push(want("rejected", revision=4, facts=FACTS)) == ["done"]
    [values] = side.leads()
    assert (values["Status"], values["Handoff_Revision__c"]) == ("Closed - Not Converted", 4)


def test_one_that_was_made_and_given_another_address_is_not_made_again(side: Side) -> None:
    side.push(want(facts=FACTS))
    [lead] = side.there.leads
    side.there.act({"do": "edit", "id": lead.id, "values": {"Email": "new@acme.example"}})
    [pushed] = side.it.push([want("rejected", revision=4)], NOW)
    assert (pushed.outcome.result, pushed.remote_id) == (Result.DONE, lead.id)
    assert len(side.there.leads) == 1


def test_of_whom_little_is_known_a_lead_is_made_all_the_same(side: Side) -> None:
    assert side.push(want(email="")) == ["done"]
    [values] = side.leads()
    assert (values["LastName"], values["Company"]) == (NOT_GIVEN, NOT_GIVEN)


def test_none_is_made_where_that_is_not_wanted(connect: Any) -> None:
    side: Side = connect(creates=False)
    assert "no record of this person" in side.error(want())
    assert side.leads() == []


def test_what_was_deleted_there_is_not_made_again(side: Side) -> None:
    key = side.lead(Email=ANN)
    side.there.act({"do": "delete", "id": key})
    assert "deleted there" in side.error(want(key=key))
    assert len(side.there.leads) == 1


def test_one_that_vanishes_between_look_and_write_is_tried_again(side: Side) -> None:
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    call = side.it.api.call

    def raced(method: str, path: str, **more: Any) -> Any:
        if method == "PATCH":
            side.there.act({"do": "delete", "id": key})
        return call(method, path, **more)

    side.it.api.call = raced  # type: ignore[method-assign]
    assert side.push(want(key=key)) == ["transient"]
    assert len(side.there.leads) == 1


def test_a_merged_lead_is_written_under_its_new_id(side: Side) -> None:
    kept, old = side.lead(Email=ANN), side.lead(Email="ann@old.example")
    side.there.act({"do": "merge", "id": kept, "other": old})
    [pushed] = side.it.push([want("accepted", old)], NOW)
    assert (pushed.outcome.result, pushed.remote_id) == (Result.DONE, kept)
    assert side.values(kept)["Handoff_Status__c"] == "Accepted"


# trouble


def test_several_of_our_number_are_left_alone(side: Side) -> None:
    ids = [side.lead(Handoff_Id__c="7") for _ in range(2)]
    assert "Several Leads there have the number of ours" in side.error(want(email=""))
    assert [side.there.leads[key].written("Handoff_Revision__c") for key in ids] == [[], []]


def test_a_number_that_is_taken_twice_in_the_same_moment_is_said_in_words(side: Side) -> None:
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    call = side.it.api.call

    def raced(method: str, path: str, **more: Any) -> Any:
        if method == "PATCH":
            side.lead(Handoff_Id__c="7")
        return call(method, path, **more)

    side.it.api.call = raced  # type: ignore[method-assign]
    assert "Several Leads there have the number of ours" in side.error(want(key=key))


def test_two_leads_of_ours_with_one_lead_there(side: Side) -> None:
    key = side.lead(Email=ANN)
    pushed = side.it.push([want(key=key, lead_id=1), want(key=key, lead_id=2)], NOW)
    assert [str(one.outcome.result) for one in pushed] == ["done", "permanent"]
    assert "another lead's here as well" in pushed[1].outcome.error


def test_found_linked_made_and_refused_in_one_push(side: Side) -> None:
    linked, free = side.lead(Email="l@x.example", Handoff_Id__c="1"), side.lead(Email="f@x.example")
    gone = side.lead(Email="g@x.example")
    side.there.act({"do": "delete", "id": gone})
    wants = [
        want(key=linked, lead_id=1, email="l@x.example"),
        want(lead_id=2, email="f@x.example"),
        want(lead_id=3, email="new@x.example"),
        want(key=gone, lead_id=4, email="g@x.example"),
    ]
    pushed = side.it.push(wants, NOW)
    assert [str(one.outcome.result) for one in pushed] == ["done", "done", "done", "permanent"]
    assert [one.remote_id for one in pushed[:2]] == [linked, free]
    assert [one.outcome.answer for one in pushed] == ["", "", "created", ""]


def test_the_log_of_what_was_sent_says_nothing_of_the_person(side: Side) -> None:
    [pushed] = side.it.push([want(facts=FACTS)], NOW)
    assert pushed.outcome.request.startswith('PATCH Lead 7 made {"Handoff_')
    told = pushed.outcome.request + pushed.outcome.answer + pushed.outcome.error
    assert not [value for value in ("Ann", "Lee", ANN, "Acme") if value in told]


def test_one_bad_record_spoils_no_other(side: Side) -> None:
    """A body that can't be read at all is refused as a whole: it is cut in halves until it is one record."""
    wants = []
    for number in range(1, 6):
        email = f"p{number}@x.example"
        wants.append(want(key=side.lead(Email=email, Handoff_Id__c=str(number)), lead_id=number, email=email))
    error = [{"errorCode": "JSON_PARSER_ERROR", "message": "Unexpected character"}]
    side.outer.fault(
        system="salesforce", match="^PATCH", body_match='Id__c":"4"', status=400, body=error, times=-1
    )
    assert side.push(*wants) == ["done", "done", "done", "permanent", "done"]


def test_a_whole_that_is_refused_for_another_reason_is_one_call(side: Side) -> None:
    wants = []
    for number in range(1, 6):
        email = f"p{number}@x.example"
        wants.append(want(key=side.lead(Email=email, Handoff_Id__c=str(number)), lead_id=number, email=email))
    side.outer.fault(system="salesforce", match="^PATCH", kind="invalid_field", times=-1)
    assert side.push(*wants) == ["permanent"] * 5
    assert side.paths() == [READ, UPSERT]


@pytest.mark.parametrize("body", [{}, [], [{"id": "x"}] * 2, None, "ok"])
def test_an_answer_that_tells_of_other_records_is_none(side: Side, body: Any) -> None:
    key = side.lead(Email=ANN, Handoff_Id__c="7")
    side.outer.fault(system="salesforce", match="^PATCH", status=200, body=json.loads(json.dumps(body)))
    assert side.push(want(key=key)) == ["transient"]


@pytest.mark.parametrize("match", ["^POST .*composite", "/query", "^PATCH"])
@pytest.mark.parametrize(
    ("kind", "result"),
    [("request_limit", "throttled"), ("unavailable", "transient"), ("bad_session", "unauthorised")],
)
def test_no_getting_through_is_said_of_each(side: Side, match: str, kind: str, result: str) -> None:
    key = side.lead(Email="known@x.example")
    side.outer.fault(system="salesforce", match=match, kind=kind, times=-1)
    wants = [want(key=key, lead_id=1, email="known@x.example"), want(lead_id=2)]
    assert side.push(*wants) == [result, result]
    assert side.there.leads[key].written("Handoff_Revision__c") == []
