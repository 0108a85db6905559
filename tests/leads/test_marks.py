"""A row of a list, its clock and its flags: each attribute there when it says something and not else."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from leads.presenters.clocks import Clock
from leads.presenters.flags import Flag
from leads.presenters.rows import DoneRow, Row
from leads.templatetags import drawn, marks

DUE = "2026-11-30T10:47:18+00:00"


def test_a_row_that_is_owed_nothing_has_no_clock() -> None:
    assert marks.clock(None) == ""


def test_a_day_that_is_only_told() -> None:
    shown = Clock(
        "Wed 09:00", state="later", caption="in 2 days", due=DUE, exact="Wed 2 Dec 2026, 09:00:00 CET"
    )
    assert marks.clock(shown) == (
        '<span class="clock" data-state="later" title="Wed 2 Dec 2026, 09:00:00 CET"><b>'
        '<svg class="i" aria-hidden="true"><use href="#i-later"/></svg><span data-words>Wed 09:00</span></b>'
        '<span class="mute">in 2 days</span></span>'
    )


def test_a_bar_that_goes_on_by_itself() -> None:
    shown = Clock(
        "3:12 left", caption="Demo, 5 min", is_demo=True, percent=64.0, due=DUE, exact="x", total=300
    )
    assert marks.clock(shown) == (
        f'<span class="clock" data-type="demo" data-due="{DUE}" data-total="300" title="x"><b>'
        '<svg class="i" aria-hidden="true"><use href="#i-none"/></svg><span data-words>3:12 left</span></b>'
        '<svg class="bar" aria-hidden="true"><rect width="64.0%" height="100%"/></svg>'
        '<span class="mute">Demo, 5 min</span></span>'
    )


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (
            Clock("x", total=60, due=DUE, closed="1/2 3/4"),
            f' data-due="{DUE}" data-total="60" data-closed="1/2 3/4" ',
        ),
        (Clock("x", total=60, due=DUE, names_day=True), f' data-due="{DUE}" data-total="60" data-day '),
        # What the page cannot go on with it is not told.
        (Clock("x", due=DUE, closed="1/2", names_day=True), '"clock" title=""'),
        (Clock("x", percent=0), 'width="0%"'),
        (Clock("<b>'\"&", caption="<i>", exact='"'), 'title="&quot;"><b>'),
        (Clock("<b>'\"&"), "<span data-words>&lt;b&gt;&#x27;&quot;&amp;</span>"),
    ],
)
def test_what_a_clock_says(shown: Clock, said: str) -> None:
    assert said in marks.clock(shown)


def test_flags_in_their_order_with_tone_and_icon_where_they_have_them() -> None:
    shown = [Flag("Do not call", "late", "no-call"), Flag("Hot again")]
    assert marks.flags(shown) == (
        ' <span class="flag" data-tone="late">'
        '<svg class="i" aria-hidden="true"><use href="#i-no-call"/></svg>'
        'Do not call</span> <span class="flag">Hot again</span>'
    )
    assert marks.flags(()) == ""
    assert "&lt;b&gt;" in marks.flags([Flag("<b>")])


def a_row(**more: Any) -> Row:
    values = {
        "id": 7,
        "revision": 3,
        "name": "Ada Okonkwo",
        "sub": "CRM Manager, Halvorsen",
        "why": "Score 81",
    }
    return Row(**{**values, "flags": (), "clock": Clock("3:12 left"), "is_demo": False, **more})


def test_a_row_leads_to_its_lead_and_ends_with_its_clock() -> None:
    shown = marks.row(a_row(flags=(Flag("Demo", "accent"),)), "?queue=dach&h=")
    assert shown == (
        '<a class="row" id="row-7" href="?queue=dach&amp;h=7" data-id="7" hx-get="?queue=dach&amp;h=7" '
        'hx-target="#lead" hx-swap="outerHTML" hx-push-url="true"><span><span class="row-name">Ada Okonkwo '
        '<span class="flag" data-tone="accent">Demo</span></span>'
        '<span class="row-sub">CRM Manager, Halvorsen</span><span class="row-why">Score 81</span></span>'
        f"{marks.clock(Clock('3:12 left'))}</a>"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"is_demo": True, "company": "H&B"}, ' data-demo="H&amp;B" '),
        ({"is_demo": True}, ' data-demo="" '),
        ({"company": "H&B"}, 'data-id="7" hx-get'),
        ({"is_current": True}, ' aria-current="true" '),
        ({"note": "“After the holidays”"}, '<span class="row-why">“After the holidays”</span>'),
        ({"sub": ""}, '</span><span class="row-why">'),
        ({"id": 1234567}, ' id="row-1234567" href="?h=1234567" data-id="1234567" '),
        ({"name": "<b>'\"&"}, '"row-name">&lt;b&gt;&#x27;&quot;&amp;</span>'),
        ({"clock": None}, '"row-why">Score 81</span></span></a>'),
    ],
)
def test_what_a_row_says(more: dict[str, Any], said: str) -> None:
    assert said in marks.row(a_row(**more), "?h=")


def test_no_word_of_a_lead_is_kept() -> None:
    """What is drawn once stays as long as the process, and somebody may be erased meanwhile."""
    known = drawn._drawn.cache_info().currsize, marks._clock.cache_info().currsize
    for number in range(3):
        marks.row(a_row(name=f"Somebody {number}", clock=None), "?h=")
        marks.done(DoneRow(number, f"Somebody {number}", "reached by phone", "10:44", "x", is_no=False))
    assert (drawn._drawn.cache_info().currsize, marks._clock.cache_info().currsize) == known


def test_a_clock_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = marks.clock(Clock("3:12 left"))
    monkeypatch.setattr(marks, "format_html", None)
    assert marks.clock(Clock("3:12 left")) is first
    with pytest.raises(TypeError):
        marks.clock(Clock("3:11 left"))


def test_what_was_finished_is_a_line() -> None:
    shown = DoneRow(7, "<b>Ada", "rejected, wrong fit", "10:44", "Mon 30 Nov 2026, 10:44:00 CET", is_no=True)
    assert marks.done(shown) == (
        '<a class="row row-done" id="row-7-done" href="/handoffs/7/"><svg class="i" aria-hidden="true">'
        '<use href="#i-cross"/></svg><span>&lt;b&gt;Ada</span><span class="mute">rejected, wrong fit</span>'
        '<span class="mute" title="Mon 30 Nov 2026, 10:44:00 CET">10:44</span></a>'
    )
    assert reverse("leads:handoff", args=[7]) == "/handoffs/7/"
    other = DoneRow(7, "Ada", "reached", "10:44", "x", is_no=False, is_current=True)
    assert 'href="/handoffs/7/" aria-current="true"><svg' in marks.done(other)
    assert "#i-check" in marks.done(other)
