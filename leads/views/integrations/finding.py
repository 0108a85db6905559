"""One finding of the sync audit: the sides beside each other, and pushing ours, adopting theirs, ignoring it.

Owns the page and its acts. What each does is `leads.audit.repairing`, and always in somebody's name. To look
at the other systems once more calls them within seconds, outside any transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from leads import outbox, permissions
from leads.audit import repairing, running
from leads.audit import sides as looking
from leads.audit.checks import Code
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Connection, Event, Finding
from leads.outbox.wanted import Status
from leads.presenters import audits as words
from leads.presenters import sides, times
from leads.typed import plain
from leads.views import asked
from leads.views.integrations import frame
from leads.views.shell import shell_of, tell
from routing.people import User

DONE = {
    repairing.PUSH: "Ours is written again, to every system.",
    repairing.ADOPT: "Theirs is adopted.",
    repairing.IGNORE: "It is ignored until it differs otherwise.",
}
# The order of the columns: who sells, then who markets.
_ROLES = ("crm", "both", "map", "other")


@require_safe
def finding(request: HttpRequest, pk: int) -> HttpResponse:
    """The page; with ?now the other systems are read once more, for whoever may act."""
    user = frame.reader(request)
    row = _find(user, pk)
    is_fresh = bool(request.GET.get("now")) and frame.may_run(user) and row.lead_id is not None
    if is_fresh and request.headers.get("HX-Request"):
        values = {"table": _table(request, row, is_fresh=True), "is_fresh": True, "row": row, "may_act": True}
        return render(request, "leads/integrations/_sides.html", values)
    return _page(request, user, row, is_fresh=is_fresh)


@require_POST
def act(request: HttpRequest, pk: int, choice: str) -> HttpResponse:
    """One of the ways to settle it. 422 for what is missing, 409 when it can't be settled so."""
    user = frame.settler(request)
    if choice not in DONE:
        raise Http404("no such way to settle it")
    row = _find(user, pk)
    try:
        _ACTS[choice](request, row, Act(shell_of(request).now, user))
    except Invalid as invalid:
        return _page(request, user, row, errors=invalid.errors, choice=choice, status=422)
    except repairing.CannotMend as refused:
        return _page(request, user, row, problem=str(refused), choice=choice, status=409)
    except Refused as refused:
        return _page(request, user, row, problem=refused.message, choice=choice, status=409)
    tell(request, DONE[choice])
    return redirect("leads:finding", row.pk)


def _adopt(request: HttpRequest, row: Finding, act: Act) -> None:
    reason, note = plain(request.POST.get("reason"), 60), plain(request.POST.get("note"), 2000)
    repairing.adopt(row, act, reason=reason, note=note)


_ACTS: dict[str, Callable[[HttpRequest, Finding, Act], None]] = {
    repairing.PUSH: lambda request, row, act: repairing.push(row, act),
    repairing.ADOPT: _adopt,
    repairing.IGNORE: lambda request, row, act: repairing.ignore(
        row, act, plain(request.POST.get("note"), 301)
    ),
}


def _find(user: User, pk: int) -> Finding:
    rows = frame.findings(user).select_related(*words.WITH, "run")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Http404("there is no such finding")
    return found


def _page(
    request: HttpRequest,
    user: User,
    row: Finding,
    *,
    errors: dict[str, str] | None = None,
    problem: str = "",
    choice: str = "",
    is_fresh: bool = False,
    status: int = 200,
) -> HttpResponse:
    now, errors = shell_of(request).now, errors or {}
    may_act = frame.may_run(user)
    theirs = row.sides.get(row.connection.slug, {}).get("status", "")
    asks_reason = "reason" in errors or (row.handoff_id is not None and theirs == Status.REJECTED)
    offered = repairing.choices(row) if may_act and row.resolved_at is None else ()
    values = {
        "row": row,
        "line": words.line(row, now, personal=permissions.sees_personal_data(user)),
        "about": words.about(row.check_code),
        "table": _table(request, row, is_fresh=is_fresh) if row.lead_id else None,
        "is_fresh": is_fresh,
        "first_seen": (times.day(row.first_seen_at, now), times.exact(row.first_seen_at, now)),
        "settled": (times.day(row.resolved_at, now), times.exact(row.resolved_at, now))
        if row.resolved_at
        else None,
        "past": words.past(row, _names(row), now),
        "may_act": may_act,
        "may_push": repairing.PUSH in offered,
        "may_adopt": repairing.ADOPT in offered,
        "may_ignore": repairing.IGNORE in offered,
        "adopt_words": _ADOPT.get(row.check_code, "Adopt theirs"),
        "reasons": asked.reasons() if asks_reason and repairing.ADOPT in offered else (),
        "delivery": row.fingerprint.rpartition(":d")[2] if row.check_code == Code.DEAD_LETTER else "",
        "errors": errors,
        # What is wrong stands at its own form.
        "ignore_error": errors.get("note", "") if choice == repairing.IGNORE else "",
        "adopt_error": " ".join(errors.values()) if choice == repairing.ADOPT else "",
        "problem": problem,
        "reason": request.POST.get("reason", ""),
        "note": request.POST.get("note", "")[:300] if choice == repairing.IGNORE else "",
        "adopt_note": request.POST.get("note", "")[:2000] if choice == repairing.ADOPT else "",
    }
    return frame.page(request, "finding", values, status=status)


def _names(row: Finding) -> dict[int, str]:
    """Who settled it before."""
    keys = {by for _, by, _, _ in row.past if by}
    return {user.pk: str(user) for user in User.objects.filter(pk__in=keys)} if keys else {}


_ADOPT = {
    str(Code.RECORD_MERGED): "Follow the merge",
    str(Code.RECORD_DELETED): "Forget their record",
    str(Code.EMAIL_MISMATCH): "Take over their address",
    str(Code.OPTED_OUT_BUT_ACTIVE): "Take over what they say",
    str(Code.CRM_OWNER_NE_APP_OWNER): "Give it to their owner",
}


def _table(request: HttpRequest, row: Finding, *, is_fresh: bool) -> sides.Table:
    """The sides as they were found, or with `is_fresh` as they are now."""
    now, lead_id = shell_of(request).now, row.lead_id or 0
    want = outbox.wanted([lead_id]).get(lead_id)
    last = None
    if want is not None:
        events = Event.objects.filter(handoff=want.handoff_id).select_related("user", "api_key")
        last = events.order_by("-number").first()
    theirs = _looked(row, now) if is_fresh else _kept(row)
    opted_out = row.lead.email_opt_out if row.lead else False
    return sides.table(want, last, theirs, now, finding=row, opted_out=opted_out, is_fresh=is_fresh)


def _kept(row: Finding) -> list[looking.Look]:
    found = _ordered(Connection.objects.filter(slug__in=row.sides))
    return [looking.Look(one, row.sides[one.slug]) for one in found]


def _looked(row: Finding, now: datetime) -> list[looking.Look]:
    return looking.look(row.lead_id or 0, _ordered(running.keepers()), now)


def _ordered(connections: Iterable[Connection]) -> Sequence[Connection]:
    return sorted(connections, key=lambda one: (_ROLES.index(one.role), one.name))
