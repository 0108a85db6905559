"""Keeping what was found: one row a drift, seen again or resolved.

Owns the fingerprint and what a new sight of an old drift does. What somebody ignored stays ignored until it
differs otherwise. Set-wise; compares nothing itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from leads.audit.checks import Drift
from leads.choices import State
from leads.models import Finding, SyncRun
from leads.representation import time

ENDED = [str(state) for state in (State.SUPERSEDED, State.MERGED, State.ERASED)]
# Of those that open again and again the latest are kept.
MOST_PAST = 20
IGNORED, GONE = Finding.Resolution.IGNORED, Finding.Resolution.GONE


@dataclass(frozen=True, slots=True)
class Sighting:
    """A drift and whose it is: of a handoff, or of a connection (then `of` may name a delivery). `sides` are
    what each system has of the handoff (`leads.audit.sides`), all of the same run."""

    drift: Drift
    handoff_id: int | None = None
    lead_id: int | None = None
    of: str = ""
    sides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        what = f"h{self.handoff_id}" if self.handoff_id else self.of or "self"
        return f"{self.drift.code}:c{self.drift.connection_id}:{what}"


_SEEN_AGAIN = (
    "run", "lead", "values", "sides", "last_seen_at", "times_seen", "first_seen_at",
    "resolved_at", "resolution", "resolved_by", "note", "past",
)  # fmt: skip


def keep(sightings: Sequence[Sighting], run: SyncRun, now: datetime) -> int:
    """Write down what was seen; how many are new, or open again."""
    by_print = {one.fingerprint: one for one in sightings}
    known = {row.fingerprint: row for row in Finding.objects.filter(fingerprint__in=by_print)}
    news = 0
    for fingerprint, row in known.items():
        news += _seen_again(row, by_print[fingerprint], run, now)
    Finding.objects.bulk_update(known.values(), _SEEN_AGAIN)
    new = [_new(one, run, now) for fingerprint, one in by_print.items() if fingerprint not in known]
    Finding.objects.bulk_create(new, ignore_conflicts=True)
    return news + len(new)


def _seen_again(row: Finding, sighting: Sighting, run: SyncRun, now: datetime) -> bool:
    """Whether it opens again."""
    values = dict(sighting.drift.values)
    stays_ignored = row.resolution == IGNORED and row.values == values
    opens = row.resolved_at is not None and not stays_ignored
    if opens:
        settled = [time(row.resolved_at), row.resolved_by_id, row.resolution, row.note]
        row.past = [*row.past, settled][-MOST_PAST:]
        row.first_seen_at, row.resolved_at, row.resolution = now, None, ""
        row.resolved_by, row.note = None, ""
    row.run, row.values, row.sides, row.last_seen_at = run, values, dict(sighting.sides), now
    # Its lead may have been merged into another.
    row.lead_id = sighting.lead_id
    row.times_seen += 1
    return opens


def _new(sighting: Sighting, run: SyncRun, now: datetime) -> Finding:
    drift = sighting.drift
    return Finding(
        fingerprint=sighting.fingerprint,
        check_code=str(drift.code),
        severity=drift.about.severity,
        connection_id=drift.connection_id,
        handoff_id=sighting.handoff_id,
        lead_id=sighting.lead_id,
        run=run,
        values=dict(drift.values),
        sides=dict(sighting.sides),
        cause=drift.about.cause,
        first_seen_at=now,
        last_seen_at=now,
    )


def resolve_unseen(looked_at: Mapping[int, Collection[int]], seen: Iterable[Sighting], now: datetime) -> int:
    """What was open about these handoffs and was not seen again agrees now. `looked_at` maps a connection to
    the handoffs that were compared with it."""
    prints = {one.fingerprint for one in seen}
    resolved = 0
    for connection_id, handoff_ids in looked_at.items():
        gone = Finding.objects.filter(
            connection=connection_id, handoff__in=handoff_ids, resolved_at__isnull=True
        ).exclude(fingerprint__in=prints)
        resolved += gone.exclude(check_code="DEAD_LETTER").update(resolved_at=now, resolution=GONE)
    return resolved


def resolve_others(connection_ids: Collection[int], seen: Iterable[Sighting], now: datetime) -> int:
    """The same for what is wrong with connections as such, and for what was given up."""
    prints = {one.fingerprint for one in seen}
    codes = ("STALE_CURSOR", "OUTBOX_STUCK", "DEAD_LETTER")
    open_ones = Finding.objects.filter(
        connection__in=connection_ids, check_code__in=codes, resolved_at__isnull=True
    )
    gone = [row.pk for row in open_ones if row.fingerprint not in prints]
    return Finding.objects.filter(pk__in=gone).update(resolved_at=now, resolution=GONE)


def unseen(run: SyncRun, connection_ids: Collection[int]) -> QuerySet[Finding]:
    """What is open about handoffs in these connections and was not seen by this run, or whose handoff ended
    in another one meanwhile."""
    rows = Finding.objects.filter(connection__in=connection_ids, resolved_at__isnull=True)
    return rows.filter(~Q(run=run) | Q(handoff__state__in=ENDED), handoff__isnull=False)


def resolve_of(handoff_ids: Collection[int], now: datetime) -> int:
    """What is open about these handoffs is no drift any more."""
    open_ones = Finding.objects.filter(handoff__in=handoff_ids, resolved_at__isnull=True)
    return open_ones.update(resolved_at=now, resolution=GONE)
