"""Events about somebody who was erased: which of them come too late, and what of the others is too old.

Owns the verdict. After an erasure a person becomes known again by what they do themselves (a form, a chat,
a meeting) or by a flag of marketing; what systems go on saying of them, and what happened before it, is
ignored. The look-up is by keyed hashes (`leads.erasure`), and only for events that name nobody who is known
or are older than the lead that they name. Stores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from leads import erasure
from leads.choices import ActivityKind, TriggerKind
from leads.identity import Match
from leads.intake.schema import EventIn
from leads.intake.taken import DUPLICATE, IGNORED

REASON = "erased"
# What nobody does for the person.
OWN_ACTS = frozenset(
    {ActivityKind.FORM_SUBMISSION, ActivityKind.DEMO_REQUEST, ActivityKind.PRICING_INQUIRY, ActivityKind.CHAT}
    | {ActivityKind.TRIAL_SIGNUP, ActivityKind.EVENT_REGISTRATION, ActivityKind.EMAIL_REPLY}
    | {ActivityKind.CALL, ActivityKind.MEETING_BOOKED}
)


def verdicts(events: Sequence[EventIn], matches: Sequence[Match]) -> list[str]:
    """For each event the status with which it is turned away, or "" when it is taken in; at most one query.

    What is taken in has lost what was done or scored before the erasure.
    """
    found = [""] * len(events)
    suspects = {
        place: event
        for place, (event, match) in enumerate(zip(events, matches, strict=True))
        if match.lead is None or event.time <= match.lead.created_at
    }
    keys = {key for event in suspects.values() for key in (*event.identity().keys, own_key(event))}
    since = erasure.erased_since(keys) if keys else {}
    for place, event in suspects.items() if since else ():
        if own_key(event) in since:
            found[place] = DUPLICATE
            continue
        at = max((since[key] for key in event.identity().keys if key in since), default=None)
        if at is None:
            continue
        is_new = event.time > at if matches[place].lead is not None else comes_anew(event, at)
        if is_new:
            drop_before(event, at)
        else:
            found[place] = IGNORED
    return found


def own_key(event: EventIn) -> str:
    """The key by which a repeat of this event is known."""
    return erasure.event_key(event.source, event.id)


def comes_anew(event: EventIn, at: datetime) -> bool:
    """Whether the person did something themselves, or marketing flagged them, after this moment."""
    trigger = event.data.trigger
    by_hand = trigger is not None and trigger.kind != TriggerKind.SCORE_THRESHOLD
    if by_hand and trigger is not None and (trigger.occurred_at or event.time) > at:
        return True
    return any(
        given.kind in OWN_ACTS and (given.occurred_at or event.time) > at for given in event.data.activities
    )


def drop_before(event: EventIn, at: datetime) -> None:
    """Take out of an event what was done or scored before this moment."""
    data = event.data
    data.activities = [given for given in data.activities if (given.occurred_at or event.time) > at]
    if data.score is not None and (data.score.scored_at or event.time) <= at:
        data.score = None
