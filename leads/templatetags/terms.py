"""`{% term "Black hole" %}`: a word with its meaning, one click or a look away.

Owns the mark-up: a link to the word's place on the help page, which carries its meaning as a title and for
the script that shows it in place. A word without a meaning stays a word.
"""

from __future__ import annotations

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from leads.presenters.terms import term_of

register = template.Library()


@register.simple_tag
def term(label: str) -> SafeString:
    """The label, linked to what it means."""
    found = term_of(label)
    if found is None:
        return format_html("{}", label)
    href = f"{reverse('leads:help')}#{found.slug}"
    return format_html(
        '<a class="term" href="{}" title="{}" data-term="{}">{}</a>', href, found.meaning, found.name, label
    )
