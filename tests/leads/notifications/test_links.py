"""Tokens of one-tap links: what they say, how long, and that nobody else can make one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.signing import Signer

from leads.models import Handoff
from leads.notifications import links
from tests import factories
from tests.conftest import NOW, Cast


@pytest.fixture
def held(cast: Cast) -> Handoff:
    return factories.make_handoff("assigned", cast.femke)


def test_a_token_says_who_may_do_what_to_which_until_when(cast: Cast, held: Handoff) -> None:
    token = links.token(cast.femke, held, "accept", NOW)
    assert links.read(token) == links.Link(held.pk, cast.femke.pk, "accept", 1, NOW + timedelta(hours=72))
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_tokens_of_other_verbs_people_and_moments_differ(cast: Cast, held: Handoff) -> None:
    made = {
        links.token(user, held, verb, NOW + timedelta(seconds=seconds))
        for user in (cast.femke, cast.jonas)
        for verb in links.VERBS
        for seconds in (0, 1)
    }
    assert len(made) == 8 and len({links.digest(token) for token in made}) == 8
    assert {len(links.digest(token)) for token in made} == {64}


def test_a_token_that_was_touched_is_none(cast: Cast, held: Handoff) -> None:
    token = links.token(cast.femke, held, "accept", NOW)
    for at in range(len(token)):
        other = "A" if token[at] != "A" else "B"
        assert links.read(token[:at] + other + token[at + 1 :]) is None
    for text in ("", ".", "x", token[:-1], token + "x", token.replace(".", ""), "\u00e9" * 20, "." + token):
        assert links.read(text) is None


def test_what_was_signed_for_something_else_is_none(cast: Cast, held: Handoff) -> None:
    said = [held.pk, cast.femke.pk, "accept", 1, 2**40]
    assert links.read(Signer(salt="another", sep=".").sign_object(said)) is None
    for wrong in ({}, [1], said[:4], [*said[:4], "soon"]):
        assert links.read(Signer(salt="leads.one_tap", sep=".").sign_object(wrong)) is None


@pytest.mark.parametrize("kind", ["assigned", "accept_50", "accept_80", "accept_breach"])
def test_links_are_offered_to_whoever_owes_the_answer(cast: Cast, held: Handoff, kind: str) -> None:
    assert links.offers(kind, cast.femke, held)
    assert not links.offers(kind, cast.mia, held)
    held.state = "accepted"
    assert not links.offers(kind, cast.femke, held)


def test_other_messages_offer_none(cast: Cast, held: Handoff) -> None:
    assert not links.offers("contact_breach", cast.femke, held)
