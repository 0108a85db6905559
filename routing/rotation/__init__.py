"""Who gets it: walks an ordered list of targets and takes a turn, under a lock.

Owns the ledger of turns and the quota method's memory. People are locked in order of their id, so two
routers at once never exceed a cap and never wait for each other in a circle. Never knows what a turn
stands for (`ref` is opaque).
"""

from routing.rotation.able import IN_SALES, can_take
from routing.rotation.desk import LAPSED, REJECTED, Desk, Seating
from routing.rotation.ledger import give_back, hold_everybody, release, reopen, take

__all__ = [
    "IN_SALES",
    "LAPSED",
    "REJECTED",
    "Desk",
    "Seating",
    "can_take",
    "give_back",
    "hold_everybody",
    "release",
    "reopen",
    "take",
]
