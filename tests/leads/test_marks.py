"""The marks of a row: its clock and its flags, each attribute there when it says something and not else."""

from __future__ import annotations

import pytest

from leads.presenters.clocks import Clock
from leads.presenters.flags import Flag
from leads.templatetags import marks

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
