"""The demo's weekly calls: the last two reports, and what their calls wrote.

Owns the words. The reports are made by the real code as of the moments at which the schedule would have.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from metrics.models import Report
from metrics.periods import Week
from metrics.reports import calls, mailing, making
from metrics.reports.schedule import last_due, last_over
from routing.models import User

DECISION, NOTE = "decision", "note"


def hold(now: datetime, users: Mapping[str, User]) -> None:
    """Make the reports and write the entries; nothing for weeks in which nothing happened."""
    schedule, _ = making.plan()
    due = last_due(now, schedule)
    before = last_due(due - timedelta(seconds=1), schedule)
    if (earlier := _report(before, schedule.zone)) is not None:
        _talk(earlier, before + timedelta(hours=3), users)
    if (latest := _report(due, schedule.zone)) is not None and now - due > timedelta(hours=4):
        mia, at = users["mia"], due + timedelta(hours=3)
        text = "Acceptance is where it was; nobody asks for a change of the threshold."
        calls.write(Week.parse(latest.week), mia, at, kind=NOTE, text=text)
    for name in ("mia", "vera"):
        mailing.subscribe(users[name], True, now)


def _report(at: datetime, zone: str) -> Report | None:
    try:
        return making.make(last_over(at, zone), at, None)
    except making.NotYet:
        return None


def _talk(report: Report, at: datetime, users: Mapping[str, User]) -> None:
    week = Week.parse(report.week)
    mia, otto, femke = users["mia"], users["otto"], users["femke"]
    day = at.date()
    first = calls.write(
        week,
        otto,
        at,
        kind=DECISION,
        text="Ask for the job title in the form of content syndication: most of its rejections name it.",
        owner=otto,
        until=day + timedelta(days=4),
    )
    calls.turn(first, otto, at + timedelta(days=2), done=True)
    calls.write(
        week,
        mia,
        at,
        kind=DECISION,
        text="Demo leads are answered from the phone first; the mail comes after the call.",
        owner=femke,
        until=day + timedelta(days=18),
    )
    calls.write(
        week, mia, at, kind=NOTE, text="The trade fair brought fewer leads than last year, and better ones."
    )
