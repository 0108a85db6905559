"""What was written on a week's call: notes and decisions, append-only, a correction being a new entry.

The only writer of call entries. A decision is open until it is marked done; it may be reopened. What was
corrected is shown as it reads now, with what it read before one look away. Text is plain and bounded; whoever
shows it escapes it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction

from metrics.models import CallEntry
from metrics.periods import Week
from metrics.reports.gathering import Decision
from routing.people import User

Kind = CallEntry.Kind
LONGEST = 2000
# Open decisions of earlier calls that a report carries; whoever has more of them needs no more of them.
MOST_CARRIED = 100
PEOPLE = ("owner", "by")


class Overtaken(ValueError):
    """Somebody else has changed the entry meanwhile; the text says so."""


@dataclass
class Said:
    """A note or decision as it reads now. `was` are its earlier readings, `turns` when it was done or
    reopened."""

    first: CallEntry
    now: CallEntry
    was: list[CallEntry] = field(default_factory=list)
    turns: list[CallEntry] = field(default_factory=list)

    @property
    def is_decision(self) -> bool:
        return self.now.kind == Kind.DECISION

    @property
    def done(self) -> CallEntry | None:
        """The entry that says it is done, None while it is open."""
        last = self.turns[-1] if self.turns else None
        return last if last is not None and last.kind == Kind.DONE else None


def of_week(week: Week) -> list[Said]:
    """What was said on the call of a week, in order; one query."""
    rows = CallEntry.objects.filter(week=week.name).select_related(*PEOPLE)
    return said(rows.order_by("at", "pk"))


def said(rows: Iterable[CallEntry]) -> list[Said]:
    """Entries in order of time, folded. The week's entries stand together: what is about one is of its
    week."""
    found: dict[int, Said] = {}
    for row in rows:
        if row.about_id is None:
            found[row.pk] = Said(row, row)
            continue
        whole = found[row.about_id]
        if row.turn is not None:
            whole.turns.append(row)
        else:
            whole.was.append(whole.now)
            whole.now = row
            found[row.pk] = whole
    return list({id(each): each for each in found.values()}.values())


def before(week: Week, as_of: datetime) -> list[Decision]:
    """The decisions to look at first on the call of a week: all of the week before, then what is open from
    earlier, as they stood at a moment."""
    rows = CallEntry.objects.filter(week__lt=week.name, at__lte=as_of).select_related(*PEOPLE)
    by_week: defaultdict[str, list[CallEntry]] = defaultdict(list)
    for row in rows.filter(week__gte=week.plus(-52).name).order_by("at", "pk"):
        by_week[row.week].append(row)
    last = week.plus(-1).name
    decisions = []
    for name in sorted(by_week, reverse=True):
        for each in said(by_week[name]):
            if each.is_decision and (name == last or each.done is None):
                decisions.append(_kept(each))
    return decisions[:MOST_CARRIED]


def _kept(each: Said) -> Decision:
    row = each.now
    return Decision(
        id=each.first.pk,
        week=row.week,
        text=row.text,
        owner=str(row.owner),
        until=row.until.isoformat() if row.until else "",
        is_done=each.done is not None,
    )


def finished(ids: Iterable[int]) -> dict[int, CallEntry]:
    """Those of these decisions that are done now, by the number of their first entry; one query."""
    last: dict[int, CallEntry] = {}
    rows = CallEntry.objects.filter(about__in=list(ids), turn__isnull=False).select_related("by")
    for row in rows.order_by("turn"):
        last[row.about_id or 0] = row
    return {number: row for number, row in last.items() if row.kind == Kind.DONE}


def write(
    week: Week,
    by: User,
    now: datetime,
    *,
    kind: str,
    text: str,
    owner: User | None = None,
    until: date | None = None,
) -> CallEntry:
    """Write a note or a decision. The same by the same person on the same call is there already and is given
    back."""
    digest = hashlib.sha256(repr((kind, text, owner and owner.pk, until)).encode()).hexdigest()
    mine = CallEntry.objects.filter(week=week.name, by=by, digest=digest)
    if (there := mine.first()) is not None:
        return there
    values = _values(kind, text, owner, until)
    try:
        with transaction.atomic():
            return CallEntry.objects.create(week=week.name, by=by, at=now, digest=digest, **values)
    except IntegrityError:
        return mine.get()


def correct(
    entry: CallEntry,
    by: User,
    now: datetime,
    *,
    text: str,
    owner: User | None = None,
    until: date | None = None,
) -> CallEntry:
    """Write what an entry should have said; Overtaken when somebody has corrected it already. The same words
    again write nothing."""
    values = _values(entry.kind, text, owner, until)
    same = {"text": text, "owner": values["owner"], "until": values["until"]}
    if all(getattr(entry, name) == value for name, value in same.items()):
        return entry
    try:
        with transaction.atomic():
            return CallEntry.objects.create(week=entry.week, by=by, at=now, about=entry, **values)
    except IntegrityError:
        there = CallEntry.objects.select_related("by").get(about=entry, turn=None)
        if there.by_id == by.pk and all(getattr(there, name) == value for name, value in same.items()):
            return there
        raise Overtaken(
            f"{there.by} has corrected it meanwhile. Their words stand; yours are below."
        ) from None


def turn(decision: CallEntry, by: User, now: datetime, *, done: bool) -> bool:
    """Mark a decision (its first entry) as done, or reopen it; False when it is so already."""
    kind = Kind.DONE if done else Kind.REOPENED
    last = CallEntry.objects.filter(about=decision, turn__isnull=False).order_by("turn").last()
    if (last.kind if last else Kind.REOPENED) == kind:
        return False
    number = (last.turn or 0) + 1 if last else 1
    try:
        with transaction.atomic():
            CallEntry.objects.create(
                week=decision.week, by=by, at=now, about=decision, kind=kind, turn=number
            )
    except IntegrityError:
        return False
    return True


def _values(kind: str, text: str, owner: User | None, until: date | None) -> dict[str, Any]:
    is_decision = kind == Kind.DECISION
    return {
        "kind": kind,
        "text": text[:LONGEST],
        "owner": owner if is_decision else None,
        "until": until if is_decision else None,
    }
