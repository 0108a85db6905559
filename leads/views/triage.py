"""Triage: rejections that marketing decides on, and what came in for leads that get no handoff.

Owns the page and its filter in the address. What waits is `leads.triaging`; the acts behind the buttons are
`leads.views.deciding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from leads import editing, paging, receivers, triaging, typed
from leads.choices import NextStep, State
from leads.lifecycle.answering import COMPLAINT_FIELDS
from leads.models import DuplicatePair, Handoff, Rejection
from leads.presenters import repair, triages
from leads.presenters.triages import Decision, Line
from leads.roles import Can, can
from leads.views import access
from leads.views.inbox import number
from leads.views.shell import shell_of
from routing.people import User

SIZE = 25
MOST_ITEMS = 100
ALL = "all"
# Where a recycled lead may come back at the earliest, proposed where the reason says nothing, and the latest.
PROPOSED = timedelta(days=90)
LATEST = timedelta(days=729)
ORDER = ("-closed_at", "-id")


@dataclass(frozen=True)
class Params:
    """What the list shows: what waits (""), a reason's code or all of the last quarter; of one source."""

    show: str = ""
    source: str | None = None
    after: str = ""

    @classmethod
    def of(cls, data: QueryDict) -> Params:
        show = data.get("show", "")[:40]
        source = data.get("source")
        return cls(
            show=show if show.replace("_", "").isalnum() and show.isascii() else "",
            source=None if source is None else typed.plain(source),
            after=data.get("after", "")[:400],
        )

    @property
    def here(self) -> str:
        """The query of this list, to which the id of a rejection is added."""
        query = self.query()
        return f"{query}{'' if query == '?' else '&'}h="

    def query(self, **more: Any) -> str:
        pairs = {"show": self.show, "source": self.source, "after": self.after} | more
        kept = {name: value for name, value in pairs.items() if value is not None}
        return "?" + urlencode({name: value for name, value in kept.items() if value or name == "source"})


@dataclass(frozen=True)
class Lifting:
    """The form that lifts a suppression: of which item, what was typed, what is wrong with it."""

    item: int
    reason: str = ""
    error: str = ""


@require_safe
def triage(request: HttpRequest) -> HttpResponse:
    """Both lists; `h` opens a rejection and `form` one of its forms, `lift` the form of an item."""
    access.page(request, Can.READ_COMPLETION)
    opened, item = number(request.GET.get("h")), number(request.GET.get("lift"))
    lifting = Lifting(item) if item is not None else None
    return page_of(request, Params.of(request.GET), opened, request.GET.get("form", ""), lifting=lifting)


def shown(params: Params, now: datetime | None) -> QuerySet[Handoff]:
    found = triaging.rejections() if not params.show or now is None else triaging.lately(now)
    if params.show not in ("", ALL):
        found = found.filter(rejection_reason__code=params.show)
    return found if params.source is None else found.filter(lead_source=params.source)


def page_of(
    request: HttpRequest,
    params: Params,
    open_id: int | None,
    form: str = "",
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
    lifting: Lifting | None = None,
) -> HttpResponse:
    """The page, with one rejection opened and what was typed into its form, or with the form of an item."""
    frame = shell_of(request)
    now = frame.now
    wide = ("lead__company", "rejection_reason", "rejected_by")
    found = shown(params, now).select_related(*wide)
    page = paging.page(found, ORDER, params.after, SIZE)
    handoffs = list(page.rows)
    opened = next((handoff for handoff in handoffs if handoff.pk == open_id), None)
    if opened is None and open_id is not None:
        # A link to one further down, or not in this filter, stands on top while it is still rejected.
        rejected = Handoff.objects.live().filter(state=State.REJECTED, pk=open_id).select_related(*wide)
        opened = rejected.first()
        handoffs = [opened, *handoffs] if opened is not None else handoffs
    listed, last, before = lines(handoffs, now)
    decision = None
    alert, kept = (errors or {}).get("", ""), ""
    # What was imported is over: it is listed for what it says, and decided on no more.
    if opened is not None and not opened.is_history and can(frame.user, Can.COMPLETE):
        line = next(line for line in listed if line.id == opened.pk)
        decision = _decision(frame.user, opened, line, last.get(opened.pk), before, now)
        decision.form, decision.values, decision.errors = form[:20], values or {}, errors or {}
        if (values or {}).get("until"):
            decision.until = (values or {})["until"]
    else:
        kept = "; ".join(text.strip() for text in (values or {}).values() if text.strip())
    items = list(triaging.items().select_related("lead__company")[: MOST_ITEMS + 1])
    if lifting is not None and lifting.error and all(item.pk != lifting.item for item in items):
        alert, kept = lifting.error, lifting.reason
    context = {
        "params": params,
        "chips": _chips(params, now),
        "rejections": listed,
        "decision": decision,
        "alert": alert,
        "kept": kept,
        "items": [triages.item(item, now) for item in items[:MOST_ITEMS]],
        "items_count": paging.count_words(len(items), MOST_ITEMS),
        "count": paging.count_words(paging.count(shown(params, now), page)),
        "more": params.query(after=page.next) if page.next else "",
        "first_page": params.query(after=None),
        "is_later": bool(page.after),
        "findings": triaging.findings(now),
        "may_settle": can(frame.user, Can.COMPLETE),
        "lifting": lifting,
    }
    return render(request, "leads/triage/triage.html", context, status=status)


def _chips(params: Params, now: datetime) -> list[tuple[str, str, str, bool]]:
    """The filter: (label, count, address, whether it is chosen)."""
    waiting = triaging.rejections().order_by()[: paging.MOST_COUNTED].count()
    counted = triaging.by_reason(now)
    total = sum(count for *_, count in counted)
    chips = [("To decide", f"{waiting:,}", "?", not params.show)]
    chips.append(("All of 90 days", f"{total:,}", f"?show={ALL}", params.show == ALL))
    chips += [(label, f"{n:,}", f"?show={code}", params.show == code) for code, label, n in counted]
    return chips


def lines(
    handoffs: Sequence[Handoff], now: datetime
) -> tuple[list[Line], dict[int, Rejection], dict[int, triaging.Before]]:
    last: dict[int, Rejection] = {}
    acts = Rejection.objects.filter(handoff__in=[row.pk for row in handoffs], undone_at__isnull=True)
    for act in acts.select_related("by", "reason").order_by("at", "pk"):
        last[act.handoff_id] = act
    before = triaging.before({row.lead_id for row in handoffs})
    settled = triaging.settled_by(handoffs)
    nothing = triaging.Before()
    lines = [
        triages.rejection(row, last.get(row.pk), before.get(row.lead_id, nothing), settled.get(row.pk), now)
        for row in handoffs
    ]
    return lines, last, before


def _decision(
    user: User,
    handoff: Handoff,
    line: Line,
    act: Rejection | None,
    before: dict[int, triaging.Before],
    now: datetime,
) -> Decision:
    own = Q(first=handoff.lead_id) | Q(second=handoff.lead_id)
    pairs = DuplicatePair.objects.filter(own, status=DuplicatePair.Status.OPEN)
    days = timedelta(days=act.reason.cool_off_days) if act is not None else timedelta(0)
    until = (act.until if act is not None else None) or now + (days or PROPOSED)
    may_send_back = not Handoff.objects.open().filter(lead=handoff.lead_id).exists()
    people = receivers.people(user, handoff, now) if may_send_back else []
    return Decision(
        line=line,
        revision=handoff.revision,
        until=f"{max(until, now + timedelta(days=1)):%Y-%m-%d}",
        soonest=f"{now + timedelta(days=1):%Y-%m-%d}",
        latest=f"{now + LATEST:%Y-%m-%d}",
        recycling=triages.recycling(before.get(handoff.lead_id, triaging.Before())),
        fields=[(name, editing.FIELDS[name].label) for name in COMPLAINT_FIELDS],
        pairs=[
            repair.pair_line(pair, handoff.lead_id, now)
            for pair in pairs.select_related("first__company", "second__company")
        ],
        may_accept=handoff.next_step == NextStep.TRIAGE and not line.follows.startswith("Let stand"),
        may_send_back=may_send_back,
        receivers=[person for person in people if not person.why_not],
        passed_over=[person for person in people if person.why_not],
    )
