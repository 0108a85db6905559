"""Times and spans in words.

Owns the wording of moments ("Wed 09:00") and lengths ("1 h 38"). `now` is always the present moment in
the viewer's zone; other moments are shown in that zone. Pure.
"""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf.locale import LANG_INFO

MINUTE, HOUR, DAY = 60, 3600, 86400


def local(at: datetime, now: datetime) -> datetime:
    """The moment in the zone that `now` is in."""
    return at.astimezone(now.tzinfo)


def exact(at: datetime, now: datetime) -> str:
    """The whole moment, for hovering and screen readers: "Tue 14 Oct 2025, 10:47:18 CEST"."""
    there = local(at, now)
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M:%S %Z}"


def clock_time(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    there = local(at, now)
    return f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"


def moment(at: datetime, now: datetime) -> str:
    """Short and unmistakable: "10:44" today, "Wed 09:00" within six days, "Mon 3 Nov", "3 Nov 2026"."""
    there = local(at, now)
    days = (there.date() - now.date()).days
    if days == 0:
        return f"{there:%H:%M}"
    if abs(days) <= 6:
        return f"{there:%a %H:%M}"
    if there.year == now.year:
        return f"{there:%a} {there.day} {there:%b}"
    return f"{there.day} {there:%b %Y}"


def day(at: datetime, now: datetime) -> str:
    """A day with its time when it is near: "today 10:44", "yesterday 09:12", "Wed 8 Oct", "8 Oct 2024"."""
    there = local(at, now)
    days = (now.date() - there.date()).days
    if days == 0:
        return f"today {there:%H:%M}"
    if days == 1:
        return f"yesterday {there:%H:%M}"
    if there.year == now.year:
        return f"{there:%a} {there.day} {there:%b}"
    return f"{there.day} {there:%b %Y}"


def day_and_time(at: datetime, now: datetime) -> str:
    """A day with its time, however long ago: "today 10:44", "Wed 8 Oct 17:03", "8 Oct 2024 17:03"."""
    shown = day(at, now)
    return shown if shown.endswith(clock_time(at, now)) else f"{shown} {clock_time(at, now)}"


def stamp(at: datetime, now: datetime) -> str:
    """A moment for a narrow column: "Today 10:42", "Thu 9 Oct", "8 Oct 2024"."""
    there = local(at, now)
    if there.date() == now.date():
        return f"Today {there:%H:%M}"
    return f"{there:%a} {there.day} {there:%b}" if there.year == now.year else f"{there.day} {there:%b %Y}"


def days(starts: datetime, ends: datetime, now: datetime) -> str:
    """From when to when somebody is away, in `now`'s zone: whole days as days, the last included, "Wed 25 Nov
    to Mon 30 Nov"; else the moments."""
    first, end = local(starts, now), local(ends, now)
    if any((at.hour, at.minute, at.second) != (0, 0, 0) for at in (first, end)):
        return f"{_day_and_time(first)} to {_day_and_time(end)}"
    last = local(ends - timedelta(seconds=1), now)
    shown = f"{first:%a} {first.day} {first:%b}"
    return shown if first.date() == last.date() else f"{shown} to {last:%a} {last.day} {last:%b}"


def _day_and_time(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %H:%M}"


def by(at: datetime, now: datetime) -> str:
    """When something is due: "10:47:18" within the hour, else as `moment`."""
    if abs((at - now).total_seconds()) < HOUR and local(at, now).date() == now.date():
        return clock_time(at, now, seconds=True)
    return moment(at, now)


def away(at: datetime, now: datetime) -> str:
    """How far a day is: "today", "tomorrow", "in 20 days", "yesterday", "20 days ago"."""
    days = (local(at, now).date() - now.date()).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}
    if days in near:
        return near[days]
    return f"in {days} days" if days > 0 else f"{-days} days ago"


def length(span: timedelta) -> str:
    """A length in at most two units: "3 s", "22 min", "1 h 38", "2 days 4 h"; never negative."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < DAY:
        minutes = seconds % HOUR // MINUTE
        return f"{seconds // HOUR} h {minutes:02}" if minutes else f"{seconds // HOUR} h"
    days, hours = seconds // DAY, seconds % DAY // HOUR
    words = f"{days} day{'' if days == 1 else 's'}"
    return f"{words} {hours} h" if hours and days < 7 else words


def ticking(span: timedelta) -> str:
    """A short length to the second: "3:12"."""
    seconds = max(0, int(span.total_seconds()))
    return f"{seconds // MINUTE}:{seconds % MINUTE:02}"


def minutes(count: int) -> str:
    """A target in words: "5 min", "2 h", "1 h 30", "1 day"."""
    return length(timedelta(minutes=count))


def language(code: str) -> str:
    """A language in words: "pl" and "pl-PL" are Polish; what is no known code is shown as it came."""
    names = [part for part in code.replace("_", "-").lower().split(",") if part.strip()]
    if len(names) != 1:
        return code
    for known in (names[0].strip(), names[0].strip().split("-")[0]):
        if known in LANG_INFO and "name" in LANG_INFO[known]:
            return str(LANG_INFO[known]["name"])
    return code


@lru_cache(maxsize=512)
def zone(name: str) -> zoneinfo.ZoneInfo | None:
    """The zone of this name, or None: senders write what they like."""
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def there(name: str, now: datetime) -> str:
    """The time where somebody is: "10:44 in Hamburg"; "" when the zone is unknown."""
    found = zone(name)
    if found is None or "/" not in name:
        return ""
    return f"{now.astimezone(found):%H:%M} in {name.rsplit('/', 1)[-1].replace('_', ' ')}"
