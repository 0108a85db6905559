"""How long it takes from an event until it stands in the other systems: percentiles of the last day.

Owns the reading of settled deliveries and the percentiles (linear interpolation, as PERCENTILE_CONT). "all"
is until the last of the systems had it. Measures only what was delivered; what was not is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from leads.models import Connection, Delivery

LOOKED_BACK = timedelta(days=1)
# Of more than this the latest are taken.
MOST = 20_000


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share of the ordered values lies, between two neighbours in proportion."""
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def summary(seconds: Iterable[float]) -> dict[str, Any]:
    """{"n", "p50", "p95", "p99"} in seconds; only {"n": 0} of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return {"n": 0}
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {"n": len(ordered)} | {
        name: round(percentile(ordered, share), 1) for name, share in shares.items()
    }


def measured(connections: Sequence[Connection], now: datetime) -> dict[str, Any]:
    """The lags of these connections' states over the last day, by slug, and of "all" of them together."""
    rows = Delivery.objects.filter(
        connection__in=connections,
        kind=Delivery.Kind.STATE,
        status=Delivery.Status.DONE,
        done_at__gte=now - LOOKED_BACK,
    ).order_by("-done_at")
    slugs = {one.pk: one.slug for one in connections}
    by_slug: dict[str, list[float]] = {slug: [] for slug in slugs.values()}
    reached: dict[tuple[int | None, int], dict[str, float]] = {}
    for connection_id, handoff_id, revision, occurred_at, done_at in rows.values_list(
        "connection", "handoff", "revision", "occurred_at", "done_at"
    )[:MOST]:
        lag = ((done_at or now) - occurred_at).total_seconds()
        by_slug[slugs[connection_id]].append(lag)
        reached.setdefault((handoff_id, revision), {})[slugs[connection_id]] = lag
    everywhere = [max(found.values()) for found in reached.values() if len(found) == len(slugs)]
    return {slug: summary(lags) for slug, lags in by_slug.items()} | {"all": summary(everywhere)}
