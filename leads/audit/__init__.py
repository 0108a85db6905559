"""The sync audit: do we, the CRM and the marketing platform say the same of each handoff?

Owns the named checks, the runs and the findings. What mends a drift goes through the outbox or through a
verb of `leads.lifecycle`, never past them.
"""

from leads.audit.pruning import old
from leads.audit.running import start, unfinished, work

__all__ = ["old", "start", "unfinished", "work"]
