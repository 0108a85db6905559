"""What marketing decides on triage: the acts behind the page's buttons, and what is said of each.

Owns the addresses that are posted to, what stays when something is wrong (422) or somebody was faster (409),
and which rejection is open next. The page is `leads.views.triage`; what an act does is `leads.triaging` and
`leads.lifecycle`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST

from leads import identity, lifecycle, triaging
from leads.choices import State
from leads.lifecycle import Act, Invalid, Refused
from leads.models import DuplicatePair, Handoff, Lead, TriageItem
from leads.presenters import people, rows
from leads.roles import Can
from leads.views import access, triage
from leads.views.inbox import number
from leads.views.shell import shell_of, tell
from leads.views.triage import ORDER, Lifting, Params

# The address of a lead's page, as it is copied from the browser.
_PAGE = re.compile(r"/leads/(\d{1,18})/?(?:[?#].*)?$", re.ASCII)


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
def hand_on(request: HttpRequest, pk: int) -> HttpResponse:
    """To another person in sales, with the reason."""
    handoff = _handoff(request, pk)
    to, reason = request.POST.get("to", "")[:320], request.POST.get("reason", "")

    def go() -> None:
        revision = number(request.POST.get("revision"))
        lifecycle.hand_on(pk, _act(request), to=to, reason=reason, revision=revision)

    see = (reverse("leads:handoff", args=[pk]), "See it there")
    return _tried(request, handoff, "hand_on", go, "handed on; its new holder has been told", see)


@require_POST
def settle_item(request: HttpRequest, pk: int) -> HttpResponse:
    """The item is dealt with."""
    item = _item(request, pk)
    done = triaging.settle_item(item, _act(request))
    name = people.name_of(item.lead, personal=True)
    tell(request, f"{name}: {'settled' if done else 'was settled already'}.")
    return redirect("leads:triage")


@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """The lead is suppressed no longer, for a reason, and what it asked for goes to sales."""
    item = _item(request, pk)
    typed = request.POST.get("reason", "")[:2000]
    try:
        handoff = lifecycle.lift(pk, _act(request), reason=typed)
    except Refused as refused:
        return triage.page_of(
            request, Params(), None, lifting=Lifting(pk, typed, refused.message), status=409
        )
    except Invalid as invalid:
        errors = " ".join(invalid.errors.values())
        return triage.page_of(request, Params(), None, lifting=Lifting(pk, typed, errors), status=422)
    name = people.name_of(item.lead, personal=True)
    if handoff is None:
        see = (reverse("leads:lead", args=[item.lead_id]), "Open the lead")
        tell(request, f"{name} is suppressed no longer.", link=see)
    else:
        where = people.state_words(handoff).lower()
        see = (reverse("leads:handoff", args=[handoff.pk]), "Open the handoff")
        tell(request, f"{name} is suppressed no longer; what they asked for is {where}.", link=see)
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


def _item(request: HttpRequest, pk: int) -> TriageItem:
    access.page(request, Can.READ_COMPLETION)
    item = TriageItem.objects.filter(pk=pk).select_related("lead").first()
    if item is None:
        raise Http404("no such item")
    access.act(request, Can.COMPLETE)
    return item


def _handoff(request: HttpRequest, pk: int) -> Handoff:
    user = access.page(request, Can.READ_COMPLETION)
    handoff = Handoff.objects.visible_to(user).filter(pk=pk).select_related("lead").first()
    if handoff is None:
        raise Http404("no such handoff")
    access.act(request, Can.COMPLETE)
    return handoff


def _other(typed: str) -> Lead | None:
    found = Lead.objects.filter(merged_into__isnull=True, erased_at__isnull=True)
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
    is_waiting = bool(request.POST.get("waits"))
    try:
        triaging.overrule(handoff, _act(request), go, is_waiting=is_waiting)
    except Refused as refused:
        return _again(request, handoff, form, {"": refused.message}, 409)
    except Invalid as invalid:
        return _again(request, handoff, form, invalid.errors)
    return _done(request, handoff, what, link)


def _already(handoff: Handoff, now: datetime) -> str:
    """What somebody else made of it before."""
    if handoff.state != State.REJECTED:
        return f"is {people.state_words(handoff).lower()} now, there is nothing to decide"
    [line], *_ = triage.lines([handoff], now)
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
    others = triage.shown(params, None).exclude(pk=handoff.pk).order_by(*ORDER)
    below = others.filter(closed_at__lte=handoff.closed_at) if handoff.closed_at else others
    first: int | None = below.values_list("pk", flat=True).first()
    return first or others.values_list("pk", flat=True).first()


def _again(
    request: HttpRequest, handoff: Handoff, form: str, errors: dict[str, str], status: int = 422
) -> HttpResponse:
    names = ("until", "text", "field", "other", "to", "reason")
    values = {name: request.POST[name][:2000] for name in names if name in request.POST}
    return triage.page_of(request, Params.of(request.POST), handoff.pk, form, values, errors, status)
