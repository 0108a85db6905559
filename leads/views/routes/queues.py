"""Queues: where work waits for a person, who answers for it and how much waits.

Owns both pages. A change counts at once, not with the next publishing: rules name a queue by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import Count, Min
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from leads.choices import State
from leads.drafts import Names
from leads.models import Handoff
from leads.presenters import times
from leads.routing_forms import QueueForm, RoutingForm, new_slug
from leads.views.routes import frame
from leads.views.shell import shell_of
from routing import draft
from routing.models import Queue


@dataclass(frozen=True, slots=True)
class Line:
    """A queue on the list; `oldest` is since when the first of those that wait has waited."""

    id: int
    name: str
    kind: str
    owner: str
    is_owned: bool
    members: int
    waits: int
    oldest: str
    calendar: str


@require_safe
def queues(request: HttpRequest) -> HttpResponse:
    """All of them, with what waits."""
    frame.reader(request)
    now = shell_of(request).now
    waiting = _waiting()
    rows = Queue.objects.select_related("owner", "calendar").annotate(count=Count("members"))
    lines = []
    for row in rows:
        count, since = waiting.get(row.pk, (0, None))
        lines.append(
            Line(
                id=row.pk,
                name=row.name,
                kind=str(row.get_kind_display()),
                owner=str(row.owner),
                is_owned=row.owner.is_active,
                members=row.count,
                waits=count,
                oldest=times.length(now - since) if since else "",
                calendar=row.calendar.name if row.calendar else "",
            )
        )
    values = {"lines": lines, "may_edit": frame.may_edit(request)}
    return render(request, "leads/routing/queues.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
def queue_new(request: HttpRequest) -> HttpResponse:
    """A queue that is not there yet. There is one overflow and one completion queue; new ones are sales'."""
    frame.editor(request)
    return _edit(request, Queue())


@require_http_methods(["GET", "HEAD", "POST"])
def queue(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them; for those who do not edit, as it is."""
    frame.reader(request)
    found = Queue.objects.select_related("owner", "calendar").filter(pk=pk).first()
    if found is None:
        raise Http404("no such queue")
    if request.method == "POST" or frame.may_edit(request):
        frame.editor(request)
        return _edit(request, found)
    return _render(request, found, {"members": [str(person) for person in found.members.all()]})


def _edit(request: HttpRequest, row: Queue) -> HttpResponse:
    names = Names()
    if request.method != "POST":
        return _page(request, row, QueueForm(names=names, initial=QueueForm.of(row)))
    form = QueueForm(request.POST, names=names, initial=QueueForm.of(row))
    if not form.is_valid():
        return _page(request, row, form, status=422)
    is_new = row.pk is None
    form.fill(row)
    if is_new:
        row.slug = new_slug(Queue, row.name)
    user = frame.editor(request)
    try:
        draft.save(row, frame.revision(request), user, members=form.people)
    except draft.Stale as stale:
        stored = cast(Queue, stale.current)
        theirs = _words(stored, [str(person) for person in stored.members.all()], names)
        yours = _words(row, [str(person) for person in form.people], names)
        clash = frame.conflict(stale, theirs, yours, shell_of(request).now)
        if clash.differences:
            return _page(request, row, form, clash=clash, status=409)
    said = "is there now" if is_new else "is saved, as of now"
    return frame.done(request, f"The queue “{row.name}” {said}.", reverse("leads:queues"))


def _page(
    request: HttpRequest,
    row: Queue,
    form: RoutingForm,
    *,
    clash: frame.Conflict | None = None,
    status: int = 200,
) -> HttpResponse:
    values = {
        "form": form,
        "clash": clash,
        "revision": clash.revision if clash else request.POST.get("revision", row.revision),
    }
    return _render(request, row, values, status)


def _render(request: HttpRequest, row: Queue, values: Mapping[str, Any], status: int = 200) -> HttpResponse:
    now = shell_of(request).now
    count, since = _waiting().get(row.pk, (0, None)) if row.pk else (0, None)
    shown = {
        "row": row,
        "may_edit": frame.may_edit(request),
        "changed": frame.last_change(row, now),
        "waits": count,
        "oldest": times.length(now - since) if since else "",
    }
    return render(request, "leads/routing/queue.html", shown | dict(values), status=status)


def _waiting() -> dict[int, tuple[int, Any]]:
    """By queue: how many wait in it, and since when the first. Work that lacks data waits with completion."""
    found = (
        Handoff.objects.open()
        .filter(state=State.QUEUED)
        .order_by()
        .values_list("queue_id")
        .annotate(count=Count("pk"), since=Min("held_since"))
    )
    counts: dict[int, tuple[int, Any]] = {pk: (count, since) for pk, count, since in found}
    incomplete = Handoff.objects.incomplete().order_by().aggregate(count=Count("pk"), since=Min("mql_at"))
    completion = Queue.objects.filter(kind=Queue.Kind.COMPLETION).values_list("pk", flat=True).first()
    if completion is not None:
        counts[completion] = (incomplete["count"], incomplete["since"])
    return counts


def _words(row: Queue, members: list[str], names: Names) -> dict[str, str]:
    calendars = dict(names.calendars)
    return {
        "Name": row.name,
        "Owner": str(names.by_id.get(str(row.owner_id), "somebody who is gone")),
        "Members": ", ".join(sorted(members)) or "nobody",
        "Calendar": calendars.get(str(row.calendar_id), "the default"),
    }
