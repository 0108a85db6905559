"""The figures of the site at one moment, from the database: a constant number of small queries.

Owns what is counted and over what. Totals of a table that only grows are not counted, for that costs a walk
through all of it: what is open is counted by its index, and what came and went only over the last minutes, of
the newest rows. Kept for some seconds, so that no monitor can load the site. Holds no person, name or
address; a connection goes by its name in addresses.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import BooleanField, Count, F, Func, Min, QuerySet
from django_q.models import Task

from handoff_site import health
from handoff_site.models import Inspection
from leads import queueing
from leads.audit.reporting import by_connection
from leads.choices import OPEN
from leads.connecting import health as outgoing
from leads.intake.taken import IGNORED, PROCESSED
from leads.models import (
    Connection,
    Finding,
    FiredStep,
    Handoff,
    InboundCall,
    Notification,
    Receipt,
    RoutingDecision,
    SyncRun,
)
from leads.presenters import connections as words
from routing import replica

WINDOW = timedelta(minutes=5)
# Of so many rows at most what is recent is read, and so many that are due are counted.
MOST = 2000
FAILURES_OVER = timedelta(hours=1)
KEPT_SECONDS = 10
RUNS = 10
OUTCOMES = ("rep", "queue", "nobody")
ANSWERS = (PROCESSED, IGNORED)
QUANTILES = (0.5, 0.95, 1.0)
SEVERITIES = tuple(str(value) for value in Finding.Severity.values)


class IsOpen(Func):
    """Whether a handoff is open. Written out: SQLite looks into the index of the open ones only then."""

    template = "%(expressions)s IN ({})".format(", ".join(f"'{state}'" for state in OPEN))
    output_field = BooleanField()


@dataclass(frozen=True, slots=True)
class Recent:
    """What happened within `span`: WINDOW, or less where MOST rows are of a shorter time."""

    span: timedelta
    counts: Mapping[str, int]
    lags: Sequence[timedelta] = ()

    @property
    def all(self) -> int:
        return sum(self.counts.values())

    def lag(self, part: float) -> timedelta | None:
        """The least lag that this part (above 0, up to 1) of all kept; None where nothing happened."""
        return self.lags[math.ceil(len(self.lags) * part) - 1] if self.lags else None


@dataclass(slots=True)
class Link:
    """A connection: how it is in a word, what it is owed, what the last audit that read it says (shares from
    0 to 1), what is open there by severity."""

    slug: str
    name: str
    state: str
    tone: str
    is_running: bool
    why: str = ""
    owed: int = 0
    oldest: timedelta | None = None
    dead: int = 0
    calls: int = 0
    agreement: float | None = None
    coverage: float | None = None
    findings: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it, as of `at`. Ages are None where there is nothing to be old (of the heartbeat: never), and
    `queued` when the queue is away.
    `due` and `failed` are counted up to MOST."""

    at: datetime
    open: Mapping[str, int]
    past_due: int
    astray: int
    due: int
    sweep_lag: timedelta | None
    intake: Recent
    decisions: Recent
    steps: Recent
    arrivals: Recent
    routed: Recent
    mail: int
    mail_oldest: timedelta | None
    heartbeat: timedelta | None
    queued: int | None
    failed: int
    audited: timedelta | None
    links: Sequence[Link]
    # By invariant, and since when; none and None as long as nobody has looked.
    violations: Mapping[str, int]
    inspected: timedelta | None
    # As this process sees it; None where there is none.
    replica: replica.Verdict | None = None


def kept(now: datetime) -> Figures:
    """The figures, not older than KEPT_SECONDS. Raises django.db.Error."""
    found: Figures | None = cache.get("handoff.figures")
    # The clock may be another one than that of the cache, as in a test.
    if found is None or not timedelta(0) <= now - found.at < timedelta(seconds=KEPT_SECONDS):
        found = gather(now)
        cache.set("handoff.figures", found, KEPT_SECONDS)
    return found


def gather(now: datetime) -> Figures:
    """The figures as of now. Raises django.db.Error."""
    is_open = Handoff.objects.live().filter(IsOpen(F("state"))).order_by()
    states = dict(is_open.values_list("state").annotate(Count("pk")))
    arrivals, routed = _conversions(now)
    mail = Notification.objects.filter(mail=Notification.Mail.PENDING, mail_after__lte=now)
    waiting = mail.aggregate(count=Count("pk"), oldest=Min("mail_after"))
    audits = list(SyncRun.objects.filter(status=SyncRun.Status.DONE).order_by("-pk")[:RUNS])
    inspection = Inspection.objects.first()
    failed = Task.objects.filter(success=False, stopped__gt=now - FAILURES_OVER)
    return Figures(
        at=now,
        open={str(state): states.get(str(state), 0) for state in OPEN},
        past_due=Handoff.objects.breached(now).count(),
        astray=Handoff.objects.astray()[:MOST].count(),
        due=Handoff.objects.due(now)[:MOST].count(),
        sweep_lag=_sweep_lag(now),
        intake=_intake(now),
        decisions=_decisions(now),
        steps=_steps(now),
        arrivals=arrivals,
        routed=routed,
        mail=waiting["count"],
        mail_oldest=_age(waiting["oldest"], now),
        heartbeat=health.worker_age(now),
        queued=queueing.size(),
        failed=failed[:MOST].count(),
        audited=_age(audits[0].finished_at if audits else None, now),
        links=_links(audits, now),
        violations=inspection.counts if inspection is not None else {},
        inspected=_age(inspection.ended_at if inspection is not None else None, now),
        replica=replica.verdict(),
    )


def _sweep_lag(now: datetime) -> timedelta | None:
    """How long the oldest step or follow-up that is due has waited."""
    steps = Handoff.objects.due(now).values_list("next_step_at", flat=True)[:1]
    follow_ups = Handoff.objects.to_follow_up(now).values_list("follow_up_at", flat=True)[:1]
    return _age(min((at for at in (*steps, *follow_ups) if at is not None), default=None), now)


def _intake(now: datetime) -> Recent:
    # Without a condition on the time, for which there is no index: the newest stand last.
    rows = Receipt.objects.order_by("-pk").values_list("received_at", "status")[:MOST]
    return _recent(rows, now, ANSWERS)


def _decisions(now: datetime) -> Recent:
    rows = RoutingDecision.objects.filter(at__gt=now - WINDOW).order_by("-at", "-pk")
    return _recent(rows.values_list("at", "outcome")[:MOST], now, OUTCOMES)


def _steps(now: datetime) -> Recent:
    rows = FiredStep.objects.order_by("-pk").values_list("fired_at", "code", "due_at")[:MOST]
    return _recent(((fired, code, fired - due) for fired, code, due in rows), now)


def _conversions(now: datetime) -> tuple[Recent, Recent]:
    """From a conversion to its arrival here, and from there to its first holder or queue."""
    rows = list(
        Handoff.objects.order_by("-pk").values_list("received_at", "mql_at", "assigned_at", "is_history")[
            :MOST
        ]
    )
    live = [row for row in rows if not row[3]]
    is_cut = len(rows) == MOST
    arrived = ((received, "arrived", received - mql) for received, mql, _, _ in live)
    routed = ((received, "routed", given - received) for received, _, given, _ in live if given is not None)
    return _recent(arrived, now, is_cut=is_cut), _recent(routed, now, is_cut=is_cut)


def _recent(
    rows: Iterable[tuple[Any, ...]], now: datetime, names: Sequence[str] = (), *, is_cut: bool = False
) -> Recent:
    """From rows of moment, name and perhaps lag, the newest first. Where there are MOST of them, or `is_cut`
    says so, there may be more from before the last of them."""
    read = list(rows)
    inside = [row for row in read if now - WINDOW < row[0] <= now]
    span = WINDOW
    if inside and len(inside) == len(read) and (is_cut or len(read) == MOST):
        span = max(now - min(row[0] for row in inside), timedelta(seconds=1))
    counts = Counter(dict.fromkeys(names, 0))
    counts.update(row[1] for row in inside)
    lags = sorted(max(row[2], timedelta(0)) for row in inside if len(row) > 2)
    return Recent(span, dict(counts), lags)


def _links(audits: Sequence[SyncRun], now: datetime) -> list[Link]:
    """Every connection, by name; what the audit says comes from the last run that read it."""
    links: dict[int, Link] = {}
    for row in Connection.objects.defer("mapping", "sealed", "cursor"):
        state = words.state(row, now)
        # Its end is worded for whoever looks, on its own page.
        said = "Waits" if row.is_active and row.paused_until is not None else state.words
        links[row.pk] = Link(row.slug, row.name, said, state.tone, state.is_running, row.paused_why)
    owed, given_up = outgoing.owed(), outgoing.given_up()
    waiting = _by_connection(InboundCall.objects.filter(status=InboundCall.Status.WAITING))
    findings = _by_connection(Finding.objects.filter(resolved_at__isnull=True), "severity")
    # One that was made just now is not among them yet.
    mine = links.keys()
    for pk, count, oldest in owed:
        if pk in mine:
            links[pk].owed, links[pk].oldest = count, _age(oldest, now)
    for pk, count in given_up:
        if pk in mine:
            links[pk].dead = count
    for pk, count in waiting:
        if pk in mine:
            links[pk].calls = count
    for pk, severity, count in findings:
        if pk in mine:
            links[pk].findings[severity] = count
    for run in reversed(audits):
        said_of = by_connection(run)
        for link in links.values():
            numbers = said_of.get(link.slug)
            if numbers is not None:
                link.agreement, link.coverage = numbers["agreement"], numbers["coverage"]
    return list(links.values())


def _by_connection(rows: QuerySet[Any], *more: str) -> QuerySet[Any, tuple[Any, ...]]:
    return rows.order_by().values_list("connection", *more).annotate(count=Count("pk"))


def _age(at: datetime | None, now: datetime) -> timedelta | None:
    return None if at is None else max(now - at, timedelta(0))
