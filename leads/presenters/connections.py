"""A connection as it is read: how it is in words, its figures, its secrets without them, its history.

Owns the words. The figures are `leads.connecting.health`, what may be set `leads.connecting.kinds`. Pure:
people come in by their key. Shows of a secret that it is set, when and by whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leads.connecting import keeping, kinds
from leads.connecting.health import BOUNDS, Figures
from leads.connectors.options import Option
from leads.models import Connection
from leads.outbox import is_paused
from leads.outbox.claiming import breaker_of
from leads.presenters import times
from leads.presenters.signals import cut

LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class State:
    """How it is, in words. `tone` is "ok", "soon", "late" or "" (not running on purpose); `may_start` whether
    somebody can start it."""

    words: str
    tone: str
    icon: str
    is_running: bool
    may_start: bool
    more: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in words and exactly; both "" for never."""

    when: str = ""
    exact: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A connection on the list."""

    slug: str
    name: str
    kind: str
    role: str
    state: State
    last_in: Moment
    last_out: Moment
    receives: bool
    sends: bool
    owed: str
    oldest: str
    dead: str
    failed_calls: str
    rate: str
    lag: str
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A secret without it: what it is called and what may be known of it."""

    name: str
    label: str
    help: str
    says: str
    exact: str = ""
    is_set: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of the history: who, when, what it was called, and each value that differs."""

    by: str
    when: str
    exact: str
    what: str
    values: Sequence[tuple[str, str, str]] = ()


def state(connection: Connection, now: datetime) -> State:
    """How it is. Pure."""
    why = connection.paused_why
    if not connection.is_active:
        if why:
            return State("Stopped", "late", "warn", False, True, why)
        return State("Not switched on", "", "ring", False, True)
    if is_paused(connection, now):
        if connection.paused_until is None:
            return State("Paused", "late", "warn", False, True, why)
        until = times.by(connection.paused_until, now)
        return State(f"Waits until {until}", "soon", "later", False, True, why)
    breaker = breaker_of(connection)
    if breaker.probe_at is not None:
        again = "with the next delivery"
        if breaker.probe_at > now:
            again = f"at {times.by(breaker.probe_at, now)}"
        count = connection.failures
        failed = f"{count} failure{'' if count == 1 else 's'} in a row" if count else "Too many failures"
        return State("Spared", "late", "warn", False, True, f"{failed}; one attempt {again}.")
    if connection.last_out_at is None and connection.last_in_at is None:
        return State("Running", "ok", "check", True, False, "Nothing has been sent or taken yet.")
    return State("Running", "ok", "check", True, False)


def line(connection: Connection, figures: Figures, now: datetime) -> Line:
    return Line(
        slug=connection.slug,
        name=connection.name,
        kind=str(connection.get_kind_display()),
        role="" if connection.role == Connection.Role.OTHER else str(connection.get_role_display()),
        state=state(connection, now),
        last_in=moment(connection.last_in_at, now),
        last_out=moment(connection.last_out_at, now),
        receives=kinds.does(connection.kind, "identify") or kinds.does(connection.kind, "changes"),
        sends=kinds.does(connection.kind, "post") or kinds.does(connection.kind, "push"),
        owed=f"{figures.owed:,}" if figures.owed else "",
        oldest=times.length(now - figures.oldest) if figures.oldest else "",
        dead=f"{figures.dead:,}" if figures.dead else "",
        failed_calls=f"{figures.failed_calls:,}" if figures.failed_calls else "",
        rate=rate(figures),
        lag=lag(figures),
        is_quiet=connection.is_quiet,
    )


def moment(at: datetime | None, now: datetime) -> Moment:
    return Moment(times.day(at, now), times.exact(at, now)) if at is not None else Moment()


def rate(figures: Figures) -> str:
    """The share that arrived in the last 24 hours with what it is of; "" where nothing was settled. Never
    rounded up to all."""
    share = figures.rate
    if share is None:
        return ""
    settled = figures.done + figures.gave_up
    percent = int(share * 1000) / 10
    return f"{percent:g} % of {settled:,}"


def lag(figures: Figures) -> str:
    """Within which span 95 % of what arrived did; "" where nothing did."""
    if not figures.done:
        return ""
    if figures.lag is None:
        return f"over {span(BOUNDS[-1])}"
    return f"within {span(figures.lag)}"


def span(length: timedelta) -> str:
    return times.length(length)


def kept(connection: Connection, people: Mapping[int, str], now: datetime) -> list[Kept]:
    """Its secrets, in the order of its kind."""
    known = keeping.known(connection)
    return [_kept(option, known.get(option.name), people, now) for option in kinds.secrets(connection.kind)]


def hook(connection: Connection, people: Mapping[int, str], now: datetime) -> Kept:
    """The address at which it calls us, which is a secret too."""
    entry = keeping.known(connection).get("hook") if connection.hook_digest else None
    return _kept(Option("hook", "Address for its calls"), entry, people, now)


def _kept(
    option: Option, entry: tuple[datetime, int] | None, people: Mapping[int, str], now: datetime
) -> Kept:
    if entry is None:
        return Kept(option.name, option.label, option.help, "Not set")
    at, by = entry
    said = f"Set {times.day(at, now)} by {people.get(by, 'somebody who is gone')}"
    return Kept(option.name, option.label, option.help, said, times.exact(at, now), True)


_LABELS = {
    "name": "Name", "role": "Role", "is_active": "Switched on", "is_quiet": "Quietly", "base_url": "Address",
    "id_system": "Name of its record ids", "rate": "Calls a second", "burst": "Calls at once",
    "paused_why": "Paused because", "paused_until": "Paused until",
}  # fmt: skip
_SILENT = ("secrets_set", "asked")


def changes(entries: Sequence[Any], kind: str, now: datetime) -> list[Change]:
    """Entries of the history, newest first, each with what it changed against the one before it, which stands
    behind it. The last one is only compared with: pass one more than is shown."""
    labels = {option.name: option.label for option in kinds.options(kind)} if _is_known(kind) else {}
    labels["former_until"] = "Former secret until"
    found = []
    for entry, before in zip(entries, [*entries[1:], None], strict=True):
        what = entry.history_change_reason or {"+": "Made", "-": "Deleted"}.get(entry.history_type, "Changed")
        values = list(_differences(entry, before, labels)) if before is not None else []
        by = str(entry.history_user) if entry.history_user else "the system"
        found.append(
            Change(by, times.day(entry.history_date, now), times.exact(entry.history_date, now), what, values)
        )
    return found


def _is_known(kind: str) -> bool:
    return Connection.Kind(kind) in kinds.offered()


def _differences(entry: Any, before: Any, labels: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    for name, label in _LABELS.items():
        was, is_ = getattr(before, name), getattr(entry, name)
        if was != is_:
            yield label, _said(was), _said(is_)
    names = [name for name in (*before.options, *entry.options) if name not in _SILENT]
    for name in dict.fromkeys(names):
        was, is_ = before.options.get(name), entry.options.get(name)
        if was != is_:
            yield labels.get(name, name.replace("_", " ").capitalize()), _said(was), _said(is_)
    for part in dict.fromkeys((*before.mapping, *entry.mapping)):
        if before.mapping.get(part) != entry.mapping.get(part):
            was, is_ = len(before.mapping.get(part, {})), len(entry.mapping.get(part, {}))
            yield f"Mapping of {part}", f"{was} of its own", f"{is_} of its own"


def _said(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return cut(", ".join(map(str, value)), LONGEST_VALUE)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return cut(str(value), LONGEST_VALUE)
