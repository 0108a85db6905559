"""Locking and the checks that come before any move.

Owns how a handoff is fetched for change (lead first, then handoff) and the words of a refusal. Changes
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from leads import notifications
from leads.choices import EventKind, State
from leads.lifecycle.act import Act, Invalid, Refused
from leads.models import Event, Handoff, Lead, RejectionReason
from leads.querysets import HandoffQuerySet
from routing.locking import whole
from routing.people import Absence, User
from routing.prepared import prepared

TEXT_LIMIT = 2000
# Control characters but tab and newlines; and halves of surrogate pairs, which no database takes.
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# Events that change nothing a person looking at the page decided on.
UNOBTRUSIVE = frozenset(
    {EventKind.ESCALATED, EventKind.FLAGGED, EventKind.BLACK_HOLE, EventKind.UNFLAGGED, EventKind.VIEWED}
    | {EventKind.NOTED, EventKind.TRIGGERED_AGAIN, EventKind.RAISED, EventKind.CANCELLED}
    | {EventKind.RECLOCKED}
)


# What the verbs look at beside the handoff and its lead.
WITH = ("policy", "queue__owner", "queue__calendar", "assignee__calendar", "assignee__team__calendar")


def with_all() -> HandoffQuerySet:
    """Handoffs with everything that `locked` reads, without a lock."""
    return Handoff.objects.select_related("lead__company", *WITH)


# Written out: it runs for each handoff of a sweep, and building it anew took a fifth of the whole step.
_UNMOVED = """
SELECT 1 FROM leads_handoff h JOIN leads_lead l ON l.id = h.lead_id
WHERE h.id = %s AND h.lead_id = %s AND h.revision = %s
"""


def unmoved(handoff: Handoff) -> bool:
    """Lock a handoff that was read a moment ago, and its lead, without waiting for anybody; whether it is
    free and nobody has moved it since. It never waits, so taking both at once breaks no order."""
    locks = connection.features.has_select_for_update_skip_locked
    with connection.cursor() as cursor:
        cursor.execute(
            _UNMOVED + ("FOR NO KEY UPDATE OF h, l SKIP LOCKED" if locks else ""),
            [handoff.pk, handoff.lead_id, handoff.revision],
        )
        return cursor.fetchone() is not None


def locked(handoff_id: int) -> Handoff:
    """The handoff, locked after its lead (the lock order everywhere). Raises Handoff.DoesNotExist."""
    while True:
        lead = _locked_lead.first(handoff_id)
        if lead is None:
            raise Handoff.DoesNotExist(f"no handoff {handoff_id}")
        for handoff in whole(_locked(handoff_id), with_all):
            # While this waited for the lead, a merge may have given the handoff to another one.
            if handoff.lead_id == lead.pk:
                return handoff


@prepared
def _locked_lead(handoff: int) -> QuerySet[Lead]:
    return Lead.objects.select_for_update(of=("self",)).filter(handoffs=handoff).only("pk").order_by()


@prepared
def _locked(handoff: int) -> QuerySet[Handoff]:
    return with_all().select_for_update(of=("self",)).filter(pk=handoff).order_by()


def last_move(handoff: Handoff) -> Event | None:
    """The last event that moved the handoff, for the words of a refusal: who rejected it says more than
    that the rejection was followed up by itself."""
    moves = handoff.events.exclude(kind__in=[str(kind) for kind in UNOBTRUSIVE])
    moves = moves.exclude(kind=EventKind.FOLLOWED_UP, user__isnull=True)
    return moves.select_related("user").order_by("-number").first()


def last_moves(handoff_ids: Collection[int]) -> dict[int, Event]:
    """What `last_move` finds, for many in one query."""
    hidden = [str(kind) for kind in UNOBTRUSIVE | {EventKind.FOLLOWED_UP}]
    events = Event.objects.filter(handoff__in=handoff_ids).exclude(kind__in=hidden)
    return {event.handoff_id: event for event in events.select_related("user").order_by("number")}


def moved_since(seen: Mapping[int, int], user: User | None) -> frozenset[int]:
    """Which of these handoffs somebody else has moved since the revision that was seen; one query."""
    events = Event.objects.filter(handoff__in=seen).exclude(kind__in=[str(kind) for kind in UNOBTRUSIVE])
    if user is not None:
        events = events.exclude(user=user)
    rows = events.values_list("handoff_id", "number")
    return frozenset(handoff_id for handoff_id, number in rows if number > seen[handoff_id])


def refusal(handoff: Handoff, wanted: str, code: str = "not_allowed") -> Refused:
    """A Refused that says who did what when, from the log."""
    return refusal_by(last_move(handoff), handoff, wanted, code)


def refusal_by(event: Event | None, handoff: Handoff, wanted: str, code: str = "not_allowed") -> Refused:
    """The same, by the last move as it was read already."""
    by, at, what = _who(event), event.occurred_at if event else None, str(handoff.state)
    if event is not None:
        what = EventKind(event.kind).label.lower()
        message = f"Cannot {wanted}: {what} by {by} at {event.occurred_at:%Y-%m-%d %H:%M} UTC."
    else:
        message = f"Cannot {wanted}: it is {what}."
    return Refused(message, code=code, state=str(handoff.state), by=by, at=at)


def _who(event: Event | None) -> str:
    return event.user.email if event is not None and event.user is not None else "system"


def require_person(handoff: Handoff, wanted: str) -> None:
    """Nothing more is done with, or written about, somebody who was erased (the lead is loaded)."""
    at = handoff.lead.erased_at
    if at is not None:
        message = f"Cannot {wanted}: the person was erased at {at:%Y-%m-%d %H:%M} UTC."
        raise Refused(message, code="not_allowed", state=str(handoff.state), by="system", at=at)


def require_state(handoff: Handoff, states: Iterable[State], wanted: str) -> None:
    require_person(handoff, wanted)
    if handoff.is_history or handoff.state not in tuple(states):
        raise refusal(handoff, wanted)


def require_holder(handoff: Handoff, act: Act, wanted: str) -> User:
    """The acting person, who must hold it."""
    if act.user is None or handoff.assignee_id != act.user.pk:
        holder = handoff.assignee.email if handoff.assignee else "nobody"
        error = refusal(handoff, wanted)
        error.message = f"{error.message} It is held by {holder}."
        raise error
    return act.user


def require_present(user: User, now: datetime) -> None:
    """Refuse somebody who is away, with who covers: the next minute would move it on again."""
    absence = Absence.objects.at(now).filter(user=user).order_by("ends_at").last()
    if absence is None:
        return
    cover = notifications.present(user, now) or "nobody"
    message = f"{user} is away until {absence.ends_at:%Y-%m-%d %H:%M} UTC; {cover} covers."
    raise Refused(message, code="not_eligible", by=user.email)


def require_fresh(handoff: Handoff, revision: int | None, act: Act, wanted: str) -> None:
    """Refuse a move from a page that somebody else's act has made stale. Escalations do not."""
    if revision is None or revision >= handoff.revision:
        return
    since = handoff.events.filter(number__gt=revision).exclude(kind__in=[str(kind) for kind in UNOBTRUSIVE])
    if act.user is not None:
        since = since.exclude(user=act.user)
    if since.exists():
        raise refusal(handoff, wanted, code="stale")


def bounded(name: str, text: str, *, required: bool = False, limit: int = TEXT_LIMIT) -> str:
    """Trimmed text within the limit and without control characters, else Invalid naming the field."""
    text = text.strip().replace("\r\n", "\n")
    if required and not text:
        raise Invalid({name: "This is needed."})
    if len(text) > limit:
        raise Invalid({name: f"At most {limit} characters; this has {len(text)}."})
    if _REFUSED.search(text):
        raise Invalid({name: "Control characters are not allowed."})
    return text


def reason_row(code: str) -> RejectionReason:
    """The reason in force with this code, else Invalid."""
    row = None
    if code.isascii() and code.isprintable():
        row = RejectionReason.objects.filter(code=code, is_active=True).first()
    if row is None:
        raise Invalid({"reason": f"{code[:40]!r} is not a reason in force."})
    return row


def in_range(name: str, value: datetime, low: datetime, high: datetime, words: str) -> datetime:
    if not low <= value <= high:
        raise Invalid({name: words})
    return value
