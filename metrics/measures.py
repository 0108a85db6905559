"""The measures, with their frozen definitions in the docstrings: which handoffs count, which are hits, whose.

Pure: a moment and what was agreed in, conditions on a handoff's columns out. A figure (`metrics.counting`)
and the list behind it (`listed`) are made of the same two conditions, so they cannot disagree. Only what
had occurred by the moment exists; what was recorded late counts from when it occurred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_

from django.db.models import F, Q

from leads.choices import State
from metrics.terms import Target, Terms

BLACK_HOLE = timedelta(hours=24)

Condition = Callable[[Terms], Q]
Pick = Callable[[Target], Mapping[str, timedelta]]


@dataclass(frozen=True)
class Measure:
    """`counts` is the denominator, `hit` what of it is the numerator; `who` names the person it is put down
    to: one of `metrics.whose.COLUMNS`."""

    counts: Condition
    hit: Condition
    who: str
    about: str


EVERY = Q(pk__isnull=False)


def happened(column: str, terms: Terms) -> Q:
    """The column's moment has come."""
    return Q(**{f"{column}__lte": terms.as_of})


def accepted(terms: Terms) -> Q:
    return happened("accepted_at", terms)


def contacted(terms: Terms) -> Q:
    return happened("first_contact_at", terms)


def decided(terms: Terms) -> Q:
    return accepted(terms) | happened("rejected_at", terms)


def within_target(column: str, start: str, pick: Pick) -> Condition:
    """From `start` to `column` took at most (<=) what was agreed for the lead type at `mql_at`."""

    def within(terms: Terms) -> Q:
        return reduce(
            or_,
            (
                target.era & Q(lead_type=kind, **{f"{column}__lte": F(start) + most})
                for target in terms.targets
                for kind, most in pick(target).items()
            ),
        )

    return within


def by_deadline(column: str, met: str) -> Condition:
    """Done by the deadline that stood when it was done."""
    return lambda terms: happened(column, terms) & Q(**{f"{column}__lte": F(met)})


def owed(column: str, met: str, due: str) -> Condition:
    """Done, or still to be done and its deadline has passed: only of these can be said whether it was in
    time.

    What nobody set a deadline for (imported history) is not judged by one. Nor is what was rejected before
    the first contact: no contact is owed any more.
    """

    def found(terms: Terms) -> Q:
        done = happened(column, terms) & Q(**{f"{met}__isnull": False})
        missed = ~happened(column, terms) & Q(**{f"{due}__lt": terms.as_of}) & Q(state__in=STILL_OWED)
        return done | missed

    return found


STILL_OWED = [str(state) for state in (State.QUEUED, State.ASSIGNED, State.ACCEPTED, State.DEFERRED)]


# The five metrics and clean handoffs: `metrics.figures` gives them to the contract in this order.
RATES: dict[str, Measure] = {
    "acceptance_rate": Measure(
        decided,
        accepted,
        "decider",
        """Accepted / (accepted + rejected); target above 70 %, alarm below 50 %. Accepted: has `accepted_at`.
        Rejected: has `rejected_at` and no `accepted_at`, whatever followed. The rest is in neither. Put
        down to who decided.""",
    ),
    "mql_to_opportunity": Measure(
        accepted,
        lambda terms: happened("opportunity_at", terms),
        "accepter",
        """Accepted with `opportunity_at` / accepted; target: the own baseline. Put down to who accepted.""",
    ),
    "rejection_rate": Measure(
        decided,
        lambda terms: ~accepted(terms),
        "decider",
        """Rejected / (accepted + rejected), read per source; a source above 60 % is an alarm. The other
        side of the acceptance rate: the same handoffs count. Put down to who decided.""",
    ),
    "black_hole_rate": Measure(
        lambda terms: Q(assigned_at__lte=terms.as_of - BLACK_HOLE),
        lambda terms: ~Q(first_activity_at__lte=F("assigned_at") + BLACK_HOLE),
        "holder_at_24h",
        """No sales activity within 24 h of `assigned_at` / assigned at least 24 h ago; target below 10 %.
        Activity at 24 h exactly is in time. Put down to the holder at 24 h.""",
    ),
    "clean_handoff_rate": Measure(
        lambda terms: EVERY,
        lambda terms: accepted(terms) & contacted(terms),
        "first_holder",
        """Accepted and contacted / all MQLs. Put down to the first holder.""",
    ),
}

CONTACT = Measure(
    contacted,
    within_target("first_contact_at", "mql_at", lambda target: target.contact),
    "contacter",
    """First contact less `mql_at`, elapsed, of those contacted: mean, median, 90th percentile, by lead
    type. A hit is within target (<=): demo 5 minutes, standard 60, or what was agreed at `mql_at`. The type
    is the one at `mql_at`, also when it was raised later. Put down to who made the contact.""",
)
MQLS = Measure(
    lambda terms: EVERY,
    lambda terms: EVERY,
    "first_holder",
    """Every handoff; its trigger fired. Put down to the first holder.""",
)

# What stands beside the five: no part of the contract's answer.
BESIDE: dict[str, Measure] = {
    "acknowledged_in_time": Measure(
        lambda terms: happened("acknowledged_at", terms) & Q(assigned_at__isnull=False),
        within_target("acknowledged_at", "assigned_at", lambda target: target.accept),
        "first_holder",
        """Acknowledged (accepted, rejected or deferred) within the agreed time of `assigned_at`, elapsed /
        acknowledged. Put down to the first holder, whose window it was.""",
    ),
    "acknowledged_by_deadline": Measure(
        owed("acknowledged_at", "acknowledged_due_at", "accept_due_at"),
        by_deadline("acknowledged_at", "acknowledged_due_at"),
        "first_holder",
        """Acknowledged by the holder's deadline, which counts staffed hours / acknowledged or past it.""",
    ),
    "contacted_in_time": Measure(
        contacted,
        within_target("first_contact_at", "mql_at", lambda target: target.contact),
        "contacter",
        """First contact within the agreed time of `mql_at`, elapsed / contacted, demo and standard
        together.""",
    ),
    "contacted_by_deadline": Measure(
        owed("first_contact_at", "contacted_due_at", "contact_due_at"),
        by_deadline("first_contact_at", "contacted_due_at"),
        "first_holder",
        """First contact by the deadline of the lead's clock, which counts staffed hours / contacted or past
        it.""",
    ),
    "disposed_in_time": Measure(
        lambda terms: happened("disposed_at", terms),
        within_target("disposed_at", "mql_at", lambda target: target.contact),
        "first_holder",
        """The first disposition of sales within the agreed time of `mql_at`, elapsed / with a disposition of
        which the time is known (not imported history).""",
    ),
    "disposed_by_deadline": Measure(
        owed("disposed_at", "disposed_due_at", "contact_due_at"),
        by_deadline("disposed_at", "disposed_due_at"),
        "first_holder",
        """A disposition of sales by the deadline of the lead's clock / with one or past it. Silence is
        none.""",
    ),
    "personalised": Measure(
        lambda terms: contacted(terms) & Q(first_contact_personal__isnull=False),
        lambda terms: Q(first_contact_personal=True),
        "contacter",
        """First contacts that referred to one of the lead's signals / first contacts of which that is
        known.""",
    ),
    "rejected_after_acceptance": Measure(
        accepted,
        lambda terms: Q(rejected_at__lte=terms.as_of, rejected_at__gte=F("accepted_at")),
        "accepter",
        """Rejected at or after acceptance / accepted. They stay accepted in the acceptance rate.""",
    ),
    "logged_late": Measure(
        lambda terms: contacted(terms) & Q(is_history=False),
        lambda terms: Q(first_contact_logged_late=True),
        "contacter",
        """First contacts written down more than 60 minutes after they were made / first
        contacts (not imported history).""",
    ),
    "complete_at_once": Measure(
        lambda terms: Q(is_history=False),
        lambda terms: Q(completion_visits=0),
        "first_holder",
        """Passed every pre-flight check at once / all MQLs that were checked (not imported history).""",
    ),
    "discarded": Measure(
        lambda terms: EVERY,
        lambda terms: Q(state=State.DISCARDED, closed_at__lte=terms.as_of),
        "first_holder",
        """Discarded by marketing ops / all MQLs.""",
    ),
    "went_silent": Measure(
        lambda terms: Q(assigned_at__isnull=False, is_history=False),
        lambda terms: happened("no_activity_at", terms),
        "first_holder",
        """With the no-activity flag standing / assigned (not imported history).""",
    ),
}

MEASURES: dict[str, Measure] = {
    "mqls": MQLS,
    **RATES,
    "time_to_first_contact": CONTACT,
    **BESIDE,
}


def listed(name: str, part: str, terms: Terms) -> Q:
    """The condition of the list behind a figure: `part` is all, hits or misses."""
    measure = MEASURES[name]
    counts, hit = measure.counts(terms), measure.hit(terms)
    return {"all": counts, "hits": counts & hit, "misses": counts & ~hit}[part]
