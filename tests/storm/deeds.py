"""What people do in a storm among the clocks, and how any of it is cut off half-way.

Owns what is drawn of it, which verbs fit a state (so that most of what is drawn is really done), which edits
of policies and hours there are, and the killing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection
from hypothesis import strategies as st

from leads import lifecycle
from leads.choices import State
from leads.lifecycle import Act
from leads.models import Handoff
from routing import hours, sla
from routing.models import User
from tests.conftest import Cast

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REASONS = ("not_icp", "bad_data", "out_of_territory", "timing", "competitor", "other")
ALWAYS = ("note", "reassign", "to_queue", "view", "move_deadlines")
FITTING: dict[str, tuple[str, ...]] = {
    State.INCOMPLETE: ("waive", "recheck", "discard", *ALWAYS),
    State.QUEUED: ("accept", "claim", *ALWAYS),
    State.ASSIGNED: ("accept", "reject", "reject", "defer", "contact", "late_contact", "reached", *ALWAYS),
    State.ACCEPTED: ("reject", "defer_long", "contact", "late_contact", "reached", "opportunity", *ALWAYS),
    State.DEFERRED: ("resume", "contact", *ALWAYS),
    State.WORKING: ("defer", "contact", "opportunity", "disqualify", *ALWAYS),
    State.REJECTED: ("opportunity", "note"),
}
MOST_VERBS = 12
LEADS = 9

people = st.integers(0, 4)
# Who it is, a demo or not, lacking something when 0.
Conversion = tuple[int, bool, int]
conversions = st.lists(
    st.tuples(st.integers(1, LEADS), st.booleans(), st.integers(0, 3)), min_size=1, max_size=3
)
# What, with which lead, by whom, cut off at which write (0: not at all), taken back at once.
Deed = tuple[int, int, int, int, bool]
deeds = st.tuples(
    st.integers(0, MOST_VERBS),
    st.integers(0, LEADS),
    people,
    st.sampled_from((0, 0, 0, 0, 0, 1, 3, 5, 8, 12)),
    st.sampled_from((False, False, False, True)),
)


# Steps that a policy may have beside the shipped ones; the last word is always a manager's.
LATER = sla.Target(30, business=True)
MORE = (
    sla.Step("first", "acceptance", 90, None, ("rep",), "raise"),
    sla.Step("taken", "acceptance", 100, None, ("manager",), "reassign"),
    sla.Step("soon", "contact", 50, None, ("rep",), "tell"),
    sla.Step("still", "acceptance", None, LATER, ("manager", "marketing"), "tell"),
)
TARGETS = tuple(sla.Target(minutes, business) for minutes in (1, 20, 90, 600) for business in (False, True))
WEEKS: tuple[hours.Week, ...] = (
    (((540, 1080),),) * 5 + ((),) * 2,
    (((480, 720), (840, 1260)),) * 5 + ((),) * 2,
    (((0, 1440),),) * 7,
    ((),) * 5 + (((600, 840),),) * 2,
)


class Killed(BaseException):
    """The end of a worker, in the middle: nothing may catch it on the way."""


@contextmanager
def killed_at(write: int) -> Iterator[None]:
    """Ends what runs inside at its so-manyth write, before it is made; never when that is 0."""
    left = [write or math.inf]

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            left[0] -= 1
            if left[0] <= 0:
                raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield


def person(cast: Cast, who: int) -> User:
    """One of those in sales, as the rows are now."""
    chosen = (cast.femke, cast.jonas, cast.rosa, cast.mia, cast.nils)[who % 5]
    return User.objects.select_related("team").get(pk=chosen.pk)


def do(handoff: Handoff, what: int, act: Act, cast: Cast, number: int) -> None:
    """The so-manyth of the verbs that fit its state; with the last number one that may not fit."""
    fitting = FITTING[handoff.state]
    pk, now = handoff.pk, act.now
    verb = fitting[what % len(fitting)] if what < MOST_VERBS else FITTING[State.ASSIGNED][number % 7]
    ada, otto = Act(now, cast.ada), Act(now, cast.otto)
    more: dict[str, Callable[[], object]] = {
        "reject": lambda: lifecycle.reject(
            pk, act, reason=REASONS[number % 6], note="storm", undoable=bool(number % 2)
        ),
        "defer": lambda: lifecycle.defer(pk, act, until=now + 3 * HOUR, explanation="later"),
        "defer_long": lambda: lifecycle.defer(pk, act, until=now + 20 * DAY, explanation="later"),
        "contact": lambda: lifecycle.contact(pk, act, channel="phone", outcome="no_answer"),
        "reached": lambda: lifecycle.contact(pk, act, channel="email", outcome="reached"),
        "late_contact": lambda: lifecycle.contact(
            pk, act, channel="phone", outcome="voicemail", at=now - 2 * HOUR
        ),
        "disqualify": lambda: lifecycle.disqualify(pk, act, reason="not_icp"),
        "note": lambda: lifecycle.note(pk, act, text=f"note {number}"),
        "reassign": lambda: lifecycle.reassign(pk, ada, to=person(cast, number).email, reason="balance"),
        "to_queue": lambda: lifecycle.reassign(pk, ada, to="queue:overflow", reason="nobody is free"),
        "waive": lambda: lifecycle.waive(pk, otto, check="full_name", reason="known by phone"),
        "discard": lambda: lifecycle.discard(pk, otto, reason="no person"),
        "move_deadlines": lambda: lifecycle.move_deadlines(pk, otto, "by hand"),
    }
    if verb in more:
        more[verb]()
    else:
        getattr(lifecycle, verb)(pk, act)
