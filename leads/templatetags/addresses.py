"""`{% address 'leads:help' %}`: the path of a page of ours without anything in it, as every page names it.

Owns the tag; what it remembers is `presenters.addresses`. An address with values in it is `{% url %}`'s.
"""

from __future__ import annotations

from django import template

from leads.presenters.addresses import address

register = template.Library()
register.simple_tag(address)
