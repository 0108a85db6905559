"""The other people of a lead's company: who they are, where their handoffs stand, who has them.

Owns what is told to whom: a person that the viewer sees is named; of the others only who holds their open
handoffs, so that two reps do not call the same company unknowingly. A constant number of queries.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from leads.models import Handoff, Lead
from leads.presenters import people
from leads.presenters.signals import cut
from leads.querysets import Sight, sight_of
from leads.views import latest
from routing.people import User
from routing.prepared import prepared

MOST, MOST_HOLDERS = 10, 5
_FIELDS = ("first_name", "last_name", "email", "job_title")


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


def of(user: User, lead: Lead, *, personal: bool, most: int = MOST) -> Colleagues:
    """The latest first, at most so many of them."""
    if lead.company_id is None:
        return Colleagues()
    company, sight = lead.company_id, sight_of(user)
    if sight is None:
        found, elsewhere = _others(company, lead.pk), ""
    else:
        found = _others_seen(company, lead.pk, *sight.values)
        elsewhere = _elsewhere(_holders_hidden(company, lead.pk, *sight.values))
    found = found[:most]
    handoffs = latest.of(user, found)
    return Colleagues([_colleague(row, handoffs.get(row.pk), personal) for row in found], elsewhere)


@prepared
def _others(company: int, lead: int) -> QuerySet[Lead]:
    others = Lead.objects.filter(company=company, merged_into__isnull=True).exclude(pk=lead)
    return others.only(*_FIELDS).order_by("-updated_at", "-id")[:MOST]


@prepared
def _others_seen(
    company: int, lead: int, of: Collection[int], queues: Collection[int], is_of_incomplete: bool
) -> QuerySet[Lead]:
    seen = Handoff.objects.filter(Sight(of, queues, is_of_incomplete).condition, lead=OuterRef("pk"))
    others = Lead.objects.filter(Exists(seen), company=company, merged_into__isnull=True).exclude(pk=lead)
    return others.only(*_FIELDS).order_by("-updated_at", "-id")[:MOST]


@prepared
def _holders_hidden(
    company: int, lead: int, of: Collection[int], queues: Collection[int], is_of_incomplete: bool
) -> QuerySet[Handoff, str]:
    """Who holds open handoffs of the company that whoever sees these does not see."""
    others = Handoff.objects.open().filter(lead__company=company, assignee__isnull=False).exclude(lead=lead)
    hidden = others.exclude(Sight(of, queues, is_of_incomplete).condition)
    return hidden.order_by().values_list("assignee__name", flat=True).distinct()[:MOST_HOLDERS]


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


def _elsewhere(holders: Collection[str]) -> str:
    names = sorted(set(holders))
    return f"{', '.join(names)} {'works' if len(names) == 1 else 'work'} with others there" if names else ""
