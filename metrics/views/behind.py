"""The handoffs behind a figure, as a page and as CSV.

The list is made by the measure that made the figure, so both always agree; words and order narrow and turn
it (`metrics.listing`). Only what the person may see is in it; a lead is named, its address is not shown.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads.models import Handoff, RejectionReason
from leads.presenters import times
from leads.querysets import HandoffQuerySet
from leads.search import finding
from leads.views.shell import person
from metrics import address, listing, query, words
from metrics.address import Asked
from metrics.facts import Fact
from metrics.filters import Filters
from metrics.measures import behind
from metrics.periods import WeekRange
from metrics.words import MQLS, SHOWN, Shown

PAGE = 50
MOST_CSV = 100_000
PARTS = {"all": None, "hits": True, "misses": False}
CSV_COLUMNS = (
    "handoff",
    "name",
    "company",
    "source",
    "type",
    "trigger",
    "score",
    "held by",
    "answer",
    "mql_at",
    "assigned_at",
    "accepted_at",
    "rejected_at",
    "first_contact_at",
    "opportunity_at",
)


@dataclass(frozen=True)
class Listed:
    """What is listed: facts, newest first, and in words what they are. `parts` are (name, words)."""

    title: str
    which: str
    about: str
    facts: list[Fact]
    file: str
    parts: tuple[tuple[str, str], ...] = ()


@require_safe
def behind_figure(request: HttpRequest) -> HttpResponse:
    """The handoffs behind one figure, as a page or as CSV (`format=csv`).

    A figure is `measure` and `part` (hits, misses, all), or `reason` for those rejected for it; without
    either the `metric` that the dashboard draws. `q` are words to find, `sort` the order.
    """
    if wrong := _wrong_name(request):
        back = {"wrong": wrong, "back": reverse("metrics:dashboard"), "back_label": "To the dashboard"}
        return render(request, "404.html", back, status=404)
    asked = address.read(request)
    weeks = address.read_range(request, asked.weeks)
    visible = address.visible(request)
    facts = query.load(weeks.span, asked.as_of, visible)
    if request.GET.get("reason"):
        listed = _rejected_for(request.GET["reason"], facts, weeks, asked, visible)
    else:
        part = request.GET.get("part") or "all"
        listed = _of_measure(request.GET.get("measure") or asked.metric.measure, part, facts, asked)
    of_weeks = query.within(weeks.span, asked.as_of, visible)
    typed = request.GET.get("q", "")
    found = listing.fitting(listed.facts, typed, of_weeks, person(request))
    found = listing.in_order(found, request.GET.get("sort", ""), of_weeks)
    if request.GET.get("format") == "csv":
        return _as_csv(found[:MOST_CSV], f"{listed.file}-{weeks.first.name}.csv")
    start = _after(found, request.GET.get("after", ""))
    own = {name: str(value) for name, value in request.GET.items() if name not in {"after", "format"}}
    page = found[start : start + PAGE]
    more = start + PAGE < len(found)
    base = reverse("metrics:behind")
    context = {
        "listed": listed,
        "parts": [(name, text, f"{base}?{urlencode(own | {'part': name})}") for name, text in listed.parts],
        "part": own.get("part") or "all",
        "span": _span_words(weeks),
        "count": f"{len(listed.facts):,}",
        "is_searched": bool(finding.plain(typed)),
        "found": f"{len(found):,}",
        "typed": typed[: finding.LONGEST],
        # What a form has to send along to stay on this list.
        "kept": [(name, value) for name, value in own.items() if name != "q" and value],
        "clear": f"{base}?{urlencode({name: value for name, value in own.items() if name != 'q'})}",
        "heads": listing.columns(list(own.items())),
        "rows": _rows(page, asked.now),
        "first": start + 1 if page else 0,
        "last": start + len(page),
        "next": f"{base}?{urlencode(own | {'after': str(page[-1].id)})}" if more else "",
        "top": f"{base}?{urlencode(own)}" if start else "",
        "csv": f"{base}?{urlencode(own | {'format': 'csv'})}",
        "narrowed": list(asked.filters.params().items()),
        "back": asked.address(),
    }
    return render(request, "metrics/behind.html", context)


def _wrong_name(request: HttpRequest) -> str:
    """What in the address names a figure that there is none of, in words; "" when all of it can be found."""
    measure, metric = request.GET.get("measure"), request.GET.get("metric")
    if measure and all(measure != shown.measure for shown in (*SHOWN.values(), MQLS)):
        return f"There is no figure that is called “{measure[:60]}”."
    if metric and metric not in SHOWN:
        return f"There is no figure that is called “{metric[:60]}”."
    part = request.GET.get("part")
    if part and part not in PARTS:
        return f"A figure has no part that is called “{part[:60]}”: it is all, hits or misses."
    return ""


def _of_measure(measure: str, part: str, facts: Sequence[Fact], asked: Asked) -> Listed:
    """What a measure counts, or one half of it."""
    shown = _shown(measure, asked.filters)
    belongs = asked.filters.belongs(query.people())
    halves = {"all": shown.counted, "hits": shown.hits, "misses": shown.misses}
    return Listed(
        title=shown.title if asked.filters.type or not shown.is_time else "Time to first contact",
        which=halves[part],
        about=shown.about,
        facts=behind(facts, asked.as_of, measure, PARTS[part], belongs),
        file=f"{measure}-{part}",
        parts=() if shown is MQLS else tuple(halves.items()),
    )


def _rejected_for(
    code: str, facts: Sequence[Fact], weeks: WeekRange, asked: Asked, handoffs: HandoffQuerySet
) -> Listed:
    """What was rejected for a reason, each handoff once however often; 404 for a reason there is none of."""
    labels = dict(RejectionReason.objects.values_list("code", "label"))
    if code not in labels:
        raise Http404
    acts = query.passing(query.rejections(weeks.span, asked.as_of, handoffs), asked.filters, query.people())
    ids = {act.handoff_id for act in acts if act.reason == code}
    return Listed(
        title=f"Rejected: {labels[code]}",
        which="handoffs",
        about="Handoffs that were rejected for this reason, whatever followed",
        facts=[fact for fact in facts if fact.id in ids],
        file=f"rejected-{code}",
    )


@dataclass(frozen=True)
class Row:
    """One handoff of a list, in words, as of the moment that the figure was taken."""

    id: int
    name: str
    href: str
    company: str
    source: str
    lead_type: str
    mql: str
    mql_exact: str
    holder: str
    answer: str
    answer_exact: str
    contact: str
    opportunity: str


def _rows(facts: Sequence[Fact], now: datetime) -> list[Row]:
    """These facts with names; two queries whatever their number."""
    local = timezone.localtime(now)
    found = _named([fact.id for fact in facts])
    rows = []
    for fact in facts:
        handoff = found[fact.id]
        answer, answered_at = _answer(fact, handoff)
        contact = ""
        if fact.first_contact_at is not None:
            contact = words.minutes((fact.first_contact_at - fact.mql_at).total_seconds() / 60)
        rows.append(
            Row(
                id=fact.id,
                name=_name(handoff),
                href=reverse("leads:handoff", args=[handoff.pk]),
                company=handoff.lead.company.name if handoff.lead.company else "",
                source=fact.lead_source,
                lead_type=fact.lead_type.capitalize(),
                mql=times.moment(fact.mql_at, local),
                mql_exact=times.exact(fact.mql_at, local),
                holder=_holder(handoff),
                answer=answer,
                answer_exact=times.exact(answered_at, local) if answered_at else "",
                contact=contact,
                opportunity=times.moment(fact.opportunity_at, local) if fact.opportunity_at else "",
            )
        )
    return rows


def _named(ids: Sequence[int]) -> dict[int, Handoff]:
    rows = Handoff.objects.filter(pk__in=ids).select_related(
        "lead__company", "assignee", "queue", "rejection_reason"
    )
    return {handoff.pk: handoff for handoff in rows}


def _name(handoff: Handoff) -> str:
    # Never the address: a viewer reads names, not personal addresses.
    return handoff.lead.full_name or f"Lead {handoff.lead_id}"


def _holder(handoff: Handoff) -> str:
    if handoff.assignee is not None:
        return str(handoff.assignee)
    return handoff.queue.name if handoff.queue else ""


def _answer(fact: Fact, handoff: Handoff) -> tuple[str, datetime | None]:
    if fact.accepted_at is not None:
        later = ", later rejected" if fact.rejected_at and fact.rejected_at > fact.accepted_at else ""
        return f"Accepted{later}", fact.accepted_at
    if fact.rejected_at is not None:
        reason = handoff.rejection_reason
        return f"Rejected: {reason.label}" if reason else "Rejected", fact.rejected_at
    if fact.first_activity_at is not None:
        return "Not decided", None
    return "No activity" if fact.assigned_at else "Not assigned yet", None


def _after(facts: Sequence[Fact], cursor: str) -> int:
    """Where the page after the handoff with this id begins; 404 when it is not in the list."""
    if not cursor:
        return 0
    for place, fact in enumerate(facts):
        if str(fact.id) == cursor:
            return place + 1
    raise Http404


def _as_csv(facts: Sequence[Fact], name: str) -> HttpResponse:
    """The whole list for a spreadsheet: times in UTC, no addresses of leads."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response)
    writer.writerow(CSV_COLUMNS)
    for start in range(0, len(facts), 500):
        part = facts[start : start + 500]
        found = _named([fact.id for fact in part])
        for fact in part:
            handoff = found[fact.id]
            answer, _ = _answer(fact, handoff)
            cells = [
                handoff.pk,
                _name(handoff),
                handoff.lead.company.name if handoff.lead.company else "",
                fact.lead_source,
                fact.lead_type,
                handoff.get_trigger_display(),
                handoff.score_total,
                _holder(handoff),
                answer,
                *(
                    at.isoformat() if at else ""
                    for at in (
                        fact.mql_at,
                        fact.assigned_at,
                        fact.accepted_at,
                        fact.rejected_at,
                        fact.first_contact_at,
                        fact.opportunity_at,
                    )
                ),
            ]
            writer.writerow([query.safe(cell) for cell in cells])
    return response


def _span_words(weeks: WeekRange) -> str:
    if len(weeks) == 1:
        return f"{words.short(weeks.last)}, {words.days_of(weeks.last)}"
    return f"{words.short(weeks.first)} to {words.short(weeks.last)}"


def _shown(measure: str, filters: Filters) -> Shown:
    """The words for a measure that there is; for times those of the lead type that is filtered for."""
    fitting = [shown for shown in (*SHOWN.values(), MQLS) if shown.measure == measure]
    return next((shown for shown in fitting if shown.lead_type == filters.type), fitting[0])
