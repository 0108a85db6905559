"""Folding: what compares equal, which words a row is found by, what a query asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.search import folding


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Björn", "bjorn"),
        ("Łukasz", "lukasz"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Ødegård", "odegard"),
        ("Þóra Æsir", "thora aesir"),
        ("İbrahim Yıldırım", "ibrahim yildirim"),
        ("Nguyễn", "nguyen"),
        ("ﬁnance", "finance"),
        ("王伟", "王伟"),
    ],
)
def test_case_accents_and_letters_of_their_own(text: str, folded: str) -> None:
    assert folding.fold(text) == folded


@given(
    st.text(
        st.sampled_from("aZ9 _-.'éİßﬁ²½Ⅷ٣王Łø\u0301\u200d\u00a0\n") | st.characters(exclude_categories=["Cs"])
    )
)
def test_words_are_the_runs_of_letters_and_digits(text: str) -> None:
    kept = "".join(char if char.isalnum() else " " for char in folding.fold(text))
    assert folding.words(text) == [word[: folding.LONGEST_WORD] for word in kept.split()]


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_text_is_folded_as_it_is_beside_an_accent(text: str) -> None:
    assert folding.fold(text) + "e" == folding.fold(f"{text}é")


def test_a_person_is_found_by_name_and_address() -> None:
    found = folding.lead_words("Jean-Luc", "O'Brien", "jl.picard@Enterprise.example")
    assert found == [
        "jean", "luc", "o", "brien", "obrien", "jl.picard@enterprise.example", "picard@enterprise.example",
    ]  # fmt: skip


def test_a_word_of_the_address_that_is_in_the_name_says_nothing_new() -> None:
    found = folding.lead_words("Anna", "Müller", "anna.muller@a.example")
    assert found == ["anna", "muller", "mueller", "anna.muller@a.example"]


def test_a_company_is_found_by_name_and_domain() -> None:
    found = folding.company_words("Halvorsen & Brandt GmbH", "halvorsen-brandt.co.uk")
    assert found == ["halvorsen", "brandt", "gmbh", "halvorsen-brandt.co.uk"]


@pytest.mark.parametrize("address", ["", "no address", "@", "@host", "a b@c.example"])
def test_what_is_no_address_gives_no_word(address: str) -> None:
    assert folding.lead_words("", "", address) == []


def test_a_row_has_no_more_words_than_are_kept() -> None:
    found = folding.lead_words(" ".join(f"w{number}" for number in range(900)), "x" * 2000, "a@b.example")
    assert len(found) == folding.MOST_WORDS
    assert max(map(len, folding.company_words("y" * 2000, "z" * 200 + ".example"))) == folding.LONGEST_WORD


@pytest.mark.parametrize(
    ("typed", "groups"),
    [
        ("hal bra", [(("hal",),), (("bra",),)]),
        ("Halvorsen & Brandt", [(("halvorsen",),), (("brandt",),)]),
        ("Jean-Luc", [(("jean", "luc"),)]),
        ("www.acme.co.uk/about", [(("www", "acme", "co", "uk", "about"), ("acme.co.uk",))]),
        ("% _ 🦊 --", []),
    ],
)
def test_what_a_query_asks_for(typed: str, groups: list[object]) -> None:
    assert [term.groups for term in folding.terms(typed, personal=True)] == groups


def test_an_address_asks_only_for_whoever_may() -> None:
    [mine] = folding.terms("new.one@acme-werke.com", personal=True)
    assert mine.groups == (("new.one@acme-werke.com",), ("acme-werke.com",))
    [not_mine] = folding.terms("new.one@acme-werke.com", personal=False)
    assert not_mine.groups == ()


@pytest.mark.parametrize(("typed", "is_short"), [("a", True), ("a b", True), ("ab", False), ("王", False)])
def test_single_letters_are_too_short(typed: str, is_short: bool) -> None:
    assert folding.is_short(folding.terms(typed, personal=True)) is is_short
