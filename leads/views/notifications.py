"""What somebody was told: their messages, newest first, and marking them as read.

Owns the page. The words are `leads.notifications`; a message stays one's own even when the lead is no longer
one's to see, but then it leads nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from leads import notifications as telling
from leads import paging
from leads.models import Handoff, Notification
from leads.presenters import times
from leads.views import inbox
from leads.views.shell import person, shell_of, tell
from routing.people import User

SIZE = 50
# What asks for an act, told in red.
ALARMS = frozenset(
    {"accept_breach", "unacknowledged", "contact_breach", "no_activity", "black_hole", "completion_breach"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """One message; `href` is "" when the lead is no longer this person's to see."""

    id: int
    subject: str
    text: str
    href: str
    when: str
    exact: str
    is_new: bool
    is_alarm: bool


@require_safe
def notifications(request: HttpRequest) -> HttpResponse:
    """The messages of whoever is signed in; `show=all` has those that were read too."""
    user, now = person(request), shell_of(request).now
    is_all = request.GET.get("show") == "all"
    # Read before the rows: whatever is written later has a higher number, however long ago its act began.
    last = Notification.objects.aggregate(last=Max("pk"))["last"]
    own = Notification.objects.filter(user=user)
    unread = own.filter(read_at__isnull=True)
    rows = (own if is_all else unread).select_related(
        "user", "handoff__lead__company", "handoff__assignee", "handoff__queue"
    )
    page = paging.page(rows, ("-created_at", "-id"), request.GET.get("after", ""), SIZE)
    values = {
        "lines": _lines(user, page.rows, now),
        "unread": paging.count_words(paging.count(unread)),
        "is_all": is_all,
        "until": page.rows[0].created_at.isoformat() if page.rows and not page.after else now.isoformat(),
        "last": last,
        "more": f"?show={'all' if is_all else 'new'}&after={page.next}" if page.next else "",
        "is_later": bool(page.after),
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
        return redirect("leads:notifications")
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
                text=said.text,
                href=said.url if row.handoff_id is None or row.handoff_id in seen else "",
                when=times.day(row.created_at, now),
                exact=times.exact(row.created_at, now),
                is_new=row.read_at is None,
                is_alarm=row.kind in ALARMS,
            )
        )
    return lines
