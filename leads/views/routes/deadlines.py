"""What an edit of a calendar would do to deadlines that are set, and doing it.

Owns the page and the bounds of one go. Which would move, and moving them one by one in the log, is
`leads.lifecycle`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from leads import lifecycle
from leads.lifecycle import Act
from leads.lifecycle.reclocking import Affected, Preview
from leads.models import Handoff
from leads.presenters import times
from leads.views.routes import frame
from leads.views.routes.calendars import editor, of_id
from leads.views.shell import shell_of, tell
from routing.models import Calendar

logger = logging.getLogger(__name__)

MOST_SHOWN = 200
# Each is a transaction of its own; the rest is for the next press of the button.
MOST_MOVED = 500
NAMES = {
    "completion_due_at": "data completion",
    "accept_due_at": "acceptance",
    "contact_due_at": "first contact",
    "next_step_at": "next step of the ladder",
}


@dataclass(frozen=True, slots=True)
class Move:
    """One deadline, old and new, in words. `by` is how much earlier or later."""

    what: str
    before: str
    before_exact: str
    after: str
    after_exact: str
    by: str
    is_earlier: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A lead whose deadlines would move."""

    id: int
    name: str
    company: str
    holder: str
    moves: Sequence[Move]


@require_http_methods(["GET", "HEAD", "POST"])
def calendar_deadlines(request: HttpRequest, pk: int) -> HttpResponse:
    """The open deadlines that are not what this calendar would make them today; moving them when asked."""
    user = editor(request)
    row = of_id(pk)
    now = shell_of(request).now
    found = lifecycle.affected(Act(now, user), calendar=row)
    if request.method != "POST":
        return _page(request, row, found)
    if frame.revision(request) != row.revision:
        # They were shown what an earlier edit would do.
        return _page(request, row, found, is_stale=True, status=409)
    moved = failed = 0
    for affected in found.rows[:MOST_MOVED]:
        try:
            after = lifecycle.move_deadlines(affected.handoff_id, Act(now, user), f"calendar:{row.pk}")
        except Exception:
            # One that cannot be moved stops none of the others; the page lists it again.
            logger.exception("deadlines of handoff %s could not be moved", affected.handoff_id)
            failed += 1
        else:
            moved += after.revision != affected.revision
    left = len(found.rows) - moved
    tell(request, _said(moved, left, failed))
    return redirect("leads:calendar_deadlines", pk=pk) if left else redirect("leads:calendars")


def _said(moved: int, left: int, failed: int) -> str:
    if not moved and not left:
        return "Nothing was left to move."
    text = f"Moved the deadlines of {moved:,} lead{'' if moved == 1 else 's'}."
    if failed:
        return f"{text} {failed:,} could not be moved and are listed still."
    return f"{text} {left:,} are left." if left else text


def _page(
    request: HttpRequest, row: Calendar, found: Preview, *, is_stale: bool = False, status: int = 200
) -> HttpResponse:
    deadlines = [shift for affected in found.rows for shift in affected.shifts]
    shown = found.rows[:MOST_SHOWN]
    handoffs = Handoff.objects.with_context().in_bulk([affected.handoff_id for affected in shown])
    values = {
        "row": row,
        "rows": [_row(handoffs[affected.handoff_id], affected, request) for affected in shown],
        "leads": len(found.rows),
        "more": max(0, len(found.rows) - MOST_SHOWN),
        "count": len(deadlines),
        "earlier": sum(shift.after < shift.before for shift in deadlines),
        "later": sum(shift.after > shift.before for shift in deadlines),
        "late": sum(shift.after <= shell_of(request).now < shift.before for shift in deadlines),
        "looked_at": found.looked_at,
        "is_cut": found.is_cut,
        "at_once": MOST_MOVED if len(found.rows) > MOST_MOVED else 0,
        "is_stale": is_stale,
        "may_edit": True,
        "changed": frame.last_change(row, shell_of(request).now),
    }
    return render(request, "leads/routing/calendar_deadlines.html", values, status=status)


def _row(handoff: Handoff, affected: Affected, request: HttpRequest) -> Row:
    now = shell_of(request).now
    moves = []
    for shift in affected.shifts:
        is_earlier = shift.after < shift.before
        span = times.length(abs(shift.after - shift.before))
        moves.append(
            Move(
                what=NAMES[shift.column],
                before=times.moment(shift.before, now),
                before_exact=times.exact(shift.before, now),
                after=times.moment(shift.after, now),
                after_exact=times.exact(shift.after, now),
                by=f"{span} {'earlier' if is_earlier else 'later'}",
                is_earlier=is_earlier,
            )
        )
    company = handoff.lead.company
    return Row(
        id=handoff.pk,
        name=handoff.lead.full_name or handoff.lead.email,
        company=company.name if company is not None else "",
        holder=str(handoff.assignee or handoff.queue or "Data completion"),
        moves=moves,
    )
