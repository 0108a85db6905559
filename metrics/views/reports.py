"""The reports: their list, a week's page, the handoffs behind its figures, the comparison, and the files.

For managers, marketing ops, viewers and admins: a report covers the whole organisation. Reads only; what
changes something is `metrics.views.report_acts`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads import exports
from leads.presenters import times
from leads.roles import Can, can
from leads.views import access
from leads.views.shell import person
from metrics import address, words
from metrics.models import Report, ReportMail
from metrics.periods import Week
from metrics.reports import calls, comparing, files, forms, mailing, making, opening, showing
from metrics.reports.calls import Said
from metrics.reports.rows import KIND
from metrics.reports.schedule import DAYS, last_over, next_due
from routing.people import User

PAGE = 26
# How far back a report can be made from the list; an address of its own takes any week.
OFFERED = 26
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The made reports, the latest week first; when the next one comes, and whether it comes by mail."""
    reader(request)
    return listing(request)


def listing(
    request: HttpRequest,
    *,
    errors: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of the list; with `errors` as it goes back to whoever sent one of its forms."""
    user, now = person(request), timezone.now()
    schedule, is_on = making.plan()
    found = Report.objects.order_by("-week").values("week").annotate(last=Max("edition"), of=Count("pk"))
    if request.GET.get("before"):
        found = found.filter(week__lt=parsed(request.GET["before"]).name)
    rows = list(found.annotate(at=Max("made_at"))[: PAGE + 1])
    local = timezone.localtime(now)
    latest = last_over(now, schedule.zone)
    made = set(Report.objects.filter(week__gte=latest.plus(1 - OFFERED).name).values_list("week", flat=True))
    offered = [latest.plus(-back) for back in range(OFFERED)]
    due = next_due(now, schedule).astimezone(ZoneInfo(schedule.zone))
    context = {
        "rows": [_listed(row, local) for row in rows[:PAGE]],
        "older": f"?before={rows[PAGE - 1]['week']}" if len(rows) > PAGE else "",
        "is_first": not request.GET.get("before"),
        "offered": [
            (week.name, f"{words.short(week)}, {words.days_of(week)} {week.sunday.year}")
            for week in offered
            if week.name not in made
        ],
        "may_write": may_write(user),
        "may_schedule": may_schedule(user),
        "is_subscribed": mailing.is_subscribed(user),
        "schedule": schedule,
        "is_on": is_on,
        "next": f"{due:%A} {due.day} {due:%B, %H:%M}",
        "days": list(enumerate(DAYS)),
        "hours": [(hour, f"{hour:02}:00") for hour in range(24)],
        "errors": errors or {},
        "given": given or {"weekday": str(schedule.weekday), "hour": str(schedule.hour)},
    }
    return render(request, "metrics/reports.html", context, status=status)


@require_safe
def report(request: HttpRequest, week: str) -> HttpResponse:
    """A week's report, its latest edition or the one asked for (`edition`), and what its call wrote."""
    reader(request)
    return week_page(request, parsed(week))


def week_page(
    request: HttpRequest,
    week: Week,
    *,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of a week; with `errors` as it goes back to whoever wrote on its call."""
    user, now = person(request), timezone.localtime()
    found = _found(request, week)
    if found is None:
        return _none(request, week)
    page = showing.shown(found)
    editions = list(
        Report.objects.filter(week=week.name).order_by("edition").defer("kept").select_related("made_by")
    )
    count = comparing.since(found, page.kept["zone"])
    done = calls.finished(each.id for each in page.decisions)
    context = {
        "page": page,
        "report": found,
        "by": str(found.made_by) if found.made_by else "",
        "since": comparing.said(count) if count else "",
        "editions": [(each.edition, _edition_words(each, now)) for each in editions],
        "is_latest": found.edition == editions[-1].edition,
        "next_edition": editions[-1].edition + 1,
        "decisions": [(each, _turn_words(done.get(each.id), now)) for each in page.decisions],
        "said": [entry(each, now) for each in calls.of_week(week)],
        "mails": _mail_words(found),
        "may_write": may_write(user),
        "given": given or {"kind": "note"},
        "errors": errors or {},
        "people": [(each.pk, str(each)) for each in forms.people()] if may_write(user) else [],
        "today": now.date().isoformat(),
    }
    return render(request, "metrics/report.html", context, status=status)


@require_safe
def handoffs(request: HttpRequest, week: str) -> HttpResponse:
    """The handoffs behind a figure of a report, with the facts as they were (`figure`, `edition`)."""
    reader(request)
    there = parsed(week)
    found = _found(request, there)
    kept = json.loads(found.kept) if found else None
    opened = kept and opening.opened(kept, request.GET.get("figure", ""))
    if found is None or kept is None or opened is None:
        raise Http404("no such list")
    ids = {number for number, _ in opened.rows}
    seen = set(address.visible(request).filter(pk__in=ids).order_by().values_list("pk", flat=True))
    facts, zone = kept["lists"]["facts"], ZoneInfo(kept["zone"])
    context = {
        "page": showing.shown(found),
        "report": found,
        "opened": opened,
        "rows": [
            _fact(number, said, facts.get(str(number), {}), number in seen, zone)
            for number, said in opened.rows
        ],
    }
    return render(request, "metrics/report_handoffs.html", context)


@require_safe
def compare(request: HttpRequest, week: str) -> HttpResponse:
    """A report beside the same weeks as they are now, or beside another edition (`with`)."""
    reader(request)
    there, now = parsed(week), timezone.now()
    found = _found(request, there)
    if found is None:
        return _none(request, there)
    other = request.GET.get("with", "")
    if other:
        beside = _edition(there, other)
        if beside is None:
            raise Http404("no such edition")
        kept, title = json.loads(beside.kept), f"Edition {beside.edition}"
    else:
        kept, title = json.loads(making.content(there, now)), "Now"
    rows = comparing.rows(json.loads(found.kept), kept)
    editions = Report.objects.filter(week=there.name).exclude(pk=found.pk).order_by("edition")
    context = {
        "page": showing.shown(found),
        "report": found,
        "title": title,
        "changed": [row for row in rows if row.changed],
        "same": sum(not row.changed for row in rows),
        "others": list(editions.values_list("edition", flat=True)),
        "with": other,
    }
    return render(request, "metrics/report_compare.html", context)


@require_safe
def as_csv(request: HttpRequest, week: str) -> HttpResponseBase:
    """The report and what its call wrote as one flat CSV."""
    found, there = _file(request, week)
    rows = list(files.lines(json.loads(found.kept), calls.of_week(there)))
    return exports.download(f"report-{there.name}-{found.edition}.csv", files.HEADER, rows)


@require_safe
def as_workbook(request: HttpRequest, week: str) -> HttpResponse:
    """The same as a workbook, with the handoffs behind the figures."""
    found, there = _file(request, week)
    content = files.workbook(found, json.loads(found.kept), calls.of_week(there))
    response = HttpResponse(content, content_type=SHEET)
    name = f"report-{there.name}-{found.edition}.xlsx"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


# Who may


def reader(request: HttpRequest) -> User:
    """Who is signed in, if reports are for them; else Http404."""
    return access.page(request, Can.READ_FIGURES)


def may_write(user: User) -> bool:
    return can(user, Can.WRITE_REPORTS)


def may_schedule(user: User) -> bool:
    """When the report comes concerns everybody: marketing ops run it."""
    return can(user, Can.SCHEDULE_REPORTS)


def parsed(week: str) -> Week:
    try:
        return Week.parse(week)
    except ValueError:
        raise Http404("no such week") from None


# The rows


@dataclass(frozen=True)
class Entry:
    """A note or decision in words; `was` are (words, who and when) of its earlier readings."""

    id: int
    last_id: int
    kind: str
    is_decision: bool
    text: str
    who: str
    owner: str
    until: str
    until_day: str
    owner_id: int | None
    done: str
    is_late: bool
    was: tuple[tuple[str, str], ...]


def entry(said: Said, now: datetime) -> Entry:
    """How a note or decision is shown at a moment in the viewer's zone."""
    row = said.now
    until = row.until
    corrected = f", corrected {times.day(row.at, now)} by {row.by}" if said.was else ""
    return Entry(
        id=said.first.pk,
        last_id=row.pk,
        kind=row.get_kind_display(),
        is_decision=said.is_decision,
        text=row.text,
        who=f"{said.first.by}, {times.day(said.first.at, now)}{corrected}",
        owner=str(row.owner) if row.owner else "",
        until=f"{until.day} {until:%B}" if until else "",
        until_day=until.isoformat() if until else "",
        owner_id=row.owner_id,
        done=_turn_words(said.done, now),
        is_late=bool(until and until < now.date() and not said.done),
        was=tuple((each.text, f"{each.by}, {times.day(each.at, now)}") for each in said.was),
    )


def _turn_words(done: Any, now: datetime) -> str:
    return f"{times.day(done.at, now)} by {done.by}" if done else ""


def _listed(row: Mapping[str, Any], now: datetime) -> dict[str, str]:
    week = Week.parse(row["week"])
    return {
        "href": reverse("metrics:report", args=[week.name]),
        "name": words.short(week),
        "days": f"{words.days_of(week)} {week.sunday.year}",
        "editions": f"{row['of']:,}",
        "made": times.day(row["at"], now),
        "exact": times.exact(row["at"], now),
    }


def _edition_words(each: Report, now: datetime) -> str:
    by = str(each.made_by) if each.made_by else "the schedule"
    return f"Edition {each.edition}, {times.day(each.made_at, now)}, by {by}"


def _mail_words(found: Report) -> str:
    """What became of its mail; "" where nobody was to get it."""
    states = dict(
        ReportMail.objects.filter(report=found).order_by().values_list("state").annotate(count=Count("pk"))
    )
    names = {
        ReportMail.State.SENT: "mailed to {}",
        ReportMail.State.PENDING: "{} to be mailed",
        ReportMail.State.SENDING: "{} begun and not known to have arrived",
        ReportMail.State.FAILED: "{} given up",
    }
    parts = [text.format(states[state]) for state, text in names.items() if states.get(state)]
    return ", ".join(parts).capitalize()


def _fact(number: int, said: str, fact: Mapping[str, Any], is_seen: bool, zone: ZoneInfo) -> dict[str, Any]:
    def at(name: str) -> str:
        if name not in fact:
            return ""
        local = datetime.fromisoformat(fact[name]).astimezone(zone)
        return f"{local:%a} {local.day} {local:%b, %H:%M}"

    answer = f"Accepted by {fact['decided_by'] or 'nobody in person'}" if "accepted_at" in fact else ""
    if not answer and "rejected_at" in fact:
        answer = f"Rejected: {fact.get('reason') or 'no reason'}"
    return {
        "id": number,
        "href": reverse("leads:handoff", args=[number]) if is_seen else "",
        "said": said,
        "type": KIND.get(fact.get("type", ""), ""),
        "source": fact.get("source", ""),
        "mql": at("mql_at"),
        "holder": fact.get("holder", ""),
        "answer": answer,
        "contact": at("first_contact_at"),
        "opportunity": at("opportunity_at"),
    }


def _file(request: HttpRequest, week: str) -> tuple[Report, Week]:
    reader(request)
    there = parsed(week)
    found = _found(request, there)
    if found is None:
        raise Http404("no report of this week")
    return found, there


def _found(request: HttpRequest, week: Week) -> Report | None:
    """The edition that the address asks for, else the latest; Http404 for one that there is not."""
    asked = request.GET.get("edition", "")
    if not asked:
        return Report.objects.filter(week=week.name).select_related("made_by").order_by("edition").last()
    found = _edition(week, asked)
    if found is None:
        raise Http404("no such edition")
    return found


def _edition(week: Week, number: str) -> Report | None:
    if not (number.isascii() and number.isdigit() and len(number) <= 4):
        return None
    return Report.objects.filter(week=week.name, edition=number).select_related("made_by").first()


def _none(request: HttpRequest, week: Week) -> HttpResponse:
    said = f"There is no report of {words.short(week)}, {words.days_of(week)} {week.sunday.year}, yet."
    context = {"wrong": said, "back": reverse("metrics:reports"), "back_label": "To the reports"}
    return render(request, "404.html", context, status=404)
