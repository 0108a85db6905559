"""The figures over the API: GET /metrics. The assembler attaches the key's scope (`read`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema

from metrics import query
from metrics.periods import EVERYTHING

router = Router(tags=["metrics"])


class Rate(Schema):
    """A share between 0 and 1, null when nothing counts."""

    numerator: int
    denominator: int
    rate: float | None


class Spread(Schema):
    """Elapsed minutes from MQL to first contact of those contacted."""

    n: int
    mean_minutes: float | None
    median_minutes: float | None
    p90_minutes: float | None
    within_target: Rate


class ByType(Schema):
    demo: Spread
    standard: Spread


class Figures(Schema):
    mqls: int
    acceptance_rate: Rate
    mql_to_opportunity: Rate
    rejection_rate: Rate
    black_hole_rate: Rate
    clean_handoff_rate: Rate
    time_to_first_contact: ByType


class Metrics(Schema):
    """A group that was not asked for is absent."""

    as_of: str
    total: Figures
    by_source: dict[str, Figures] | None = None
    by_rep: dict[str, Figures] | None = None
    by_team: dict[str, Figures] | None = None
    by_type: dict[str, Figures] | None = None
    by_week: dict[str, Figures] | None = None
    rejections_by_reason: dict[str, int] | None = None


@router.get("/metrics", response=Metrics, exclude_unset=True, summary="The five metrics")
def metrics(
    request: HttpRequest,
    weeks: int | None = Query(  # type: ignore[type-arg]
        None, ge=1, le=query.MAX_WEEKS, description="the current ISO week and the N-1 before; all when absent"
    ),
    by: Literal["source", "rep", "team", "type", "week"] | None = Query(  # type: ignore[type-arg]
        None, description="this group only; all groups when absent"
    ),
    as_of: datetime | None = Query(  # type: ignore[type-arg]
        None, description="only what had happened by then; now when absent"
    ),
) -> dict[str, Any]:
    """Numerators, denominators and times, with the definitions that the agreement freezes."""
    moment = timezone.now() if as_of is None else as_of
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    span = EVERYTHING if weeks is None else query.last_weeks(weeks, moment)
    return query.ask(query.Question(moment, span, by))
