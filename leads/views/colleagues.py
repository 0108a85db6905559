"""The other people of a lead's company: who they are, where their handoffs stand, who has them.

Owns what is told to whom: a person that the viewer sees is named; of the others only who holds their open
handoffs, so that two reps do not call the same company unknowingly. A constant number of queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leads.models import Handoff, Lead
from leads.presenters import people
from leads.presenters.signals import cut
from leads.search import finding
from routing.people import User

MOST_HANDOFFS, MOST_HOLDERS = 100, 5


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody else of the same company. `state` and `holder` are of the latest handoff, if there is one."""

    id: int
    name: str
    title: str
    state: str = ""
    holder: str = ""
    is_open: bool = False
    handoff: int | None = None


@dataclass(frozen=True, slots=True)
class Colleagues:
    """Those who are shown by name, and in words who works with others of the company."""

    shown: Sequence[Colleague] = ()
    elsewhere: str = ""


def of(user: User, lead: Lead, *, personal: bool, most: int) -> Colleagues:
    """The latest first, at most so many of them."""
    if lead.company_id is None:
        return Colleagues()
    others = finding.few_of(user).filter(company=lead.company_id).exclude(pk=lead.pk)
    found = list(others.order_by("-updated_at", "-id")[:most])
    handoffs = (
        Handoff.objects.visible_to(user)
        .filter(lead__in=[row.pk for row in found])
        .select_related("assignee", "queue", "rejection_reason")
        .order_by("mql_at", "pk")[:MOST_HANDOFFS]
    )
    latest = {handoff.lead_id: handoff for handoff in handoffs} if found else {}
    shown = [_colleague(row, latest.get(row.pk), personal) for row in found]
    return Colleagues(shown, "" if finding.sees_all(user) else _elsewhere(user, lead))


def _colleague(row: Lead, handoff: Handoff | None, personal: bool) -> Colleague:
    name, title = people.name_of(row, personal=personal), cut(row.job_title, 80)
    if handoff is None:
        return Colleague(row.pk, name, title)
    return Colleague(
        row.pk,
        name,
        title,
        people.state_words(handoff),
        people.holder_words(handoff),
        handoff.is_open,
        handoff.pk,
    )


def _elsewhere(user: User, lead: Lead) -> str:
    """Who holds open handoffs of the company that the viewer does not see."""
    others = Handoff.objects.open().filter(lead__company=lead.company_id, assignee__isnull=False)
    hidden = others.exclude(lead=lead.pk).hidden_from(user)
    names = sorted(set(hidden.order_by().values_list("assignee__name", flat=True).distinct()[:MOST_HOLDERS]))
    return f"{', '.join(names)} {'works' if len(names) == 1 else 'work'} with others there" if names else ""
