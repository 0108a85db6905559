"""The back-test of a definition: against a naive count lead by lead, and case by case."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads import identity
from leads.models import Handoff, Lead, Score
from metrics import governance, past_scores
from metrics.governance import Alike, Comparison, Definition, Point, Rate, Tally
from tests.conftest import NOW
from tests.factories import make_lead, make_score

DAY = timedelta(days=1)
START = NOW - past_scores.DAYS * DAY
FORMS = ("demo_request", "pricing_inquiry")
AT_65 = Definition(65, FORMS)
KINDS = ("score_threshold", "demo_request", "pricing_inquiry", "manual_flag", "")


@dataclass
class Past:
    """One handoff as it is drawn: days before now, and what came of it after so many days (None: nothing)."""

    days: float
    trigger: str
    score: int | None
    accepted: float | None = None
    rejected: float | None = None
    won: float | None = None
    closed: float | None = None
    is_history: bool = False


@dataclass
class Known:
    """One lead: scorings as (days before now, total), handoffs, what holds its crossings back."""

    scores: list[tuple[float, int]] = field(default_factory=list)
    handoffs: list[Past] = field(default_factory=list)
    suppressed: float | None = None
    cool_off: float | None = None


days = st.integers(0, 400).map(lambda quarter: quarter / 4)
after = st.none() | st.integers(0, 60).map(float)
# Few values, close to the thresholds: what is rare is met often.
totals = st.sampled_from((50, 54, 55, 60, 64, 65, 66, 69, 70, 75))
pasts = st.builds(
    Past,
    days,
    st.sampled_from(KINDS),
    st.none() | totals,
    after,
    after,
    after,
    st.none() | after,
    st.booleans(),
)
leads = st.builds(
    Known,
    st.lists(st.tuples(days, totals), max_size=5, unique_by=lambda pair: pair[0]),
    st.lists(pasts, max_size=3),
    st.none() | days,
    st.none() | days,
)
definitions = st.builds(
    Definition, st.sampled_from((55, 65, 70)), st.lists(st.sampled_from(KINDS[1:4]), unique=True).map(tuple)
)


def at(days_before: float) -> Any:
    return NOW - days_before * DAY


def store(known: Known) -> Lead:
    """The rows as they come to be, without the ways in which they do."""
    lead = Lead.objects.create(
        first_name="A",
        created_at=NOW,
        updated_at=NOW,
        suppressed_at=None if known.suppressed is None else at(known.suppressed),
        cool_off_until=None if known.cool_off is None else at(known.cool_off),
        name_key=identity.name_key("A", ""),
    )
    for ago, total in known.scores:
        Score.objects.create(lead=lead, total=total, scored_at=at(ago), received_at=NOW)
    for past in known.handoffs:
        ends = None if past.closed is None else at(past.days) + past.closed * DAY
        Handoff.objects.create(
            lead=lead,
            # Closed without a moment is what never was open: the constraint of one open handoff is another's.
            state="rejected",
            lead_type="standard",
            trigger=past.trigger,
            score_total=past.score,
            mql_at=at(past.days),
            received_at=NOW,
            created_at=NOW,
            updated_at=NOW,
            is_history=past.is_history,
            closed_at=ends,
            **{
                name: None if span is None else at(past.days) + span * DAY
                for name, span in (
                    ("accepted_at", past.accepted),
                    ("rejected_at", past.rejected),
                    ("opportunity_at", past.won),
                )
            },
        )  # fmt: skip
    return lead


def naive(world: list[Known], old: Definition, new: Definition) -> dict[str, Any]:
    """Lead by lead and handoff by handoff, in the words of the definition and nothing clever."""

    def is_mql(past: Past, definition: Definition) -> bool:
        return past.trigger != "score_threshold" or past.score is None or past.score >= definition.threshold

    def seen(past: Past, span: float | None) -> bool:
        return span is not None and past.days - span >= 0

    def tally(some: list[Past]) -> Tally:
        accepted = [past for past in some if seen(past, past.accepted)]
        return Tally(
            len(some),
            len(accepted),
            len([p for p in some if p not in accepted and seen(p, p.rejected)]),
            len([p for p in accepted if seen(p, p.won)]),
        )

    def is_inside(past: Past) -> bool:
        return 0 < past.days <= past_scores.DAYS

    inside = [past for known in world for past in known.handoffs if is_inside(past)]
    later = came = 0
    for known in world:
        own = [past for past in known.handoffs if is_inside(past)]
        scores = sorted(known.scores, reverse=True)
        if new.threshold > old.threshold:
            lost = [p for p in own if is_mql(p, old) and not is_mql(p, new)]
            later += any(
                any(ago < p.days and ago > 0 and total >= new.threshold for ago, total in scores)
                and not any(q.days < p.days and is_mql(q, new) for q in own)
                for p in lost
            )
        elif new.threshold < old.threshold:
            reached_in = any(
                past.days > past_scores.DAYS
                and (
                    (past.closed is None and not past.is_history)
                    or (past.closed is not None and past.days - past.closed <= past_scores.DAYS)
                )
                for past in known.handoffs
            )
            crossed: dict[int, bool] = {}
            for threshold in (old.threshold, new.threshold):
                before, found = None, False
                for ago, total in scores:
                    rises = total >= threshold and (before is None or before < threshold)
                    held = (known.suppressed is not None and known.suppressed >= ago) or (
                        known.cool_off is not None and known.cool_off < ago
                    )
                    if 0 < ago <= past_scores.DAYS and rises and not (held and threshold == new.threshold):
                        found = True
                    before = total
                crossed[threshold] = found
            came += bool(not own and not reached_in and crossed[new.threshold] and not crossed[old.threshold])
    return {
        "old": tally([p for p in inside if is_mql(p, old)]),
        "new": tally([p for p in inside if is_mql(p, new)]),
        "lost": tally([p for p in inside if is_mql(p, old) and not is_mql(p, new)]),
        "gained": tally([p for p in inside if is_mql(p, new) and not is_mql(p, old)]),
        "retyped": tally(
            [
                p for p in inside
                if is_mql(p, old) and is_mql(p, new)
                and (p.trigger in old.high_intent) != (p.trigger in new.high_intent)
            ]
        ),
        "later": later,
        "newcomers": came,
    }  # fmt: skip


@pytest.mark.django_db
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(leads, max_size=6), definitions, definitions)
def test_it_counts_what_a_naive_count_counts(world: list[Known], old: Definition, new: Definition) -> None:
    with transaction.atomic():
        for known in world:
            store(known)
        found = past_scores.back_test(old, new, NOW)
        transaction.set_rollback(True)
    result = Comparison.of(found)
    expected = naive(world, old, new)
    assert {
        "old": result.old.total, "new": result.new.total, "lost": result.lost, "gained": result.gained,
        "retyped": result.retyped, "later": found["later"], "newcomers": found["newcomers"],
    } == expected  # fmt: skip
    assert len(found["lists"]["lost"]) == result.lost.mqls
    assert len(found["lists"]["gained"]) == result.gained.mqls
    assert len(found["lists"]["newcomers"]) == found["newcomers"]


def test_who_would_have_been_handed_over_later(db: None) -> None:
    lost = Past(20, "score_threshold", 66, rejected=1.0)
    again = Past(5, "score_threshold", 75)
    world = {
        "reached it": (Known([(20, 66), (5, 75)], [lost]), 1),
        "never reached it": (Known([(20, 66), (5, 69)], [lost]), 0),
        "had reached it before": (Known([(30, 75), (20, 66)], [lost]), 0),
        "was handed over then": (Known([(20, 66), (5, 75)], [lost, again]), 0),
        "was handed over by a form": (
            Known([(20, 66), (5, 75)], [lost, Past(4, "demo_request", None)]),
            0,
        ),
        "was lost twice": (Known([(20, 66), (5, 75)], [lost, Past(10, "score_threshold", 67)]), 1),
    }
    for name, (known, later) in world.items():
        with transaction.atomic():
            store(known)
            assert past_scores.back_test(AT_65, Definition(70, FORMS), NOW)["later"] == later, name
            transaction.set_rollback(True)


def test_who_would_have_been_handed_over_besides(db: None) -> None:
    low = [(20.0, 60)]
    before = Past(100, "score_threshold", 70, is_history=True)
    world = {
        "crossed": (Known(low), 1),
        "was suppressed then": (Known(low, suppressed=20), 0),
        "was suppressed later": (Known(low, suppressed=19), 1),
        "was left alone then": (Known(low, cool_off=19), 0),
        "was left alone until then": (Known(low, cool_off=20), 1),
        "sales had it": (Known(low, [Past(10, "demo_request", None)]), 0),
        "sales had it before": (Known(low, [Past(100, "score_threshold", 70, closed=5.0)]), 1),
        "sales had it still": (Known(low, [Past(100, "score_threshold", 70, closed=11.0)]), 0),
        "sales has it yet": (Known(low, [Past(100, "score_threshold", 70)]), 0),
        "it was imported": (Known(low, [before]), 1),
    }
    for name, (known, came) in world.items():
        with transaction.atomic():
            lead = store(known)
            found = past_scores.back_test(AT_65, Definition(55, FORMS), NOW)
            assert (found["newcomers"], found["lists"]["newcomers"]) == (came, [lead.pk] * came), name
            transaction.set_rollback(True)
    merged = store(Known(low))
    merged.merged_into = make_lead()
    merged.save()
    assert past_scores.back_test(AT_65, Definition(55, FORMS), NOW)["newcomers"] == 0


def test_only_what_is_known_by_now_counts(db: None) -> None:
    store(Known([], [Past(5, "demo_request", 60, accepted=6.0, rejected=1.0, won=2.0)]))
    store(Known([], [Past(5, "demo_request", 60, accepted=1.0, rejected=2.0, won=6.0)]))
    store(Known([], [Past(90.25, "demo_request", 60, accepted=1.0), Past(0, "demo_request", 60)]))
    total = Comparison.of(past_scores.back_test(AT_65, AT_65, NOW)).old.total
    assert total == Tally(mqls=2, accepted=1, rejected=1, converted=0)


@given(
    st.lists(st.builds(Alike, st.sampled_from(KINDS), totals, *[st.integers(0, 9)] * 4)),
    definitions,
    definitions,
)
def test_the_parts_make_the_whole(alikes: list[Alike], old: Definition, new: Definition) -> None:
    found = governance.compare(alikes, old, new)
    for outcome in (found.old, found.new):
        assert outcome.demo.mqls + outcome.standard.mqls == outcome.total.mqls
    assert found.old.total.mqls - found.lost.mqls == found.new.total.mqls - found.gained.mqls
    back = governance.compare(alikes, new, old)
    assert (back.lost, back.gained, back.retyped) == (found.gained, found.lost, found.retyped)
    assert Comparison.of(found.to_json()) == found


def test_forms_and_flags_qualify_at_any_score() -> None:
    assert [AT_65.qualifies(kind, 1) for kind in KINDS] == [False, True, True, True, True]
    assert [AT_65.qualifies("score_threshold", score) for score in (64, 65, None)] == [False, True, True]
    assert [AT_65.lead_type(kind) for kind in KINDS] == ["standard", "demo", "demo", "standard", "standard"]


def points(*totals: int, lead: int = 1, first: float = 10) -> list[Point]:
    return [Point(lead, total, at(first - number) >= START, None) for number, total in enumerate(totals)]


@pytest.mark.parametrize(
    ("totals", "is_new"),
    [
        ((60,), True),
        ((54,), False),
        ((50, 60, 64), True),
        # It reached the old threshold too.
        ((60, 70), False),
        # It came down from above; that is no crossing.
        ((70, 40, 60), False),
    ],
)
def test_a_newcomer_crosses_the_lower_threshold_alone(totals: tuple[int, ...], is_new: bool) -> None:
    assert bool(list(governance.newcomers(points(*totals), 65, 55))) is is_new


def test_what_stood_there_before_the_window_is_no_newcomer() -> None:
    assert list(governance.newcomers(points(60, 62, first=90.5), 65, 55)) == []
    assert list(governance.newcomers(points(50, 62, first=90.5), 65, 55)) == [1]


def test_each_lead_for_itself() -> None:
    rows = [*points(50), *points(60, lead=2), *points(70, lead=3), *points(64, lead=4)]
    assert list(governance.newcomers(rows, 65, 55)) == [2, 4]


def test_a_rate_of_nothing_is_none_and_few_are_unsure() -> None:
    assert Rate(0, 0).value is None and Rate(0, 0).between == (0, 1)
    low, high = Rate(3, 4).between
    assert (round(low, 2), round(high, 2)) == (0.30, 0.95)


def test_the_list_is_bounded_and_the_newest_come_first(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_scores, "MOST_LISTED", 2)
    world = [Known(handoffs=[Past(number, "score_threshold", 66)]) for number in (5, 3, 1, 2)]
    ids = [store(known).handoffs.get().pk for known in world]
    found = past_scores.back_test(AT_65, Definition(70, FORMS), NOW)
    assert found["lists"]["lost"] == [ids[2], ids[3]] and found["lost"]["mqls"] == 4


def test_the_queries_are_as_many_for_one_lead_as_for_many(db: None) -> None:
    def count(new: int) -> int:
        with CaptureQueriesContext(connection) as found:
            past_scores.back_test(AT_65, Definition(new, ("manual_flag",)), NOW)
        return len(found)

    store(Known([(3, 60)], [Past(200, "score_threshold", 66)]))
    one = {new: count(new) for new in (55, 65, 75)}
    for _ in range(3):
        lead = make_lead()
        make_score(lead, 60, at=at(3))
        store(Known([(3, 70)], [Past(5, "demo_request", 66)]))
    assert {new: count(new) for new in one} == one == {55: 4, 65: 2, 75: 4}
