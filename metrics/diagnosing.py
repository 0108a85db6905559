"""What `metrics.diagnosis` asks for, counted in the database: eight queries, however many handoffs.

Owns which weeks are looked at: of those shown the mature ones, for opportunities those old enough, and as
many before them. Decides and words nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q

from leads.choices import SCORE_BANDS
from leads.models import RejectionReason
from leads.querysets import HandoffQuerySet
from metrics import address, cohorts, query, stages, tallying
from metrics.comparing import Compared
from metrics.diagnosis import Band, List
from metrics.figures import Rate
from metrics.leaking import Stage
from metrics.measures import RATES, Measure, happened
from metrics.periods import WeekRange
from metrics.query import Asked
from metrics.spans import Minutes, PercentileCont
from metrics.tallying import BAND, Tally
from metrics.terms import Terms

# Sources are named with the reasons given most often only.
MOST_REASONS, MOST_SOURCES, MOST_GROUPS = 5, 200, 50
# What a stage begins and ends with, for its median time.
_STEPS = (
    ("mql_at", "received_at"),
    ("received_at", "ready_at"),
    ("ready_at", "assigned_at"),
    ("assigned_at", "acknowledged_at"),
    ("acknowledged_at", "first_contact_at"),
)
_NAMES = (
    ("Trigger", "marketing"),
    ("Enrichment pass", "marketing"),
    ("Routing", "marketing ops"),
    ("Acceptance", "sales"),
    ("First contact", "sales"),
)


@dataclass(frozen=True)
class Counted:
    """`settled` are the mature weeks, `ripe` those old enough for opportunities; None where there is none."""

    terms: Terms
    settled: WeekRange | None
    ripe: WeekRange | None
    bands: Mapping[str, Band]
    shares: Mapping[str, Compared]
    stages: Sequence[Stage]
    reasons: Mapping[str, Compared]
    labels: Mapping[str, str]
    by_source: Mapping[str, Sequence[tuple[str, int]]]
    rejected: Mapping[str, Rate]


def read(asked: address.Asked, handoffs: HandoffQuerySet) -> Counted:
    """For what an address asks for, of what somebody may see."""
    settled, ripe = (_mature(asked, measure) for measure in ("acceptance_rate", "mql_to_opportunity"))
    now, before = _figures(asked, settled, handoffs), _figures(asked, _before(settled), handoffs)
    tallies = [
        tallying.by(BAND, figures, _measures(weeks))
        for figures, weeks in ((now, ripe), (before, _before(ripe)))
    ]
    bands = {
        name: Band(name, _compared(name, "accepted", tallies), _compared(name, "won", tallies))
        for name, _, _ in SCORE_BANDS
    }
    tally, earlier = (_together(each) for each in tallies)
    _, medians = tallying.total(now, {}, **_medians(now))
    acts = now.reasons()
    return Counted(
        terms=now.terms,
        settled=settled,
        ripe=ripe,
        bands=bands,
        shares={name: Compared(tally[name], earlier[name]) for name in stages.STAGES},
        stages=_stages(tally, medians),
        reasons=_reasons(acts, before.reasons()),
        labels=dict(RejectionReason.objects.values_list("code", "label")),
        rejected={
            name: each["rejected"]
            for name, each in tallying.largest(
                F("lead_source"), now, {"rejected": RATES["rejection_rate"]}, "rejected", MOST_GROUPS
            ).items()
        },
        by_source=_sources(now, sorted(acts, key=lambda code: (-acts[code], code))[:MOST_REASONS]),
    )


def _mature(asked: address.Asked, measure: str) -> WeekRange | None:
    last = cohorts.last_mature(asked.weeks, measure, asked.weeks.zone, asked.as_of)
    return None if last is None else WeekRange(asked.weeks.first, last, asked.weeks.zone)


def _before(weeks: WeekRange | None) -> WeekRange | None:
    """As many weeks just before."""
    return None if weeks is None else WeekRange.ending(weeks.first.plus(-1), len(weeks), weeks.zone)


def _figures(asked: address.Asked, weeks: WeekRange | None, handoffs: HandoffQuerySet) -> Asked:
    if weeks is None:
        return Asked.of(query.Question(asked.as_of, filters=asked.filters), handoffs.none())
    return Asked.of(query.Question(asked.as_of, weeks.span, filters=asked.filters), handoffs)


def _measures(ripe: WeekRange | None) -> dict[str, Measure]:
    """All that is counted of a period: stages, what was accepted, and what was won of those old enough."""
    return {
        **stages.STAGES,
        "accepted": RATES["acceptance_rate"],
        "won": _within(ripe, RATES["mql_to_opportunity"]),
    }


def _within(weeks: WeekRange | None, measure: Measure) -> Measure:
    """A measure of these weeks only; of nothing without them."""
    if weeks is None:
        return Measure(lambda terms: Q(pk__isnull=True), measure.hit, measure.who, measure.about)
    span = Q(mql_at__gte=weeks.span.start, mql_at__lt=weeks.span.end)
    return Measure(lambda terms: measure.counts(terms) & span, measure.hit, measure.who, measure.about)


def _together(tallies: Mapping[str, Tally]) -> Tally:
    """The groups added up."""
    found: Tally = {name: Rate() for name in stages.STAGES}
    for tally in tallies.values():
        found = {name: rate.plus(tally[name]) for name, rate in found.items()}
    return found


def _compared(group: str, name: str, pair: Sequence[Mapping[str, Tally]]) -> Compared:
    now, before = (tallies[group][name] if group in tallies else Rate() for tallies in pair)
    return Compared(now, before)


def _medians(figures: Asked) -> dict[str, Any]:
    asked = {}
    for start, end in _STEPS:
        done = Measure(
            lambda terms, start=start, end=end: happened(start, terms) & happened(end, terms),  # type: ignore[misc]
            stages.assigned,
            "first_holder",
            "",
        )
        wait = Minutes(F(end), F(start))
        asked[f"until_{end}"] = PercentileCont(wait, 0.5, filter=tallying.condition(figures, done))
    return asked


def _stages(tally: Tally, medians: Mapping[str, float | None]) -> list[Stage]:
    lost = ("", "never_ready", "never_assigned", "never_answered", "never_contacted")
    mqls = tally["never_ready"].denominator
    found = []
    for number, ((name, party), code, (_, end)) in enumerate(zip(_NAMES, lost, _STEPS, strict=True), 1):
        rate = tally[code] if code else Rate(0, mqls)
        minutes = medians[f"until_{end}"]
        behind = List(code or "not_named")
        found.append(
            Stage(number, name, party, rate.denominator, rate.numerator, _from_nought(minutes), behind)
        )
    return found


def _from_nought(minutes: float | None) -> float | None:
    # A contact may be logged for a moment before the answer: then nothing was waited.
    return None if minutes is None else max(0.0, minutes)


def _reasons(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, Compared]:
    whole, earlier = sum(now.values()), sum(before.values())
    return {
        code: Compared(Rate(count, whole), Rate(before.get(code, 0), earlier)) for code, count in now.items()
    }


def _sources(figures: Asked, codes: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """The sources of the acts with these reasons, the most first."""
    acts = figures.acts().filter(reason__code__in=codes)
    counted = acts.values_list("reason__code", "handoff__lead_source").annotate(count=Count("pk"))
    found: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for code, source, count in counted.order_by("-count", "handoff__lead_source")[:MOST_SOURCES]:
        found[code].append((source, count))
    return dict(found)
