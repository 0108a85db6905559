"""Jobs that go on in slices: any process may take one up, one at a time has it, and one that died loses it.

Owns the claim. A job is claimed by a conditional update and saves with the condition that the claim still
stands, its results in the same transaction, so what runs twice does nothing twice. Between two slices a job
is what its row says, and whoever comes next goes on from there. Knows nothing of what a job does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db import DatabaseError, OperationalError
from django.db.models import Q, QuerySet

from leads.models.job import Job

logger = logging.getLogger(__name__)

SECONDS = 20.0
# A slice that has not saved for this long has died.
LEASE = timedelta(seconds=60)
# When somebody who waits is told that nothing happens.
SILENT_AFTER = timedelta(seconds=90)
MOST_TRIES = 3
WAITING, RUNNING, FAILED = "waiting", "running", "failed"
UNFINISHED = (WAITING, RUNNING)

M = TypeVar("M", bound=Job)


class Overtaken(Exception):
    """The claim does not stand any more: stopped, or taken for dead and taken up by another process."""


class Pace:
    """How long a slice goes on: over as soon as one more step as long as the longest would be too long."""

    def __init__(self, now: datetime, seconds: float) -> None:
        self._now, self._seconds = now, seconds
        self._begun = self._step_begun = time.monotonic()
        self._longest = 0.0

    @property
    def at(self) -> datetime:
        """The moment it is."""
        return self._now + timedelta(seconds=time.monotonic() - self._begun)

    def is_over(self) -> bool:
        """Asked after each step."""
        at = time.monotonic()
        self._longest = max(self._longest, at - self._step_begun)
        self._step_begun = at
        return at - self._begun + self._longest > self._seconds


class Slices(Generic[M]):
    """The jobs of one model: `progress` names the column that says how far one is, `unit` what that counts,
    `order` which is the oldest."""

    def __init__(self, model: type[M], *, progress: str, unit: str, order: str) -> None:
        self.model, self.progress, self.unit, self.order = model, progress, unit, order

    @property
    def rows(self) -> QuerySet[M]:
        return self.model._default_manager.all()

    def unfinished(self, now: datetime) -> QuerySet[M]:
        """Jobs that nobody works on at this moment, the oldest first."""
        free = Q(worked_at__isnull=True) | Q(worked_at__lte=now - LEASE)
        return self.rows.filter(free, status__in=UNFINISHED).order_by(self.order, "pk")

    def work(
        self, job: M, now: datetime, part: Callable[[M, Pace], bool], seconds: float, **on_failure: Any
    ) -> bool:
        """One slice; whether there is more to do. False too when another process has it. `part` goes on until
        the pace is over, saves by `save`, and says whether there is more; `on_failure` are further columns of
        a job that fails."""
        # Nobody gave it up: the slice that had it died.
        tries = job.tries + 1 if job.worked_at is not None else 0
        so_far = {self.progress: getattr(job, self.progress)}
        mine = self.rows.filter(pk=job.pk, worked_at=job.worked_at, status__in=UNFINISHED, **so_far)
        if not mine.update(worked_at=now, status=RUNNING, tries=tries):
            return False
        job.worked_at, job.tries, job.status = now, tries, RUNNING
        if tries > MOST_TRIES:
            after = f"after {so_far[self.progress]:,} {self.unit}"
            self._fail(job, now, f"It stopped {tries} times without getting on, {after}.", on_failure)
            return False
        try:
            return part(job, Pace(now, seconds))
        except Overtaken:
            return False
        except OperationalError:
            # The database was busy or gone for a moment; the next slice goes on from what was saved.
            logger.exception("a slice of %s %s was cut short", self.model.__name__, job.pk)
            return False
        except (ArithmeticError, AttributeError, DatabaseError, LookupError, TypeError, ValueError) as error:
            logger.exception("%s %s failed", self.model.__name__, job.pk)
            self._fail(job, now, f"{type(error).__name__}: {error}", on_failure)
            return False

    def save(self, job: M, at: datetime | None, **changes: Any) -> None:
        """Write how far it is, if the claim still stands, else raise Overtaken, which undoes the transaction
        around it. `at` None gives the claim up. The row in memory follows."""
        changes |= {"worked_at": at, "tries": 0}
        claimed = self.rows.filter(pk=job.pk, worked_at=job.worked_at, status=RUNNING)
        if not claimed.update(**changes):
            raise Overtaken
        for name, value in changes.items():
            setattr(job, name, value)

    def _fail(self, job: M, now: datetime, why: str, more: dict[str, Any]) -> None:
        self.rows.filter(pk=job.pk, worked_at=job.worked_at).update(
            status=FAILED, error=why[:300], finished_at=now, worked_at=None, **more
        )
