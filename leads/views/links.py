"""One tap from the mail: a signed link opens a page that asks once more, and pressing there does it, once.

Owns the page, what it says when the link no longer holds, and the row that makes a link work once. Looking
changes nothing; the act is `leads.lifecycle`'s, by the person who is signed in and whom the link names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from leads import lifecycle, notifications, permissions
from leads.choices import EventKind, LeadType, State
from leads.forms import RejectForm, VerbForm, complaints
from leads.lifecycle import guard
from leads.models import Handoff, RejectionReason, UsedLink
from leads.notifications import links
from leads.notifications.links import ACCEPT, REJECT, Link
from leads.presenters import clocks, rows, times
from leads.presenters.actions import reason_groups
from leads.views import news
from leads.views.shell import Shell, shell_of, tell
from routing.models import User

# In these states a link's verb still does something.
OPEN_TO = {
    ACCEPT: (State.ASSIGNED,),
    REJECT: (State.ASSIGNED, State.ACCEPTED),
}


@dataclass(frozen=True, slots=True)
class Over:
    """Why a link does nothing any more: what the page says, what is the case now, and the way to the lead."""

    title: str
    words: str
    status: int
    case: str = ""
    href: str = ""


class _Used(Exception):
    """Somebody, or the same press again, was quicker."""


# Its own seal stands in for Django's token: a page that sends no referrer sends no origin either, and the
# middleware refuses forms of unknown origin.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def one_tap(request: HttpRequest, token: str) -> HttpResponse:
    """The page that asks once more; posted, the act."""
    link = links.read(token)
    if link is None:
        raise Http404("no such link")
    response = _answer(request, token, link)
    # The address is the key: it is sent to nobody.
    response["Referrer-Policy"] = "no-referrer"
    return response


def _answer(request: HttpRequest, token: str, link: Link) -> HttpResponse:
    frame = shell_of(request)
    if link.user != frame.user.pk:
        return _over(request, _for_another(frame.user, link))
    found = Handoff.objects.with_context().filter(pk=link.handoff).first()
    over = _no_longer(frame, token, link, found)
    if over is not None or found is None:
        return _over(request, over or Over("The lead is gone", "It is no longer there.", 410))
    if request.method != "POST":
        return _ask(request, token, link, found)
    if not constant_time_compare(request.POST.get("seal", ""), _seal(request, token)):
        said = {"": "This page was opened in another session. Look again, then press."}
        return _ask(request, token, link, found, errors=said, status=403)
    form = VerbForm(request.POST) if link.verb == ACCEPT else RejectForm(request.POST)
    if not form.is_valid():
        return _ask(request, token, link, found, errors=complaints(form), status=422)
    try:
        after = _act(frame, token, link, form.arguments() | {"revision": found.revision})
    except lifecycle.Invalid as invalid:
        return _ask(request, token, link, found, errors=invalid.errors, status=422)
    except (lifecycle.Refused, _Used) as error:
        found = Handoff.objects.with_context().filter(pk=link.handoff).first()
        known = _no_longer(frame, token, link, found)
        return _over(request, known or Over("Nothing was changed", str(error), 409))
    tell(request, _said(after, link.verb, frame.now), undo=after.pk, now=frame.now)
    # What was accepted is worked on next; after a rejection, whatever else waits.
    return redirect("leads:handoff", after.pk) if link.verb == ACCEPT else redirect("leads:inbox")


@transaction.atomic
def _act(frame: Shell, token: str, link: Link, arguments: dict[str, Any]) -> Handoff:
    """Use the link up and do what it says, both or neither."""
    used = {"handoff_id": link.handoff, "user_id": link.user, "used_at": frame.now}
    if not UsedLink.objects.get_or_create(digest=links.digest(token), defaults=used)[1]:
        raise _Used("This link was used already.")
    verb = lifecycle.accept if link.verb == ACCEPT else lifecycle.reject
    return verb(link.handoff, lifecycle.Act(frame.now, frame.user), **arguments)


def _for_another(user: User, link: Link) -> Over:
    owner = User.objects.filter(pk=link.user).first()
    return Over(
        "This link is for somebody else",
        f"It was sent to {owner or 'somebody who is gone'}, and you are signed in as {user}. Nothing was"
        " changed. Sign out, sign in as that person, and open it again.",
        403,
    )


def _no_longer(frame: Shell, token: str, link: Link, found: Handoff | None) -> Over | None:
    """Why the link does nothing now, with what is the case instead; None while it holds."""
    if found is None:
        return Over("The lead is gone", "It was merged with another, or erased.", 410)
    user, now = frame.user, frame.now
    case, href = _case(user, found, now)
    used = UsedLink.objects.filter(digest=links.digest(token)).first()
    if used is not None:
        words = f"You used it {times.day(used.used_at, now)}, and it works once."
        return Over("This link was used already", words, 410, case, href)
    if link.until <= now:
        words = f"It held for three days, until {times.day(link.until, now)}."
        return Over("This link has expired", words, 410, case, href)
    if found.window != link.window or found.assignee_id != user.pk or found.state not in OPEN_TO[link.verb]:
        words = f"Since this mail was sent the lead has moved on, so there is nothing to {link.verb} here."
        return Over("The lead has moved on", words, 409, case, href)
    if not permissions.may(user, link.verb, found):
        words = "Your role does not answer leads any more. Ask your administrator."
        return Over("This is not yours to do", words, 403, case, href)
    return None


def _case(user: User, handoff: Handoff, now: datetime) -> tuple[str, str]:
    """What happened last and who holds it, and the lead's address; what a person may not see is not told."""
    if not Handoff.objects.visible_to(user).filter(pk=handoff.pk).exists():
        told = news.lost(user, handoff.pk, now)
        return (told.text, "") if told is not None else ("", "")
    event = guard.last_move(handoff)
    holder = f" It is with {notifications.holder_words(handoff)} now." if handoff.is_open else ""
    if handoff.assignee_id == user.pk and holder:
        holder = " It is with you now."
    if event is None:
        return holder.strip(), reverse("leads:handoff", args=[handoff.pk])
    who = "You" if event.user_id == user.pk else str(event.user) if event.user is not None else "The system"
    done = EventKind(event.kind).label.lower()
    words = f"{who}: {done}, {times.day(event.occurred_at, now)}.{holder}"
    return words, reverse("leads:handoff", args=[handoff.pk])


def _ask(
    request: HttpRequest,
    token: str,
    link: Link,
    found: Handoff,
    *,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    now = shell_of(request).now
    values: dict[str, Any] = {
        "is_accept": link.verb == ACCEPT,
        "name": rows.name_of(found),
        "company": notifications.company_words(found),
        "consent": notifications.consent_words(found),
        "type": LeadType(found.effective_type).label,
        "is_demo": found.effective_type == LeadType.DEMO,
        "due": _due(found.accept_due_at, clocks.answer_by(found, now), now),
        "is_late": found.accept_due_at is not None and found.accept_due_at <= now,
        "contact": _due(found.contact_due_at, clocks.contact_by(found, now), now),
        "seal": _seal(request, token),
        "href": reverse("leads:handoff", args=[found.pk]),
        "errors": errors or {},
        "note": request.POST.get("note", ""),
    }
    if link.verb == REJECT:
        values["reasons"] = reason_groups(RejectionReason.objects.filter(is_active=True))
    return render(request, "leads/one_tap.html", values, status=status)


def _over(request: HttpRequest, over: Over) -> HttpResponse:
    return render(request, "leads/one_tap.html", {"over": over}, status=over.status)


def _due(at: datetime | None, by: str, now: datetime) -> str:
    """A deadline and what is left of it: "10:47:18, 4 min left"."""
    if at is None:
        return ""
    left = at - now
    if left.total_seconds() > 0:
        return f"{by}, {times.length(left)} left"
    return f"{by}, {times.length(-left)} late"


def _said(after: Handoff, verb: str, now: datetime) -> str:
    name = rows.name_of(after)
    if verb == REJECT:
        return f"{name}: rejected."
    due = f", contact due {clocks.contact_by(after, now)}" if after.contact_due_at else ""
    return f"{name}: accepted{due}."


def _seal(request: HttpRequest, token: str) -> str:
    """What only a page of this session can send back."""
    return salted_hmac("leads.one_tap.page", f"{request.session.session_key}:{token}").hexdigest()
