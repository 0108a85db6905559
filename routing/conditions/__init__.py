"""Conditions: what a routing rule, or a territory, asks of the facts.

A condition document is plain JSON: {"all": [...]}, {"any": [...]} or {"none": [...]} of leaves, or of
groups of leaves (one level, no deeper); a leaf is {"field": "country", "op": "in", "value": ["DE"]}.
An empty {"all": []} is the deliberate catch-all. This folder owns the operators and what each makes of
a fact that is missing, the check of a document in the field's own words, its evaluation, and the sentence
that reads it aloud. It knows no rules, targets or people, reads no database, and never runs a pattern
that a user wrote.
"""

from routing.conditions.boards import Board
from routing.conditions.comparing import reading
from routing.conditions.evaluation import Compiler, Condition, View
from routing.conditions.operators import OPERATORS, Operator, operators_for
from routing.conditions.sentences import sentence
from routing.conditions.validation import Problem, validate
from routing.conditions.waiting import Verdict, absent, evaluate

__all__ = [
    "OPERATORS",
    "Board",
    "Compiler",
    "Condition",
    "Operator",
    "Problem",
    "Verdict",
    "View",
    "absent",
    "evaluate",
    "operators_for",
    "reading",
    "sentence",
    "validate",
]
