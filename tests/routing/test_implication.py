"""What is proved of conditions holds for every lead: asked of generated leads, and the plain cases named."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.conditions import evaluate
from routing.facts import Facts
from routing.implication import Meaning, Reader, disjoint, implies

LISTS = {"some": ["DE", "Webinar", "10"], "codes": ["80", "801 5"], "empty": [], "numbers": [5, "5.0", "x"]}
TERRITORIES: dict[str, dict[str, Any]] = {
    "dach": {"when": {"all": [{"field": "country", "op": "in", "value": ["DE", "AT"]}]}},
    "wide": {"when": {"any": [{"field": "country", "op": "present"}, {"field": "source", "op": "absent"}]}},
    "loop": {"when": {"all": [{"op": "in_territory", "value": "dach"}]}},
    "broken": {"when": {"all": [1]}},
}
READER = Reader(TERRITORIES, LISTS)


def leaf(field: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def meaning(*leaves: dict[str, Any], kind: str = "all") -> Meaning:
    return READER.meaning({kind: list(leaves)})


COUNTRIES, TEXTS = ["DE", "de", "AT", "US"], ["Web", "Webinar", "web shop", "shop", "10"]
POSTAL = ["80", "8015", "80 15", "9"]
RANGE = st.fixed_dictionaries({}, optional={"min": st.integers(0, 6), "max": st.integers(3, 9)}).filter(
    lambda span: span and span.get("min", 0) <= span.get("max", 9)
)


def several(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


LEAVES = st.one_of(
    st.builds(leaf, st.just("country"), st.just("in"), several(COUNTRIES)),
    st.builds(leaf, st.just("country"), st.just("equals"), st.sampled_from(COUNTRIES)),
    st.builds(leaf, st.sampled_from(["country", "source", "score_total", "technologies", "custom.plan"]),
              st.sampled_from(["present", "absent"])),
    st.builds(leaf, st.just("source"), st.sampled_from(["in", "starts_with", "contains_word"]),
              several(TEXTS)),
    st.builds(leaf, st.just("technologies"), st.sampled_from(["in", "contains_word"]), several(TEXTS)),
    st.builds(leaf, st.just("custom.plan"), st.sampled_from(["in", "starts_with", "contains_word"]),
              several([*TEXTS, 5, "5.0"])),
    st.builds(leaf, st.sampled_from(["score_total", "custom.plan"]), st.just("range"), RANGE),
    st.builds(leaf, st.just("score_total"), st.just("in"), several([3, 5, "5.0", 7])),
    st.builds(leaf, st.just("postal_code"), st.sampled_from(["in", "starts_with"]), several(POSTAL)),
    st.builds(leaf, st.sampled_from(["country", "source", "technologies", "custom.plan", "postal_code"]),
              st.just("in_list"), st.sampled_from(["some", "codes", "empty", "numbers", "gone"])),
    st.builds(lambda value: {"op": "in_territory", "value": value},
              several(["dach", "wide", "loop", "broken", "gone"])),
)  # fmt: skip
GROUPS = ("all", "any", "none")
NESTED = st.builds(
    lambda kind, parts: {kind: parts}, st.sampled_from(GROUPS), st.lists(LEAVES, min_size=1, max_size=2)
)
DOCS = st.one_of(
    st.just({"all": []}),
    st.builds(
        lambda kind, parts: {kind: parts},
        st.sampled_from(GROUPS),
        st.lists(st.one_of(LEAVES, NESTED), min_size=1, max_size=3),
    ),
)
FACTS = st.builds(
    Facts,
    country=st.sampled_from([None, *COUNTRIES]),
    source=st.sampled_from([None, "", *TEXTS]),
    postal_code=st.sampled_from([None, *POSTAL, "80155", "81"]),
    score_total=st.sampled_from([None, *range(10)]),
    technologies=st.lists(st.sampled_from(["", *TEXTS]), max_size=2).map(tuple),
    custom=st.dictionaries(st.just("plan"), st.sampled_from([None, True, 5, 5.0, 0.1234567, "5.00", *TEXTS])),
)


def holds(doc: Any, facts: Facts) -> bool:
    return evaluate(doc, facts, TERRITORIES, LISTS).matched


@settings(max_examples=200)
@given(DOCS, DOCS, st.lists(FACTS, min_size=20, max_size=20))
def test_what_is_proved_holds_for_every_lead(first: Any, second: Any, leads: list[Facts]) -> None:
    one, two = READER.meaning(first), READER.meaning(second)
    proved = [
        implies(one, two), implies(two, one), disjoint(one, two), one.is_impossible, one.is_everything,
    ]  # fmt: skip
    for facts in leads if any(proved) else ():
        a, b = holds(first, facts), holds(second, facts)
        wrong = [a and not b, b and not a, a and b, a, not a]
        assert not any(p and w for p, w in zip(proved, wrong, strict=True)), (first, second, facts)


@settings(max_examples=200)
@given(DOCS, LEAVES)
def test_a_document_implies_itself_and_whatever_is_left_of_it(doc: Any, more: dict[str, Any]) -> None:
    one = READER.meaning(doc)
    assert implies(one, one) or one.holds is None or len(one.holds) > 1
    if "all" in doc:
        narrower = READER.meaning({"all": [*doc["all"], more]})
        assert implies(narrower, one) or one.holds is None or len(one.holds) > 1


DE, DACH = leaf("country", "equals", "DE"), leaf("country", "in", ["de", "AT", "CH"])
SMALL, LARGE = leaf("employees", "range", {"max": 50}), leaf("employees", "range", {"min": 51})


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (meaning(DE), meaning()),
        (meaning(DE), meaning(DACH)),
        (meaning(DE, SMALL), meaning(DACH)),
        (meaning(DE), meaning(leaf("country", "present"))),
        (meaning({"op": "in_territory", "value": "dach"}), meaning(DACH)),
        (meaning(DE), meaning({"op": "in_territory", "value": ["dach", "gone"]})),
        (meaning(leaf("employees", "range", {"min": 10, "max": 20})), meaning(SMALL)),
        (meaning(leaf("employees", "in", [10, "20"])), meaning(SMALL)),
        (meaning(leaf("source", "starts_with", "Webinar 2")), meaning(leaf("source", "starts_with", "web"))),
        (meaning(leaf("source", "contains_word", "demo form")),
         meaning(leaf("source", "contains_word", "form"))),
        (meaning(leaf("postal_code", "equals", "80 155")), meaning(leaf("postal_code", "in_list", "codes"))),
        (meaning(DE, DACH, kind="any"), meaning(DACH)),
        (meaning(leaf("country", "absent")), meaning(DACH, kind="none")),
        (meaning(DACH, leaf("country", "in", ["AT", "CH", "US"]), leaf("country", "in", ["at"])),
         meaning(leaf("country", "equals", "AT"))),
        (meaning(DACH, {"none": [leaf("country", "in", ["AT", "CH"])]}), meaning(DE)),
        (READER.meaning({"nonsense": 1}), meaning(DE)),
    ],
)  # fmt: skip
def test_what_implies_what(narrow: Meaning, wide: Meaning) -> None:
    assert implies(narrow, wide)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (meaning(DACH), meaning(DE)),
        (meaning(), meaning(DE)),
        (meaning(DACH, kind="none"), meaning(leaf("country", "present"))),
        (meaning(leaf("source", "starts_with", "web")), meaning(leaf("source", "equals", "Web"))),
        (meaning(DE), meaning(leaf("country", "in_list", "empty"))),
    ],
)
def test_what_implies_nothing(one: Meaning, other: Meaning) -> None:
    assert not implies(one, other)


def test_what_excludes_what() -> None:
    assert disjoint(meaning(DE), meaning(leaf("country", "equals", "FR")))
    assert disjoint(meaning(SMALL), meaning(LARGE)) and not disjoint(meaning(SMALL), meaning(DE))
    assert disjoint(meaning(DE), meaning(DACH, kind="none"))
    assert disjoint(meaning(DE), meaning(leaf("country", "absent")))
    assert disjoint(
        meaning(leaf("postal_code", "starts_with", "80")), meaning(leaf("postal_code", "starts_with", "81"))
    )
    # A company may use both.
    assert not disjoint(
        meaning(leaf("technologies", "equals", "a")), meaning(leaf("technologies", "equals", "b"))
    )


def test_what_no_lead_meets_and_what_every_lead_meets() -> None:
    assert meaning(SMALL, LARGE).is_impossible and meaning(leaf("country", "in_list", "empty")).is_impossible
    assert meaning(DE, leaf("country", "absent")).is_impossible and not meaning(DE).is_impossible
    assert meaning().is_everything and not meaning(DE).is_everything
    assert not meaning(DE, DACH, kind="none").is_everything


def test_a_document_with_too_many_alternatives_is_not_judged() -> None:
    parts = [{"any": [leaf(f"custom.a{n}", "present"), leaf(f"custom.b{n}", "present")]} for n in range(7)]
    many = READER.meaning({"all": [*parts, DE]})
    assert many.holds is None
    assert not implies(many, meaning(DE)) and implies(many, meaning())
    assert implies(READER.meaning({"all": [*parts[:6], DE]}), meaning(DE))
