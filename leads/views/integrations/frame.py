"""What the pages of integrations share: who may, which connection, and how an edit is answered.

Owns the gate: marketing ops run integrations and admins set them up, both may do everything here but keys,
which are the admins'. For others none of these pages is there, but that managers read the sync audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from leads.connecting.changing import Edit
from leads.models import Connection, Finding, Handoff
from leads.roles import Can, can
from leads.views import access
from leads.views.shell import shell_of, tell
from routing.people import User


def runner(request: HttpRequest) -> User:
    """Who is signed in, if integrations are theirs; else Http404."""
    return access.page(request, Can.RUN_INTEGRATIONS)


def keeper(request: HttpRequest) -> User:
    """Who is signed in, if keys are theirs; else Http404."""
    return access.page(request, Can.KEEP_KEYS)


def may_run(user: User) -> bool:
    """Whether integrations are theirs."""
    return can(user, Can.RUN_INTEGRATIONS)


def reader(request: HttpRequest) -> User:
    """Who is signed in, if the sync audit is theirs to read; else PermissionDenied."""
    return access.act(request, Can.READ_SYNC_AUDIT)


def settler(request: HttpRequest) -> User:
    """Who is signed in, if they settle what the sync audit finds; else PermissionDenied."""
    return access.act(request, Can.RUN_INTEGRATIONS)


def findings(user: User) -> QuerySet[Finding]:
    """What the sync audit found, as far as this person may see it: managers see what is about handoffs of
    theirs and about connections as such."""
    if may_run(user):
        return Finding.objects.all()
    mine = Handoff.objects.visible_to(user).order_by().values("pk")
    return Finding.objects.filter(Q(handoff__in=mine) | Q(handoff__isnull=True, lead__isnull=True))


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
    user = shell_of(request).user
    shown = {"may_keep": can(user, Can.KEEP_KEYS), "may_run": may_run(user), **values}
    return render(request, f"leads/integrations/{name}.html", shown, status=status)


def page_of(connection: Connection) -> str:
    return reverse("leads:connection", args=[connection.slug])


def done(request: HttpRequest, connection: Connection, text: str) -> HttpResponse:
    """Says what was done on the connection's page."""
    tell(request, text)
    return redirect(page_of(connection))
