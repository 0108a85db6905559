"""How long what is personal is kept: a few kinds, each with its days, emptied by the functions of an erasure.

Owns what is old of each kind, and the emptying in batches that any number of runs may share. The days are
settings; 0 keeps a kind for ever. Figures and the identity of receipts stay. What is kept for other reasons
than law (remembered answers, sessions) is `leads.tasks`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Exists, OuterRef, Q, QuerySet

from leads import lifecycle
from leads.choices import OPEN, Why
from leads.erasure.door import door
from leads.erasure.emptying import ACTIVITY_WORDS, ANSWER_WORDS
from leads.lifecycle import Act, Refused
from leads.models import (
    AccessEntry,
    Activity,
    Handoff,
    ImportFailure,
    ImportPart,
    Lead,
    Notification,
    Receipt,
)

logger = logging.getLogger(__name__)

BATCH, MOST_PEOPLE = 2000, 50
SECONDS = 20.0


@dataclass(frozen=True)
class Kind:
    """Something that is kept for so many days (`days`, 0 for ever). `old` is what is older than a moment,
    `empty` deals with some of it and says how many; it must make them no longer old."""

    code: str
    label: str
    old: Callable[[datetime], QuerySet[Any]]
    empty: Callable[[QuerySet[Any], datetime], int]

    @property
    def days(self) -> int:
        return int(settings.RETENTION_DAYS[self.code])

    def due(self, now: datetime) -> QuerySet[Any]:
        """What is older than its days; nothing where it is kept for ever."""
        rows = self.old(now - timedelta(days=self.days))
        return rows if self.days else rows.none()


def _people(before: datetime) -> QuerySet[Lead]:
    """People of whom nothing is open and nothing has been heard or done since. Merged ones go with them."""
    own = Handoff.objects.filter(lead=OuterRef("pk"))
    lately = own.filter(Q(updated_at__gte=before) | Q(state__in=[str(s) for s in OPEN], is_history=False))
    heard = Activity.objects.filter(lead=OuterRef("pk"), occurred_at__gte=before)
    rows = Lead.objects.filter(updated_at__lt=before, erased_at__isnull=True, merged_into__isnull=True)
    return rows.filter(~Exists(lately), ~Exists(heard))


def _activities(before: datetime) -> QuerySet[Activity]:
    """What leads did, in words; not of those with whom sales is working."""
    worked = Handoff.objects.open().filter(lead=OuterRef("lead"))
    has_words = ~Q(**ACTIVITY_WORDS)
    return Activity.objects.filter(has_words, occurred_at__lt=before).exclude(Exists(worked))


def _receipts(before: datetime) -> QuerySet[Receipt]:
    return Receipt.objects.filter(received_at__lt=before).exclude(**ANSWER_WORDS)


def _parts(before: datetime) -> QuerySet[ImportPart]:
    return ImportPart.objects.filter(lead_import__finished_at__lt=before)


def _failures(before: datetime) -> QuerySet[ImportFailure]:
    return ImportFailure.objects.filter(lead_import__finished_at__lt=before)


def _messages(before: datetime) -> QuerySet[Notification]:
    return Notification.objects.filter(read_at__lt=before).exclude(mail=Notification.Mail.PENDING)


def _entries(before: datetime) -> QuerySet[AccessEntry]:
    return AccessEntry.objects.filter(at__lt=before)


def _erase(rows: QuerySet[Any], now: datetime) -> int:
    erased = 0
    before = now - timedelta(days=settings.RETENTION_DAYS["people"])
    for pk in list(rows.order_by("updated_at", "pk").values_list("pk", flat=True)[:MOST_PEOPLE]):
        try:
            lifecycle.erase(pk, Act(now), Why.RETENTION, unless_since=before)
            erased += 1
        except Refused:
            continue
        except DatabaseError:
            # Somebody was busy with this very lead; there is a next night.
            logger.exception("lead %s could not be erased", pk)
    return erased


def _update(**values: Any) -> Callable[[QuerySet[Any], datetime], int]:
    def update(rows: QuerySet[Any], now: datetime) -> int:
        return int(rows.model._default_manager.filter(pk__in=_some(rows)).update(**values))

    return update


def _delete(rows: QuerySet[Any], now: datetime) -> int:
    return int(rows.model._default_manager.filter(pk__in=_some(rows)).delete()[0])


def _drop(rows: QuerySet[Any], now: datetime) -> int:
    """What is append-only goes through its door, and how much of it stands in the log of this run."""
    with door("retention"):
        return _delete(rows, now)


def _some(rows: QuerySet[Any]) -> list[int]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])


KINDS = (
    Kind("people", "people nobody works with", _people, _erase),
    Kind("activities", "words of what leads did", _activities, _update(**ACTIVITY_WORDS)),
    Kind("receipts", "answers to other systems", _receipts, _update(**ANSWER_WORDS)),
    Kind("imports", "rows of imported files", _parts, _delete),
    Kind("imports", "rows of files that were left out", _failures, _delete),
    Kind("messages", "messages that were read", _messages, _delete),
    Kind("access", "entries of the access log", _entries, _drop),
)


def counts(now: datetime) -> Iterator[tuple[Kind, int]]:
    """How much of each kind a run would deal with."""
    for kind in KINDS:
        yield kind, kind.due(now).count()


def run(now: datetime, seconds: float = SECONDS) -> tuple[dict[str, int], bool]:
    """Deal with what is due for so long, batch by batch, each on its own; how many of each kind by label, and
    whether there may be more."""
    begun = time.monotonic()
    done = {kind.label: 0 for kind in KINDS}
    for kind in KINDS:
        while kind.days:
            if time.monotonic() - begun >= seconds:
                return done, True
            dealt = kind.empty(kind.due(now), now)
            done[kind.label] += dealt
            if not dealt:
                break
    return done, False
