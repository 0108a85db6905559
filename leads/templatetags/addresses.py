"""`{% address 'leads:help' %}`: the path of a page of ours without anything in it, as every page names it.

Owns the tag; what it remembers is `presenters.addresses`. An address with values in it is `{% url %}`'s.
"""

from __future__ import annotations

from django import template
from django.urls import reverse

from leads.presenters import addresses

register = template.Library()


@register.simple_tag
def address(view: str) -> str:
    """Raises NoReverseMatch where this site has no such page, as `{% url %}` does: a link to nowhere is a
    slip of the pen."""
    return addresses.address(view) or reverse(view)
