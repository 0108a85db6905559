"""The decision: which rule a lead meets, and to whom it goes in which order.

This folder owns `decide`, pure over one published document and the facts of one lead, the short trace it
leaves (kept with the decision for ever), and what is read out of a trace: the entries for pages and the
API (`expand`) and the sentences (`explain`). It takes nobody's turn, knows neither load nor absence, and
never asks who already rejected the lead: the walk over the targets does.
"""

from routing.engine.deciding import (
    PERSONAL,
    Decision,
    Ruleset,
    Target,
    TargetKind,
    Why,
    decide,
    is_customer,
)
from routing.engine.wording import expand, explain

__all__ = [
    "PERSONAL",
    "Decision",
    "Ruleset",
    "Target",
    "TargetKind",
    "Why",
    "decide",
    "expand",
    "explain",
    "is_customer",
]
