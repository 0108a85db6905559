"""`{% drawn "components/_nav.html" items=shell.nav %}`: a part that is its values alone, drawn once for each.

Owns nothing but that memory, a process's own and bounded. All that a part shows comes from its values, so
whoever has the same values is shown the same; a form's token or a moment is no such value. `{% nine bars %}`
is the strip of the nine checks: few patterns stand in all the rows there are. Never asks the database.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from leads.presenters.repair import Bar

register = template.Library()


@register.simple_tag
def drawn(name: str, **values: Hashable) -> SafeString:
    """The template with these values and no others. Drawn anew where templates are being written."""
    return _fresh(name, **values) if settings.DEBUG else _drawn(name, **values)


@register.simple_tag
def nine(bars: tuple[Bar, ...]) -> SafeString:
    return drawn("leads/completion/_nine.html", bars=bars)


def _fresh(name: str, **values: Hashable) -> SafeString:
    # Without the end of its line, which is the page's.
    return SafeString(render_to_string(name, values).rstrip())


# Typed, for what is marked safe equals the same text that is not. Within a value nothing is marked safe.
_drawn = lru_cache(maxsize=1000, typed=True)(_fresh)
