"""Reviews: when they are due, one open for each rule in force, who is to be told, and how one ends."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from routing import draft, publish, reviews, standing
from routing.models import Absence, Pool, PoolMember, Rule, RuleReview, Ruleset, Territory
from tests.conftest import NOW, Cast


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 1, 1), date(2026, 3, 31)),
        (date(2026, 3, 31), date(2026, 3, 31)),
        (date(2026, 4, 1), date(2026, 6, 30)),
        (date(2026, 9, 30), date(2026, 9, 30)),
        (date(2026, 12, 31), date(2026, 12, 31)),
    ],
)
def test_a_quarter_ends(day: date, end: date) -> None:
    assert reviews.quarter_end(day) == end


@pytest.mark.parametrize(
    ("reviewed", "since", "today", "due"),
    [
        (date(2026, 2, 1), None, date(2026, 3, 10), date(2026, 6, 30)),
        (date(2025, 2, 1), None, date(2026, 3, 10), date(2025, 6, 30)),
        (None, date(2026, 2, 1), date(2026, 3, 10), date(2026, 6, 30)),
        (None, date(2024, 2, 1), date(2026, 3, 10), date(2026, 3, 31)),
        (None, None, date(2026, 3, 10), date(2026, 3, 31)),
        (date(2026, 11, 30), date(2020, 1, 1), date(2026, 12, 1), date(2027, 3, 31)),
    ],
)
def test_when_a_review_is_due(reviewed: Any, since: Any, today: date, due: date) -> None:
    assert reviews.due_on(reviewed, since, today) == due


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_a_review_is_never_due_in_the_quarter_of_the_last_one(day: date) -> None:
    due = reviews.due_on(day, None, day)
    assert reviews.quarter_end(day) < due <= day + timedelta(days=184) and reviews.quarter_end(due) == due


@pytest.fixture
def rule(cast: Cast) -> Rule:
    """The one rule in force, Otto's, there since a year."""
    row = Rule.objects.get()
    Rule.objects.update(owner=cast.otto)
    Rule.history.update(history_date=NOW - timedelta(days=365))
    row.refresh_from_db()
    return row


def test_each_rule_in_force_has_one_open_review(cast: Cast, rule: Rule) -> None:
    assert reviews.ensure_reviews(NOW) == 1
    row = RuleReview.objects.get()
    assert (row.rule, row.due_on, row.done_at) == (rule, date(2026, 3, 31), None)
    assert reviews.ensure_reviews(NOW + timedelta(days=100)) == 0 and RuleReview.objects.get() == row
    with pytest.raises(IntegrityError):
        RuleReview.objects.create(rule=rule, due_on=NOW.date(), created_at=NOW)


def test_the_review_of_a_rule_that_is_no_longer_in_force_ends(cast: Cast, rule: Rule) -> None:
    reviews.ensure_reviews(NOW)
    new = Rule.objects.create(name="New", conditions={"all": []}, target_kind="account_owner")
    Rule.objects.filter(pk=rule.pk).update(is_active=False)
    publish.publish(NOW, cast.otto, "another one")
    assert reviews.ensure_reviews(NOW) == 1
    old = RuleReview.objects.get(rule=rule)
    assert (old.done_at, old.outcome, old.done_by) == (NOW, "retired", None)
    assert RuleReview.objects.get(done_at=None).rule == new
    Ruleset.objects.update(is_live=False)
    assert reviews.ensure_reviews(NOW) == 0


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)


def test_a_review_is_told_two_weeks_ahead_and_again_when_overdue(rule: Rule) -> None:
    reviews.ensure_reviews(NOW)
    assert reviews.to_tell(at("2026-03-16")) == []
    [row] = reviews.to_tell(at("2026-03-17"))
    assert reviews.claim(row, at("2026-03-17")) and not reviews.claim(row, at("2026-03-17"))
    assert reviews.to_tell(at("2026-03-31")) == []
    [row] = reviews.to_tell(at("2026-04-01"))
    assert reviews.claim(row, at("2026-04-01"))
    assert reviews.to_tell(at("2026-08-01")) == []


def test_a_review_that_is_overdue_at_once_is_told_once(rule: Rule) -> None:
    reviews.ensure_reviews(NOW)
    [row] = reviews.to_tell(at("2026-05-01"))
    assert reviews.claim(row, at("2026-05-01")) and reviews.to_tell(at("2026-05-02")) == []


def test_the_day_is_that_of_the_organisation(rule: Rule, settings: Any) -> None:
    settings.ORG_TIME_ZONE = "Pacific/Auckland"
    assert reviews.today(datetime(2026, 3, 31, 12, tzinfo=UTC)) == date(2026, 4, 1)


def test_a_review_is_done_once_and_the_next_is_set(cast: Cast, rule: Rule) -> None:
    reviews.ensure_reviews(NOW)
    row = RuleReview.objects.get()
    made = reviews.done(row, cast.otto, NOW, "changed", "  Two countries \n more ")
    assert (made.done_at, made.done_by, made.outcome, made.note) == (
        NOW,
        cast.otto,
        "changed",
        "Two countries more",
    )
    rule.refresh_from_db()
    assert rule.last_reviewed == NOW.date()
    assert rule.history.filter(history_user=cast.otto).get().history_date == NOW
    following = RuleReview.objects.get(done_at=None)
    assert following.due_on == date(2026, 6, 30)
    again = reviews.done(row, cast.ada, NOW + timedelta(days=1), "kept", "no")
    assert (again.done_by, again.outcome) == (cast.otto, "changed")
    assert RuleReview.objects.count() == 2
    with pytest.raises(ValueError, match="nonsense"):
        reviews.done(following, cast.otto, NOW, "nonsense")


def test_an_edit_of_the_rule_loses_no_review(cast: Cast, rule: Rule) -> None:
    reviews.ensure_reviews(NOW)
    mine = Rule.objects.get(pk=rule.pk)
    reviews.done(RuleReview.objects.get(), cast.otto, NOW, "kept")
    draft.save(mine, mine.revision, cast.otto)
    assert Rule.objects.get(pk=rule.pk).last_reviewed == NOW.date()


def test_what_health_reads_is_what_stands(cast: Cast, rule: Rule, django_assert_num_queries: Any) -> None:
    pool = Pool.objects.create(slug="p", name="P")
    for user in (cast.femke, cast.jonas):
        PoolMember.objects.create(pool=pool, user=user)
    PoolMember.objects.create(pool=pool, user=cast.rosa, is_active=False)
    Absence.objects.create(user=cast.femke, starts_at=NOW, ends_at=NOW + timedelta(days=3))
    Territory.objects.create(slug="t", name="T", conditions={"all": []}, owner=cast.mia)
    reviews.ensure_reviews(NOW)
    document = publish.compile_draft()
    with django_assert_num_queries(8):
        world = standing.world(document, NOW)
    assert world.pools[str(pool.pk)].members == (str(cast.femke.pk), str(cast.jonas.pk))
    assert world.people[str(cast.femke.pk)].away_until == date(2026, 3, 13)
    assert world.people[str(cast.jonas.pk)].away_until is None and str(cast.mia.pk) in world.people
    state = world.rules[str(rule.pk)]
    assert (state.owner, state.last_reviewed, state.due_on) == ("Otto Maier", None, date(2026, 3, 31))
    assert state.since == date(2025, 3, 10) and world.policies == {"demo", "standard"}
    for number in range(3):
        Rule.objects.create(
            name=f"R{number}", conditions={"all": []}, target_kind="rep", target_id=str(cast.nils.pk)
        )
        PoolMember.objects.create(pool=Pool.objects.create(slug=f"p{number}", name="x"), user=cast.nils)
    document = publish.compile_draft()
    with django_assert_num_queries(8):
        standing.world(document, NOW)
