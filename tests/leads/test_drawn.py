"""Parts of pages that are their values alone: drawn once for each, and never with another's values."""

from __future__ import annotations

from typing import Any

import pytest
from django.template import engines

from leads.templatetags import drawn
from leads.views.shell import NavItem

NAV = "components/_nav.html"


def _nav(label: str, count: str, **more: Any) -> str:
    item = NavItem(label, "/inbox/", "inbox", is_current=False, count=count)
    return drawn.drawn(NAV, items=(item,), foot="", has_keys=True, oob=False, **more)


def test_once_for_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _nav("Inbox", "3")
    monkeypatch.setattr(drawn, "render_to_string", None)
    assert _nav("Inbox", "3") is first
    with pytest.raises(TypeError):
        _nav("Inbox", "4")


def test_each_value_is_shown_and_no_other() -> None:
    assert [count in _nav("Inbox", count) for count in ("17", "18")] == [True, True]
    assert "17" not in _nav("Inbox", "18")


def test_words_from_outside_stay_words() -> None:
    assert "&lt;b&gt;Inbox" in _nav("<b>Inbox", "")


def test_where_templates_are_written_each_is_drawn_anew(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    first = _nav("Inbox", "3")
    monkeypatch.setattr(drawn, "render_to_string", lambda name, values: "another \n")
    assert _nav("Inbox", "3") == "another" != first


def test_the_memory_is_bounded() -> None:
    assert drawn._drawn.cache_info().maxsize == 1000


def test_it_takes_what_can_be_told_apart() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        drawn.drawn(NAV, items=[])


def test_the_page_says_the_part_and_its_values() -> None:
    page = engines["django"].from_string('{% load drawn %}{% drawn "components/keys.html" has_keys=off %}')
    assert "Single keys are switched off" in page.render({"off": False})
    assert "Single keys are switched off" not in page.render({"off": True})
