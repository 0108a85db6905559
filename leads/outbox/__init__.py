"""The outbox: what must leave for other systems, kept with the change that made it.

Owns owing (in the change's transaction), claiming in order, settling, and what a state is when it is sent.
Never talks to anybody: that is `leads.connectors`.
"""

from leads.outbox.claiming import Outcome, Result, claim, is_paused, release, settle, spend
from leads.outbox.owing import new_id, owe, owe_erasure, owe_states
from leads.outbox.wanted import Wanted, wanted

__all__ = [
    "Outcome", "Result", "Wanted", "claim", "is_paused", "new_id", "owe", "owe_erasure", "owe_states",
    "release", "settle", "spend", "wanted",
]  # fmt: skip
