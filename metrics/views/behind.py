"""The handoffs behind a figure, as a page and as CSV.

The list is made by the measure that made the figure, so both always agree; words and order narrow and turn
it (`metrics.listing`). Only what the person may see is in it; a lead is named, its address is not shown.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads import paging
from leads.models import Handoff, RejectionReason
from leads.presenters import times
from leads.querysets import HandoffQuerySet
from leads.search import finding
from leads.views import proof
from leads.views.shell import person
from metrics import address, listing, lists, query, words
from metrics.address import Asked
from metrics.beside import ASIDE
from metrics.filters import Filters
from metrics.periods import WeekRange
from metrics.words import MQLS, SHOWN, Shown

PAGE = 50
EVERY_SHOWN = (*SHOWN.values(), MQLS, *ASIDE.values())
MOST_CSV = 100_000
PARTS = ("all", "hits", "misses")
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
    """What is listed, and in words what they are. `parts` are (name, words)."""

    title: str
    which: str
    about: str
    rows: HandoffQuerySet
    file: str
    parts: tuple[tuple[str, str], ...] = ()


@require_safe
def behind_figure(request: HttpRequest) -> HttpResponse:
    """The handoffs behind one figure, as a page or as CSV (`format=csv`).

    A figure is `measure` and `part` (hits, misses, all), or `reason` for those rejected for it, or a `list`
    of `metrics.lists`; without any of them the `metric` that the dashboard draws. `q` are words to find,
    `sort` the order.
    """
    if wrong := _wrong_name(request):
        back = {"wrong": wrong, "back": reverse("metrics:dashboard"), "back_label": "To the dashboard"}
        return render(request, "404.html", back, status=404)
    asked = address.read(request)
    weeks = address.read_range(request, asked.weeks)
    question = query.Question(asked.as_of, weeks.span, filters=asked.filters)
    figures = query.Asked.of(question, address.visible(request))
    if request.GET.get("reason"):
        listed = _rejected_for(request.GET["reason"], figures)
    elif request.GET.get("list"):
        listed = _of_list(request.GET["list"], request.GET.get("part") or "hits", figures)
    else:
        part = request.GET.get("part") or "all"
        listed = _of_measure(request.GET.get("measure") or asked.metric.measure, part, figures)
    typed = request.GET.get("q", "")
    found = listing.fitting(listed.rows, typed, person(request))
    found, order = listing.in_order(found.with_context(), request.GET.get("sort", ""), figures.terms)
    if request.GET.get("format") == "csv":
        proof.for_export(request)
        rows = found.order_by(*order)[:MOST_CSV].iterator(500)
        return _as_csv(rows, asked.as_of, f"{listed.file}-{weeks.first.name}.csv")
    page = paging.page(found, order, request.GET.get("after", ""), PAGE)
    count = listed.rows.order_by().count()
    is_searched = bool(finding.plain(typed))
    own = {name: str(value) for name, value in request.GET.items() if name not in {"after", "format"}}
    base = reverse("metrics:behind")
    context = {
        "listed": listed,
        "parts": [(name, text, f"{base}?{urlencode(own | {'part': name})}") for name, text in listed.parts],
        "part": own.get("part") or ("hits" if own.get("list") else "all"),
        "span": _span_words(weeks),
        "count": f"{count:,}",
        "is_searched": is_searched,
        "found": f"{found.order_by().count() if is_searched else count:,}",
        "typed": typed[: finding.LONGEST],
        # What a form has to send along to stay on this list.
        "kept": [(name, value) for name, value in own.items() if name != "q" and value],
        "clear": f"{base}?{urlencode({name: value for name, value in own.items() if name != 'q'})}",
        "heads": listing.columns(list(own.items())),
        "rows": [_row(handoff, asked) for handoff in page.rows],
        "next": f"{base}?{urlencode(own | {'after': page.next})}" if page.next else "",
        "top": f"{base}?{urlencode(own)}" if page.after else "",
        "csv": f"{base}?{urlencode(own | {'format': 'csv'})}",
        "narrowed": list(asked.filters.params().items()),
        "back": asked.address(),
    }
    return render(request, "metrics/behind.html", context)


def _wrong_name(request: HttpRequest) -> str:
    """What in the address names a figure that there is none of, in words; "" when all of it can be found."""
    measure, metric = request.GET.get("measure"), request.GET.get("metric")
    if measure and all(measure != shown.measure for shown in EVERY_SHOWN):
        return f"There is no figure that is called “{measure[:60]}”."
    if metric and metric not in SHOWN:
        return f"There is no figure that is called “{metric[:60]}”."
    if (name := request.GET.get("list")) and name not in lists.LISTS:
        return f"There is no list that is called “{name[:60]}”."
    part = request.GET.get("part")
    if part and part not in PARTS:
        return f"A figure has no part that is called “{part[:60]}”: it is all, hits or misses."
    return ""


def _of_measure(measure: str, part: str, figures: query.Asked) -> Listed:
    """What a measure counts, or one half of it."""
    shown = _shown(measure, figures.filters)
    halves = {"all": shown.counted, "hits": shown.hits, "misses": shown.misses}
    return Listed(
        title=shown.title if figures.filters.type or not shown.is_time else "Time to first contact",
        which=halves[part],
        about=shown.about,
        rows=figures.listed(measure, part),
        file=f"{measure}-{part}",
        parts=() if shown is MQLS else tuple(halves.items()),
    )


def _of_list(name: str, part: str, figures: query.Asked) -> Listed:
    """A list of `metrics.lists`; 404 for a part that it does not have."""
    behind = lists.LISTS[name]
    if part not in behind.parts:
        raise Http404
    return Listed(
        title=behind.title,
        which=behind.parts[part],
        about=behind.about,
        rows=behind.rows(figures, part),
        file=f"{name.replace('_', '-')}-{part}",
        parts=() if behind.hits == behind.counted else tuple(behind.parts.items()),
    )


def _rejected_for(code: str, figures: query.Asked) -> Listed:
    """What was rejected for a reason, each handoff once however often; 404 for a reason there is none of."""
    reason = {each.code: each for each in RejectionReason.objects.all()}.get(code)
    if reason is None:
        raise Http404
    acts = figures.acts().filter(reason=reason)
    return Listed(
        title=f"Rejected: {reason.label}",
        which="handoffs",
        about="Handoffs that were rejected for this reason, whatever followed",
        rows=figures.rows.filter(pk__in=acts.values("handoff")),
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


def _row(handoff: Handoff, asked: Asked) -> Row:
    local = timezone.localtime(asked.now)
    answer, answered_at = _answer(handoff, asked.as_of)
    contact_at, won_at = (_seen(at, asked.as_of) for at in (handoff.first_contact_at, handoff.opportunity_at))
    contact = ""
    if contact_at is not None:
        contact = words.minutes((contact_at - handoff.mql_at).total_seconds() / 60)
    return Row(
        id=handoff.pk,
        name=_name(handoff),
        href=reverse("leads:handoff", args=[handoff.pk]),
        company=handoff.lead.company.name if handoff.lead.company else "",
        source=handoff.lead_source,
        lead_type=handoff.lead_type.capitalize(),
        mql=times.moment(handoff.mql_at, local),
        mql_exact=times.exact(handoff.mql_at, local),
        holder=_holder(handoff),
        answer=answer,
        answer_exact=times.exact(answered_at, local) if answered_at else "",
        contact=contact,
        opportunity=times.moment(won_at, local) if won_at else "",
    )


def _seen(at: datetime | None, as_of: datetime) -> datetime | None:
    """What had occurred by the moment."""
    return None if at is None or at > as_of else at


def _name(handoff: Handoff) -> str:
    # Never the address: a viewer reads names, not personal addresses.
    return handoff.lead.full_name or f"Lead {handoff.lead_id}"


def _holder(handoff: Handoff) -> str:
    if handoff.assignee is not None:
        return str(handoff.assignee)
    return handoff.queue.name if handoff.queue else ""


def _answer(handoff: Handoff, as_of: datetime) -> tuple[str, datetime | None]:
    accepted_at, rejected_at = _seen(handoff.accepted_at, as_of), _seen(handoff.rejected_at, as_of)
    if accepted_at is not None:
        later = ", later rejected" if rejected_at and rejected_at > accepted_at else ""
        return f"Accepted{later}", accepted_at
    if rejected_at is not None:
        reason = handoff.rejection_reason
        return f"Rejected: {reason.label}" if reason else "Rejected", rejected_at
    if _seen(handoff.first_activity_at, as_of) is not None:
        return "Not decided", None
    return "No activity" if _seen(handoff.assigned_at, as_of) else "Not assigned yet", None


def _as_csv(rows: Iterable[Handoff], as_of: datetime, name: str) -> HttpResponse:
    """The whole list for a spreadsheet: times in UTC, no addresses of leads."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response)
    writer.writerow(CSV_COLUMNS)
    for handoff in rows:
        moments = (
            handoff.mql_at,
            handoff.assigned_at,
            handoff.accepted_at,
            handoff.rejected_at,
            handoff.first_contact_at,
            handoff.opportunity_at,
        )
        cells = [
            handoff.pk,
            _name(handoff),
            handoff.lead.company.name if handoff.lead.company else "",
            handoff.lead_source,
            handoff.lead_type,
            handoff.get_trigger_display(),
            handoff.score_total,
            _holder(handoff),
            _answer(handoff, as_of)[0],
            *(seen.isoformat() if (seen := _seen(at, as_of)) else "" for at in moments),
        ]
        writer.writerow([query.safe(cell) for cell in cells])
    return response


def _span_words(weeks: WeekRange) -> str:
    if len(weeks) == 1:
        return f"{words.short(weeks.last)}, {words.days_of(weeks.last)}"
    return f"{words.short(weeks.first)} to {words.short(weeks.last)}"


def _shown(measure: str, filters: Filters) -> Shown:
    """The words for a measure that there is; for times those of the lead type that is filtered for."""
    fitting = [shown for shown in EVERY_SHOWN if shown.measure == measure]
    return next((shown for shown in fitting if shown.lead_type == filters.type), fitting[0])
