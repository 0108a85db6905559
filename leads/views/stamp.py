"""By what a poll knows that nothing changed: the list, the frame around it, and the lead that is open.

Owns one query and the stamp it makes. The page carries the stamp from before it read its rows, so that what
changes meanwhile is news to the next poll. What the news are is `worklist` and `news`. Never writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Aggregate, Count, Max, Q, QuerySet, Subquery

from leads.choices import State
from leads.models import Handoff, Notification
from routing.models import Queue, User

REFRESH = 300  # seconds after which a list is drawn again even if nothing changed: bars of closed hours


@dataclass(frozen=True, slots=True)
class Stamp:
    """`text` differs when a count or anything in the list does; `revision` is that of the open lead, if this
    person holds it."""

    text: str
    revision: int | None = None


def of(user: User, now: datetime, open_id: int | None = None) -> Stamp:
    """One query: each part is a look into an index of its own."""
    held = Handoff.objects.held_by(user)
    mine = Q(members=user) | Q(owner=user)
    queues = Queue.objects.filter(mine).exclude(kind=Queue.Kind.COMPLETION).values("pk")
    waiting = Handoff.objects.filter(queue__in=queues, state=State.QUEUED, is_history=False)
    unread = Notification.objects.filter(user=user, read_at__isnull=True)
    parts = {
        "held": _only(held, "assignee", Count("pk")),
        "held_at": _only(held, "assignee", Max("updated_at")),
        "waiting": _only(waiting, "state", Count("pk")),
        "waiting_at": _only(waiting, "state", Max("updated_at")),
        "unread": _only(unread, "user", Count("pk")),
        "open": Subquery(held.order_by().filter(pk=open_id or 0).values("revision")),
    }
    *counts, revision = User.objects.filter(pk=user.pk).annotate(**parts).values_list(*parts).get()
    turn = int(now.timestamp()) // REFRESH
    return Stamp(".".join([*(_text(value) for value in counts), str(turn)]), revision)


def _only(rows: QuerySet[Any], same: str, figure: Aggregate) -> Subquery:
    """One figure over all rows, which have the same value of that column; NULL for no row."""
    return Subquery(rows.order_by().values(same).annotate(figure=figure).values("figure"))


def _text(value: datetime | int | None) -> str:
    return f"{value.timestamp():.6f}" if isinstance(value, datetime) else str(value or 0)
