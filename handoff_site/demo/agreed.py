"""The demo's agreement: a second version that both sides signed, and a proposal that waits for sales.

Owns the story. Everything goes through the verbs that people use (`leads.agreeing`), at moments before `now`;
the back-test of the open proposal is that of its moment.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from leads import agreeing, agreement
from leads.agreement import Terms
from leads.choices import LeadType
from leads.lifecycle import Act
from metrics import past_scores
from metrics.governance import Definition
from routing.people import User
from routing.sla import Target

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# How far between the beginning and now the second version was signed.
SIGNED_AT = 0.45
DONE = """A handoff is complete when a rep has acknowledged the lead, an outreach attempt has been \
logged, and the outcome has been recorded.
A lead that was passed on but never acknowledged is not a completed handoff.
A lead that was accepted but never contacted is not a completed handoff.
A lead that was rejected with a reason is closed, not complete.
An attempt counts when it is logged with channel, time and outcome; what is not logged did not happen."""
THRESHOLD = 70


def make(now: datetime, start: datetime, users: dict[str, User]) -> None:
    """Both versions and the open proposal. The reference data and the past must be there."""
    signed = start + SIGNED_AT * (now - start)
    first = _newest()
    day = Target(24 * 60, business=False)
    targets = {
        kind: replace(promise, disposition=Target(4 * 60, business=False) if kind == LeadType.DEMO else day)
        for kind, promise in first.targets.items()
    }
    second = replace(first, done=DONE, targets=targets, reasons=agreement.live_reasons())
    mia, otto = users["mia"], users["otto"]
    made = agreeing.propose(
        Act(signed - 2 * DAY, mia),
        1,
        second,
        "We argued about leads that were accepted and never called. What is not logged should not count, and "
        "marketing should know the outcome within a day.",
    )
    agreeing.comment(
        made.pk, Act(signed - DAY, otto), "Agreed. Demo requests should have theirs the same day."
    )
    agreeing.sign(made.pk, Act(signed, otto))
    _wait_for_sales(now - 26 * HOUR, second, users)


def _wait_for_sales(at: datetime, held: Terms, users: dict[str, User]) -> None:
    wanted = replace(held, threshold=THRESHOLD)
    old, new = (Definition(terms.threshold, terms.high_intent) for terms in (held, wanted))
    made = agreeing.propose(
        Act(at, users["otto"]),
        2,
        wanted,
        "Reps reject many leads just above the line. With fewer of them there is time for the others.",
        backtest=past_scores.back_test(old, new, at),
    )
    agreeing.comment(
        made.pk, Act(at + 3 * HOUR, users["nils"]), "I would like to see what this does to the webinar leads."
    )


def _newest() -> Terms:
    row = agreeing.newest()
    if row is None:
        raise ValueError("the reference data made no agreement")
    return Terms.of(row)
