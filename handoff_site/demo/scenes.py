"""What a scene of the living inbox is: a lead that arrives, and what people do with it until now.

Owns the words that the scripts in `script/*.toml` are written in, and their reading. Pure but for reading
those files; played by `living`.

A length is written "6d19h12m" or "70s". A move is [when, verb, values]: `when` is how long ago, "today 13m"
keeps it after midnight on a young day, and `verb` is one of `leads.lifecycle`, or "again" (another trigger),
"won" (the CRM reports an opportunity), "merge" or "different" (with the scene `other`). Without `by` the
holder acts. `until` and `next_touch_at` are "+4d 10:00" (in the actor's zone), "+2h" or "-35m" from now. A
deed is [how long before the conversion, kind, title, points, {said, campaign, page}].
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from handoff_site.demo.events import Deed, Origin, Rating, Reasons
from handoff_site.demo.names import Firm, Somebody

SCRIPT = Path(__file__).parent / "script"
_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_DAY = re.compile(r"\+(\d+)d (\d\d):00")
MOMENTS = ("until", "next_touch_at")


class ScriptFailed(RuntimeError):
    """A scene did not go as it was written: the script and the system disagree."""


@dataclass(frozen=True)
class Then:
    """A moment from now: `after`, moved to that full hour in the zone of whoever acts."""

    after: timedelta
    hour: int | None = None


@dataclass(frozen=True)
class Move:
    """Something that somebody does so long ago; see above."""

    ago: timedelta
    verb: str
    by: str = ""
    is_today: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Before:
    """An earlier handoff of the same person: rejected for that reason, so many days ago."""

    days: int
    holder: str
    reason: str


@dataclass(frozen=True)
class Account:
    """What the CRM knows of a scene's firm beforehand: its stage, and whose account it is."""

    stage: str
    owner: str


@dataclass(frozen=True)
class Scene:
    """One lead's conversion so long ago, and the moves that followed, in order of time."""

    key: str
    who: Somebody
    firm: Firm | None
    origin: Origin
    rating: Rating | None
    trigger: str
    ago: timedelta
    reason: str = ""
    deeds: tuple[Deed, ...] = ()
    moves: tuple[Move, ...] = ()
    earlier: Before | None = None
    account: Account | None = None


def load(name: str) -> list[Scene]:
    """The scenes of one script. Raises ValueError for what it cannot read."""
    script = tomllib.loads((SCRIPT / f"{name}.toml").read_text(encoding="utf-8"))
    ratings = {key: _rating(parts) for key, parts in script.get("ratings", {}).items()}
    trails = {key: _deeds(rows) for key, rows in script.get("trails", {}).items()}
    return [_scene(row, ratings, trails) for row in script["scene"]]


def length(text: str) -> timedelta:
    """A length as the scripts write it."""
    found = _LENGTH.fullmatch(text)
    if found is None or not text:
        raise ValueError(f"{text!r} is no length such as 6d19h12m")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _scene(
    row: Mapping[str, Any], ratings: Mapping[str, Rating], trails: Mapping[str, tuple[Deed, ...]]
) -> Scene:
    rated = ratings[row["rating"]] if "rating" in row else _rating(row) if "fit" in row else None
    if rated is not None and row.get("only_total"):
        rated = Rating(rated.fit, rated.intent, rated.behavior, only_total=True)
    deeds = row.get("deeds", [])
    return Scene(
        key=row["key"],
        who=Somebody(**row["who"]),
        firm=_firm(row["firm"]) if "firm" in row else None,
        origin=Origin(*row["origin"]),
        rating=rated,
        trigger=row["trigger"],
        ago=length(row["ago"]),
        reason=row.get("reason", ""),
        deeds=trails[deeds] if isinstance(deeds, str) else _deeds(deeds),
        moves=tuple(_move(*parts) for parts in row.get("moves", [])),
        earlier=Before(**row["earlier"]) if "earlier" in row else None,
        account=Account(**row["account"]) if "account" in row else None,
    )


def _firm(row: Mapping[str, Any]) -> Firm:
    lists = {
        "technologies": tuple(row.get("technologies", ())),
        "news": tuple((title, days) for title, days in row.get("news", ())),
    }
    return Firm(**{**row, **lists})


def _rating(parts: Mapping[str, Any]) -> Rating:
    fit, intent, behavior = (_reasons(parts[name]) for name in ("fit", "intent", "behavior"))
    return Rating(fit, intent, behavior)


def _reasons(rows: list[Any]) -> Reasons:
    return tuple((str(label), int(points)) for label, points in rows)


def _deeds(rows: list[Any]) -> tuple[Deed, ...]:
    return tuple(_deed(*row) for row in rows)


def _deed(
    before: str, kind: str, title: str, points: int | None = None, more: Mapping[str, str] | None = None
) -> Deed:
    given = more or {}
    return Deed(
        length(before),
        kind,
        title,
        points,
        message=given.get("said", ""),
        campaign=given.get("campaign", ""),
        page=given.get("page", ""),
    )


def _move(when: str, verb: str, more: Mapping[str, Any] | None = None) -> Move:
    values = dict(more or {})
    by = values.pop("by", "")
    for name in MOMENTS:
        if name in values:
            values[name] = _then(values[name])
    is_today = when.startswith("today ")
    return Move(length(when.removeprefix("today ")), verb, by, is_today, values)


def _then(text: str) -> Then:
    if found := _DAY.fullmatch(text):
        return Then(timedelta(days=int(found[1])), int(found[2]))
    if text[:1] not in {"+", "-"}:
        raise ValueError(f"{text!r} is no moment such as +4d 10:00 or -35m")
    after = length(text[1:])
    return Then(after if text[0] == "+" else -after)
