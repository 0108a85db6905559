"""What needs somebody soon and what can wait, and when a message leaves by mail.

Owns the table of urgency, the table of how long a message holds, and the one function that reads a person's
wishes: at once, at the end of the quiet hours, in the next digest, or never. Always in the app, whatever it
says here. Pure: no database, no clock.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from leads.choices import OPEN, WAITING, State
from leads.models import Handoff, Notification, Preference
from routing import hours

Mail = Notification.Mail

# An act can be undone for ten seconds; until then nothing leaves the system.
UNDO_FOR = timedelta(seconds=10)
MIDNIGHT = 24 * 60
WEEKEND = (5, 6)

# Nobody's clock runs on these: they are as good tomorrow. Whatever else there is, a ladder's own step too,
# needs somebody soon.
CAN_WAIT = frozenset(
    {
        "claimed",
        "triggered_again",
        "converted_elsewhere",
        "stale",
        "merged",
        "erased",
        "out_of_territory",
        "existing_customer",
        "rule_review",
        "absence_entered",
        "absence_taken_back",
        "agreement_proposed",
        "agreement_signed",
        "agreement_declined",
    }
)

# What asks for something, and the states of the lead in which it can still be done. What is not here is news
# or asks for nothing of the lead's: it stays true.
ASKS_IN: dict[str, frozenset[str]] = {
    **dict.fromkeys(("assigned", "reassigned", "repaired", "resumed", "parted"), frozenset({State.ASSIGNED})),
    "released": frozenset({State.WORKING}),
    "queued": frozenset({State.QUEUED}),
    **dict.fromkeys(
        ("accept_50", "accept_80", "accept_breach", "unacknowledged"),
        frozenset({State.QUEUED, State.ASSIGNED}),
    ),
    **dict.fromkeys(
        ("contact_soon", "contact_breach", "no_activity", "black_hole", "delivered_late"), frozenset(WAITING)
    ),
    **dict.fromkeys(("raised", "put_first"), frozenset(OPEN) - {State.WORKING}),
    **dict.fromkeys(
        ("incomplete", "bad_data", "completion_soon", "completion_breach"), frozenset({State.INCOMPLETE})
    ),
}
# Told to whoever was given the lead, and worth nothing to anybody else.
GIVEN = frozenset({"assigned", "reassigned", "repaired", "resumed", "parted", "released"})
# About the holder's own window. What runs on the lead's clock comes once, and stays true for the next holder.
OF_A_WINDOW = GIVEN | {"queued", "accept_50", "accept_80", "accept_breach", "no_activity"}


def is_overtaken(kind: str, handoff: Handoff, holds: bool, told_at: datetime) -> bool:
    """Whether a message asks for what was done since, or is no longer the reader's to do: then no mail says
    so, hours later. A breach too: the app tells of each, a mail asks for what is left to do.

    What the ladder itself moves at the moment of a breach does not unsay the breach.
    """
    if kind not in ASKS_IN:
        return False
    if handoff.state not in ASKS_IN[kind] or (kind in GIVEN and not holds):
        return True
    if kind in OF_A_WINDOW and handoff.held_since is not None and handoff.held_since > told_at:
        return True
    match kind:
        case "contact_breach":
            # Put off or moved since, by a deferral or by hand.
            return handoff.contact_due_at is not None and handoff.contact_due_at > told_at
        case "unacknowledged":
            return handoff.acknowledged_at is not None
        case "no_activity":
            return handoff.last_activity_at is not None and handoff.last_activity_at > told_at
        case "black_hole":
            return handoff.first_activity_at is not None
    return False


def has_changed_hands(kind: str, handoff: Handoff, told_at: datetime) -> bool:
    """Whether what a message asks for may be out of its reader's reach: somebody else was given the lead then
    or since. Who was told by the giving itself was told rightly."""
    is_asked = kind in ASKS_IN and kind not in GIVEN and kind != "queued"
    return is_asked and handoff.held_since is not None and handoff.held_since >= told_at


def is_urgent(kind: str, is_demo: bool) -> bool:
    """Whether somebody has to act soon. About a demo lead everything is urgent."""
    return is_demo or kind not in CAN_WAIT


def leaves_at(
    kind: str, is_demo: bool, preference: Preference, zone: str, now: datetime
) -> tuple[Notification.Mail, datetime | None]:
    """How a message that is told `now` leaves by mail, and when: PENDING (by itself) or DIGEST with the
    moment, NONE with None.

    Nothing leaves before its ten seconds of undo are over. Demo leads break quiet hours; everything else,
    digests too, waits for their end. `zone` is the reader's: quiet hours are told by their clock on the wall.
    """
    ready = now + UNDO_FOR
    can_wait = not is_urgent(kind, is_demo)
    if preference.mail == Preference.Mail.NONE:
        return Mail.NONE, None
    if is_demo:
        return Mail.PENDING, ready
    if can_wait and preference.mail == Preference.Mail.URGENT:
        return Mail.NONE, None
    quiet = _outside_quiet(zone, preference.quiet_from, preference.quiet_until, preference.quiet_weekends)
    if can_wait and preference.digest_minute is not None:
        return Mail.DIGEST, hours.next_open(_next_digest(zone, preference.digest_minute, ready), quiet)
    return Mail.PENDING, hours.next_open(ready, quiet)


@lru_cache(maxsize=256)
def _outside_quiet(
    zone: str, quiet_from: int | None, quiet_until: int | None, weekends: bool
) -> hours.Calendar | None:
    """When mail may leave, as opening hours; None for always. From and until alike are no hours at all."""
    day: tuple[tuple[int, int], ...] = ((0, MIDNIGHT),)
    has_hours = quiet_from is not None and quiet_until is not None and quiet_from != quiet_until
    if not has_hours and not weekends:
        return None
    if quiet_from is not None and quiet_until is not None and has_hours:
        if quiet_from < quiet_until:
            day = ((0, quiet_from), (quiet_until, MIDNIGHT))
        else:
            day = ((quiet_until, quiet_from),)
        day = tuple((opens, closes) for opens, closes in day if opens < closes)
    return hours.Calendar(zone, tuple(() if weekends and number in WEEKEND else day for number in range(7)))


def _next_digest(zone: str, minute: int, ready: datetime) -> datetime:
    """The first moment from `ready` on at which the day's digest leaves. On a day that skips its minute it
    leaves when the clock has jumped; where the minute comes twice, the first time."""
    place = ZoneInfo(zone)
    from_then = hours.Calendar(zone, (((minute, MIDNIGHT),),) * 7)
    day = ready.astimezone(place).date()
    while True:
        at = hours.next_open(datetime.combine(day, time(), tzinfo=place), from_then)
        if at >= ready:
            return at
        day += timedelta(days=1)
