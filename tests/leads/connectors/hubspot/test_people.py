"""What a contact says: each fact as of its own time, score, form, flag."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.connectors.hubspot.people import Reader, high_intent, points
from leads.connectors.hubspot.records import Record, Version
from leads.connectors.hubspot.usual import USUAL
from leads.connectors.mapping import Map, merged
from leads.intake.schema import parse
from tests.conftest import NOW

SCORES = {"score.fit": "fit_score", "score.behavior": "engagement_score"}
DAY = timedelta(days=1)


def reader(facts: Mapping[str, str] = {}, **more: Any) -> Reader:
    mapping = more.pop("mapping", merged(USUAL, {"facts": facts}))
    return Reader(mapping, "/connections/hubspot-1", "hubspot", **more)


def contact(*versions: tuple[str, int, str], source: str = "CRM_UI") -> Record:
    """Properties as (name, days after NOW, value), the later of a name replacing the earlier."""
    histories: dict[str, list[Version]] = {}
    for name, day, value in versions:
        histories.setdefault(name, []).insert(0, Version(value, NOW + DAY * day, source, "1"))
    values = {name: found[0].value for name, found in histories.items()}
    return Record("101", values, NOW + DAY * 50, histories)


def told(events: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    """Type, time and data without what names the person."""
    found = []
    for event in events:
        data = {**event["data"], "lead": {**event["data"]["lead"]}}
        assert data["lead"].pop("external_ids") == [{"system": "hubspot", "object": "contact", "id": "101"}]
        found.append((event["type"], event["time"][:10], {name: part for name, part in data.items() if part}))
    return found


def test_each_fact_counts_since_it_is_so() -> None:
    """An old phone number is not news because a title was changed."""
    one = contact(
        ("email", -9, "ann@acme.example"),
        ("phone", -8, "+49301"),
        ("firstname", -9, "Ann"),
        ("jobtitle", 2, "CTO"),
        ("company", 2, "Acme"),
        ("hs_lead_status", 3, "OPEN"),
    )
    assert told(reader().events(one)) == [
        ("lead.updated", "2026-03-01", {"lead": {"email": "ann@acme.example", "first_name": "Ann"}}),
        ("lead.updated", "2026-03-02", {"lead": {"email": "ann@acme.example", "phone": "+49301"}}),
        (
            "lead.updated",
            "2026-03-12",
            {"lead": {"email": "ann@acme.example", "job_title": "CTO"}, "company": {"name": "Acme"}},
        ),
    ]


def test_what_we_write_ourselves_makes_no_event() -> None:
    one = contact(("email", -9, "ann@acme.example"))
    before = reader().events(one)
    ours = contact(
        ("email", -9, "ann@acme.example"),
        ("lifecyclestage", 1, "salesqualifiedlead"),
        ("hs_lead_status", 1, "OPEN"),
        ("handoff_status", 1, "accepted"),
    )
    assert reader().events(ours) == before


def test_no_fact_is_older_than_the_address_it_is_told_with() -> None:
    one = contact(("phone", -8, "+49301"), ("email", 1, "new@acme.example"))
    [event] = reader().events(one)
    assert event["time"] == "2026-03-11T10:00:00.000Z"
    assert event["data"]["lead"]["phone"] == "+49301"


def test_the_same_fact_is_the_same_event_however_often_it_is_read() -> None:
    one = contact(("email", -9, "a@acme.example"), ("phone", -8, "1"))
    again = contact(("email", -9, "a@acme.example"), ("phone", -8, "1"), ("city", 4, "Bonn"))
    assert reader().events(one) == reader().events(again)
    back = contact(("email", -9, "a@acme.example"), ("phone", -8, "1"), ("phone", 1, "2"), ("phone", 2, "1"))
    ids = {event["id"] for event in reader().events(one)}
    assert len({event["id"] for event in reader().events(back)} - ids) == 1


def test_what_was_emptied_is_cleared_but_not_for_the_whole_company() -> None:
    one = contact(
        ("email", -9, "a@acme.example"),
        ("phone", -8, "1"),
        ("phone", 1, ""),
        ("company", -8, "A"),
        ("company", 1, ""),
    )
    assert told(reader().events(one))[-1] == (
        "lead.updated",
        "2026-03-11",
        {"lead": {"email": "a@acme.example", "phone": None}},
    )


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("country", "Germany", {"lead": {"country_code": "DE"}}),
        ("country", "de", {"lead": {"country_code": "DE"}}),
        ("country", "Middle-earth", {}),
        ("website", "https://acme.example/x", {"company": {"website": "https://acme.example/x"}}),
        ("website", "acme.example", {"company": {"domain": "acme.example"}}),
        ("numemployees", "420", {"company": {"employee_count": 420}}),
        ("numemployees", "25-50", {"company": {"size_band": "11-50"}}),
        ("numemployees", "5-25", {}),
        ("annualrevenue", "52000000", {"company": {"annual_revenue": {"amount": "52000000"}}}),
        ("annualrevenue", "lots", {}),
        ("hs_analytics_source", "PAID_SOCIAL", {"source": {"lead_source": "Paid social"}}),
        ("hs_analytics_source", "OFFLINE", {"source": {"lead_source": "OFFLINE"}}),
        ("hs_email_optout", "true", {"lead": {"consent": {"email_opt_out": True}}}),
        ("hs_email_optout", "false", {"lead": {"consent": {"email_opt_out": False}}}),
        ("jobtitle", " C\x00TO\r ", {"lead": {"job_title": "CTO"}}),
        ("phone", "1" * 99, {"lead": {"phone": "1" * 60}}),
    ],
)
def test_a_property_as_a_fact(name: str, value: str, part: dict[str, Any]) -> None:
    mapping = merged(USUAL, {"sources": {"PAID_SOCIAL": "Paid social"}})
    events = reader(mapping=mapping).events(contact((name, 1, value)))
    assert [data for _, _, data in told(events)] == ([part] if part else [])


# scores


def test_a_score_is_told_with_what_it_was_before() -> None:
    one = contact(
        ("fit_score", -5, "30"),
        ("engagement_score", -4, "20"),
        ("engagement_score", 1, "40.6"),
        ("email", -9, "a@x.example"),
    )
    [event] = [event for event in reader(SCORES).events(one) if event["type"] == "lead.scored"]
    assert (event["id"], event["time"]) == ("score/101/1773223200000", "2026-03-11T10:00:00.000Z")
    assert event["data"]["score"] == {
        "total": 71,
        "previous_total": 50,
        "scored_at": "2026-03-11T10:00:00.000Z",
        "fit": {"score": 30},
        "behavior": {"score": 41},
    }


def test_a_total_of_the_accounts_own_counts_and_not_the_sum() -> None:
    one = contact(("hubspotscore", -3, "60"), ("hubspotscore", 1, "65"), ("fit_score", -5, "30"))
    [event] = reader({**SCORES, "score.total": "hubspotscore"}).events(one)
    assert (event["data"]["score"]["total"], event["data"]["score"]["previous_total"]) == (65, 60)


def test_a_first_score_has_nothing_before_it() -> None:
    [event] = reader(SCORES).events(contact(("fit_score", 1, "30")))
    assert "previous_total" not in event["data"]["score"]


@pytest.mark.parametrize("value", ["", "n/a", "1e9", "nan", "inf"])
def test_what_is_no_score_is_told_by_nobody(value: str) -> None:
    assert points(value) is None
    assert reader(SCORES).events(contact(("fit_score", 1, value))) == []


def test_without_configured_names_there_are_no_scores() -> None:
    assert reader().events(contact(("fit_score", 1, "80"), ("hubspotscore", 1, "80"))) == []


# forms


FORMS = high_intent(
    ["Book a demo = demo_request", "a = b = pricing_inquiry", "Talk = manual_flag", "= demo_request"]
)


def test_lines_name_forms() -> None:
    assert FORMS == {"book a demo": "demo_request", "a = b": "pricing_inquiry"}
    assert high_intent(None) == high_intent("text") == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Book a Demo", "demo_request"),
        ("Pricing page: Book a demo", "demo_request"),
        ("A = B", "pricing_inquiry"),
        ("Newsletter", "form_submission"),
        ("Talk", "form_submission"),
    ],
)
def test_the_latest_form_is_an_activity(name: str, kind: str) -> None:
    one = contact(
        ("recent_conversion_event_name", 1, name),
        ("recent_conversion_date", 1, "1773136800000"),
        ("email", -9, "a@acme.example"),
    )
    [event] = [event for event in reader(forms=FORMS).events(one) if event["type"] == "lead.activity"]
    assert event["time"] == "2026-03-10T10:00:00.000Z"
    assert event["data"]["activities"] == [
        {
            "id": "/connections/hubspot-1/form/101/1773136800000",
            "kind": kind,
            "occurred_at": "2026-03-10T10:00:00.000Z",
            "title": name,
        }
    ]


# the flag


@pytest.mark.parametrize(
    ("takes", "source", "stage", "flags"),
    [
        (True, "CRM_UI", "marketingqualifiedlead", 1),
        (True, "AUTOMATION_PLATFORM", "marketingqualifiedlead", 1),
        (False, "CRM_UI", "marketingqualifiedlead", 0),
        (True, "INTEGRATION", "marketingqualifiedlead", 0),
        (True, "API", "marketingqualifiedlead", 0),
        (True, "", "marketingqualifiedlead", 0),
        (True, "CRM_UI", "salesqualifiedlead", 0),
    ],
)
def test_a_stage_is_a_flag_only_where_that_is_wanted_and_somebody_set_it(
    takes: bool, source: str, stage: str, flags: int
) -> None:
    one = contact(("lifecyclestage", 1, stage), source=source)
    found = reader(takes_flags=takes).events(one)
    assert [(event["type"], event["data"]["trigger"]["kind"]) for event in found] == [
        ("lead.qualified", "manual_flag")
    ] * flags


# whatever a contact says


TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    [
        "",
        "a@acme.example",
        "420",
        "25-50",
        "2026-03-10T10:00:00Z",
        "true",
        "x" * 3000,
        "-7",
        "1e400",
        "\x00\r",
    ]
)


@given(
    st.dictionaries(
        st.sampled_from([*USUAL.facts.values(), *SCORES.values(), "hs_email_optout", "lifecyclestage",
                         "recent_conversion_event_name", "recent_conversion_date"]),
        st.tuples(TEXT, st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))),
    )
)  # fmt: skip
def test_the_intake_takes_whatever_a_contact_says(given_: dict[str, tuple[str, datetime]]) -> None:
    histories = {name: [Version(value, at, "CRM_UI", "1")] for name, (value, at) in given_.items()}
    record = Record("101", {name: value for name, (value, _) in given_.items()}, NOW, histories)
    events = reader(SCORES, forms=FORMS, takes_flags=True).events(record)
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    for event in events:
        assert parse(event)[1] == []


def test_an_empty_mapping_says_nothing() -> None:
    assert reader(mapping=Map()).events(contact(("phone", 1, "1"))) == []
