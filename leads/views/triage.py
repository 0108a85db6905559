"""Triage: rejections that marketing decides on, and what came in for leads that get no handoff.

Owns the page, its filter in the address, and the acts of settling. What waits is `leads.triaging`; the acts
that move something are `leads.lifecycle.settling`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST, require_safe

from leads import editing, identity, lifecycle, paging, permissions, triaging, typed
from leads.choices import NextStep, State
from leads.lifecycle import Act, Invalid, Refused
from leads.lifecycle.answering import COMPLAINT_FIELDS
from leads.models import DuplicatePair, Handoff, Lead, Rejection, TriageItem
from leads.presenters import people, repair, rows, times, triages
from leads.presenters.triages import Decision, Line
from leads.views import access
from leads.views.inbox import number
from leads.views.shell import shell_of, tell
from routing.people import ADMIN, MARKETING

SIZE = 25
MOST_ITEMS = 100
ALL = "all"
# The address of a lead's page, as it is copied from the browser.
_PAGE = re.compile(r"/leads/(\d{1,18})/?(?:[?#].*)?$", re.ASCII)
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


@require_safe
def triage(request: HttpRequest) -> HttpResponse:
    """Both lists; `h` opens a rejection and `form` one of its forms."""
    access.only(request, MARKETING, ADMIN)
    return _page(request, Params.of(request.GET), number(request.GET.get("h")), request.GET.get("form", ""))


@require_POST
def settle_rejection(request: HttpRequest, pk: int) -> HttpResponse:
    """The rejection stands."""
    handoff = _handoff(request, pk)
    done = triaging.settle_rejection(handoff, _act(request))
    return _done(
        request, handoff, "the rejection stands" if done else _already(handoff, shell_of(request).now)
    )


@require_POST
def recycle(request: HttpRequest, pk: int) -> HttpResponse:
    """Back to marketing until a day."""
    handoff = _handoff(request, pk)
    day = parse_date_or_none(request.POST.get("until", ""))
    if day is None:
        return _again(request, handoff, "recycle", {"until": "Choose the day on which it may come back."})
    act = _act(request)
    until = act.now.replace(year=day.year, month=day.month, day=day.day, hour=9, minute=0, second=0)
    until = until.replace(microsecond=0)

    def go() -> None:
        lifecycle.recycle(pk, act, until=until, revision=number(request.POST.get("revision")))

    return _tried(request, handoff, "recycle", go, f"back to marketing until {day:%-d %b %Y}")


@require_POST
def suppress(request: HttpRequest, pk: int) -> HttpResponse:
    """Do not contact."""
    handoff = _handoff(request, pk)

    def go() -> None:
        lifecycle.suppress(pk, _act(request), revision=number(request.POST.get("revision")))

    return _tried(request, handoff, "suppress", go, "suppressed, sales does not get it again")


@require_POST
def send_back(request: HttpRequest, pk: int) -> HttpResponse:
    """To data completion, with what is wrong."""
    handoff = _handoff(request, pk)
    text, field = request.POST.get("text", ""), request.POST.get("field", "")

    def go() -> None:
        revision = number(request.POST.get("revision"))
        lifecycle.send_back(pk, _act(request), text=text, field=field, revision=revision)

    waits = (f"{reverse('leads:completion')}?h={pk}#row-{pk}", "See it there")
    return _tried(request, handoff, "send_back", go, "sent back for data; it waits in completion", waits)


@require_POST
def same_person(request: HttpRequest, pk: int) -> HttpResponse:
    """The lead is another one too: raise the two as a possible duplicate and go to compare them."""
    handoff = _handoff(request, pk)
    typed = request.POST.get("other", "").strip()[:320]
    other = _other(typed)
    if other is None:
        what = (
            f"No lead has the e-mail address, number or page “{typed}”."
            if typed
            else "Write the other’s e-mail address or lead number, or paste the address of its page."
        )
        return _again(request, handoff, "merge", {"other": what})
    if other.pk == handoff.lead_id:
        return _again(request, handoff, "merge", {"other": "That is this very lead."})
    key = (min(other.pk, handoff.lead_id), max(other.pk, handoff.lead_id))
    identity.raise_pairs({key: {"same": "said"}}, shell_of(request).now)
    pair = DuplicatePair.objects.get(first=key[0], second=key[1])
    return redirect("leads:duplicate", pair.pk)


@require_POST
def settle_item(request: HttpRequest, pk: int) -> HttpResponse:
    """The item is dealt with."""
    user = access.only(request, MARKETING, ADMIN)
    item = TriageItem.objects.filter(pk=pk).select_related("lead").first()
    if item is None:
        raise Http404("no such item")
    access.marketing(request)
    done = triaging.settle_item(item, Act(shell_of(request).now, user))
    name = people.name_of(item.lead, personal=True)
    tell(request, f"{name}: {'settled' if done else 'was settled already'}.")
    return redirect("leads:triage")


def parse_date_or_none(text: str) -> Any:
    """A day as a date field sends it; None for anything else."""
    try:
        return parse_date(text.strip()) if text.isascii() else None
    except ValueError:
        return None


def _act(request: HttpRequest) -> Act:
    frame = shell_of(request)
    return Act(frame.now, frame.user)


def _handoff(request: HttpRequest, pk: int) -> Handoff:
    user = access.only(request, MARKETING, ADMIN)
    handoff = Handoff.objects.visible_to(user).filter(pk=pk).select_related("lead").first()
    if handoff is None:
        raise Http404("no such handoff")
    access.marketing(request)
    return handoff


def _other(typed: str) -> Lead | None:
    found = Lead.objects.filter(merged_into__isnull=True)
    if page := _PAGE.search(typed):
        typed = page[1]
    if (pk := number(typed)) is not None:
        return found.filter(pk=pk).first()
    key = identity.normalise_email(typed)
    by_alias = Q(email_key=key) | Q(aliases__email_key=key)
    return found.filter(by_alias).first() if key else None


def _tried(
    request: HttpRequest,
    handoff: Handoff,
    form: str,
    go: Callable[[], None],
    what: str,
    link: tuple[str, str] | None = None,
) -> HttpResponse:
    """The act; what was typed stays when it is wrong (422), and when somebody was faster (409)."""
    # That a rejection was let stand is no event of the handoff, so its revision does not tell.
    item = triaging.settled_by([handoff]).get(handoff.pk) if request.POST.get("waits") else None
    if item is not None and item.settled_by_id != shell_of(request).user.pk:
        at = times.day(item.settled_at or item.at, shell_of(request).now)
        words = f"{item.settled_by or 'Somebody'} let this rejection stand, {at}. Decide again if you must."
        return _again(request, handoff, form, {"": words}, 409)
    try:
        go()
    except Refused as refused:
        return _again(request, handoff, form, {"": refused.message}, 409)
    except Invalid as invalid:
        return _again(request, handoff, form, invalid.errors)
    return _done(request, handoff, what, link)


def _already(handoff: Handoff, now: datetime) -> str:
    """What somebody else made of it before."""
    if handoff.state != State.REJECTED:
        return f"is {people.state_words(handoff).lower()} now, there is nothing to decide"
    [line], *_ = _lines([handoff], now)
    return f"was decided already: {line.follows[:1].lower()}{line.follows[1:]}"


def _done(
    request: HttpRequest, handoff: Handoff, what: str, link: tuple[str, str] | None = None
) -> HttpResponse:
    """Says what was done; the one below it is open then, as long as the list is of what waits."""
    params = Params.of(request.POST)
    again = (f"{reverse('leads:triage')}?h={handoff.pk}#row-{handoff.pk}", "Look again")
    tell(request, f"{rows.name_of(handoff)}: {what}.", link=link or again)
    open_id = None if params.show else _after(handoff, params)
    anchor = f"#row-{open_id}" if open_id is not None else ""
    return redirect(f"{reverse('leads:triage')}{params.query(h=open_id)}{anchor}")


def _after(handoff: Handoff, params: Params) -> int | None:
    """What waits below this one, else the first; None when nothing does."""
    others = _shown(params, None).exclude(pk=handoff.pk).order_by(*ORDER)
    below = others.filter(closed_at__lte=handoff.closed_at) if handoff.closed_at else others
    first: int | None = below.values_list("pk", flat=True).first()
    return first or others.values_list("pk", flat=True).first()


def _again(
    request: HttpRequest, handoff: Handoff, form: str, errors: dict[str, str], status: int = 422
) -> HttpResponse:
    names = ("until", "text", "field", "other")
    values = {name: request.POST[name][:2000] for name in names if name in request.POST}
    return _page(request, Params.of(request.POST), handoff.pk, form, values, errors, status)


def _shown(params: Params, now: datetime | None) -> QuerySet[Handoff]:
    found = triaging.rejections() if not params.show or now is None else triaging.lately(now)
    if params.show not in ("", ALL):
        found = found.filter(rejection_reason__code=params.show)
    return found if params.source is None else found.filter(lead_source=params.source)


def _page(
    request: HttpRequest,
    params: Params,
    open_id: int | None,
    form: str = "",
    values: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    frame = shell_of(request)
    now = frame.now
    wide = ("lead__company", "rejection_reason", "rejected_by")
    found = _shown(params, now).select_related(*wide)
    page = paging.page(found, ORDER, params.after, SIZE)
    handoffs = list(page.rows)
    opened = next((handoff for handoff in handoffs if handoff.pk == open_id), None)
    if opened is None and open_id is not None:
        # A link to one further down, or not in this filter, stands on top while it is still rejected.
        rejected = Handoff.objects.live().filter(state=State.REJECTED, pk=open_id).select_related(*wide)
        opened = rejected.first()
        handoffs = [opened, *handoffs] if opened is not None else handoffs
    lines, last, before = _lines(handoffs, now)
    decision = None
    alert, kept = (errors or {}).get("", ""), ""
    # What was imported is over: it is listed for what it says, and decided on no more.
    if opened is not None and not opened.is_history and permissions.is_marketing(frame.user):
        line = next(line for line in lines if line.id == opened.pk)
        decision = _decision(opened, line, last.get(opened.pk), before, now)
        decision.form, decision.values, decision.errors = form[:20], values or {}, errors or {}
        if (values or {}).get("until"):
            decision.until = (values or {})["until"]
    else:
        kept = "; ".join(text.strip() for text in (values or {}).values() if text.strip())
    items = list(triaging.items().select_related("lead__company")[: MOST_ITEMS + 1])
    context = {
        "params": params,
        "chips": _chips(params, now),
        "rejections": lines,
        "decision": decision,
        "alert": alert,
        "kept": kept,
        "items": [triages.item(item, now) for item in items[:MOST_ITEMS]],
        "items_count": paging.count_words(len(items), MOST_ITEMS),
        "count": paging.count_words(paging.count(_shown(params, now), page)),
        "more": params.query(after=page.next) if page.next else "",
        "first_page": params.query(after=None),
        "is_later": bool(page.after),
        "findings": triaging.findings(now),
        "may_settle": permissions.is_marketing(frame.user),
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


def _lines(
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
        may_send_back=not Handoff.objects.open().filter(lead=handoff.lead_id).exists(),
    )
