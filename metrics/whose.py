"""Whom a measure puts a handoff down to: the person, their e-mail, their team.

Owns the columns and how they are asked. A rep's or team's figures follow each measure's own person, so that a
filtered page and the row of a table say the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import Expression
from django.db.models.functions import Coalesce

from metrics.filters import Filters
from metrics.terms import Terms
from routing.people import User

# By the name that a measure gives: the column; the decider is whoever accepted, else whoever rejected.
COLUMNS = {
    "first_holder": "first_holder",
    "decider": "",
    "accepter": "accepted_by",
    "holder_at_24h": "holder_at_24h",
    "contacter": "first_contact_by",
}
_PATHS = {"rep": "email", "team": "team__name"}


def group(who: str, kind: str, terms: Terms) -> Expression:
    """The e-mail ("rep") or the name of the present team ("team") of the person; "" for nobody and no
    team."""
    path = _PATHS[kind]
    if who != "decider":
        return Coalesce(F(f"{COLUMNS[who]}__{path}"), Value(""))
    accepted = When(accepted_at__lte=terms.as_of, then=F(f"accepted_by__{path}"))
    return Coalesce(Case(accepted, default=F(f"rejected_by__{path}")), Value(""))


@dataclass(frozen=True)
class Chosen:
    """The people that a filter lets through, by id; `nobody` is for handoffs without such a person."""

    ids: frozenset[int]
    nobody: bool

    def condition(self, who: str, terms: Terms) -> Q:
        """The handoffs that a measure puts down to one of them."""
        if who != "decider":
            return self._is(COLUMNS[who])
        accepted = Q(accepted_at__lte=terms.as_of)
        return (accepted & self._is("accepted_by")) | (~accepted & self._is("rejected_by"))

    def _is(self, column: str) -> Q:
        found = Q(**{f"{column}__in": self.ids})
        return found | Q(**{f"{column}__isnull": True}) if self.nobody else found


def chosen(filters: Filters) -> Chosen | None:
    """Whom the rep and the team of a filter stand for; one query, None when neither is asked for."""
    if not filters.by_person:
        return None
    people = User.objects.all()
    if filters.rep is not None:
        people = people.filter(email=filters.rep)
    if filters.team is not None:
        people = people.filter(team__name=filters.team) if filters.team else people.filter(team=None)
    nobody = filters.rep in (None, "") and filters.team in (None, "")
    return Chosen(frozenset(people.order_by().values_list("pk", flat=True)), nobody)
