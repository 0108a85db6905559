"""One-tap links: the signed token in a mail that names a handoff, a person, a verb and the holder's window.

Owns what a token says, whom it is offered to and how long it holds. A token opens a page that asks once more;
what it then does, and that it does it once, is `leads.views.links`. Never touches the database.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

from leads.choices import State
from leads.models import Handoff
from routing.people import User

ACCEPT, REJECT = "accept", "reject"
VERBS = (ACCEPT, REJECT)
# The messages that ask for an answer by a deadline.
OFFERED_WITH = frozenset({"assigned", "accept_50", "accept_80", "accept_breach"})
HOLDS_FOR = timedelta(hours=72)
# The separator needs no escaping in an address.
_signer = Signer(salt="leads.one_tap", sep=".")


@dataclass(frozen=True)
class Link:
    """What a token says: this person may do this to this handoff in this window of its holder, until then."""

    handoff: int
    user: int
    verb: str
    window: int
    until: datetime


def offers(kind: str, user: User, handoff: Handoff) -> bool:
    """Whether a message of this kind carries the links: its reader holds the lead and owes the answer."""
    return kind in OFFERED_WITH and handoff.assignee_id == user.pk and handoff.state == State.ASSIGNED


def token(user: User, handoff: Handoff, verb: str, now: datetime) -> str:
    """A token for this person, this window and 72 hours from `now`."""
    until = int((now + HOLDS_FOR).timestamp())
    return _signer.sign_object([handoff.pk, user.pk, verb, handoff.window, until])


def read(text: str) -> Link | None:
    """What a token says, be it expired; None when we did not make it."""
    try:
        handoff, user, verb, window, until = _signer.unsign_object(text)
        return Link(handoff, user, verb, window, datetime.fromtimestamp(until, UTC))
    except (BadSignature, ValueError, TypeError):
        return None


def digest(text: str) -> str:
    """By what a used token is remembered."""
    return hashlib.sha256(text.encode()).hexdigest()
