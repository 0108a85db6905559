"""The doubles' page: it shows what is there, changes a field as a user would, and lets a system fail."""

import httpx

from tests.doubles import Doubles


def test_it_shows_records_escaped_and_finds_them(outer: Doubles, control: httpx.Client) -> None:
    outer.mautic.seed({"contacts": [{"email": "<b>@acme.example"}, {"email": "jo@other.example"}]})
    outer.salesforce.seed({"leads": [{"LastName": "Doe", "Company": "Acme", "Email": "doe@acme.example"}]})
    page = control.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "&lt;b&gt;@acme.example" in page.text and "<b>@acme" not in page.text
    found = control.get("/", params={"q": "acme"}).text
    assert "doe@acme.example" in found and "jo@other.example" not in found
    assert control.put("/").status_code == 405


def test_a_field_is_changed_as_a_user_would_with_its_webhook(outer: Doubles, control: httpx.Client) -> None:
    [key] = outer.hubspot.seed(
        {"contacts": [{"email": "jane@acme.example"}], "webhooks": f"{outer.url}/hooks/in"}
    )["contacts"]
    form = {"system": "hubspot", "id": key, "do": "edit", "field": "phone", "value": "+49 30 1"}
    answer = control.post("/__page", data=form)
    assert answer.status_code == 303
    assert "phone of 101 is" in control.get(answer.headers["location"]).text
    assert outer.hubspot.contacts[key].written("phone", "user") == ["+49 30 1"]
    assert outer.settle() and len(outer.hooks.of("in")) == 1


def test_a_system_fails_until_it_is_well_again(outer: Doubles, control: httpx.Client) -> None:
    for do, status in (("down", 503), ("busy", 429), ("barred", 401), ("well", 404)):
        control.post("/__page", data={"system": "mautic", "do": do})
        assert control.get("/mautic/nothing").status_code == status
        assert ("It fails." in control.get("/").text) == (do != "well")
    assert control.get("/slack/nothing").status_code == 404


def test_nonsense_is_told_and_does_nothing(outer: Doubles, control: httpx.Client) -> None:
    [key] = outer.mautic.seed({"contacts": [{"email": "jane@acme.example"}]})["contacts"]
    forms = [
        {"system": "sap", "do": "down"},
        {"system": "mautic", "do": "explode"},
        {"system": "mautic", "do": "edit", "id": key, "field": "email", "value": "x"},
        {"system": "mautic", "do": "edit", "id": "99", "field": "phone", "value": "x"},
    ]
    for form in forms:
        location = control.post("/__page", data=form).headers["location"]
        assert "Not done" in control.get(location).text
    assert len(outer.mautic.contacts[key].history) == 1 and not outer.faults.as_json()


def test_ids_of_seeded_records_are_given_to_nobody_else(outer: Doubles, control: httpx.Client) -> None:
    outer.mautic.seed({"contacts": [{"id": "1", "email": "a@acme.example"}, {"email": "b@acme.example"}]})
    assert [record.values["email"] for record in outer.mautic.contacts] == [
        "a@acme.example",
        "b@acme.example",
    ]
    assert control.get("/__counts").json() == {"mautic": 2, "hubspot": 0, "salesforce": 0}
