"""`{% clock row.clock %}`, `{% flags row.flags %}` and `{% row row opening %}`: what stands in every list.

Owns the mark-up of the small clock, words first, then a bar that burns down: written out here, as a
template takes several times as long for a dozen attributes that are there or not. `js/clocks.js` lets it
tick. What is the same from one moment to the next is drawn once: flags, of which there are few, and a row of
the inbox but for its clock. Words and shares are the presenters'. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from leads.presenters.clocks import Clock
from leads.presenters.flags import Flag
from leads.presenters.rows import Row
from leads.templatetags.drawn import drawn

register = template.Library()

_DEMO = format_html(' data-type="{}"', "demo")


@register.simple_tag
def clock(shown: Clock | None) -> str:
    """The clock of a row; nothing where nothing is owed."""
    return "" if shown is None else _clock(shown)


@register.simple_tag
def row(shown: Row, opening: str) -> SafeString:
    """A row of the inbox, a link to its lead; `opening` is the address up to the lead's id."""
    begun = drawn(
        "leads/_row.html",
        href=f"{opening}{shown.id}",
        id=str(shown.id),
        who=shown.name,
        sub=shown.sub,
        why=shown.note or shown.why,
        flags=shown.flags,
        demo_of=shown.company if shown.is_demo else None,
        is_current=shown.is_current,
    )
    return SafeString(f"{begun}{clock(shown.clock)}</a>")


@lru_cache(maxsize=1000)
def _clock(shown: Clock) -> SafeString:
    """It has the same words for seconds to days, and a list is drawn anew with each of its leads' news."""
    state = format_html(' data-state="{}"', shown.state) if shown.state else ""
    bar = ""
    if shown.percent is not None:
        bar = format_html(
            '<svg class="bar" aria-hidden="true"><rect width="{}%" height="100%"/></svg>', shown.percent
        )
    return format_html(
        '<span class="clock"{}{}{} title="{}"><b><svg class="i" aria-hidden="true"><use href="#i-{}"/></svg>'
        '<span data-words>{}</span></b>{}<span class="mute">{}</span></span>',
        _DEMO if shown.is_demo else "",
        state,
        _burning(shown) if shown.total else "",
        shown.exact,
        shown.icon or "none",
        shown.words,
        bar,
        shown.caption,
    )


def _burning(shown: Clock) -> str:
    """By what the page lets the clock go on."""
    closed = format_html(' data-closed="{}"', shown.closed) if shown.closed else ""
    day = " data-day" if shown.names_day else ""
    return format_html(' data-due="{}" data-total="{}"{}{}', shown.due, shown.total, closed, day)


@register.simple_tag
def flags(shown: Iterable[Flag]) -> str:
    """The flags of a row, each after a space."""
    found = tuple(shown)
    return drawn("components/flags.html", flags=found) if found else ""
