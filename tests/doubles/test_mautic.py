"""Mautic's traps are really there: blanks and zeros, PUT, merges, PHP's JSON, lists, batches, tokens."""

from typing import Any

import httpx
import pytest

from tests.doubles import Doubles
from tests.doubles.mautic.listing import second

MORE: dict[str, Any] = {
    "email": "jane@acme.example",
    "firstname": "Jane",
    "company": "Acme/Söhne",
    "points": 40,
}


@pytest.fixture
def jane(outer: Doubles) -> str:
    contact = {
        **MORE,
        "tags": ["mql"],
        "stage": 2,
        "owner": 1,
        "handoff_status": "new",
        "handoff_revision": 1,
    }
    key: str = outer.mautic.seed({"contacts": [contact]})["contacts"][0]
    return key


def edit(client: httpx.Client, key: str, method: str = "PATCH", **given: Any) -> httpx.Response:
    return client.request(method, f"/api/contacts/{key}/edit", json=given)


def values(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()["contact"]["fields"]["all"]
    return found


def tags(answer: httpx.Response) -> list[str]:
    return [tag["tag"] for tag in answer.json()["contact"]["tags"]]


def test_a_contact_in_groups_and_flat(mautic: httpx.Client, jane: str) -> None:
    contact = mautic.get(f"/api/contacts/{jane}").json()["contact"]
    assert contact["fields"]["all"]["email"] == "jane@acme.example"
    assert contact["fields"]["core"]["email"]["value"] == "jane@acme.example"
    assert contact["fields"]["personal"] == []
    assert (contact["stage"]["name"], contact["owner"]["id"], contact["points"]) == ("MQL", 1, 40)
    assert [tag["tag"] for tag in contact["tags"]] == ["mql"]
    missing = mautic.get("/api/contacts/999")
    assert missing.status_code == 404
    assert missing.json()["errors"][0]["code"] == 404


def test_json_is_written_as_php_does(mautic: httpx.Client, jane: str) -> None:
    raw = mautic.get(f"/api/contacts/{jane}").content
    assert b"Acme\\/S\\u00f6hne" in raw
    assert b"/" not in raw.replace(b"\\/", b"")


def test_a_patch_changes_what_it_names(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    answer = edit(mautic, jane, handoff_status="accepted", tags=["sal", "-mql"])
    assert values(answer)["handoff_status"] == "accepted"
    assert values(answer)["firstname"] == "Jane"
    assert tags(answer) == ["sal"]
    assert outer.mautic.contacts[jane].written("handoff_status") == ["accepted"]
    assert outer.mautic.contacts[jane].written("tags") == [["sal"]]
    assert edit(mautic, "999", handoff_status="accepted").status_code == 404


def test_blanks_are_ignored_unless_asked_for(mautic: httpx.Client, jane: str) -> None:
    assert values(edit(mautic, jane, firstname="", handoff_status=None))["firstname"] == "Jane"
    cleared = values(edit(mautic, jane, firstname="", handoff_status=None, overwriteWithBlank=True))
    assert (cleared["firstname"], cleared["handoff_status"]) == (None, None)


def test_a_zero_is_never_written_by_patch(mautic: httpx.Client, jane: str) -> None:
    for zero in (0, "0", "0.4"):
        assert (
            values(edit(mautic, jane, handoff_revision=zero, overwriteWithBlank=True))["handoff_revision"]
            == 1
        )
    assert values(edit(mautic, jane, points=0))["points"] == 40
    assert values(edit(mautic, jane, points=55))["points"] == 55


def test_what_is_no_field_is_ignored_without_a_word(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    answer = edit(mautic, jane, handof_status="accepted")
    assert answer.status_code == 200
    assert "handof_status" not in values(answer)


def test_a_put_wipes_and_creates(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    wiped = edit(mautic, jane, "PUT", email="jane@acme.example", handoff_status="accepted")
    assert (values(wiped)["handoff_status"], values(wiped)["firstname"], values(wiped)["points"]) == (
        "accepted", None, 40
    )  # fmt: skip
    assert tags(wiped) == ["mql"]
    made = edit(mautic, "999", "PUT", email="new@acme.example")
    assert made.status_code == 201
    assert made.json()["contact"]["id"] != 999
    assert len(outer.mautic.contacts) == 2


def test_a_new_contact_with_a_known_address_is_merged(
    outer: Doubles, mautic: httpx.Client, jane: str
) -> None:
    same = mautic.post(
        "/api/contacts/new", json={"email": "JANE@acme.example", "lastname": "Doe", "firstname": ""}
    )
    assert same.status_code == 200
    assert (values(same)["id"], values(same)["firstname"], values(same)["lastname"]) == (
        int(jane),
        "Jane",
        "Doe",
    )
    other = mautic.post("/api/contacts/new", json={"email": "other@acme.example"})
    assert other.status_code == 201
    assert len(outer.mautic.contacts) == 2


def test_a_patch_with_another_s_address_merges_the_two(
    outer: Doubles, mautic: httpx.Client, jane: str
) -> None:
    second_id = outer.mautic.seed({"contacts": [{"email": "j@acme.example", "phone": "7"}]})["contacts"][0]
    kept = edit(mautic, second_id, email="jane@acme.example")
    assert kept.json()["contact"]["id"] == int(jane)
    assert values(kept)["phone"] == "7"
    assert mautic.get(f"/api/contacts/{second_id}").json()["contact"]["id"] == int(jane)


def test_a_list_is_an_object_and_its_total_text(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    one = mautic.get("/api/contacts?search=email:jane@acme.example").json()
    assert (one["total"], list(one["contacts"])) == ("1", [jane])
    none = mautic.get("/api/contacts?search=email:nobody@acme.example")
    assert none.json() == {"total": "0", "contacts": {}}
    outer.mautic.configure(empty_lists=True)
    assert mautic.get("/api/contacts?search=email:nobody@acme.example").json()["contacts"] == []


def changed_since(client: httpx.Client, at: float, expr: str = "gt", **more: str) -> list[str]:
    params = {
        "orderBy": "date_modified", "orderByDir": "asc", "where[0][col]": "dateModified",
        "where[0][expr]": expr, "where[0][val]": second(at), **more,
    }  # fmt: skip
    return list(client.get("/api/contacts", params=params).json()["contacts"])


def test_changes_are_listed_to_the_second(outer: Doubles, mautic: httpx.Client) -> None:
    ids = outer.mautic.seed({"contacts": [{"email": f"p{n}@acme.example"} for n in range(3)]})["contacts"]
    start = outer.clock.now()
    assert changed_since(mautic, start - 60) == []
    for key in (ids[1], ids[0]):
        outer.clock.advance(2)
        edit(mautic, key, handoff_status="accepted")
    assert changed_since(mautic, start) == [ids[1], ids[0]]
    last = outer.mautic.contacts[ids[0]].touched
    assert changed_since(mautic, last) == []
    assert changed_since(mautic, last, "gte") == [ids[0]]
    assert changed_since(mautic, start, start="1", limit="1") == [ids[0]]


def test_more_conditions(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    outer.mautic.seed({"contacts": [{"email": "b@acme.example", "points": 5, "firstname": "Bo"}]})

    def having(col: str, expr: str, val: str = "") -> int:
        params = {"where[0][col]": col, "where[0][expr]": expr, "where[0][val]": val}
        return int(mautic.get("/api/contacts", params=params).json()["total"])

    assert [having("points", "gte", "5"), having("points", "gt", "5"), having("points", "lt", "5")] == [
        2,
        1,
        0,
    ]
    assert [having("firstname", "eq", "jane"), having("firstname", "like", "%o%")] == [1, 1]
    assert [having("company", "isNull"), having("company", "isNotNull")] == [1, 1]
    assert having("firstname", "in", "Jane,Bo") == 2
    answer = mautic.get("/api/contacts", params={"where[0][col]": "points", "where[0][expr]": "sounds"})
    assert answer.status_code == 500


def batch(client: httpx.Client, *items: dict[str, Any], method: str = "PATCH") -> httpx.Response:
    return client.request(method, "/api/contacts/batch/edit", json=list(items))


def test_a_batch_with_a_gap_is_an_object(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    other = outer.mautic.seed({"contacts": [{"email": "b@acme.example"}]})["contacts"][0]
    answer = batch(
        mautic,
        {"id": int(jane), "handoff_status": "accepted"},
        {"id": 999, "handoff_status": "accepted"},
        {"id": other, "handoff_status": "rejected"},
    )
    body = answer.json()
    assert answer.status_code == 200
    assert body["statusCodes"] == [200, 404, 200]
    assert {index: contact["id"] for index, contact in body["contacts"].items()} == {
        "0": int(jane),
        "2": int(other),
    }
    assert body["errors"] == {"1": {"message": "Item was not found.", "code": 404, "type": "api"}}


def test_a_whole_batch_is_a_list_and_an_empty_one_too(mautic: httpx.Client, jane: str) -> None:
    whole = batch(mautic, {"id": jane, "handoff_status": "accepted"}).json()
    assert ([contact["id"] for contact in whole["contacts"]], whole["statusCodes"]) == ([int(jane)], [200])
    assert "errors" not in whole
    none = batch(mautic, {"id": 999}).json()
    assert (none["contacts"], none["statusCodes"]) == ([], [404])
    assert none["errors"][0]["code"] == 404


def test_two_hundred_is_the_most(outer: Doubles, mautic: httpx.Client) -> None:
    outer.mautic.seed({"generate": 201})
    items = [{"id": key, "handoff_status": "accepted"} for key in outer.mautic.contacts.all]
    assert batch(mautic, *items).status_code == 500
    assert [record.written("handoff_status") for record in outer.mautic.contacts] == [[]] * 201
    assert batch(mautic, *items[:200]).json()["statusCodes"] == [200] * 200


def test_a_fault_spoils_some_items(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    other = outer.mautic.seed({"contacts": [{"email": "b@acme.example"}]})["contacts"][0]
    outer.fault(system="mautic", match="batch/edit", items=[0], kind="locked")
    items = [{"id": key, "handoff_status": "accepted"} for key in (jane, other)]
    assert [batch(mautic, *items).json()["statusCodes"] for _ in range(2)] == [[409, 200], [200, 200]]
    assert outer.mautic.contacts[jane].written("handoff_status") == ["accepted"]


def test_a_batch_of_new_contacts(mautic: httpx.Client, jane: str) -> None:
    people = [{"email": "jane@acme.example"}, {"email": "new@acme.example"}]
    answer = mautic.post("/api/contacts/batch/new", json=people)
    assert (answer.status_code, answer.json()["statusCodes"]) == (201, [200, 201])


def test_stages_points_and_do_not_contact(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    stages = mautic.get("/api/stages").json()
    assert (stages["total"], stages["stages"]["3"]["name"]) == ("7", "SAL")
    assert mautic.post(f"/api/stages/3/contact/{jane}/add").json() == {"success": 1}
    assert mautic.get(f"/api/contacts/{jane}").json()["contact"]["stage"]["name"] == "SAL"
    assert mautic.post(f"/api/stages/3/contact/{jane}/remove").json() == {"success": 1}
    assert mautic.get(f"/api/contacts/{jane}").json()["contact"]["stage"] is None
    missing = [
        mautic.post(f"/api/stages/{path}/add").status_code for path in (f"99/contact/{jane}", "3/contact/999")
    ]
    assert missing == [404, 404]
    assert mautic.post(f"/api/contacts/{jane}/points/plus/5").json() == {"success": 1}
    assert mautic.post(f"/api/contacts/{jane}/points/minus/15").json() == {"success": 1}
    assert outer.mautic.contacts[jane].values["points"] == 30
    told = mautic.post(f"/api/contacts/{jane}/dnc/email/add", json={"reason": 1}).json()["contact"][
        "doNotContact"
    ]
    assert [(entry["channel"], entry["reason"]) for entry in told] == [("email", 1)]
    lifted = [mautic.post(f"/api/contacts/{jane}/dnc/email/remove").json()["recordFound"] for _ in range(2)]
    assert lifted == [True, False]


def test_notes_activity_fields_users(outer: Doubles, mautic: httpx.Client, jane: str) -> None:
    note = {"lead": int(jane), "text": "Accepted by Femke", "type": "general"}
    assert mautic.post("/api/notes/new", json=note).status_code == 201
    assert mautic.post("/api/notes/new", json={"lead": 999, "text": "x"}).status_code == 400
    assert mautic.get(f"/api/contacts/{jane}/notes").json()["notes"][0]["text"] == "Accepted by Femke"
    outer.mautic.act({"do": "activity", "id": jane, "event": "asset.download", "label": "Whitepaper"})
    events = mautic.get(f"/api/contacts/{jane}/activity").json()
    assert ([event["event"] for event in events["events"]], events["total"]) == (["asset.download"], 1)
    fields = mautic.get("/api/fields/contact").json()["fields"]
    assert {field["alias"] for field in fields.values()} >= {"email", "handoff_status", "handoff_revision"}
    outer.mautic.seed({"users": [{"username": "rep", "email": "rep@us.example"}]})
    assert [user["email"] for user in mautic.get("/api/users").json()["users"]] == [
        "admin@mautic.example", "rep@us.example"
    ]  # fmt: skip


def test_deleted_is_gone(mautic: httpx.Client, jane: str) -> None:
    answers = [mautic.delete(f"/api/contacts/{jane}/delete") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 404]
    assert answers[0].json()["contact"]["id"] is None
    assert batch(mautic, {"id": jane}).json()["statusCodes"] == [404]


def token(control: httpx.Client, secret: str = "mautic-secret") -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": "mautic-client", "client_secret": secret}
    return control.post("/mautic/oauth/v2/token", data=form)


def test_a_token_lives_an_hour(outer: Doubles, control: httpx.Client, jane: str) -> None:
    given = token(control).json()
    assert (given["expires_in"], given["token_type"]) == (3600, "bearer")
    path, headers = (
        f"/mautic/api/contacts/{jane}",
        {"Authorization": f"Bearer {given['access_token']}"},
    )
    assert control.get(path, headers=headers).status_code == 200
    outer.clock.advance(3601)
    late = control.get(path, headers=headers)
    assert (late.status_code, late.json()["errors"][0]["type"]) == (401, "invalid_grant")
    assert token(control, "wrong").status_code == 400


def test_basic_auth_and_the_api_can_be_off(
    outer: Doubles, control: httpx.Client, mautic: httpx.Client, jane: str
) -> None:
    path = f"/api/contacts/{jane}"
    assert control.get(f"/mautic{path}", auth=("handoff", "wrong")).status_code == 401
    assert control.get(f"/mautic{path}").status_code == 401
    outer.mautic.configure(basic_auth=False)
    assert mautic.get(path).status_code == 401
    outer.mautic.configure(basic_auth=True, api_enabled=False)
    off = mautic.get(path)
    assert (off.status_code, off.json()["errors"][0]["type"]) == (403, "api_disabled")
