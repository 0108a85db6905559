"""The page of one person: all their handoffs, what they did, their company, and putting their data right.

Owns the page and its form. What is edited goes through `leads.editing`; which leads there are for somebody
is `leads.search.finding`. Whoever is not shown personal data gets no address and no number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from leads import editing, identity, lifecycle, permissions
from leads.lifecycle import Act, Invalid
from leads.models import Handoff, Lead, Merge
from leads.presenters import pairs, people, qualifying, repair, signals, times
from leads.presenters.company import CompanyCard
from leads.presenters.links import Link, mail, outside, phone
from leads.presenters.repair import Input
from leads.presenters.rows import Flag
from leads.presenters.signals import Timeline
from leads.search import finding
from leads.views import access, colleagues, pane
from leads.views.colleagues import Colleagues
from leads.views.shell import shell_of, tell
from routing.people import User

MOST_HANDOFFS, MOST_SCORES, MOST_COLLEAGUES, MOST_IDS, MOST_MERGES = 50, 12, 10, 20, 10


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
    consent: Sequence[str]
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
    merges: Sequence[pairs.MergeLine] = ()
    inputs: Sequence[Input] = ()
    alert: str = ""
    focus: str = ""


@require_safe
def lead(request: HttpRequest, pk: int) -> HttpResponse:
    """The person with all handoffs; `edit` opens the form. A merged lead leads to the one it went into."""
    frame = shell_of(request)
    kept = Lead.objects.filter(pk=pk).values_list("merged_into", flat=True).first()
    if kept is not None and finding.few_of(frame.user).filter(pk=kept).exists():
        return redirect("leads:lead", kept)
    found = _find(frame.user, pk)
    person = _person(frame.user, found, frame.now)
    if "edit" in request.GET and person.may_edit:
        _open_form(person, {}, {})
    return render(request, "leads/people/lead.html", {"person": person, "opened": person})


@require_POST
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Write what was typed about the person and the company; 422 with the form when something is wrong."""
    frame = shell_of(request)
    found = _find(frame.user, pk)
    access.marketing(request)
    typed = editing.typed(request.POST)
    try:
        changed = editing.edit(found, typed, Act(frame.now, frame.user))
    except Invalid as invalid:
        person = _person(frame.user, found, frame.now)
        _open_form(person, typed, invalid.errors)
        return render(request, "leads/people/lead.html", {"person": person, "opened": person}, status=422)
    labels = ", ".join(spec.label.lower() for name, spec in editing.FIELDS.items() if name in changed)
    tell(request, f"Saved: {labels}." if changed else "Nothing was changed.")
    return redirect("leads:lead", pk)


def _find(user: User, pk: int) -> Lead:
    found = finding.few_of(user).select_related("company__owner").filter(pk=pk).first()
    if found is None:
        raise Http404("no such lead")
    return found


def _open_form(person: Person, typed: dict[str, str], errors: dict[str, str]) -> None:
    lead = person.lead
    domain = identity.company_domain(lead.email_key or "", "") or ""
    person.inputs = list(
        repair.inputs(lead, typed, errors, domain=domain, shared=len(person.colleagues.shown)).values()
    )
    person.alert = errors.get("", "")
    person.focus = next((name for name in errors if name), "first_name")


def _person(user: User, found: Lead, now: datetime) -> Person:
    """The page's values; a constant number of queries."""
    personal = permissions.sees_personal_data(user)
    handoffs = list(
        Handoff.objects.visible_to(user)
        .filter(lead=found)
        .select_related("assignee", "queue", "rejection_reason", "score", "definition", "trigger_activity")
        .order_by("-mql_at", "-pk")[:MOST_HANDOFFS]
    )
    newest = next((row for row in handoffs if row.is_open), handoffs[0] if handoffs else None)
    activities, total = pane.activities_of(found)
    scores = found.scores.order_by("-scored_at", "-id")[:MOST_SCORES]
    return Person(
        lead=found,
        name=people.name_of(found, personal=personal),
        sub=people.sub_of(found),
        email=mail(found.email) if personal else None,
        phone=phone(found.phone) if personal else None,
        linkedin=outside(found.linkedin_url, "LinkedIn") if personal else None,
        there=times.there(found.timezone, now),
        consent=pane.consent_words(found),
        flags=people.flags(found, newest),
        handoffs=[people.handoff_line(row, qualifying.trigger_sentence(row, now), now) for row in handoffs],
        card=pane.card_of(found),
        timeline=signals.timeline(activities, total, now),
        scores=[people.score_line(row, now) for row in scores],
        known_as=_known_as(found, personal),
        colleagues=colleagues.of(user, found, personal=personal, most=MOST_COLLEAGUES),
        source=", ".join(
            signals.cut(part, 80) for part in (found.lead_source, found.channel, found.campaign) if part
        ),
        since=times.day(found.created_at, now),
        may_edit=permissions.is_marketing(user),
        merges=_merges(found, now) if personal else (),
    )


def _merges(found: Lead, now: datetime) -> list[pairs.MergeLine]:
    """Which leads became part of this one, the latest first. Only the last that stands can be undone."""
    rows = Merge.objects.filter(keep=found).select_related("gone", "by", "undone_by")[:MOST_MERGES]
    lines, is_last = [], True
    for row in rows:
        row.keep = found
        why = "a later merge stands on it. Undo that one first."
        if row.undone_at is None and is_last:
            is_last, why = False, lifecycle.stands_on(row)
        lines.append(pairs.merge_line(row, why, now))
    return lines


def _known_as(found: Lead, personal: bool) -> list[str]:
    ids = found.external_ids.order_by("system", "object", "value").values_list("system", "object", "value")
    known = people.known_as(list(ids[:MOST_IDS]))
    if personal:
        aliases = found.aliases.order_by("-added_at").values_list("email_key", flat=True)
        known += [f"formerly {address}" for address in aliases[:MOST_IDS]]
    return known
