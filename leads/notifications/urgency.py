"""What needs somebody soon and what can wait, and when a message leaves by mail.

Owns the table of urgency and the one function that reads a person's wishes: at once, at the end of the quiet
hours, in the next digest, or never. Always in the app, whatever it says here. Pure: no database, no clock.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from leads.choices import State
from leads.models import Notification, Preference
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
        "out_of_territory",
        "existing_customer",
        "rule_review",
    }
)

# What somebody who was just given a lead is told, and what anybody is told of an answer that is owed.
GIVEN = frozenset({"assigned", "reassigned", "repaired", "resumed"})
OWED = frozenset({"accept_50", "accept_80", "accept_breach", "unacknowledged"})


def is_overtaken(kind: str, state: str, holds: bool) -> bool:
    """Whether a message asks for an answer that was given, or is no longer the reader's to give: then no mail
    says so, hours later."""
    if kind in GIVEN:
        return not holds or state != State.ASSIGNED
    return kind in OWED and state not in (State.ASSIGNED, State.QUEUED)


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
