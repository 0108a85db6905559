"""What `metrics.diagnosis` asks for, put together from what is counted of each week and kept.

Owns which weeks are looked at: of those shown the mature ones, for opportunities those old enough, and as
many before them. What is counted is `metrics.process`. Decides and words nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leads.choices import SCORE_BANDS
from leads.models import RejectionReason
from leads.querysets import HandoffQuerySet
from metrics import address, cohorts, counted, process, stages
from metrics.comparing import Compared
from metrics.diagnosis import Band, List
from metrics.figures import Rate
from metrics.leaking import Stage
from metrics.periods import Week, WeekRange
from metrics.tallying import Tally
from metrics.terms import Terms

# Sources are named with the reasons given most often only.
MOST_REASONS, MOST_SOURCES, MOST_GROUPS = 5, 200, 50
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
    labels = dict(RejectionReason.objects.values_list("code", "label"))
    found = counted.Counted(asked, handoffs)
    if settled is None:
        return _put_together(found.terms, None, None, labels, {}, {}, {}, {})
    both = WeekRange(_before(settled).first, settled.last, settled.zone)
    # First: by the way it finds when any of it changes.
    bands = found.bands(both)
    return _put_together(
        found.terms, settled, ripe, labels, bands, found.medians(settled),
        found.acts(sorted(labels), both), found.decided(settled),
    )  # fmt: skip


def _put_together(
    terms: Terms,
    settled: WeekRange | None,
    ripe: WeekRange | None,
    labels: Mapping[str, str],
    by_week: Mapping[Week, Mapping[str, Any]],
    medians: Mapping[str, float | None],
    acts: Mapping[Week, Mapping[str, Mapping[str, int]]],
    decided: Mapping[str, Rate],
) -> Counted:
    pairs = [(settled, ripe), tuple(_before(weeks) if weeks else None for weeks in (settled, ripe))]
    tallies = [_banded(by_week, weeks, old_enough) for weeks, old_enough in pairs]
    tally, earlier = (_together(each) for each in tallies)
    now, before = (_acts(acts, weeks or ()) for weeks, _ in pairs)
    return Counted(
        terms=terms,
        settled=settled,
        ripe=ripe,
        bands={
            name: Band(name, _compared(name, "accepted", tallies), _compared(name, "won", tallies))
            for name, _, _ in SCORE_BANDS
        },
        shares={name: Compared(tally[name], earlier[name]) for name in stages.STAGES},
        stages=_stages(tally, medians),
        reasons=_reasons(now, before),
        labels=labels,
        by_source=_sources(now),
        rejected=_most_rejected(decided),
    )


def _mature(asked: address.Asked, measure: str) -> WeekRange | None:
    last = cohorts.last_mature(asked.weeks, measure, asked.weeks.zone, asked.as_of)
    return None if last is None else WeekRange(asked.weeks.first, last, asked.weeks.zone)


def _before(weeks: WeekRange) -> WeekRange:
    """As many weeks just before."""
    return WeekRange.ending(weeks.first.plus(-1), len(weeks), weeks.zone)


def _banded(
    by_week: Mapping[Week, Mapping[str, Any]], weeks: WeekRange | None, ripe: WeekRange | None
) -> dict[str, Tally]:
    """The weeks added up by score band; what was won, of those old enough alone."""
    found: dict[str, Tally] = defaultdict(lambda: {name: Rate() for name in process.BANDED})
    old_enough = set(ripe or ())
    for week in weeks or ():
        for band, counts in by_week[week].items():
            for name, pair in counts.items():
                if name != "won" or week in old_enough:
                    found[band][name] = found[band][name].plus(Rate(*pair))
    return dict(found)


def _together(tallies: Mapping[str, Tally]) -> Tally:
    """The groups added up."""
    found: Tally = {name: Rate() for name in stages.STAGES}
    for tally in tallies.values():
        found = {name: rate.plus(tally[name]) for name, rate in found.items()}
    return found


def _compared(group: str, name: str, pair: Sequence[Mapping[str, Tally]]) -> Compared:
    now, before = (tallies[group][name] if group in tallies else Rate() for tallies in pair)
    return Compared(now, before)


def _stages(tally: Tally, medians: Mapping[str, float | None]) -> list[Stage]:
    lost = ("", "never_ready", "never_assigned", "never_answered", "never_contacted")
    mqls = tally["never_ready"].denominator
    found = []
    for number, ((name, party), code, (_, end)) in enumerate(
        zip(_NAMES, lost, process.STEPS, strict=True), 1
    ):
        rate = tally[code] if code else Rate(0, mqls)
        minutes = _from_nought(medians.get(end))
        found.append(
            Stage(number, name, party, rate.denominator, rate.numerator, minutes, List(code or "not_named"))
        )
    return found


def _from_nought(minutes: float | None) -> float | None:
    # A contact may be logged for a moment before the answer: then nothing was waited.
    return None if minutes is None else max(0.0, minutes)


def _acts(
    by_week: Mapping[Week, Mapping[str, Mapping[str, int]]], weeks: Iterable[Week]
) -> dict[str, Counter[str]]:
    """{reason code: {source: acts}} of these weeks together."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for week in weeks:
        for code, sources in by_week[week].items():
            found[code].update(sources)
    return dict(found)


def _reasons(now: Mapping[str, Counter[str]], before: Mapping[str, Counter[str]]) -> dict[str, Compared]:
    acts, earlier = (Counter({code: each.total() for code, each in found.items()}) for found in (now, before))
    whole, whole_before = acts.total(), earlier.total()
    return {
        code: Compared(Rate(count, whole), Rate(earlier[code], whole_before)) for code, count in acts.items()
    }


def _sources(acts: Mapping[str, Counter[str]]) -> dict[str, list[tuple[str, int]]]:
    """The sources of the acts with the reasons given most often, the most first."""
    often = sorted(acts, key=lambda code: (-acts[code].total(), code))[:MOST_REASONS]
    rows = [(-count, source, code) for code in often for source, count in acts[code].items()]
    found: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for count, source, code in sorted(rows)[:MOST_SOURCES]:
        found[code].append((source, -count))
    return dict(found)


def _most_rejected(decided: Mapping[str, Rate]) -> dict[str, Rate]:
    rejected = {source: rate for source, rate in decided.items() if rate.numerator}
    return dict(sorted(rejected.items(), key=lambda pair: (-pair[1].numerator, pair[0]))[:MOST_GROUPS])
