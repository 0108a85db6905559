"""The figures in Prometheus' text format: names, units, labels.

Owns the names. All are gauges, for each is read anew from the database: a count of what is open or was
recent, an age, a share. Seconds are seconds, shares go from 0 to 1, and what is not known has no sample; of a
heartbeat that never was the age is infinite. Labels hold codes and the names of connections in addresses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from prometheus_client import Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from handoff_site.monitoring.figures import QUANTILES, SEVERITIES, Figures, Link, Recent

Sample = tuple[Sequence[str], float | None]


class Told(Collector):
    """What prometheus_client writes down; made for one answer."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from _work(self.figures)
        yield from _recent(self.figures)
        yield from _background(self.figures)
        yield from _replica(self.figures)
        yield from _connections(self.figures.links)


def text(figures: Figures) -> bytes:
    return generate_latest(Told(figures))


def _work(figures: Figures) -> Iterator[Metric]:
    states = (((state,), count) for state, count in figures.open.items())
    yield _gauge("open_handoffs", "Handoffs that are open, by state", states, "state")
    yield _gauge("past_due_handoffs", "Open handoffs past their deadline", [((), figures.past_due)])
    yield _gauge(
        "astray_handoffs",
        "Invariant violations that an index finds: open handoffs without a holder or their deadline",
        [((), figures.astray)],
    )
    found = (((code,), count) for code, count in figures.violations.items())
    yield _gauge("invariant_violations", "What the last full check found, by invariant", found, "invariant")
    inspected = [((), _seconds(figures.inspected))]
    yield _gauge("invariants_age_seconds", "Since the last full check of the invariants ended", inspected)
    yield _gauge("due_steps", "Handoffs of which a step is due and has not fired", [((), figures.due)])
    yield _gauge(
        "sweep_lag_seconds",
        "How long the oldest step or follow-up that is due has waited, 0 for none",
        [((), _seconds(figures.sweep_lag) or 0)],
    )


def _recent(figures: Figures) -> Iterator[Metric]:
    intake, decisions, steps = figures.intake, figures.decisions, figures.steps
    spans = {"intake": intake, "routing": decisions, "steps": steps, "conversions": figures.arrivals}
    yield _gauge(
        "recent_window_seconds",
        "The span that the recent figures are of: 300, or less where much happened",
        (((name,), recent.span.total_seconds()) for name, recent in spans.items()),
        "of",
    )
    yield _gauge("recent_intake_events", "Events taken in, by answer", _counts(intake), "answer")
    yield _gauge("recent_routing_decisions", "Routing decisions, by outcome", _counts(decisions), "outcome")
    yield _gauge("recent_fired_steps", "Escalation steps that fired, by code", _counts(steps), "step")
    for name, about, recent in (
        ("recent_step_lag_seconds", "From a step's due moment until it fired", steps),
        ("recent_intake_delay_seconds", "From a conversion until it arrived here", figures.arrivals),
        ("recent_routing_delay_seconds", "From arrival until a holder or a queue had it", figures.routed),
    ):
        lags = (((f"{part:g}",), _seconds(recent.lag(part))) for part in QUANTILES)
        yield _gauge(name, about, lags, "quantile")


def _background(figures: Figures) -> Iterator[Metric]:
    beat = math.inf if figures.heartbeat is None else _seconds(figures.heartbeat)
    yield _gauge("worker_heartbeat_age_seconds", "Since the worker's last sign of life", [((), beat)])
    yield _gauge("queued_tasks", "Tasks that wait for a worker or are with one", [((), figures.queued)])
    yield _gauge("failed_tasks", "Tasks that failed in the last hour", [((), figures.failed)])
    yield _gauge("owed_mails", "E-mails that may go out and have not", [((), figures.mail)])
    oldest = _seconds(figures.mail_oldest) or 0
    yield _gauge("owed_mail_age_seconds", "How long the oldest of them has waited", [((), oldest)])
    yield _gauge("sync_audit_age_seconds", "Since the last audit ended", [((), _seconds(figures.audited))])


def _replica(figures: Figures) -> Iterator[Metric]:
    found = figures.replica
    if found is not None:
        yield _gauge("replica_used", "1 if pages of figures are read from it", [((), float(found.is_used))])
        yield _gauge("replica_lag_seconds", "How old it is at most", [((), found.lag)])


def _connections(links: Sequence[Link]) -> Iterator[Metric]:
    def of(name: str, about: str, values: Iterable[float | None]) -> Metric:
        slugs = [(link.slug,) for link in links]
        return _gauge(name, about, zip(slugs, values, strict=True), "connection")

    yield of("connection_running", "1 if it works, 0 if it is off, stopped, paused or spared", [
        float(link.is_running) for link in links
    ])  # fmt: skip
    yield of("outbox_owed_deliveries", "What is owed to it", [link.owed for link in links])
    yield of("outbox_oldest_age_seconds", "How long the oldest of that has waited", [
        _seconds(link.oldest) or 0 for link in links
    ])  # fmt: skip
    yield of("outbox_dead_letters", "What was given up and nobody settled", [link.dead for link in links])
    yield of("waiting_calls", "Calls from it that are not taken in yet", [link.calls for link in links])
    yield of("sync_agreement_ratio", "Share of the compared handoffs that agree, by the last audit", [
        link.agreement for link in links
    ])  # fmt: skip
    yield of("sync_coverage_ratio", "Share of the handoffs that could be read there", [
        link.coverage for link in links
    ])  # fmt: skip
    found = (
        ((link.slug, severity), link.findings.get(severity, 0)) for link in links for severity in SEVERITIES
    )
    yield _gauge("sync_open_findings", "Findings that nobody settled", found, "connection", "severity")


def _gauge(name: str, about: str, samples: Iterable[Sample], *labels: str) -> Metric:
    family = GaugeMetricFamily(f"handoff_{name}", f"{about}.", labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family


def _counts(recent: Recent) -> Iterator[Sample]:
    return (((name,), count) for name, count in sorted(recent.counts.items()))


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
