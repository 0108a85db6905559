"""The page of one person: all their handoffs, what they did, their company, and putting their data right.

Owns the page and its form. What is edited goes through `leads.editing`; a lead is for whoever sees one of its
handoffs, or all. Whoever is not shown personal data gets no address and no number.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from leads import editing, identity, lifecycle, permissions
from leads.connecting.conflicts import of_lead as conflicts_of
from leads.lifecycle import Act, Invalid
from leads.models import ExternalId, Handoff, Lead, LeadAlias, Merge, PrivacyAct, Score
from leads.presenters import conflicts, pairs, people, privacy, qualifying, repair, signals, times
from leads.presenters.company import CompanyCard
from leads.presenters.flags import Flag
from leads.presenters.links import Link, mail, outside, phone
from leads.presenters.privacy import ActLine
from leads.presenters.repair import Input
from leads.presenters.signals import Timeline
from leads.querysets import Sight, sight_of
from leads.roles import Can, can
from leads.views import access, colleagues, pane
from leads.views.colleagues import Colleagues
from leads.views.shell import shell_of, tell
from routing.people import User
from routing.prepared import prepared

MOST_HANDOFFS, MOST_SCORES, MOST_COLLEAGUES, MOST_IDS, MOST_MERGES, MOST_ACTS = 50, 12, 10, 20, 10, 10


@dataclass
class Person:
    """The values of the page. `inputs` are there while the form is open."""

    lead: Lead
    name: str
    sub: str
    email: Link | None
    phone: Link | None
    linkedin: Link | None
    there: str
    flags: Sequence[Flag]
    handoffs: Sequence[people.HandoffLine]
    card: CompanyCard
    timeline: Timeline
    scores: Sequence[people.ScoreLine]
    known_as: Sequence[str]
    colleagues: Colleagues
    source: str
    since: str
    may_edit: bool
    erased: str = ""
    may_erase: bool = False
    privacy: Sequence[ActLine] = ()
    merges: Sequence[pairs.MergeLine] = ()
    conflicts: Sequence[conflicts.Line] = ()
    inputs: Sequence[Input] = ()
    alert: str = ""
    focus: str = ""


@require_safe
def lead(request: HttpRequest, pk: int) -> HttpResponse:
    """The person with all handoffs; `edit` opens the form. A merged lead leads to the one it went into."""
    frame = shell_of(request)
    found, handoffs = _find(frame.user, pk)
    if found.merged_into_id is not None:
        _find(frame.user, found.merged_into_id)
        return redirect("leads:lead", found.merged_into_id)
    person = _person(frame.user, found, handoffs, frame.now)
    if "edit" in request.GET and person.may_edit:
        _open_form(person, {}, {})
    return render(request, "leads/people/lead.html", {"person": person, "opened": person})


@require_POST
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Write what was typed about the person and the company; 422 with the form when something is wrong."""
    frame = shell_of(request)
    found, handoffs = _find(frame.user, pk)
    if found.merged_into_id is not None:
        raise Http404("it went into another lead")
    access.act(request, Can.COMPLETE)
    typed = editing.typed(request.POST)
    try:
        changed = editing.edit(found, typed, Act(frame.now, frame.user))
    except Invalid as invalid:
        person = _person(frame.user, found, handoffs, frame.now)
        _open_form(person, typed, invalid.errors)
        return render(request, "leads/people/lead.html", {"person": person, "opened": person}, status=422)
    labels = ", ".join(spec.label.lower() for name, spec in editing.FIELDS.items() if name in changed)
    tell(request, f"Saved: {labels}." if changed else "Nothing was changed.")
    return redirect("leads:lead", pk)


def _find(user: User, pk: int) -> tuple[Lead, list[Handoff]]:
    """The lead and those of its handoffs that this person sees, the newest first; Http404 if there is no such
    lead for them. A merged lead has no handoffs: it is theirs if the one it went into is."""
    found = _lead.first(pk)
    if found is None:
        raise Http404("no such lead")
    sight = sight_of(user)
    handoffs = _handoffs(pk) if sight is None else _handoffs_seen(pk, *sight.values)
    if sight is not None and not handoffs and found.merged_into_id is None:
        raise Http404("no such lead")
    return found, handoffs


@prepared
def _lead(pk: int) -> QuerySet[Lead]:
    return Lead.objects.filter(pk=pk).select_related("company__owner")


@prepared
def _handoffs(lead: int) -> QuerySet[Handoff]:
    return _told(Handoff.objects.filter(lead=lead))


@prepared
def _handoffs_seen(
    lead: int, of: Collection[int], queues: Collection[int], is_of_incomplete: bool
) -> QuerySet[Handoff]:
    return _told(Handoff.objects.filter(Sight(of, queues, is_of_incomplete).condition, lead=lead))


def _told(handoffs: QuerySet[Handoff]) -> QuerySet[Handoff]:
    beside = ("assignee", "queue", "rejection_reason", "score", "definition", "trigger_activity")
    return handoffs.select_related(*beside).order_by("-mql_at", "-pk")[:MOST_HANDOFFS]


def _open_form(person: Person, typed: dict[str, str], errors: dict[str, str]) -> None:
    lead = person.lead
    domain = identity.company_domain(lead.email_key or "", "") or ""
    person.inputs = list(
        repair.inputs(lead, typed, errors, domain=domain, shared=len(person.colleagues.shown)).values()
    )
    person.alert = errors.get("", "")
    person.focus = next((name for name in errors if name), "first_name")


def _person(user: User, found: Lead, handoffs: Sequence[Handoff], now: datetime) -> Person:
    """The page's values; a constant number of queries."""
    personal = permissions.sees_personal_data(user)
    handles_data = can(user, Can.HANDLE_PERSONAL_DATA)
    newest = next((row for row in handoffs if row.is_open), handoffs[0] if handoffs else None)
    activities, total = pane.activities_of(found)
    return Person(
        lead=found,
        name=people.name_of(found, personal=personal),
        sub=people.sub_of(found),
        email=mail(found.email, is_refused=found.email_opt_out) if personal else None,
        phone=phone(found.phone, is_refused=found.do_not_call) if personal else None,
        linkedin=outside(found.linkedin_url, "LinkedIn") if personal else None,
        there=times.there(found.timezone, now),
        flags=people.flags(found, newest),
        handoffs=[people.handoff_line(row, qualifying.trigger_sentence(row, now), now) for row in handoffs],
        card=pane.card_of(found),
        timeline=signals.timeline(activities, total, now),
        scores=[people.score_line(row, now) for row in _scores(found.pk)],
        known_as=_known_as(found, personal),
        colleagues=colleagues.of(user, found, personal=personal, most=MOST_COLLEAGUES),
        source=", ".join(
            signals.cut(part, 80) for part in (found.lead_source, found.channel, found.campaign) if part
        ),
        since=times.day(found.created_at, now),
        may_edit=can(user, Can.COMPLETE) and found.erased_at is None,
        erased=privacy.erased_words(found, now),
        may_erase=handles_data and found.erased_at is None,
        privacy=[privacy.act_line(row, now) for row in _acts(found.pk)] if handles_data else (),
        merges=_merges(found, now) if personal else (),
        conflicts=[conflicts.line(row, found, now, personal=personal) for row in conflicts_of(found.pk)],
    )


def _merges(found: Lead, now: datetime) -> list[pairs.MergeLine]:
    """Which leads became part of this one, the latest first. Only the last that stands can be undone."""
    lines, is_last = [], True
    for row in _merged(found.pk):
        row.keep = found
        why = "a later merge stands on it. Undo that one first."
        if row.undone_at is None and is_last:
            is_last, why = False, lifecycle.stands_on(row)
        lines.append(pairs.merge_line(row, why, now))
    return lines


def _known_as(found: Lead, personal: bool) -> list[str]:
    known = people.known_as(_ids(found.pk))
    if personal:
        known += [f"formerly {address}" for address in _aliases(found.pk)]
    return known


@prepared
def _scores(lead: int) -> QuerySet[Score]:
    return Score.objects.filter(lead=lead).order_by("-scored_at", "-id")[:MOST_SCORES]


@prepared
def _merged(lead: int) -> QuerySet[Merge]:
    return Merge.objects.filter(keep=lead).select_related("gone", "by", "undone_by")[:MOST_MERGES]


@prepared
def _acts(lead: int) -> QuerySet[PrivacyAct]:
    return PrivacyAct.objects.filter(lead=lead).select_related("by", "api_key")[:MOST_ACTS]


@prepared
def _ids(lead: int) -> QuerySet[ExternalId, tuple[str, str, str]]:
    own = ExternalId.objects.filter(lead=lead).order_by("system", "object", "value")
    return own.values_list("system", "object", "value")[:MOST_IDS]


@prepared
def _aliases(lead: int) -> QuerySet[LeadAlias, str]:
    own = LeadAlias.objects.filter(lead=lead).order_by("-added_at")
    return own.values_list("email_key", flat=True)[:MOST_IDS]
