"""Views with a name: what a list shows, kept to be opened again, alone or with others.

Owns who sees which, who may share, how many and how long, and each person's default. A view keeps an
address's query and nothing of what it shows: whoever opens it sees what is theirs to see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from leads import permissions
from leads.lifecycle import Invalid, guard
from leads.models import DefaultView, SavedView
from leads.querysets import led_team_ids
from leads.roles import Can, can
from routing.models import Team
from routing.people import User

LONGEST_NAME, LONGEST_QUERY, MOST = 60, 2000, 30
# How an address says that it wants the list itself, not the default view.
ALL = "all"
_NOT_KEPT = frozenset({"after", "view", "csrfmiddlewaretoken"})


def seen_by(user: User, page: str) -> QuerySet[SavedView]:
    """One's own, and what is shared with one's team (of members and whoever leads it) or with everyone."""
    shared = Q(audience=SavedView.Audience.EVERYONE)
    teams = {user.team_id, *led_team_ids(user)} - {None}
    shared |= Q(audience=SavedView.Audience.TEAM, team__in=teams)
    return SavedView.objects.filter(Q(owner=user) | shared, page=page).select_related("owner", "team")


def may_share(user: User) -> bool:
    return can(user, Can.SHARE_VIEWS)


def may_change(user: User, view: SavedView) -> bool:
    """One's own; what is shared with everyone is an administrator's to put right too."""
    return view.owner_id == user.pk or (
        view.audience != SavedView.Audience.OWNER and permissions.is_admin(user)
    )


def teams_for(user: User) -> QuerySet[Team]:
    """The teams that this person may share with."""
    if can(user, Can.WATCH_ALL):
        return Team.objects.order_by("name")
    return Team.objects.filter(pk__in=led_team_ids(user)).order_by("name")


def plain(query: str) -> str:
    """An address's query as it is kept: without its page, and without what is empty."""
    pairs = parse_qsl(query.removeprefix("?"), max_num_fields=100)
    return urlencode([(name, value) for name, value in pairs if value and name not in _NOT_KEPT])


def save(
    user: User, page: str, given: Mapping[str, str], now: datetime, view: SavedView | None = None
) -> SavedView:
    """A new view, or another name, audience or query for one. Raises Invalid with what is wrong with which
    field (`name`, `audience`)."""
    row = view or SavedView(owner=user, page=page)
    errors: dict[str, str] = {}
    if view is None and SavedView.objects.filter(owner=user, page=page).count() >= MOST:
        raise Invalid({"name": f"You have {MOST} views of this list already; delete one first."})
    try:
        row.name = guard.bounded(
            "name", " ".join(given.get("name", "").split()), required=True, limit=LONGEST_NAME
        )
    except Invalid as invalid:
        errors |= invalid.errors
    audience = _audience(user, given.get("audience", SavedView.Audience.OWNER), row)
    if audience is None:
        errors["audience"] = "Choose yourself, or those with whom you may share."
    else:
        row.audience, row.team = audience
    if "query" in given:
        row.query = plain(given["query"])
        if len(row.query) > LONGEST_QUERY:
            errors["name"] = "These filters are too long to be kept."
    if errors:
        raise Invalid(errors)
    row.saved_at = now
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Invalid({"name": "You have a view of this name already."}) from None
    return row


def _audience(user: User, asked: str, row: SavedView) -> tuple[str, Team | None] | None:
    """With whom: "owner", "everyone", or "team-7"; None for what this person may not."""
    kept = (str(row.audience), row.team)
    if asked == SavedView.Audience.OWNER:
        return str(SavedView.Audience.OWNER), None
    if asked == code_of(row) and row.pk:
        return kept
    if not may_share(user):
        return None
    if asked == SavedView.Audience.EVERYONE:
        return str(SavedView.Audience.EVERYONE), None
    number = asked.removeprefix("team-")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    team = teams_for(user).filter(pk=int(number)).first()
    return (str(SavedView.Audience.TEAM), team) if team is not None else None


def code_of(view: SavedView) -> str:
    """Its audience as a form says it."""
    return f"team-{view.team_id}" if view.team_id else str(view.audience)


def audiences(user: User) -> Sequence[tuple[str, str]]:
    """With whom this person may share, as (code, label)."""
    found = [(str(SavedView.Audience.OWNER), str(SavedView.Audience.OWNER.label))]
    if may_share(user):
        found += [(f"team-{team.pk}", f"Team {team.name}") for team in teams_for(user)]
        found.append((str(SavedView.Audience.EVERYONE), str(SavedView.Audience.EVERYONE.label)))
    return found


def default(user: User, page: str) -> SavedView | None:
    """The view with which this list opens for this person, as long as they see it."""
    return seen_by(user, page).filter(pk__in=DefaultView.objects.filter(user=user).values("view")).first()


def set_default(user: User, page: str, view: SavedView | None) -> None:
    """Open this list with that view from now on; None for the list itself."""
    if view is None:
        DefaultView.objects.filter(user=user, page=page).delete()
        return
    kept: dict[str, Any] = {"view": view}
    DefaultView.objects.update_or_create(user=user, page=page, defaults=kept)
