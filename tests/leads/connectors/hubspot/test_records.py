"""Many records at once: what belongs to what, and one bad input that spoils no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.connectors.hubspot.calling import Refusal
from leads.connectors.hubspot.records import Input, Record, millis, moment, parsed, read, write
from leads.outbox import Result
from tests.leads.connectors.hubspot.conftest import Side

CONTACTS = "contacts"


def results(written: dict[str, object]) -> dict[str, str]:
    return {key: str(one.outcome.result) for key, one in written.items()}  # type: ignore[attr-defined]


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2199, 1, 1), timezones=st.just(UTC)))
def test_a_time_survives_in_milliseconds(at: datetime) -> None:
    exact = at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert moment(str(millis(at))) == exact
    assert moment(exact.isoformat(timespec="milliseconds").replace("+00:00", "Z")) == exact


@pytest.mark.parametrize(
    "text",
    ["", None, "soon", "2026-03-10", "9" * 40, "2026-13-40T00:00:00Z", {}, "0", "1989-12-31T00:00:00Z", "２"],
)
def test_what_is_no_time_is_none(text: object) -> None:
    assert moment(text) is None


def test_records_come_by_the_key_they_were_asked_for(side: Side) -> None:
    ann, bob = side.contact(email="ann@acme.example"), side.contact(email="bob@acme.example", phone="1")
    found = read(side.it.api, CONTACTS, [bob, ann, "999999", "", ann], ["phone", "email"])
    assert {key: record.id for key, record in found.items()} == {ann: ann, bob: bob}
    assert found[bob].values["phone"] == "1"
    assert found[ann].values["phone"] == ""
    assert side.paths() == ["POST contacts/batch/read"]


def test_records_come_by_address_whatever_its_case(side: Side) -> None:
    ann = side.contact(email="ann@acme.example")
    found = read(side.it.api, CONTACTS, ["Ann@Acme.example"], [], by="email")
    assert found["Ann@Acme.example"].id == ann


def test_a_merged_record_comes_by_the_id_that_it_had(side: Side) -> None:
    ann, old = side.contact(email="ann@acme.example"), side.contact(email="ann@old.example")
    kept = side.there.act({"do": "merge", "id": ann, "other": old})["id"]
    found = read(side.it.api, CONTACTS, [ann, old], [])
    assert {key: record.id for key, record in found.items()} == {ann: kept, old: kept}


def test_more_than_fit_into_one_call_go_in_several(side: Side) -> None:
    keys = [side.contact(email=f"p{number}@acme.example") for number in range(120)]
    assert len(read(side.it.api, CONTACTS, keys, [])) == 120
    assert len(side.paths()) == 2
    told = read(side.it.api, CONTACTS, keys, [], told=["email"])
    assert len(side.paths()) == 5
    assert [version.value for version in told[keys[5]].histories["email"]] == ["p5@acme.example"]


def test_histories_are_newest_first_and_say_who_it_was() -> None:
    versions = [
        {"value": "a", "timestamp": "2026-03-01T00:00:00Z", "sourceType": "FORM", "sourceId": "f"},
        {"value": None, "timestamp": "2026-03-02T00:00:00Z"},
        {"value": "odd", "timestamp": "never"},
    ]
    record = parsed({"id": 5, "properties": {"x": ""}, "propertiesWithHistory": {"x": versions}})
    assert [(one.value, one.source, one.source_id) for one in record.histories["x"]] == [
        ("", "", ""),
        ("a", "FORM", "f"),
    ]
    assert record.since("x") == datetime(2026, 3, 2, tzinfo=UTC)


def test_without_a_history_a_value_is_as_old_as_the_records_last_change() -> None:
    changed = datetime(2026, 3, 2, tzinfo=UTC)
    record = Record("5", {"x": "1", "y": ""}, changed)
    assert (record.since("x"), record.since("y"), record.since("z")) == (changed, None, None)


def test_an_error_that_is_no_absence_is_no_answer(side: Side) -> None:
    body = {"results": [], "errors": [{"category": "INTERNAL_ERROR", "message": "Oh."}]}
    side.outer.fault(system="hubspot", status=207, body=body)
    with pytest.raises(Refusal, match="Oh"):
        read(side.it.api, CONTACTS, ["101"], [])


def test_each_answer_finds_its_input_in_any_order(side: Side) -> None:
    side.there.configure(shuffle_results=True)
    keys = [side.contact(email=f"p{number}@acme.example") for number in range(30)]
    inputs = [Input(f"our-{key}", {"phone": key}, key) for key in keys]
    done = write(side.it.api, CONTACTS, "update", inputs)
    assert {key: one.id for key, one in done.items()} == {f"our-{key}": key for key in keys}
    assert [side.values(key)["phone"] for key in keys] == keys


def test_without_trace_ids_an_answer_is_found_by_the_record(side: Side) -> None:
    keys = [side.contact(), side.contact()]
    body = {
        "results": [{"id": keys[1], "properties": {}}],
        "errors": [{"category": "VALIDATION_ERROR", "message": "No.", "context": {"ids": [keys[0]]}}],
    }
    side.outer.fault(system="hubspot", status=207, body=body)
    done = write(side.it.api, CONTACTS, "update", [Input("a", {}, keys[0]), Input("b", {}, keys[1])])
    assert results(done) == {"a": "permanent", "b": "done"}
    assert done["a"].outcome.error == "No."


def test_an_error_of_nobody_is_of_all_who_have_no_answer(side: Side) -> None:
    keys = [side.contact(), side.contact(), side.contact()]
    body = {"results": [{"id": keys[1], "properties": {}}], "errors": [{"category": "VALIDATION_ERROR"}]}
    side.outer.fault(system="hubspot", status=207, body=body)
    done = write(side.it.api, CONTACTS, "update", [Input(key, {}, key) for key in keys])
    assert results(done) == {keys[0]: "permanent", keys[1]: "done", keys[2]: "permanent"}


def test_an_input_without_any_answer_is_tried_again(side: Side) -> None:
    key = side.contact()
    side.outer.fault(system="hubspot", status=200, body={"results": []})
    assert results(write(side.it.api, CONTACTS, "update", [Input("a", {}, key)])) == {"a": "transient"}


@pytest.mark.parametrize(
    ("kind", "result", "seconds"),
    [("validation", "permanent", None), ("not_found", "transient", None), ("conflict", "transient", None),
     ("locked", "transient", 2)],
)  # fmt: skip
def test_what_one_input_is_refused_with(side: Side, kind: str, result: str, seconds: int | None) -> None:
    keys = [side.contact(), side.contact(), side.contact()]
    side.outer.fault(system="hubspot", match="batch/update", kind=kind, items=[1])
    done = write(side.it.api, CONTACTS, "update", [Input(key, {"phone": "1"}, key) for key in keys])
    assert results(done) == {keys[0]: "done", keys[1]: result, keys[2]: "done"}
    wait = done[keys[1]].outcome.retry_after
    assert (wait.total_seconds() if wait else None) == seconds
    assert [side.values(key).get("phone") for key in keys] == ["1", None, "1"]


def test_where_the_whole_is_refused_for_one_the_others_go_alone(side: Side) -> None:
    keys = [side.contact(), side.contact(), side.contact()]
    body = {"category": "VALIDATION_ERROR", "message": "One of them is wrong."}
    side.outer.fault(system="hubspot", match="batch/update", status=400, body=body)
    inputs = [Input(key, {"phone": "1"}, key) for key in keys]
    assert results(write(side.it.api, CONTACTS, "update", inputs)) == dict.fromkeys(keys, "done")
    assert side.paths() == ["POST contacts/batch/update"] * 4


def test_one_at_a_time_ends_where_there_is_no_getting_through(side: Side) -> None:
    keys = [side.contact(), side.contact(), side.contact()]
    side.outer.fault(system="hubspot", match="batch/update", kind="validation")
    side.outer.fault(system="hubspot", match="batch/update", kind="ten_secondly", skip=1)
    inputs = [Input(key, {"phone": "1"}, key) for key in keys]
    assert results(write(side.it.api, CONTACTS, "update", inputs)) == {
        keys[0]: "done",
        keys[1]: "throttled",
        keys[2]: "throttled",
    }
    assert len(side.paths()) == 3


def test_two_writes_of_one_record_go_in_order(side: Side) -> None:
    key = side.contact()
    inputs = [Input("a", {"phone": "1"}, key), Input("b", {"phone": "2"}, key)]
    assert results(write(side.it.api, CONTACTS, "update", inputs)) == {"a": "done", "b": "done"}
    assert side.there.contacts[key].written("phone") == ["1", "2"]


def test_a_refusal_of_the_call_is_of_each(side: Side) -> None:
    keys = [side.contact(), side.contact()]
    side.outer.fault(system="hubspot", match="batch/update", kind="ten_secondly")
    done = write(side.it.api, CONTACTS, "update", [Input(key, {"phone": "1"}, key) for key in keys])
    assert {one.outcome.result for one in done.values()} == {Result.THROTTLED}
