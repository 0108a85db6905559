"""What somebody was told: their messages, searched and ordered by the address, and marking them as read.

Owns the page. The words are `leads.notifications`; a message stays one's own even when the lead is no longer
one's to see, but then it leads nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Max, Value
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from leads import notifications as telling
from leads import paging
from leads.filters import NotificationFilter
from leads.models import Handoff, Notification
from leads.presenters import heads, times
from leads.views import inbox
from leads.views.shell import person, shell_of, tell
from routing.people import User

SIZE = 50
LONGEST_QUERY = 1000
# The orders, each by columns that are never null.
ORDERS = {
    "-when": ("-created_at", "-id"),
    "when": ("created_at", "id"),
    "what": ("kind", "created_at", "id"),
    "-what": ("-kind", "-created_at", "-id"),
    "lead": ("lead_words", "created_at", "id"),
    "-lead": ("-lead_words", "-created_at", "-id"),
}
FIRST = "-when"
HEADS = (("What happened", "what", "what"), ("Lead", "lead", "lead"), ("When", "when", "-when"))
# What asks for an act, told in red.
ALARMS = frozenset(
    {"accept_breach", "unacknowledged", "contact_breach", "no_activity", "black_hole", "completion_breach"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One message; `href` is "" when the lead is no longer this person's to see."""

    id: int
    subject: str
    head: str
    text: str
    todo: str
    lead: str
    company: str
    href: str
    when: str
    exact: str
    is_new: bool
    is_alarm: bool


@require_safe
def notifications(request: HttpRequest) -> HttpResponse:
    """The messages of whoever is signed in, searched and ordered by the address; `show=all` has those that
    were read too."""
    user, now = person(request), shell_of(request).now
    is_all = request.GET.get("show") == "all"
    # Read before the rows: whatever is written later has a higher number, however long ago its act began.
    last = Notification.objects.aggregate(last=Max("pk"))["last"]
    own = Notification.objects.filter(user=user)
    unread = own.filter(read_at__isnull=True)
    found = NotificationFilter(request.GET, own if is_all else unread)
    rows = found.qs.annotate(lead_words=Coalesce("handoff__lead__name_key", Value("")))
    order = ORDERS.get(request.GET.get("sort", ""), ORDERS[FIRST])
    rows = rows.select_related("user", "handoff__lead__company", "handoff__assignee", "handoff__queue")
    page = paging.page(rows, order, request.GET.get("after", ""), SIZE)
    shown = [(name, str(value)) for name, value in request.GET.items() if value and name != "after"]
    # Only then the moment of the first row says what was there; else the number alone does.
    is_newest_first = order == ORDERS[FIRST] and not page.after and not found.is_narrowed
    values = {
        "lines": _lines(user, page.rows, now),
        "unread": paging.count_words(paging.count(unread)),
        "is_all": is_all,
        "until": page.rows[0].created_at.isoformat() if page.rows and is_newest_first else now.isoformat(),
        "last": last,
        "heads": [heads.head(label, sort, shown, ORDERS, FIRST, usual=usual) for label, sort, usual in HEADS],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in ("q", "sort")},
        "query": urlencode(shown),
        "tabs": [_tab(shown, "Unread", is_all), _tab(shown, "All", is_all, show="all")],
        "found": paging.count_words(paging.count(found.qs, page)) if found.is_narrowed else "",
        "more": f"?{urlencode([*shown, ('after', page.next)])}" if page.next else "",
        "first": f"?{urlencode(shown)}" if page.after else "",
    }
    return render(request, "leads/notifications.html", values)


@require_POST
def read(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark one as read and go to what it is about."""
    user = person(request)
    found = Notification.objects.filter(user=user, pk=pk).first()
    if found is None:
        raise Http404("no such message")
    Notification.objects.filter(pk=pk, read_at__isnull=True).update(read_at=shell_of(request).now)
    if "stay" in request.POST:
        # As it was searched and ordered; whatever came along is only ever a query of this page.
        query = QueryDict(request.POST.get("query", "")[:LONGEST_QUERY]).urlencode()
        return redirect(f"{reverse('leads:notifications')}{'?' if query else ''}{query}")
    if found.handoff_id is None:
        return redirect(telling.words(found).url)
    is_theirs = Handoff.objects.visible_to(user).filter(pk=found.handoff_id).exists()
    return redirect("leads:handoff", found.handoff_id) if is_theirs else redirect("leads:notifications")


@require_POST
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark as read everything that was there when the page was made; what came in since stays new.

    The moment alone does not say what that was: a sweep writes for half a minute under the one moment at
    which it began.
    """
    user, now = person(request), shell_of(request).now
    until = _moment(request.POST.get("until", "")) or now
    own = Notification.objects.filter(user=user, read_at__isnull=True, created_at__lte=until)
    if (last := inbox.number(request.POST.get("last"))) is not None:
        own = own.filter(pk__lte=last)
    count = own.update(read_at=now)
    tell(request, f"{count} message{'' if count == 1 else 's'} marked as read.")
    return redirect("leads:notifications")


def _tab(shown: list[tuple[str, str]], label: str, is_all: bool, show: str = "") -> dict[str, Any]:
    """Unread or all, searched and ordered as now."""
    own = [(name, value) for name, value in shown if name != "show"]
    query = urlencode([*own, ("show", show)] if show else own)
    return {"label": label, "href": f"?{query}", "is_here": bool(show) == is_all}


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text[:40])
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _lines(user: User, rows: list[Notification], now: datetime) -> list[Line]:
    seen = set(
        Handoff.objects.visible_to(user)
        .filter(pk__in=[row.handoff_id for row in rows])
        .values_list("pk", flat=True)
    )
    lines = []
    for row in rows:
        # The person is the one signed in, whose roles and zone are known already.
        row.user = user
        said = telling.words(row)
        lines.append(
            Line(
                id=row.pk,
                subject=said.subject,
                head=said.head,
                text=said.text,
                todo="" if row.read_at is not None or said.todo == telling.Todo.KNOW else str(said.todo),
                lead=said.lead,
                company=said.company,
                href=said.url if row.handoff_id is None or row.handoff_id in seen else "",
                when=times.day(row.created_at, now),
                exact=times.exact(row.created_at, now),
                is_new=row.read_at is None,
                is_alarm=row.kind in ALARMS,
            )
        )
    return lines
