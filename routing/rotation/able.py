"""Who can take work at a moment: active, in sales, not away.

Owns the selection of people as the walk needs them, in one query. Never takes a turn, knows no cap.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from routing.people import MANAGER, REP, Absence, User

IN_SALES = (REP, MANAGER)


def people(now: datetime) -> QuerySet[User]:
    """Everybody with their calendar, and as `sells` and `is_away` whether they are in sales and away now."""
    sells = User.groups.through.objects.filter(user=OuterRef("pk"), group__name__in=IN_SALES)
    away = Absence.objects.at(now).filter(user=OuterRef("pk"))
    rows = User.objects.select_related("calendar", "team__calendar")
    return rows.annotate(sells=Exists(sells), is_away=Exists(away))


def can_take(user: User, now: datetime) -> bool:
    """Whether this person can take new work at this moment: active, in sales, not away."""
    is_away = Absence.objects.at(now).filter(user=user).exists
    return user.is_active and bool(user.roles.intersection(IN_SALES)) and not is_away()
