"""Talking to other systems: one room a system, behind one interface.

Owns the calls that go out and the reading of those that come in. Decides nothing about a lead: what comes in
becomes events for `leads.intake`, what goes out was owed by `leads.outbox`.
"""

from leads.connectors.delivering import deliver, due, is_much, opened
from leads.connectors.polling import due as due_for_polling
from leads.connectors.polling import poll
from leads.connectors.receiving import digest, store, take_waiting

__all__ = [
    "deliver", "digest", "due", "due_for_polling", "is_much", "opened", "poll", "store", "take_waiting",
]  # fmt: skip
