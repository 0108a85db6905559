"""What a handoff is judged by: the moment as of which one looks, and the targets that were agreed over time.

Pure values. A handoff is judged by the version in force at its `mql_at`; where the versions come from is
`metrics.query`'s. `mark` names all that goes into a judgment but the moment, for what is kept of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q

from leads.agreement import SHIPPED_FIGURE
from metrics.periods import Span
from routing import sla

_MOMENT = timedelta(microseconds=1)


def _shipped_contact() -> dict[str, timedelta]:
    return {str(kind): timedelta(minutes=most) for kind, most in SHIPPED_FIGURE.items()}


def _shipped_accept() -> dict[str, timedelta]:
    return {policy.lead_type: timedelta(minutes=policy.accept.minutes) for policy in sla.default_policies()}


@dataclass(frozen=True)
class Target:
    """Elapsed times by lead type, agreed for what became an MQL from `starts_at` (None: ever) until `ends_at`
    (None: still). `contact` runs from `mql_at`, `accept` from `assigned_at`."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    contact: Mapping[str, timedelta] = field(default_factory=_shipped_contact)
    accept: Mapping[str, timedelta] = field(default_factory=_shipped_accept)
    version: int = 0

    @property
    def era(self) -> Q:
        """The handoffs that this version judges."""
        found = Q()
        if self.starts_at is not None:
            found &= Q(mql_at__gte=self.starts_at)
        if self.ends_at is not None:
            found &= Q(mql_at__lt=self.ends_at)
        return found

    def holds(self, mql_at: datetime) -> bool:
        return (self.starts_at is None or mql_at >= self.starts_at) and (
            self.ends_at is None or mql_at < self.ends_at
        )


SHIPPED = (Target(),)


@dataclass(frozen=True)
class Terms:
    """The moment, and the versions of the targets in order, without gap or overlap."""

    as_of: datetime
    targets: tuple[Target, ...] = SHIPPED

    @property
    def mark(self) -> str:
        """All that goes into a judgment but the moment, as one text: for what is kept of it."""
        return repr(self.targets)

    def target(self, mql_at: datetime) -> Target:
        """The version in force at a moment; the oldest stands for all time before it."""
        return next(target for target in self.targets if target.holds(mql_at))

    def at_end(self, span: Span) -> Target:
        """The version in force at the end of a span: what its figures as a whole are held against."""
        return self.target(self.end_of(span))

    def end_of(self, span: Span) -> datetime:
        """The last moment of a span, or the one as of which one looks if that is earlier."""
        return self.as_of if span.end is None else min(self.as_of, span.end - _MOMENT)

    def within(self, span: Span) -> list[Target]:
        """The versions in force at some time of a span, the oldest first; the last is that of its end."""
        last = self.at_end(span)
        before = self.targets[: self.targets.index(last)]
        return [
            *(
                each
                for each in before
                if span.start is None or each.ends_at is None or each.ends_at > span.start
            ),
            last,
        ]
