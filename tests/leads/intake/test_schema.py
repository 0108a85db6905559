"""What is valid at the door, and where and in which words the rest is refused."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.choices import ActivityKind
from leads.intake.schema import parse
from tests.factories import event


def changed(path, value, **data):
    """A valid event with the value at a JSON pointer replaced."""
    made = event(1, **data)
    *parents, last = path.strip("/").split("/")
    part = made
    for name in parents:
        part = part[int(name)] if isinstance(part, list) else part[name]
    part[last] = value
    return made


def problems(raw):
    found, wrong = parse(raw)
    assert (found is None) == bool(wrong)
    return [(problem["pointer"], problem["code"]) for problem in wrong]


def test_a_valid_event():
    found, wrong = parse(event(1))
    assert wrong == []
    assert (found.id, found.source, found.type) == ("ev-1", "/map/test", "lead.qualified")
    assert found.time == datetime(2026, 3, 10, 10, tzinfo=UTC)
    assert found.identity().email_key == "adaeze1@halvorsen-1.com"
    assert found.identity().external_ids == (("map", "contact", "1"),)


def test_the_example_of_the_contract():
    raw = {
        "specversion": "1.0", "id": "1", "source": "/map/main", "type": "lead.qualified",
        "time": "2026-03-10T10:00:00Z",
        "data": {
            "lead": {
                "external_ids": [{"system": "mautic", "object": "contact", "id": "15"}],
                "email": "a@acme.com",
                "first_name": "A", "last_name": "B", "job_title": "C", "phone": "+49", "country_code": "de",
                "region": "", "postal_code": "10115", "timezone": "Europe/Berlin", "language": "de",
                "linkedin_url": "https://linkedin.com/in/a",
                "consent": {"email_opt_out": False, "do_not_call": False}, "custom": {"n": 1, "b": True},
            },
            "company": {
                "name": "Acme", "domain": "acme.com", "website": "https://acme.com", "industry": "x",
                "employee_count": 420, "size_band": "201-500",
                "annual_revenue": {"amount": "52000000", "currency": "EUR"}, "country_code": "DE",
                "technologies": ["x"], "news": [{"title": "t", "url": "u", "date": "2026-01-01"}],
            },
            "score": {
                "total": 87, "previous_total": 64, "scored_at": "2026-03-10T10:00:00+01:00",
                "fit": {"score": 40, "max": 50, "reasons": [{"code": "c", "label": "l", "points": 15}]},
                "intent": {"score": 22, "max": 25, "reasons": []},
                "behavior": {"score": 25, "max": 25, "reasons": []},
            },
            "activities": [
                {
                    "id": "1", "kind": "page_view", "occurred_at": "2026-03-10T10:00:00.123456789Z",
                    "title": "t", "url": "u", "campaign": "c", "points": 4,
                    "properties": {"deep": {"er": [1]}},
                }
            ],
            "source": {"lead_source": "Webinar", "utm_source": "x", "landing_page": "y"},
            "trigger": {
                "kind": "score_threshold", "reason": "r", "activity_id": "1",
                "occurred_at": "2026-03-10T10:00:00Z",
            },
        },
    }  # fmt: skip
    found, wrong = parse(raw)
    assert wrong == []
    data = found.data
    assert (data.lead.country_code, data.company.annual_revenue.amount) == ("DE", Decimal("52000000"))
    assert data.score.scored_at == datetime(2026, 3, 10, 9, tzinfo=UTC)
    assert data.activities[0].occurred_at == datetime(2026, 3, 10, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("raw", [None, 1, "x", [], True, 1.5])
def test_not_an_object(raw):
    assert problems(raw) == [("", "not_an_object")]


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "data"])
def test_what_is_required(name):
    raw = event(1)
    del raw[name]
    assert problems(raw) == [(f"/{name}", "missing")]
    raw[name] = None
    [(pointer, _)] = problems(raw)
    assert pointer == f"/{name}"


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/id", "", "string_too_short"),
        ("/id", " ", "string_too_short"),
        ("/id", "x" * 201, "string_too_long"),
        ("/id", 7, "string_type"),
        ("/specversion", "0.3", "literal_error"),
        ("/type", "lead.exploded", "unknown_type"),
        ("/time", "yesterday", "value_error"),
        ("/time", "2026-03-10", "value_error"),
        ("/time", "2026-03-10T10:00:00", "value_error"),
        ("/time", "2026-02-30T10:00:00Z", "value_error"),
        ("/time", "1989-12-31T23:59:59Z", "value_error"),
        ("/time", "2200-01-01T00:00:00Z", "value_error"),
        ("/time", "0001-01-01T00:00:00+14:00", "value_error"),
        ("/time", "9999-12-31T23:59:59-14:00", "value_error"),
        ("/time", 1773136800, "value_error"),
        ("/data/lead", [], "model_type"),
        ("/data/lead/country_code", "Germany", "value_error"),
        ("/data/lead/email", "a" * 321 + "@acme.com", "string_too_long"),
        ("/data/lead/custom/a", {"b": 1}, "value_error"),
        ("/data/lead/custom/a", [1], "value_error"),
        ("/data/company/employee_count", -1, "greater_than_equal"),
        ("/data/company/employee_count", "many", "int_parsing"),
        ("/data/company/employee_count", 12.5, "int_from_float"),
        ("/data/company/size_band", "200-500", "value_error"),
        ("/data/score/total", 64.5, "int_from_float"),
        ("/data/score/total", "NaN", "int_parsing"),
        ("/data/score/total", 10**7, "less_than_equal"),
        ("/data/trigger/kind", "whim", "literal_error"),
        ("/data/activities/0/kind", "teleported", "literal_error"),
        ("/data/activities/0/occurred_at", "soon", "value_error"),
    ],
)
def test_each_problem_names_its_place(pointer, value, code):
    assert problems(changed(pointer, value, lead={"custom": {}})) == [(pointer, code)]


def test_a_key_that_is_too_long_is_named():
    key = "k" * 101
    assert problems(event(1, lead={"custom": {key: 1}})) == [(f"/data/lead/custom/{key}", "string_too_long")]


@pytest.mark.parametrize(
    ("merged_from", "expected"),
    [
        (None, [("/data/merged_from", "missing")]),
        ([], [("/data/merged_from", "missing")]),
        ([{"email": "old@acme.com"}, {"system": "map", "id": "7"}], []),
        ([{"email": "old@acme.com"}, {"system": "map"}], [("/data/merged_from/1", "no_identity")]),
        ([{"email": "nobody"}], [("/data/merged_from/0", "no_identity")]),
        ([{"system": "map", "id": 7}], [("/data/merged_from/0/id", "string_type")]),
        ([{"email": "a@acme.com"}] * 51, [("/data/merged_from", "too_long")]),
    ],
)
def test_a_merge_names_whom_it_merges(merged_from, expected):
    made = event(1, type="lead.merged", merged_from=merged_from)
    assert problems(made) == expected
    # Of other events it is no part.
    assert problems(made | {"type": "lead.updated"}) == [
        x for x in expected if x[1] in ("string_type", "too_long")
    ]


@pytest.mark.parametrize("kind", ActivityKind.values)
def test_every_kind_of_activity(kind):
    assert problems(changed("/data/activities/0/kind", kind)) == []


@pytest.mark.parametrize(
    ("email", "ids", "expected"),
    [
        ("jane@acme.com", [], []),
        (None, [{"system": "map", "id": "1"}], []),
        ("", [{"system": "map", "id": "1"}], []),
        # Not an address, so it names nobody; the id does, and the checks will hold it.
        ("n/a", [{"system": "map", "id": "1"}], []),
        ("n/a", [], [("/data/lead/email", "not_an_address")]),
        ("jane@acme", [], [("/data/lead/email", "not_an_address")]),
        (" ", [], [("/data/lead", "no_identity")]),
        (None, [], [("/data/lead", "no_identity")]),
        (None, None, [("/data/lead", "no_identity")]),
        ("jane@acme.com", None, []),
        (None, [{"system": "", "id": "1"}], [("/data/lead/external_ids/0/system", "string_too_short")]),
        (None, [{"system": "map", "id": " "}], [("/data/lead/external_ids/0/id", "string_too_short")]),
    ],
)
def test_somebody_must_be_named(email, ids, expected):
    assert problems(event(1, lead={"email": email, "external_ids": ids})) == expected


NASTY = ["\x00", "\x01", "\x0b", "\x1f", "\x7f", "\x85", "\x9f", "\ud800", "\udfff", "\r", "\x1b[31m"]


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize(
    "pointer",
    [
        "/id",
        "/source",
        "/data/lead/first_name",
        "/data/lead/email",
        "/data/activities/0/title",
        "/data/whatever",
        "/data/lead/custom",
        "/data/activities/0/properties",
    ],
)
def test_control_characters_are_refused_everywhere(pointer, nasty):
    holds = pointer.endswith(("custom", "properties"))
    value = {"note": f"a{nasty}b"} if holds else f"a{nasty}b"
    place = f"{pointer}/note" if holds else pointer
    assert problems(changed(pointer, value)) == [(place, "control_character")]


@pytest.mark.parametrize("nasty", NASTY)
def test_control_characters_in_a_key_are_refused(nasty):
    raw = changed("/data/lead/custom", {f"a{nasty}b": 1})
    assert problems(raw) == [("/data/lead/custom", "bad_key")]
    # The words never repeat what was refused.
    assert nasty not in json.dumps(parse(raw)[1], ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        "a\tb\nc",
        "a\r\nb",
        "<b onmouseover=alert(1)>x</b>",
        "'; DROP TABLE leads;--",
        "{{ 7*7 }}",
        "=cmd|' /C'!A0",
        "\u202eRTL\u202c",
        "🙂🏽\u200d",
        "שלום",
        "İ",
        "a" * 2000,
        "\u2028",
        "../../etc/passwd",
        "%00",
    ],
)
def test_hostile_text_is_taken_as_text(text):
    found, wrong = parse(changed("/data/lead/job_title", text))
    assert (wrong, found.data.lead.job_title) == ([], text.strip())


def test_a_javascript_address_is_only_text_here():
    found, _ = parse(changed("/data/activities/0/url", "javascript:alert(1)"))
    assert found.data.activities[0].url == "javascript:alert(1)"


@pytest.mark.parametrize(
    "pointer",
    ["/data/lead/job_title", "/data/unknown", "/data/activities/0/title", "/data/trigger/reason"],
)
def test_two_thousand_characters_and_no_more(pointer):
    assert problems(changed(pointer, "x" * 2000)) == []
    assert problems(changed(pointer, "x" * 2001)) == [(pointer, "too_long")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (float("nan"), "not_finite"),
        (float("inf"), "not_finite"),
        (2**63, "too_large"),
        (-(10**4000), "too_large"),
        (2**63 - 1, None),
        (1e308, None),
        (True, None),
    ],
)
def test_numbers(value, code):
    pointer = "/data/activities/0/properties"
    expected = [] if code is None else [(f"{pointer}/n", code)]
    assert problems(changed(pointer, {"n": value})) == expected


def nested(depth, leaf=1):
    for _ in range(depth):
        leaf = {"a": leaf}
    return leaf


def test_depth_and_breadth_are_bounded():
    assert problems(changed("/data/deep", nested(6))) == []
    assert [code for _, code in problems(changed("/data/deep", nested(9)))] == ["too_complex"]
    assert [code for _, code in problems(changed("/data/deep", nested(100_000)))] == ["too_complex"]
    wide = {str(number): 1 for number in range(201)}
    assert problems(changed("/data/wide", wide)) == [("/data/wide", "too_complex")]
    assert problems(changed("/data/long", [1] * 1001)) == [("/data/long", "too_complex")]
    custom = {str(number): 1 for number in range(101)}
    assert problems(changed("/data/lead/custom", custom)) == [("/data/lead/custom", "too_long")]


def test_at_most_two_hundred_activities():
    activity = {"kind": "page_view"}
    assert problems(event(1, activities=[activity] * 200)) == []
    assert problems(event(1, activities=[activity] * 201)) == [("/data/activities", "too_long")]


def test_at_most_twenty_problems_are_listed():
    raw = event(1, activities=[{"kind": "page_view", "title": "\x00"}] * 100)
    assert len(problems(raw)) == 20


def test_pointers_are_escaped():
    assert problems(changed("/data/lead/custom", {"a/b~c": "\x00"})) == [
        ("/data/lead/custom/a~1b~0c", "control_character")
    ]


def test_unknown_members_are_ignored_and_null_says_nothing_where_it_cannot_clear():
    raw = event(1, lead={"shoe_size": 44, "external_ids": None}, company={"news": None, "name": None})
    raw["datacontenttype"], raw["subject"] = "application/json", None
    raw["data"]["activities"] = [{"kind": "page_view", "title": None, "url": None, "properties": None}]
    raw["data"]["score"]["fit"]["reasons"] = None
    raw["data"]["trigger"] |= {"reason": None, "activity_id": None}
    found, wrong = parse(raw)
    assert wrong == []
    assert (found.data.activities[0].title, found.data.activities[0].properties) == ("", {})
    assert (found.data.score.fit.reasons, found.data.trigger.activity_id) == ([], "")
    # Where null clears, it is kept as a statement.
    assert {"name", "news"} <= found.data.company.model_fields_set
    assert parse(changed("/data/activities", None))[0].data.activities == []


@pytest.mark.parametrize("kind", ["created", "won", "lost"])
def test_opportunities(kind):
    raw = event(1, type=f"opportunity.{kind}")
    assert problems(raw) == [("/data/opportunity", "missing")]
    raw["data"]["opportunity"] = {"amount": "12500.50"}
    assert problems(raw) == [("/data/opportunity/currency", "missing")]
    raw["data"]["opportunity"]["currency"] = "eur"
    assert parse(raw)[0].data.opportunity.currency == "EUR"


@pytest.mark.parametrize(
    "amount", ["-1", "NaN", "Infinity", "1e5", "1,000", "0x10", True, [], 10**15, "9" * 16]
)
def test_amounts(amount):
    raw = event(1, type="opportunity.won", opportunity={"amount": amount, "currency": "EUR"})
    assert [pointer for pointer, _ in problems(raw)] == ["/data/opportunity/amount"]


def test_parsing_changes_nothing_of_what_was_sent():
    raw = event(1, lead={"external_ids": None})
    before = copy.deepcopy(raw)
    parse(raw)
    assert raw == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PLACES = (
    "/id", "/source", "/type", "/time", "/data", "/data/lead", "/data/lead/email", "/data/lead/external_ids",
    "/data/lead/custom", "/data/lead/consent", "/data/company", "/data/company/annual_revenue",
    "/data/company/technologies", "/data/company/news", "/data/score", "/data/score/total", "/data/score/fit",
    "/data/activities", "/data/trigger", "/data/trigger/occurred_at", "/data/opportunity", "/data/source",
)  # fmt: skip


@given(st.sampled_from(PLACES), json_values)
def test_whatever_comes_is_an_event_or_has_problems(place, value):
    found, wrong = parse(changed(place, value))
    assert (found is None) == bool(wrong)
    for problem in wrong:
        assert set(problem) == {"pointer", "code", "detail"}
        assert problem["pointer"] == "" or problem["pointer"].startswith("/")
        assert problem["code"] and problem["detail"]
        problem["detail"].encode()
