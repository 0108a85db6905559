"""Which conversions needed weak signals to cross the threshold, decided in the database.

Owns the condition. A conversion by score needed them when its total less the points of its e-mail opens, page
views and the like (at most its behaviour score) stays below the threshold that was in force for it. Where
such a signal came without points, it needed them when nothing else was in its trail. Nothing is stored.
"""

from __future__ import annotations

from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import GreaterThan

from leads.choices import WEAK_SIGNALS, TriggerKind
from leads.models import Activity
from metrics import tallying
from metrics.figures import Rate
from metrics.loop import won
from metrics.measures import EVERY, Measure, accepted, decided
from metrics.periods import Week
from metrics.query import Asked
from metrics.spans import week_of
from metrics.tallying import Tally

_WEAK = Q(kind__in=sorted(str(kind) for kind in WEAK_SIGNALS))

# A form or a flag needs no score; without a total or a definition nothing can be said.
BY_SCORE = Q(
    trigger=TriggerKind.SCORE_THRESHOLD, score_total__isnull=False, definition__isnull=False, is_history=False
)


# More than any score: what is at stake where everything is.
_ALL = 2_000_000_000


def needed() -> Q:
    """Whether a handoff (of BY_SCORE) needed weak signals; true or false, never null.

    The points at stake are compared with the margin over the threshold; no more can be at stake than the
    behaviour score, so where that is within the margin, nothing is. One look at the trail a handoff.
    """
    margin = F("score_total") - F("definition__threshold")
    can_matter = Q(score_behavior__isnull=True) | Q(score_behavior__gt=margin)
    bar = Case(When(can_matter, then=margin), default=Value(_ALL - 1), output_field=IntegerField())
    trail = (
        Activity.objects.filter(lead=OuterRef("lead"), occurred_at__lte=OuterRef("mql_at"))
        .order_by()
        .values("lead")
        .annotate(
            unknown=Count("pk", filter=_WEAK & Q(points__isnull=True)),
            strong=Count("pk", filter=~_WEAK),
        )
        .annotate(
            at_stake=Case(
                When(Q(unknown__gt=0, strong=0), then=Value(_ALL)),
                default=Coalesce(Sum("points", filter=_WEAK & Q(points__gt=0)), 0),
                output_field=IntegerField(),
            )
        )
    )
    at_stake = Subquery(trail.values("at_stake"), output_field=IntegerField())
    return Q(GreaterThan(Coalesce(at_stake, 0), Greatest(bar, Value(0))))


def by_week(figures: Asked, zone: str) -> dict[Week, dict[str, Tally]]:
    """The MQLs of each week: conversions by score, "weak" and "rest", and the "other" ones; one query, one
    look at the trail of each conversion by score."""
    group = Case(
        When(BY_SCORE & needed(), then=Value("weak")),
        When(BY_SCORE, then=Value("rest")),
        default=Value("other"),
        output_field=CharField(),
    )
    rows = figures.rows.order_by().annotate(of=week_of(zone), group=group)
    found: dict[Week, dict[str, Tally]] = {}
    for values, tally in tallying.grouped(rows.values("of", "group"), figures, ALIKE):
        tallies = found.setdefault(Week.holding(values["of"]), dict.fromkeys(GROUPS, EMPTY))
        tallies[values["group"]] = tally
    return found


GROUPS = ("weak", "rest", "other")
# What is counted of each group.
ALIKE = {
    "all": Measure(lambda terms: EVERY, lambda terms: EVERY, "first_holder", "Conversions by score."),
    "decided": Measure(decided, accepted, "decider", "Accepted / decided."),
    "accepted": Measure(accepted, won, "accepter", "With an opportunity / accepted."),
}
EMPTY: Tally = {name: Rate() for name in ALIKE}


def _of(chosen: Q) -> dict[str, Measure]:
    def narrowed(measure: Measure) -> Measure:
        return Measure(lambda terms: chosen & measure.counts(terms), measure.hit, measure.who, measure.about)

    return {name: narrowed(measure) for name, measure in ALIKE.items()}


# The same as lists of handoffs.
MEASURES = {"weak": _of(BY_SCORE & needed()), "rest": _of(BY_SCORE & ~needed())}
