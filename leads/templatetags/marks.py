"""`{% clock row.clock %}` and `{% flags row.flags %}`, which stand in every list, and the rows of the inbox,
`{% row row opening %}` and `{% done row %}`.

Owns their mark-up, written out here, as a template takes several times as long for a dozen attributes that
are there or not. The small clock has its words first, then a bar that burns down; `js/clocks.js` lets it
tick. Clocks and flags are drawn once, for they hold no word of a lead. Words and shares are the presenters'.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from leads.presenters.addresses import address
from leads.presenters.clocks import Clock
from leads.presenters.flags import Flag
from leads.presenters.rows import DoneRow, Row
from leads.templatetags.drawn import drawn

register = template.Library()

_DEMO = format_html(' data-type="{}"', "demo")
_CURRENT = format_html(' aria-current="{}"', "true")
_NOTHING = format_html("{}", "")


@register.simple_tag
def clock(shown: Clock | None) -> SafeString:
    """The clock of a row; nothing where nothing is owed."""
    return _NOTHING if shown is None else _clock(shown)


@register.simple_tag
def row(shown: Row, opening: str) -> SafeString:
    """A row of the inbox, a link to its lead; `opening` is the address up to the lead's id."""
    return format_html(
        '<a class="row" id="row-{0}" href="{1}{0}" data-id="{0}"{2}{3} hx-get="{1}{0}" hx-target="#lead" '
        'hx-swap="outerHTML" hx-push-url="true"><span><span class="row-name">{4}{5}</span>{6}'
        '<span class="row-why">{7}</span></span>{8}</a>',
        shown.id,
        opening,
        format_html(' data-demo="{}"', shown.company) if shown.is_demo else _NOTHING,
        _CURRENT if shown.is_current else _NOTHING,
        shown.name,
        flags(shown.flags),
        format_html('<span class="row-sub">{}</span>', shown.sub) if shown.sub else _NOTHING,
        shown.note or shown.why,
        clock(shown.clock),
    )


@register.simple_tag
def done(shown: DoneRow) -> SafeString:
    """A row of what was finished today."""
    return format_html(
        '<a class="row row-done" id="row-{0}-done" href="{1}{0}/"{2}><svg class="i" aria-hidden="true">'
        '<use href="#i-{3}"/></svg><span>{4}</span><span class="mute">{5}</span>'
        '<span class="mute" title="{6}">{7}</span></a>',
        shown.id,
        address("leads:handoffs"),
        _CURRENT if shown.is_current else _NOTHING,
        "cross" if shown.is_no else "check",
        shown.name,
        shown.text,
        shown.exact,
        shown.time,
    )


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
def flags(shown: Iterable[Flag]) -> SafeString:
    """The flags of a row, each after a space."""
    found = tuple(shown)
    return drawn("components/flags.html", flags=found) if found else _NOTHING
