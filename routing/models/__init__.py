"""Everything that routing stores. Foreign keys stay inside this app."""

from routing.models.calendars import Calendar, CalendarInterval, ClosedDay
from routing.models.policies import SlaPolicy, SlaStep
from routing.models.queues import Pool, PoolMember, Queue, Turn
from routing.models.rules import Draft, NamedList, Rule, RuleReview, Ruleset, Territory
from routing.people import Absence, Team, User
from routing.signed_in import Session

__all__ = [
    "Absence",
    "Calendar",
    "CalendarInterval",
    "ClosedDay",
    "Draft",
    "NamedList",
    "Pool",
    "PoolMember",
    "Queue",
    "Rule",
    "RuleReview",
    "Ruleset",
    "Session",
    "SlaPolicy",
    "SlaStep",
    "Team",
    "Territory",
    "Turn",
    "User",
]
