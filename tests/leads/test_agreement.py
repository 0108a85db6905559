"""The terms as values: they come back as they were kept, and two of them differ where they differ."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads import agreement
from leads.agreement import KINDS, MOST_POINTS, Promise, Reason, Terms, changed_reasons, lines
from leads.models import Agreement, Proposal, RejectionReason
from routing.models import SlaPolicy
from routing.sla import MOST_MINUTES, Target
from tests.conftest import Cast

targets = st.builds(Target, st.integers(1, MOST_MINUTES), st.booleans())
promises = st.builds(Promise, targets, targets, st.none() | targets, st.integers(1, MOST_MINUTES))
texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
reasons = st.builds(
    Reason, st.sampled_from("abcdef"), texts, st.sampled_from(["recycled", "triage"]), st.integers(0, 400)
)
every_terms = st.builds(
    Terms,
    done=texts,
    threshold=st.integers(0, MOST_POINTS),
    high_intent=st.lists(st.sampled_from(KINDS)).map(agreement.ordered),
    targets=st.fixed_dictionaries({"demo": promises, "standard": promises}),
    reasons=st.lists(reasons, unique_by=lambda reason: reason.code).map(tuple),
)


@given(every_terms)
def test_terms_come_back_as_they_were_kept(terms: Terms) -> None:
    assert Terms.of(Proposal(**terms.columns())) == terms
    assert agreement.problems(terms) == {}


@given(every_terms, every_terms)
def test_the_definition_changes_with_threshold_or_kinds_alone(one: Terms, other: Terms) -> None:
    same = dataclasses.replace(other, threshold=one.threshold, high_intent=one.high_intent)
    assert not agreement.changes_definition(one, same)
    assert agreement.changes_definition(one, dataclasses.replace(same, threshold=one.threshold + 1))


@given(st.lists(texts), st.lists(texts))
def test_lines_tell_both_texts(old: list[str], new: list[str]) -> None:
    found = lines("\n".join(old), "\n".join(new))
    assert [line.text for line in found if line.kind != "added"] == old
    assert [line.text for line in found if line.kind != "removed"] == new


def test_a_line_that_stays_is_said_once() -> None:
    assert [tuple(line) for line in lines("a\nb\nc", "a\nB\nc")] == [
        ("same", "a"), ("removed", "b"), ("added", "B"), ("same", "c"),
    ]  # fmt: skip


def test_reasons_that_came_went_and_changed() -> None:
    one, two, three = (Reason(code, code.upper(), "triage", 0) for code in "abc")
    other = two._replace(cool_off=90)
    assert changed_reasons((one, two), (other, three)) == [(two, other), (None, three), (one, None)]
    assert changed_reasons((one, two), (two, one)) == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"threshold": -1}, "threshold"),
        ({"threshold": MOST_POINTS + 1}, "threshold"),
        ({"accept": Target(0, True)}, "demo-accept"),
        ({"contact": Target(MOST_MINUTES + 1, True)}, "demo-contact"),
        ({"disposition": Target(0, False)}, "demo-disposition"),
        ({"figure": 0}, "demo-figure"),
    ],
)
def test_what_terms_may_not_be(changed: dict[str, Any], field: str) -> None:
    good = Promise(Target(5, False), Target(5, False), None, 5)
    terms = Terms("Done", 65, (), {"demo": good, "standard": good}, ())
    if "threshold" in changed:
        terms = dataclasses.replace(terms, **changed)
    else:
        terms = dataclasses.replace(
            terms, targets=terms.targets | {"demo": dataclasses.replace(good, **changed)}
        )
    assert list(agreement.problems(terms)) == [field]


def test_kinds_stand_in_one_order_and_a_score_is_none() -> None:
    assert agreement.ordered(["manual_flag", "score_threshold", "demo_request", "demo_request"]) == (
        "demo_request",
        "manual_flag",
    )


def test_what_is_live_is_read_from_the_default_policies_and_active_reasons(cast: Cast) -> None:
    row = Agreement.objects.get()
    assert agreement.targets_json(agreement.live_targets()) == row.targets
    assert agreement.live_reasons() == Terms.of(row).reasons
    SlaPolicy.objects.filter(slug="demo").update(accept_minutes=7, accept_business=True)
    RejectionReason.objects.filter(code="timing").update(is_active=False)
    assert agreement.live_targets()["demo"].accept == Target(7, True)
    assert "timing" not in [reason.code for reason in agreement.live_reasons()]
