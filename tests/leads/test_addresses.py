"""The paths of our own pages: looked up once, and nothing where this site has no such page."""

from __future__ import annotations

import pytest
from django.template import engines
from django.urls import NoReverseMatch, set_script_prefix

from leads.presenters import addresses


def test_a_page_has_one_and_what_is_none_has_none() -> None:
    assert addresses.address("leads:help") == "/help/"
    assert addresses.address("leads:nowhere") == ""


def test_each_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses.address("leads:help")
    monkeypatch.setattr(addresses, "reverse", None)
    assert addresses.address("leads:help") == "/help/"


def test_a_site_below_another_path_has_others() -> None:
    try:
        set_script_prefix("/crm/")
        assert addresses.address("leads:help") == "/crm/help/"
    finally:
        set_script_prefix("/")
    assert addresses.address("leads:help") == "/help/"


def test_the_tag_gives_it() -> None:
    assert _drawn("{% address 'leads:inbox' %}") == "/inbox/"
    with pytest.raises(NoReverseMatch):
        _drawn("{% address 'leads:imbox' %}")


def _drawn(text: str) -> str:
    return engines["django"].from_string("{% load addresses %}" + text).render()
