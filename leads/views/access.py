"""Whose page it is: the gate of pages that are for some roles only.

Owns the two ways to be turned away: a page that is not for one's role is not there (404), an act that one's
role may not do is refused (403). What may be done with one handoff is `leads.permissions`.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from leads import permissions
from leads.views.shell import person
from routing.people import ADMIN, User


def only(request: HttpRequest, *roles: str) -> User:
    """Who is signed in, if they have one of these roles (a superuser counts as an admin); else Http404."""
    user = person(request)
    if user.roles.isdisjoint(roles) and not (user.is_superuser and ADMIN in roles):
        raise Http404("not a page of this role")
    return user


def marketing(request: HttpRequest) -> User:
    """Who is signed in, if they complete data; else PermissionDenied."""
    user = person(request)
    if not permissions.is_marketing(user):
        raise PermissionDenied("marketing ops do this")
    return user
