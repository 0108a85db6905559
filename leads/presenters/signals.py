"""What a person did: sentences, the timeline, and lines to open a conversation with.

Owns how an activity reads and which ones are worth a mention. Titles come from outside: they are cut
here and escaped by the template. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from leads.choices import NOT_A_SIGNAL, ActivityKind
from leads.models import Activity
from leads.presenters import times
from leads.presenters.links import Link, outside

CUT = 140
# Characters that turn the direction of what follows, beyond the value they stand in.
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
FRESH = timedelta(days=30)
NUMBERS = {1: "", 2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}
# Said with a title, said without one.
PHRASES: dict[str, tuple[str, str]] = {
    ActivityKind.PAGE_VIEW: ("Viewed {}", "Viewed a page"),
    ActivityKind.PRICING_VIEW: ("Viewed {}", "Viewed Pricing"),
    ActivityKind.FORM_SUBMISSION: ("Sent the form {}", "Sent a form"),
    ActivityKind.DEMO_REQUEST: ("Asked for a demo: {}", "Asked for a demo"),
    ActivityKind.PRICING_INQUIRY: ("Asked about prices: {}", "Asked about prices"),
    ActivityKind.EMAIL_SENT: ("We sent {}", "We sent an e-mail"),
    ActivityKind.EMAIL_OPEN: ("Opened {}", "Opened an e-mail"),
    ActivityKind.EMAIL_CLICK: ("Clicked in {}", "Clicked in an e-mail"),
    ActivityKind.EMAIL_REPLY: ("Answered {}", "Answered an e-mail"),
    ActivityKind.ASSET_DOWNLOAD: ("Downloaded {}", "Downloaded something"),
    ActivityKind.EVENT_REGISTRATION: ("Registered for {}", "Registered for an event"),
    ActivityKind.EVENT_ATTENDANCE: ("Came to {}", "Came to an event"),
    ActivityKind.WEBINAR_ATTENDANCE: ("Attended {}", "Attended a webinar"),
    ActivityKind.CHAT: ("Chat: {}", "Chatted with us"),
    ActivityKind.TRIAL_SIGNUP: ("Started a trial: {}", "Started a trial"),
    ActivityKind.PRODUCT_USAGE: ("Used the product: {}", "Used the product"),
    ActivityKind.AD_CLICK: ("Clicked the ad {}", "Clicked an ad"),
    ActivityKind.CALL: ("Call: {}", "Talked with us by phone"),
    ActivityKind.MEETING_BOOKED: ("Booked a meeting: {}", "Booked a meeting"),
    ActivityKind.INTENT_SIGNAL: ("Intent: {}", "Showed intent elsewhere"),
    ActivityKind.UNSUBSCRIBE: ("Unsubscribed from {}", "Unsubscribed"),
    ActivityKind.OTHER: ("{}", "Something else"),
}
QUOTED = {
    ActivityKind.FORM_SUBMISSION,
    ActivityKind.EMAIL_SENT,
    ActivityKind.EMAIL_OPEN,
    ActivityKind.EMAIL_CLICK,
    ActivityKind.EMAIL_REPLY,
    ActivityKind.ASSET_DOWNLOAD,
    ActivityKind.EVENT_REGISTRATION,
    ActivityKind.EVENT_ATTENDANCE,
    ActivityKind.WEBINAR_ATTENDANCE,
    ActivityKind.CHAT,
    ActivityKind.AD_CLICK,
}
# Strongest first: what to say when nothing carries points.
STRENGTH = {
    kind: rank
    for rank, kind in enumerate(
        (
            ActivityKind.DEMO_REQUEST,
            ActivityKind.PRICING_INQUIRY,
            ActivityKind.MEETING_BOOKED,
            ActivityKind.CALL,
            ActivityKind.CHAT,
            ActivityKind.EMAIL_REPLY,
            ActivityKind.EVENT_ATTENDANCE,
            ActivityKind.WEBINAR_ATTENDANCE,
            ActivityKind.TRIAL_SIGNUP,
            ActivityKind.PRICING_VIEW,
            ActivityKind.PRODUCT_USAGE,
            ActivityKind.ASSET_DOWNLOAD,
            ActivityKind.FORM_SUBMISSION,
            ActivityKind.EVENT_REGISTRATION,
            ActivityKind.INTENT_SIGNAL,
            ActivityKind.EMAIL_CLICK,
            ActivityKind.AD_CLICK,
            ActivityKind.OTHER,
            ActivityKind.PAGE_VIEW,
        )
    )
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline; several of the same on one day are one line."""

    id: int
    when: str
    exact: str
    iso: str
    text: str
    detail: str
    points: str
    is_direct: bool
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Direct interactions apart from the rest, each newest first; `total` counts activities."""

    direct: Sequence[Moment] = ()
    other: Sequence[Moment] = ()
    total: int = 0
    shown: int = 0


@dataclass(frozen=True, slots=True)
class Opener:
    """A line to open with; `activity` is the signal a contact refers to when it uses the line."""

    text: str
    activity: int


@dataclass(slots=True)
class _Group:
    activities: list[Activity] = field(default_factory=list)

    @property
    def newest(self) -> Activity:
        return self.activities[0]

    @property
    def points(self) -> int | None:
        known = [activity.points for activity in self.activities if activity.points is not None]
        return sum(known) if known else None


def cut(text: str, most: int = CUT) -> str:
    """One line of at most so many characters."""
    words = " ".join(_TURNS.sub("", text).split())
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def sentence(kind: str, title: str = "", count: int = 1) -> str:
    """What was done, in words: "Viewed Pricing three times", "Attended “Routing leads”"."""
    with_title, without = PHRASES.get(kind, PHRASES[ActivityKind.OTHER])
    shown = cut(title)
    if not shown:
        text = without
    else:
        text = with_title.format(f"“{shown}”" if kind in QUOTED else shown)
    if count > 1:
        text = f"{text} {NUMBERS.get(count, f'{count} times')}"
    return text


def timeline(activities: Iterable[Activity], total: int, now: datetime) -> Timeline:
    """The timeline of activities that are sorted newest first."""
    groups: dict[tuple[str, str, str], _Group] = {}
    shown = 0
    for activity in activities:
        shown += 1
        # Mails that we sent or that were opened are one line for all; the rest is one line a day.
        span = "" if activity.kind in NOT_A_SIGNAL else str(times.local(activity.occurred_at, now).date())
        title = "" if activity.kind in NOT_A_SIGNAL else activity.title
        key = (activity.kind, title, str(activity.pk) if activity.is_direct else span)
        groups.setdefault(key, _Group()).activities.append(activity)
    moments = [(_is_direct(group), _moment(group, now)) for group in groups.values()]
    return Timeline(
        direct=[moment for is_direct, moment in moments if is_direct],
        other=[moment for is_direct, moment in moments if not is_direct],
        total=total,
        shown=shown,
    )


def openers(activities: Iterable[Activity], now: datetime, most: int = 3) -> list[Opener]:
    """Lines drawn from the strongest signals: what was said to us first, then points, then the fresher."""
    groups: dict[tuple[str, str], _Group] = {}
    for activity in activities:
        if activity.is_signal:
            groups.setdefault((activity.kind, activity.title), _Group()).activities.append(activity)
    ranked = sorted(groups.values(), key=lambda group: _rank(group, now))
    return [
        Opener(
            f"{sentence(group.newest.kind, group.newest.title, len(group.activities))}, "
            f"{times.day(group.newest.occurred_at, now)}",
            group.newest.pk,
        )
        for group in ranked[:most]
    ]


def references(
    activities: Iterable[Activity], now: datetime, openers: Iterable[Opener] = (), most: int = 25
) -> list[tuple[int, str]]:
    """What else a contact can have referred to: (activity id, words), direct interactions first."""
    known = {opener.activity for opener in openers}
    signals = [activity for activity in activities if activity.is_signal and activity.pk not in known]
    signals.sort(key=lambda activity: not activity.is_direct)
    return [
        (activity.pk, f"{sentence(activity.kind, activity.title)}, {times.day(activity.occurred_at, now)}")
        for activity in signals[:most]
    ]


def _is_direct(group: _Group) -> bool:
    return group.newest.is_direct


def _rank(group: _Group, now: datetime) -> tuple[int, int, int, int, float]:
    newest = group.newest
    return (
        int(now - newest.occurred_at > FRESH),
        int(not newest.is_direct),
        STRENGTH.get(ActivityKind(newest.kind), 99) if newest.kind in STRENGTH else 99,
        -(group.points or 0),
        -newest.occurred_at.timestamp(),
    )


def _moment(group: _Group, now: datetime) -> Moment:
    newest, oldest = group.newest, group.activities[-1]
    when = times.stamp(newest.occurred_at, now)
    if newest.kind in NOT_A_SIGNAL and len(group.activities) > 1:
        since = times.local(oldest.occurred_at, now)
        when = f"since {since.day} {since:%b}"
    points = group.points
    parts = []
    if newest.kind == ActivityKind.EMAIL_OPEN:
        parts.append("opens say little: mail programs open by themselves")
    message = newest.properties.get("message") if isinstance(newest.properties, dict) else None
    if isinstance(message, str) and message:
        parts.append(f"“{cut(message, 300)}”")
    if newest.campaign:
        parts.append(f"campaign {cut(newest.campaign, 80)}")
    title = "" if newest.kind in NOT_A_SIGNAL and len(group.activities) > 1 else newest.title
    return Moment(
        id=newest.pk,
        when=when,
        exact=times.exact(newest.occurred_at, now),
        iso=newest.occurred_at.isoformat(),
        text=sentence(newest.kind, title, len(group.activities)),
        detail=", ".join(parts),
        points="" if points is None else f"{points:+d}" if points else "0",
        is_direct=newest.is_direct,
        link=outside(newest.url),
    )
