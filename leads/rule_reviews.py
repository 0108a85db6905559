"""Telling of rule reviews: the owner of each rule, or marketing ops where none can open it, is told
once ahead and once when it is overdue.

Owns whom and that it is once; when a review is due is `routing.reviews`, the words are `leads.notifications`.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from leads import notifications
from leads.models import Notification
from leads.roles import Can, can
from routing import reviews
from routing.models import RuleReview
from routing.people import MARKETING, User

KIND = "rule_review"


def tell(now: datetime) -> int:
    """Tell of the reviews that are near or overdue; returns the number of messages. Safe to repeat."""
    told = 0
    for review in reviews.to_tell(now):
        with transaction.atomic():
            # Two workers at once: one of them tells.
            if reviews.claim(review, now):
                told += len(Notification.objects.bulk_create(_messages(review, now)))
    return told


def _messages(review: RuleReview, now: datetime) -> list[Notification]:
    data = {
        "rule_id": review.rule_id,
        "rule": review.rule.name,
        "due_on": review.due_on.isoformat(),
        "overdue": review.due_on < reviews.today(now),
    }
    return [notifications.message(user, None, KIND, now, data) for user in _whom(review)]


def _whom(review: RuleReview) -> list[User]:
    owner = review.rule.owner
    if owner is not None and owner.is_active and can(owner, Can.READ_ROUTING):
        return [owner]
    marketing = User.objects.filter(is_active=True, groups__name=MARKETING).order_by("pk")
    return list(marketing) or notifications.admins()
