"""Where `/` leads: each role's own first page, and the first steps of a new installation.

Owns the order of roles and the checklist that an admin sees before the first lead came in. A redirect is no
permission: the page it leads to checks its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from leads.models import ApiKey, Lead
from leads.presenters.addresses import address
from leads.roles import Can, can
from leads.views import access
from leads.views.shell import person
from routing.models import Calendar, Rule, Ruleset, Territory, User
from routing.people import MANAGER, MARKETING, REP, VIEWER

# The first role that a person has decides: whoever sells, sells.
HOMES = (
    (REP, "leads:inbox"),
    (MANAGER, "leads:team"),
    (MARKETING, "leads:completion"),
    (VIEWER, "metrics:dashboard"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One step: what, why, whether it is done, where it is done (a page or a command)."""

    title: str
    text: str
    is_done: bool
    href: str = ""
    link: str = ""
    command: str = ""


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Send the person who signed in to the page their role starts on."""
    return redirect(place(person(request)))


def place(user: User) -> str:
    """The path of the page this person starts on."""
    for role, view in HOMES:
        if role in user.roles and (path := address(view)):
            return path
    if can(user, Can.KEEP_SITE):
        return address("leads:team") if Lead.objects.exists() else address("leads:first_steps")
    return address("leads:profile")


@require_safe
def first_steps(request: HttpRequest) -> HttpResponse:
    """What a new installation needs before the first lead finds its way."""
    items = checklist(access.page(request, Can.KEEP_SITE))
    values = {"items": items, "done": sum(item.is_done for item in items)}
    return render(request, "leads/first_steps.html", values)


def checklist(user: User) -> list[Item]:
    """The steps in the order in which they are best done; six queries. Who edits routing, marketing ops, is
    led to the pages for it, others to the administration: our own pages would only be read by them."""
    edits = can(user, Can.EDIT_ROUTING)
    sales = User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER])
    calendar = Calendar.objects.filter(is_default=True).first()
    return [
        Item(
            "People",
            "Reps and managers who sign in, each with a role and a team.",
            sales.exists(),
            address("admin:routing_user_changelist"),
            "People",
            "manage.py import_people people.csv",
        ),
        Item(
            "Territories",
            "Named conditions with an owner, if leads go by region or segment. Skip them if not.",
            Territory.objects.exists(),
            address("leads:territories" if edits else "admin:routing_territory_changelist"),
            "Territories",
        ),
        Item(
            "Rules",
            "Who gets which lead. Until there are some, every lead waits in the overflow queue.",
            Rule.objects.filter(is_active=True).count() > 1 or Ruleset.objects.filter(version__gt=1).exists(),
            address("leads:routing" if edits else "admin:routing_rule_changelist"),
            "Rules",
        ),
        Item(
            "Calendar",
            "Working hours and public holidays: deadlines count in them.",
            calendar is not None and bool(calendar.country or calendar.revision > 1),
            address("leads:calendars" if edits else "admin:routing_calendar_changelist"),
            "Calendars",
        ),
        Item(
            "First key",
            "With it your marketing system sends leads. It is shown once.",
            ApiKey.objects.filter(revoked_at__isnull=True).exists(),
            address("admin:leads_apikey_changelist"),
            "Keys",
            "manage.py create_api_key NAME --scope intake",
        ),
        Item(
            "First lead",
            "Send one event and watch it arrive. The documentation has an example to copy.",
            Lead.objects.exists(),
            address("api:openapi-view"),
            "How to send one",
        ),
    ]
