"""What the minute does: everything that time has made due, and whatever nobody answers for any more.

Each thing is one of lifecycle's verbs in a transaction of its own. Decides nothing itself.
"""

from leads.escalation.orphans import OWED, Orphan, find
from leads.escalation.repairing import let_go, repair
from leads.escalation.sweeping import sweep

__all__ = ["OWED", "Orphan", "find", "let_go", "repair", "sweep"]
