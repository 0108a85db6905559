"""The figures over the API: GET /metrics. The assembler attaches the key's scope (`read`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema
from pydantic import field_validator

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


class Asked(Schema):
    """The question: which weeks, which group, as of when."""

    weeks: int | None = Field(
        None, ge=1, le=query.MAX_WEEKS, description="the current ISO week and the N-1 before; all when absent"
    )
    by: Literal["source", "rep", "team", "type", "week"] | None = Field(
        None, description="this group only; all groups and the reasons when absent"
    )
    as_of: datetime | None = Field(None, description="only what had happened by then; now when absent")

    @field_validator("as_of", mode="before")
    @classmethod
    def _moment(cls, value: object) -> datetime | None:
        return None if value is None else query.moment(str(value))


@router.get("/metrics", response=Metrics, exclude_unset=True, summary="The five metrics")
def metrics(request: HttpRequest, response: HttpResponse, asked: Query[Asked]) -> dict[str, Any]:
    """Numerators, denominators and times, by the definitions that both sides agreed.

    Scope `read`.
    """
    response["Cache-Control"] = "private, no-cache"
    moment = asked.as_of or timezone.now()
    span = EVERYTHING if asked.weeks is None else query.last_weeks(asked.weeks, moment)
    return query.ask(query.Question(moment, span, asked.by))
