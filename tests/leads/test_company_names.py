"""Company names as keys: what is the same company's name, and what no way of writing it changes."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads import company_names, identity

PIECES = (
    "a", "b", "s", "p", "z", "o", "l", "gmbh", "co", "kg", "and", "&", "und", "et", "foo", "bar", "llc", "sa",
    "ltd", "private", "de", "cv", "r", "k", "ооо", "ромашка", "株", "株式会社", "トヨタ株式会社",
)  # fmt: skip
FORMS = (
    "GmbH", "AG", "SE", "KG", "GmbH & Co. KG", "Ltd", "Limited", "LLC", "Inc", "Corp", "Co", "PLC", "BV",
    "NV", "SA", "SAS", "SARL", "SpA", "Srl", "SL", "Oy", "AB", "ApS", "A/S", "AS", "Pty", "Pvt", "Sp. z o.o.",
    "s.r.o.", "K.K.", "株式会社", "ООО", "S. A.", "G.m.b.H.", "B. V.", "Pty Ltd", "Co., Ltd.",
)  # fmt: skip
NAMES = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=9).map(" ".join), st.text(min_size=290)
)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("siemens", "Siemens AG | SIEMENS A.G. | siemens | Siemens  A. G. | Siemens Aktiengesellschaft"),
        (
            "muller and sohne",
            "Müller & Söhne GmbH & Co. KG | Muller und Sohne | MÜLLER AND SÖHNE GmbH + Co KG",
        ),
        (
            "halvorsen logistics",
            "Halvorsen Logistics AS | Halvorsen-Logistics, A/S | Halvorsen Logistics Ltd.",
        ),
        ("orlen", "Orlen Sp. z o.o. | ORLEN sp z oo | Orlen S.A. | Orlen"),
        ("cez", "ČEZ, a. s. | CEZ a.s. | Čez s.r.o."),
        ("jp morgan", "J.P. Morgan & Co. | J. P. Morgan | JP Morgan Inc"),
        ("at and t", "AT&T Inc. | AT & T | AT and T Corp"),
        ("coca cola", "Coca-Cola Co., Ltd. | Coca-Cola Company | Coca Cola"),
        ("tata motors", "Tata Motors Private Limited | Tata Motors Pvt. Ltd. | TATA Motors Pvt Limited"),
        (
            "grupo bimbo",
            "Grupo Bimbo, S.A.B. de C.V. | Grupo Bimbo S. de R.L. de C.V. | Grupo Bimbo SA de CV",
        ),
        ("ромашка", "ООО «Ромашка» | Ромашка ООО | О.О.О. Ромашка | АО Ромашка"),
        ("トヨタ", "トヨタ株式会社 | 株式会社トヨタ | ㈱トヨタ | トヨタ 株式会社 | トヨタ K.K."),
        ("mcdonalds", "McDonald's Corp | McDonald’s | MCDONALDS CORPORATION"),
        ("lodz", "Łódź S.A. | lodz"),
        ("aero", "Ærø ApS | AERO Oy"),
        ("dupont", "Dupont et Cie | DuPont SAS | Dupont S.à r.l."),
        ("spotify", "Spotify AB (publ) | Spotify S. A."),
        ("gmbh", "GmbH | GmbH & Co. KG"),
        ("plan b", "Plan B S.A. | Plan B"),
        ("★", "★ |  ★ "),
    ],
)
def test_one_company_has_one_key(key: str, names: str) -> None:
    assert {identity.account_key(name) for name in names.split("|")} == {key}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Halvorsen Logistics", "Halvorsen Shipping"),
        ("Siemens", "Siemens Energy AG"),
        ("Agfa", "Fa"),
        ("Costa SA", "Cost AS"),
        ("Inco", "In"),
        ("Sage", "Se"),
    ],
)
def test_other_names_keep_other_keys(one: str, other: str) -> None:
    assert identity.account_key(one) != identity.account_key(other)


@given(NAMES)
@example("foo and co and co")
@example("gmbh and")
@example("´'")
@example("a" * 299 + " ag")
def test_a_key_is_its_own_key(name: str) -> None:
    key = company_names.key(name)
    assert company_names.key(key) == key
    assert len(key) <= 300
    assert key == " ".join(key.split())


@given(NAMES)
def test_a_name_always_has_a_key(name: str) -> None:
    is_empty = not any(char.isprintable() and not char.isspace() for char in name)
    assert (company_names.key(name) == "") is is_empty


@given(NAMES)
def test_case_says_nothing(name: str) -> None:
    assert company_names.key(name.upper()) == company_names.key(name) == company_names.key(name.swapcase())


@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8),
    st.lists(st.sampled_from(' .,;:-/()"*'), min_size=9),
)
def test_marks_between_words_say_nothing(words: list[str], marks: list[str]) -> None:
    marked = "".join(f"{word}{mark} " for word, mark in zip(words, marks, strict=False))
    assert company_names.key(marked) == company_names.key(" ".join(words))


@given(st.sampled_from(["Halvorsen Logistics", "Müller und Söhne", "J. P. Morgan"]), st.sampled_from(FORMS))
def test_each_legal_form_goes(name: str, form: str) -> None:
    assert company_names.key(f"{name} {form}") == company_names.key(name)
    assert company_names.key(f"{name}, {form.upper()}") == company_names.key(name)


def test_a_name_in_another_order_is_looked_for_by_each_of_its_words() -> None:
    assert company_names.starts("halvorsen logistics", 4) == ["halv", "logi"]
    assert company_names.starts("at and t", 4) == ["at a", "t at"]
    assert company_names.starts("bp", 4) == ["bp"]
    assert company_names.starts("", 4) == []
    assert not any(re.search(r"\s$", key) for key in company_names.starts("a b c d e f", 1))
