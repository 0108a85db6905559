"""The paths of the site's own pages, looked up once a process.

Owns that memory. Pages and their navigation name the same few places on every request, and a site's
addresses stay. Addresses that came from outside are `links`. Pure.
"""

from __future__ import annotations

from functools import lru_cache

from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse


def address(view: str) -> str:
    """The path of a page, or "" when this site does not have it."""
    return _address(view, get_urlconf(), get_script_prefix())


@lru_cache(256)
def _address(view: str, urlconf: str | None, prefix: str) -> str:
    try:
        return reverse(view, urlconf)
    except NoReverseMatch:
        return ""
