from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads import preflight
from leads.choices import ActivityKind, Check
from leads.models import Company, Lead, PreflightSettings, Score
from leads.preflight import Case, inspect, is_placeholder, missing, score_band
from routing.engine import Decision

WORDS = frozenset(preflight.DEFAULT_PLACEHOLDERS)
MATCHED = Decision("7", "All leads", None, None, (), {})
CLEAN = Case(
    lead=Lead(email="jane@acme.com", email_key="jane@acme.com", first_name="Jane", last_name="Doe"),
    company=Company(name="Acme", domain="acme.com", size_band="51-200"),
    trigger="score_threshold",
    trigger_reason="",
    lead_type="standard",
    score=Score(total=80, fit=40, intent=20, behavior=20),
    has_signal=True,
)


def settings(**fields):
    return PreflightSettings(placeholders=list(WORDS), **fields)


def held(case=CLEAN, decision=MATCHED, **fields):
    return missing(inspect(case, settings(**fields), decision))


def with_lead(**fields):
    return replace(
        CLEAN, lead=Lead(**{"email": "jane@acme.com", "first_name": "Jane", "last_name": "Doe"} | fields)
    )


def test_a_clean_case_passes_all_nine_in_order():
    found = inspect(CLEAN, settings(), MATCHED)
    assert [finding.check for finding in found] == list(Check.values)
    assert [finding.passed for finding in found] == [True] * 9


@pytest.mark.parametrize(
    "email",
    [
        "",
        "jane",
        "jane@acme",
        "jane@",
        "a b@acme.com",
        "jane@acme..com",
        "jane@-acme.com",
        "<jane@acme.com>",
        "jane@gmail.com",
        "j.d+x@googlemail.com",
        "jane@yahoo.co.in",
        "jane@hotmail.fr",
        "jane@mailinator.com",
    ],
)
def test_no_business_address(email):
    assert held(with_lead(email=email)) == ["business_email"]


@pytest.mark.parametrize("email", ["jane@acme.com", "JANE+x@ACME.COM", "josé@acme.com", "jane@münchen.de"])
def test_a_business_address(email):
    assert held(with_lead(email=email)) == []


@pytest.mark.parametrize(
    "word",
    [
        "",
        " ",
        "test",
        "TEST",
        " Test ",
        "asdf",
        "n/a",
        "N/A",
        "none",
        "self",
        "-",
        ".",
        "x",
        "J",
        "J.",
        "É",
        "12345",
        "12 34",
        "???",
        "--",
        "🙂",
        "\u200b",
        "ﷺ" * 0,
    ],
)
def test_placeholders(word):
    assert is_placeholder(word, WORDS) is True
    assert held(with_lead(first_name=word)) == ["full_name"]
    assert held(with_lead(last_name=word)) == ["full_name"]
    assert held(replace(CLEAN, company=Company(name=word, size_band="1-10"))) == ["company_name"]


@pytest.mark.parametrize(
    "word", ["Jo", "Testa", "Ng", "李", "Ö3", "O'Neill", "3M", "محمد", "Self Storage Ltd", "J. R."]
)
def test_names(word):
    assert is_placeholder(word, WORDS) is False


@given(st.text(max_size=60))
def test_any_text_is_judged_the_same_with_spaces_and_case(text):
    assert is_placeholder(text, WORDS) is is_placeholder(f"  {text}\t", WORDS)


def test_the_list_of_placeholders_is_editable():
    case = with_lead(first_name="Mickey")
    assert missing(inspect(case, PreflightSettings(placeholders=["Mickey"]), MATCHED)) == ["full_name"]
    assert (
        missing(inspect(with_lead(first_name="test"), PreflightSettings(placeholders=["Mickey"]), MATCHED))
        == []
    )
    # An empty list is nobody's intention.
    assert missing(inspect(with_lead(first_name="test"), PreflightSettings(), MATCHED)) == ["full_name"]


@pytest.mark.parametrize(
    ("company", "attempted", "expected"),
    [
        (Company(name="Acme", size_band="1-10"), False, []),
        (Company(name="Acme", employee_count=3), False, []),
        (Company(name="Acme"), False, ["company_size_band"]),
        (Company(name="Acme"), True, []),
        (None, True, ["company_name"]),
        (None, False, ["company_name", "company_size_band"]),
    ],
)
def test_the_size_band(company, attempted, expected):
    assert held(replace(CLEAN, company=company, enrichment_attempted=attempted)) == expected


@pytest.mark.parametrize(("trigger", "expected"), [("", ["trigger_event"]), ("manual_flag", [])])
def test_the_trigger_event(trigger, expected):
    assert held(replace(CLEAN, trigger=trigger)) == expected


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (None, ["score_breakdown"]),
        (Score(total=80), ["score_breakdown"]),
        (Score(total=80, fit=40, intent=40), ["score_breakdown"]),
        (Score(total=0, fit=0, intent=0, behavior=0), []),
    ],
)
def test_the_breakdown(score, expected):
    assert held(replace(CLEAN, score=score)) == expected


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("score_threshold", ["behavioral_signal"]),
        ("manual_flag", ["behavioral_signal"]),
        ("demo_request", []),
        ("pricing_inquiry", []),
    ],
)
def test_a_high_intent_trigger_is_a_signal(trigger, expected):
    assert held(replace(CLEAN, trigger=trigger, has_signal=False)) == expected


def test_what_is_no_signal():
    from leads.choices import NOT_A_SIGNAL

    assert {ActivityKind.EMAIL_SENT, ActivityKind.EMAIL_OPEN, ActivityKind.UNSUBSCRIBE} == NOT_A_SIGNAL


def test_no_rule_names_the_absent_facts():
    nothing = Decision(None, None, None, None, (), {}, lambda: ("country", "industry"))
    [finding] = [f for f in inspect(CLEAN, settings(), nothing) if f.holds]
    assert (finding.check, finding.detail) == (
        "routing_rule",
        "No rule matches; not known: country, industry.",
    )


def test_a_possible_duplicate():
    assert held(replace(CLEAN, has_duplicate=True)) == ["deduplication"]


def test_checks_can_be_switched_off_and_fields_required():
    case = with_lead(email="jane@gmail.com")
    assert held(case, disabled_checks=["business_email"]) == []
    assert held(required_fields=["job_title", "nonsense", "__class__"]) == ["job_title"]
    assert held(with_lead(job_title="CTO"), required_fields=["job_title"]) == []


def test_waivers_let_pass_what_failed_and_nothing_else():
    case = replace(CLEAN, score=None, waived={"score_breakdown": "known by phone", "full_name": "no need"})
    found = {finding.check: finding for finding in inspect(case, settings(), MATCHED)}
    assert (found["score_breakdown"].passed, found["score_breakdown"].waived) == (False, True)
    assert (found["full_name"].passed, found["full_name"].waived) == (True, False)
    assert held(case) == []
    assert held(replace(CLEAN, waived={"job_title": "x"}), required_fields=["job_title"]) == []


def test_what_a_rep_says_is_a_finding_that_no_waiver_lets_pass():
    case = replace(CLEAN, complaints=("wrong number", "moved on"), waived={"bad_data": "x"})
    found = [finding.detail for finding in inspect(case, settings(), MATCHED) if finding.holds]
    assert found == ["The rep says: wrong number", "The rep says: moved on"]
    assert held(case) == ["bad_data"]


@pytest.mark.parametrize(
    ("total", "band"),
    [
        (-5, "0-49"),
        (0, "0-49"),
        (49, "0-49"),
        (50, "50-64"),
        (64, "50-64"),
        (65, "65-79"),
        (79, "65-79"),
        (80, "80+"),
        (10**9, "80+"),
    ],
)
def test_score_bands(total, band):
    assert score_band(total) == band


def test_facts_are_plain_and_empty_is_absent():
    facts = Case(Lead(), None, "", "", "", None).facts().to_json()
    assert {key: value for key, value in facts.items() if value not in (None, [], {}, ())} == {}
    facts = CLEAN.facts()
    assert (facts.company_domain, facts.email_domain, facts.score_band) == ("acme.com", "acme.com", "80+")
