"""Telling of rule reviews: whom, once each, in which words, and the task that runs daily."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from leads import notifications, rule_reviews, tasks
from leads.models import Notification
from routing import reviews
from routing.models import Rule, RuleReview, User
from tests.conftest import NOW, Cast

AHEAD, LATE = NOW + timedelta(days=10), NOW + timedelta(days=30)


@pytest.fixture
def review(cast: Cast) -> RuleReview:
    """Otto owns the rule; its review is due on 31 March."""
    Rule.objects.update(owner=cast.mia)
    Rule.history.update(history_date=NOW - timedelta(days=365))
    reviews.ensure_reviews(NOW)
    return RuleReview.objects.get()


def told() -> list[User]:
    return [row.user for row in Notification.objects.order_by("pk")]


def test_the_owner_is_told_ahead_and_when_it_is_overdue_once_each(cast: Cast, review: RuleReview) -> None:
    assert rule_reviews.tell(NOW) == 0
    assert [rule_reviews.tell(AHEAD), rule_reviews.tell(AHEAD), rule_reviews.tell(LATE)] == [1, 0, 1]
    assert rule_reviews.tell(LATE + timedelta(days=60)) == 0
    assert told() == [cast.mia, cast.mia]
    ahead, late = Notification.objects.order_by("pk")
    assert ahead.data == {
        "rule_id": review.rule_id, "rule": "Everything else", "due_on": "2026-03-31", "overdue": False,
    }  # fmt: skip
    assert (ahead.handoff, ahead.kind, ahead.created_at, ahead.mail) == (
        None,
        "rule_review",
        AHEAD,
        "pending",
    )
    said = notifications.words(ahead)
    assert said.subject == "Review due: Everything else" and "is to be reviewed by 31 March 2026" in said.text
    assert said.url == f"/routing/rules/{review.rule_id}/"
    assert notifications.words(late).subject == "Review overdue: Everything else"


def test_without_an_owner_marketing_ops_is_told_else_the_admins(cast: Cast, review: RuleReview) -> None:
    User.objects.filter(pk=cast.mia.pk).update(is_active=False)
    rule_reviews.tell(AHEAD)
    assert told() == [cast.otto]
    Rule.objects.update(owner=None)
    User.objects.filter(pk=cast.otto.pk).update(is_active=False)
    rule_reviews.tell(LATE)
    assert told() == [cast.otto, cast.ada]


def test_an_owner_who_cannot_open_the_rule_is_not_the_one_who_is_told(cast: Cast, review: RuleReview) -> None:
    Rule.objects.update(owner=cast.femke)
    rule_reviews.tell(AHEAD)
    assert told() == [cast.otto]


def test_a_review_that_is_done_is_not_told(cast: Cast, review: RuleReview) -> None:
    reviews.done(review, cast.otto, NOW, "kept")
    assert rule_reviews.tell(LATE) == 0


def test_a_hostile_name_stays_one_plain_line(cast: Cast, review: RuleReview) -> None:
    Rule.objects.update(name="Free\nBcc: x <script> http://evil.example")
    rule_reviews.tell(AHEAD)
    row = Notification.objects.get()
    assert notifications.words(row).subject == "Review due: Free Bcc: x <script> http evil. example"
    Notification.objects.update(data={"rule_id": "x/../"})
    row.refresh_from_db()
    assert notifications.words(row).url == "/routing/"


@pytest.mark.parametrize("moment", [AHEAD])
def test_the_daily_task_makes_and_tells(cast: Cast, moment: datetime) -> None:
    Rule.history.update(history_date=NOW - timedelta(days=365))
    with time_machine.travel(moment, tick=False):
        assert (tasks.review_rules(), tasks.review_rules()) == (1, 0)
    assert RuleReview.objects.get().told_at == moment


def test_the_message_is_listed_and_leads_to_the_rule(cast: Cast, review: RuleReview, as_: Any) -> None:
    rule_reviews.tell(AHEAD)
    mia = as_(cast.mia)
    assert "Review due: Everything else" in mia.get("/notifications/").text
    answer = mia.post(f"/notifications/{Notification.objects.get().pk}/read/")
    assert (answer.status_code, answer["Location"]) == (302, f"/routing/rules/{review.rule_id}/")
