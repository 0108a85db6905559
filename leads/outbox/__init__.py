"""The outbox: what must leave for other systems, kept with the change that made it.

Owns owing (in the change's transaction), claiming in order, settling, dead letters, and what a state is when
it is sent. Never talks to anybody: that is `leads.connectors`.
"""

from leads.outbox.claiming import MOST_WORKERS, budget_wait, claim, is_paused, lets, spend
from leads.outbox.following import follow, owe_present, records_back
from leads.outbox.letters import NeedsNote, discard, replay
from leads.outbox.owing import new_id, owe, owe_erasure, owe_states, withdraw_all
from leads.outbox.pruning import empty_bodies, old
from leads.outbox.settling import Outcome, Result, release, settle
from leads.outbox.wanted import Wanted, wanted

__all__ = [
    "MOST_WORKERS", "NeedsNote", "Outcome", "Result", "Wanted", "budget_wait", "claim", "discard",
    "empty_bodies", "follow", "is_paused", "lets", "new_id", "old", "owe", "owe_erasure", "owe_present",
    "owe_states", "records_back", "release", "replay", "settle", "spend", "wanted", "withdraw_all",
]  # fmt: skip
