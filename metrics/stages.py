"""What goes wrong at each of the five stages, as measures on a handoff's columns.

Owns these definitions; their numerators are what went wrong, so that a list of them is a list to work on.
Stages nest: what sales held had passed the stages before, also where imported history has no moment for them.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from leads.choices import NextStep
from leads.models import Rejection
from metrics.measures import BESIDE, EVERY, RATES, Measure, accepted, contacted, happened
from metrics.terms import Terms

OUT_OF_TERRITORY = "out_of_territory"


def ready(terms: Terms) -> Q:
    return happened("ready_at", terms) | assigned(terms)


def assigned(terms: Terms) -> Q:
    return happened("assigned_at", terms)


def acknowledged(terms: Terms) -> Q:
    return happened("acknowledged_at", terms) | accepted(terms) | happened("rejected_at", terms)


def misrouting(terms: Terms) -> QuerySet[Rejection]:
    """The acts by which somebody who had it said that it was not theirs, and was not taken back."""
    wrong = Q(reason__code=OUT_OF_TERRITORY) | Q(next_step=NextStep.REROUTED)
    return Rejection.objects.filter(wrong, at__lte=terms.as_of, undone_at__isnull=True).order_by()


def misrouted(terms: Terms) -> Q:
    return Q(Exists(misrouting(terms).filter(handoff=OuterRef("pk"))))


def _missed(name: str) -> Measure:
    """The other side of a measure that stands beside the five."""
    measure = BESIDE[name]
    return Measure(measure.counts, lambda terms: ~measure.hit(terms), measure.who, measure.about)


NOT_NAMED = Measure(
    lambda terms: EVERY,
    lambda terms: Q(trigger=""),
    "first_holder",
    """MQLs without the action that crossed the threshold / all MQLs.""",
)
INCOMPLETE = _missed("complete_at_once")
NEVER_READY = Measure(
    lambda terms: EVERY,
    lambda terms: ~ready(terms),
    "first_holder",
    """MQLs that never passed the enrichment pass / all MQLs.""",
)
MISROUTED = Measure(
    assigned,
    misrouted,
    "first_holder",
    """With a rejection as out of territory, or one that had it routed again / assigned.""",
)
NEVER_ASSIGNED = Measure(
    ready,
    lambda terms: ~assigned(terms),
    "first_holder",
    """Ready, and nobody in sales ever held it / ready.""",
)
BLACK_HOLES = RATES["black_hole_rate"]
ANSWERED_LATE = _missed("acknowledged_by_deadline")
NEVER_ANSWERED = Measure(
    assigned,
    lambda terms: ~acknowledged(terms),
    "first_holder",
    """Neither accepted nor rejected nor deferred / assigned.""",
)
CONTACTED_LATE = _missed("contacted_in_time")
GENERIC = _missed("personalised")
NEVER_CONTACTED = Measure(
    accepted,
    lambda terms: ~contacted(terms),
    "accepter",
    """Accepted, and no attempt was logged / accepted.""",
)
COMPLETE = Measure(
    assigned,
    lambda terms: accepted(terms) & contacted(terms),
    "first_holder",
    """Accepted and contacted / handed to sales: what both sides may call done, of what marketing may.""",
)

# By the name that an address gives them.
STAGES: dict[str, Measure] = {
    "not_named": NOT_NAMED,
    "incomplete": INCOMPLETE,
    "never_ready": NEVER_READY,
    "misrouted": MISROUTED,
    "never_assigned": NEVER_ASSIGNED,
    "black_holes": BLACK_HOLES,
    "answered_late": ANSWERED_LATE,
    "never_answered": NEVER_ANSWERED,
    "contacted_late": CONTACTED_LATE,
    "generic": GENERIC,
    "never_contacted": NEVER_CONTACTED,
    "complete": COMPLETE,
}
