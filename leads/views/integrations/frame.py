"""What the pages of integrations share: who may, which connection, and how an edit is answered.

Owns the gate: marketing ops run integrations and admins set them up, both may do everything here but keys,
which are the admins'. For others none of these pages is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from leads import permissions
from leads.connecting.changing import Edit
from leads.models import Connection
from leads.views import access
from leads.views.shell import shell_of, tell
from routing.people import ADMIN, MARKETING, User


def runner(request: HttpRequest) -> User:
    """Who is signed in, if integrations are theirs; else Http404."""
    return access.only(request, MARKETING, ADMIN)


def keeper(request: HttpRequest) -> User:
    """Who is signed in, if keys are theirs; else Http404."""
    return access.only(request, ADMIN)


def find(slug: str) -> Connection:
    """The connection of this name in addresses; else Http404."""
    found = Connection.objects.select_related("created_by").filter(slug=slug).first()
    if found is None:
        raise Http404("there is no such connection")
    return found


def edit(request: HttpRequest, *, looks: bool = False) -> Edit:
    """The edit that is asked for. With `looks` it is refused when the connection has changed since the page
    was made (the form's field "seen")."""
    sent = request.POST.get("seen", "")
    seen = int(sent) if looks and sent.isdecimal() and len(sent) < 12 else 0
    return Edit(shell_of(request).user, shell_of(request).now, seen)


def page(request: HttpRequest, name: str, values: Mapping[str, Any], status: int = 200) -> HttpResponse:
    """A page of these, by its template's name, with what its tabs need."""
    shown = {"may_keep": permissions.is_admin(shell_of(request).user), **values}
    return render(request, f"leads/integrations/{name}.html", shown, status=status)


def page_of(connection: Connection) -> str:
    return reverse("leads:connection", args=[connection.slug])


def done(request: HttpRequest, connection: Connection, text: str) -> HttpResponse:
    """Says what was done on the connection's page."""
    tell(request, text)
    return redirect(page_of(connection))
