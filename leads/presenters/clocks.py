"""The clock beside a lead: time left in words, and a bar that burns down.

Owns when a bar turns amber (half used), red (80 % used) and late. The deadline is the stored one; the
share of the window that is left counts in the holder's working time. The page goes on by itself from what
stands in a Clock: the deadline, the window, and the closed stretches before it, in which the bar stands
still. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from leads.choices import LeadType, State
from leads.models import Handoff
from leads.presenters import times
from routing import hours
from routing.models import SlaPolicy

SOON, LATE = 0.5, 0.2  # shares left
FINE = timedelta(minutes=10)  # windows up to this tick by the second
MOST_CLOSED = 40  # closed stretches that a page is told of; with more before it, a bar stands until redrawn
ICONS = {"soon": "half", "late": "late", "over": "warn", "later": "later"}


@dataclass(frozen=True, slots=True)
class Clock:
    """What the clock component shows.

    state: "" within time, "soon", "late", "over" (past due), "later" (waits for a day). percent: what is
    left of the bar, None without a bar. total: seconds of the window, so that the page can go on by itself;
    0 when it cannot. closed: stretches outside working time before the deadline, as epoch seconds
    "from/to from/to". names_day: the words are a day, and stay until the last of these is over. `what` names
    the deadline: "answer", "contact".
    """

    words: str
    state: str = ""
    caption: str = ""
    is_demo: bool = False
    percent: float | None = None
    due: str = ""
    exact: str = ""
    total: int = 0
    closed: str = ""
    names_day: bool = False
    what: str = ""

    @property
    def icon(self) -> str:
        return ICONS.get(self.state, "")

    @property
    def big(self) -> str:
        """The words alone, for the large clock."""
        return self.words.removesuffix(" left").removesuffix(" late")

    @property
    def rest(self) -> str:
        """What the large clock says after the words."""
        if self.state == "over":
            return f"late to {self.what}" if self.what else "late"
        if not self.what:
            return ""
        return f"to {self.what}" if self.names_day or not self.total else f"left to {self.what}"

    @property
    def is_fine(self) -> bool:
        """Whether the words tick by the second."""
        return 0 < self.total <= FINE.total_seconds()


def burning(
    due: datetime,
    window: timedelta,
    now: datetime,
    *,
    calendar: hours.Calendar | None = None,
    is_demo: bool = False,
    caption: str = "",
    what: str = "",
) -> Clock:
    """A deadline with the window it ends. `calendar` is None when the window is elapsed time."""
    elapsed = due - now
    known = {
        "caption": caption,
        "is_demo": is_demo,
        "due": due.isoformat(),
        "exact": times.exact(due, now),
        "what": what,
    }
    if elapsed <= timedelta(0):
        return Clock(words=f"{times.length(-elapsed)} late", state="over", percent=0, **known)  # type: ignore[arg-type]
    left = elapsed if calendar is None else hours.between(now, due, calendar)
    share = min(1.0, left / window) if window else 0.0
    state = "" if share > SOON else "soon" if share > LATE else "late"
    # A closed stretch before the deadline: the bar stands still meanwhile, and the day says more than hours.
    is_live = elapsed - left < timedelta(seconds=1)
    names_day = not is_live and times.local(due, now).date() != now.date()
    closed = "" if is_live else _closed(now, due, calendar)
    if names_day:
        words = times.moment(due, now)
    elif is_live and window <= FINE:
        words = f"{times.ticking(elapsed)} left"
    else:
        words = times.length(elapsed)
    return Clock(
        words=words,
        state=state,
        percent=round(share * 100, 1),
        total=int(window.total_seconds()) if is_live or closed else 0,
        closed=closed,
        names_day=names_day,
        **known,  # type: ignore[arg-type]
    )


def _closed(now: datetime, due: datetime, calendar: hours.Calendar | None) -> str:
    """The stretches before the deadline that are no working time; "" when they are too many to tell."""
    at, found = now, []
    for opens, closes in (*hours.spans(now, due, calendar), (due, due)):
        if opens > at:
            found.append(f"{int(at.timestamp())}/{int(opens.timestamp())}")
        at = closes
    return " ".join(found) if len(found) <= MOST_CLOSED else ""


def later(at: datetime, now: datetime, *, is_demo: bool = False) -> Clock:
    """A day on which something comes back or is touched again. Passing it flags, it never breaches."""
    if at <= now:
        words, state = f"{times.length(now - at)} ago", "soon"
    else:
        words, state = times.moment(at, now), "later"
    return Clock(
        words=words,
        state=state,
        caption=times.away(at, now),
        is_demo=is_demo,
        due=at.isoformat(),
        exact=times.exact(at, now),
    )


def by(due: datetime, now: datetime, minutes: int | None) -> str:
    """When something is due, of a window of so many minutes (None: unknown): to the second only where its
    clock ticks by the second, "10:47:18"; else "10:47", "Wed 09:00"."""
    is_fine = minutes is not None and timedelta(minutes=minutes) <= FINE
    return times.by(due, now) if is_fine else times.moment(due, now)


def answer_by(handoff: Handoff, now: datetime) -> str:
    """Until when the holder has to answer (the policy is loaded); "" without a deadline."""
    due, policy = handoff.accept_due_at, handoff.policy
    return by(due, now, policy.accept_minutes if policy else None) if due is not None else ""


def contact_by(handoff: Handoff, now: datetime) -> str:
    """Until when the first contact has to be made (the policy is loaded); "" without a deadline."""
    due, policy = handoff.contact_due_at, handoff.policy
    return by(due, now, policy.contact_minutes if policy else None) if due is not None else ""


def deadlines(handoff: Handoff, now: datetime) -> str:
    """What comes by when, the soonest first: "answer and contact by 10:47:18"."""
    answer, contact = handoff.accept_due_at, handoff.contact_due_at
    if handoff.state in (State.ASSIGNED, State.QUEUED) and answer is not None:
        answer_words, contact_words = answer_by(handoff, now), contact_by(handoff, now)
        if contact is None:
            return f"answer by {answer_words}"
        if abs((answer - contact).total_seconds()) < 60:
            return f"answer and contact by {answer_words if answer <= contact else contact_words}"
        words = [(answer, f"answer by {answer_words}"), (contact, f"contact by {contact_words}")]
        return ", ".join(text for _, text in sorted(words))
    if handoff.state == State.ACCEPTED and contact is not None:
        return f"contact by {contact_by(handoff, now)}"
    if handoff.state == State.DEFERRED and handoff.deferred_until is not None:
        return f"comes back {times.away(handoff.deferred_until, now)}"
    if handoff.state == State.WORKING and handoff.next_touch_at is not None:
        return f"next touch {times.away(handoff.next_touch_at, now)}"
    return ""


def holders_calendar(handoff: Handoff, default: hours.Calendar | None) -> hours.Calendar | None:
    """The working time that the handoff's windows count in: the person's, their team's, the queue's, or the
    default. Assignee, team, queue and their calendars are loaded."""
    if handoff.assignee is not None:
        row = handoff.assignee.calendar or (handoff.assignee.team.calendar if handoff.assignee.team else None)
    else:
        row = handoff.queue.calendar if handoff.queue is not None else None
    return row.hours() if row is not None else default


def of_handoff(handoff: Handoff, now: datetime, calendar: hours.Calendar | None) -> Clock | None:
    """The clock that matters in the handoff's state (its policy is loaded); None when nothing is owed."""
    is_demo = handoff.effective_type == LeadType.DEMO
    kind = LeadType(handoff.effective_type).label
    if handoff.state in (State.ASSIGNED, State.QUEUED, State.ACCEPTED) and handoff.next_due_at:
        what, minutes, business = _target(handoff)
        return burning(
            handoff.next_due_at,
            timedelta(minutes=minutes),
            now,
            calendar=calendar if business else None,
            is_demo=is_demo,
            caption=f"{kind}, {times.minutes(minutes)}",
            what=what,
        )
    if handoff.state == State.INCOMPLETE and handoff.completion_due_at:
        policy = handoff.policy
        minutes = policy.completion_minutes if policy else 240
        return burning(
            handoff.completion_due_at,
            timedelta(minutes=minutes),
            now,
            calendar=calendar if policy is None or policy.completion_business else None,
            is_demo=is_demo,
            caption=f"{kind}, {times.minutes(minutes)}",
            what="complete",
        )
    if handoff.state == State.DEFERRED and handoff.deferred_until:
        return later(handoff.deferred_until, now, is_demo=is_demo)
    if handoff.state == State.WORKING and handoff.next_touch_at:
        return later(handoff.next_touch_at, now, is_demo=is_demo)
    return None


def _target(handoff: Handoff) -> tuple[str, int, bool]:
    """Which deadline comes next, with its window in minutes and whether that is business time."""
    policy: SlaPolicy | None = handoff.policy
    is_answer = (
        handoff.state != State.ACCEPTED
        and handoff.accept_due_at is not None
        and (handoff.contact_due_at is None or handoff.accept_due_at <= handoff.contact_due_at)
    )
    if policy is None:
        return ("answer", 120, True) if is_answer else ("contact", 60, True)
    if is_answer:
        return "answer", policy.accept_minutes, policy.accept_business
    return "contact", policy.contact_minutes, policy.contact_business
