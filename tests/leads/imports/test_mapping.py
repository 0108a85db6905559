"""From rows to events: what each row is taken for, what is wrong with its cells, its identity."""

from __future__ import annotations

import pytest

from leads import imports
from leads.imports import Recipe
from leads.intake.schema import parse
from tests.conftest import NOW
from tests.leads.imports.files import HEADER, csv_of, done, made, row

pytestmark = pytest.mark.django_db


def event_of(header, cells, **choices):
    run = made(csv_of(cells, header=header), **choices)
    event, problems = Recipe(run).event(2, cells)
    assert problems == []
    assert parse(event)[1] == []
    return event


def test_a_full_row(cast) -> None:
    event = event_of(HEADER, row(1))
    assert (event["type"], event["time"]) == ("lead.qualified", NOW.isoformat())
    assert event["data"] == {
        "lead": {
            "email": "ada1@lovelace-1.com", "first_name": "Ada", "last_name": "Lovelacebason",
            "country_code": "DE",
        },
        "company": {"name": "Lovelace Engines 1", "employee_count": 420},
        "trigger": {
            "kind": "demo_request", "reason": "Imported: leads.csv", "occurred_at": NOW.isoformat(),
        },
        "score": {"total": 80, "fit": {"score": 40}, "intent": {"score": 20}, "behavior": {"score": 20}},
        "activities": [{"kind": "chat"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "kind", "type_", "trigger"),
    [
        ({}, "each", "lead.qualified", "demo_request"),
        ({"trigger": ""}, "each", "lead.scored", None),
        ({"trigger": "", "score": "", "fit": "", "intent": "", "behavior": ""}, "each", "lead.updated", None),
        ({"trigger": "", "activity": "Demo requested"}, "each", "lead.activity", None),
        ({"trigger": ""}, "hand_over", "lead.qualified", "manual_flag"),
        ({"trigger": "pricing"}, "hand_over", "lead.qualified", "pricing_inquiry"),
        ({}, "keep", "lead.updated", None),
    ],
)
def test_what_a_row_is_taken_for(cast, cells, kind, type_, trigger) -> None:
    event = event_of(HEADER, row(1, **cells), kind=kind)
    assert (event["type"], event["data"].get("trigger", {}).get("kind")) == (type_, trigger)


def test_everything_a_column_can_be(cast) -> None:
    header = ("Full name", "Record id", "LinkedIn", "Do not call", "Annual revenue", "Currency", "Hobby",
              "Last modified", "Source", "UTM campaign", "Company size", "Activity title",
              "Attended at")  # fmt: skip
    cells = ["Lovelace, Ada", "15", "linkedin.com/in/ada", "yes", "1,5 Mio", "eur", "Chess", "2026-03-01",
             "", "Spring", "51-200", "CeBIT", "2026-03-02"]  # fmt: skip
    run = made(csv_of(cells, header=header), system="mautic", source="Fair")
    run.targets[6] = "custom"
    event, problems = Recipe(run).event(2, cells)
    assert problems == [] and parse(event)[1] == []
    assert event["time"] == "2026-03-01T00:00:00+00:00"
    data = event["data"]
    assert data["lead"] == {
        "first_name": "Ada", "last_name": "Lovelace", "linkedin_url": "linkedin.com/in/ada",
        "external_ids": [{"system": "mautic", "object": "contact", "id": "15"}],
        "consent": {"do_not_call": True}, "custom": {"Hobby": "Chess"},
    }  # fmt: skip
    assert data["company"] == {
        "annual_revenue": {"amount": "1500000.00", "currency": "eur"}, "size_band": "51-200",
    }  # fmt: skip
    assert data["source"] == {"utm_campaign": "Spring", "lead_source": "Fair"}
    activity = {"kind": "other", "title": "CeBIT", "occurred_at": "2026-03-02T00:00:00+00:00"}
    assert data["activities"] == [activity]


def told(run, cells):
    event, problems = Recipe(run).checked(2, cells)
    assert event is None
    return {(problem.column, problem.message) for problem in problems}


def test_each_cell_says_what_is_wrong_with_it(cast) -> None:
    cells = row(1, e_mail="ada@", country="Narnia", score="high", employees="many")
    assert told(made(csv_of(cells)), cells) == {
        ("E-mail", "“ada@” is not an e-mail address."),
        ("Country", "“Narnia” is not a country."),
        ("Score", "“high” is not a whole number."),
        ("Employees", "“many” is neither a number of people nor a range of them."),
    }


def test_what_intake_finds_is_told_by_column(cast) -> None:
    cells = ["ada@lovelace.com", "1" * 70, "EURO", "5", "x" * 3000]
    header = ("Email", "Phone", "Currency", "Revenue", "Title")
    assert {column for column, _ in told(made(csv_of(cells, header=header)), cells)} == {"Title"}
    cells[4] = "CEO"
    assert {column for column, _ in told(made(csv_of(cells, header=header)), cells)} == {"Phone", "Currency"}
    custom = made(csv_of(["a@b.de", "y" * 3000], header=("Email", "Hobby")), targets=["email", "custom"])
    assert {column for column, _ in told(custom, ["a@b.de", "y" * 3000])} == {"Hobby"}


def test_a_row_that_names_nobody(cast) -> None:
    assert told(made(csv_of(row(1))), row(1, e_mail="")) == {
        ("E-mail", "The row has neither an e-mail address nor a record id.")
    }
    long = [*row(1), "more"]
    assert told(made(csv_of(row(1))), long) == {("", "The row has more cells than the header.")}
    part = told(made(csv_of(row(1))), row(1, score="", fit=""))
    assert part == {("", "A score needs its total, or all three parts.")}


def test_what_cannot_be_started_says_why(cast) -> None:
    run = made(csv_of(row(1)), targets=["email", "email", *[""] * 10])
    assert Recipe(run).problems() == ["E-mail is read from 2 columns."]
    run.targets = [""] * 12
    assert "Say which column holds the e-mail address" in Recipe(run).problems()[0]
    with pytest.raises(imports.Refused, match="Say which column"):
        imports.start(run, None, NOW)


def test_a_row_is_known_by_file_mapping_and_place_or_by_its_own_id(cast) -> None:
    header = ("Email", "Submission ID")
    run = made(csv_of(["a@b.de", "s-1"], ["c@d.de", ""], header=header), source="Web forms")
    recipe = Recipe(run)
    first, second = recipe.event(2, ["a@b.de", "s-1"])[0], recipe.event(3, ["c@d.de", ""])[0]
    assert (first["source"], first["id"]) == ("/imports/by-id/web-forms", "s-1")
    assert (second["source"], second["id"]) == (f"/imports/{recipe.key}", "row-3")
    other = made(csv_of(["a@b.de", "s-1"], ["c@d.de", ""], header=header), source="Web forms")
    assert Recipe(other).key == recipe.key
    other.targets = ["email", ""]
    assert Recipe(other).key != recipe.key


def test_a_mapping_is_remembered_by_its_headings_and_under_a_name(cast) -> None:
    run = made(csv_of(row(1)), cast.otto)
    run.targets = ["email", *[""] * 11]
    run.kind, run.source = "keep", "Fair"
    run.save()
    imports.remember(run, "Booth list", cast.otto, NOW)
    done(run)
    # In another order, and with the column that the file of failed rows adds.
    again = made(csv_of([*row(2)[::-1], "wrong"], header=(*HEADER[::-1], "What is wrong")))
    assert (again.targets[11], again.kind, again.source) == ("email", "keep", "Fair")
    assert [code for code in again.targets if code] == ["email"]
    imports.apply_preset(again, "hubspot")
    assert again.targets.count("") == 1 and again.system == "hubspot"
    imports.apply_preset(again, "Booth list")
    assert again.kind == "keep"
    for name in ("HubSpot", "x" * 61):
        with pytest.raises(imports.Refused, match="name of its own"):
            imports.remember(run, name, cast.otto, NOW)
    with pytest.raises(imports.Refused, match="no preset"):
        imports.apply_preset(again, "nothing")
