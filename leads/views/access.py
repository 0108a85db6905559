"""Whose page it is: the gate of pages that are for some roles only.

Owns the two ways to be turned away: a page that is not for one's role is not there (404), an act that one's
role may not do is refused (403). Who may what is `leads.roles`; what may be done with one handoff is
`leads.permissions`.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from leads.roles import MAY, Can, can
from leads.views.shell import person
from routing.people import ROLES, User


def page(request: HttpRequest, what: Can) -> User:
    """Who is signed in, if this is theirs to do; else Http404."""
    user = person(request)
    if not can(user, what):
        raise Http404("not a page of this role")
    return user


def act(request: HttpRequest, what: Can) -> User:
    """Who is signed in, if this is theirs to do; else PermissionDenied, which says whose it is."""
    user = person(request)
    if not can(user, what):
        whose = ", ".join(role for role in ROLES if role in MAY[what])
        raise PermissionDenied(f"to {what} is for: {whose}")
    return user


def edit(request: HttpRequest, what: Can) -> User:
    """Who is signed in, if this is theirs to do. For others who read the pages around it the page is not
    there (404) and the act is refused (403)."""
    return act(request, what) if request.method == "POST" else page(request, what)
