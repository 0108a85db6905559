"""`{% nine row.bars %}`: the strip of the nine checks, drawn once for each pattern that occurs.

Owns nothing but that memory. Few patterns stand in all the rows there are, and a strip is most of what a row
takes to draw. The geometry is `leads.presenters.repair`, the mark-up `leads/completion/_nine.html`.
"""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from leads.presenters.repair import Bar

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=1000)
def nine(bars: tuple[Bar, ...]) -> SafeString:
    # Without the end of its line, which no row has.
    return SafeString(render_to_string("leads/completion/_nine.html", {"bars": bars}).rstrip())
