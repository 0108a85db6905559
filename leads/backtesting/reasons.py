"""Both explanations of a move: why it went where it went, and why it would have gone elsewhere.

Owns nothing that is stored: the one is the kept decision, the other the tested document asked again on the
facts that were kept. Sentences are `routing.engine` and `leads.explaining`. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from leads import explaining
from leads.backtesting.imported import DIFFERS
from leads.models import BacktestMove, RoutingDecision
from routing import engine
from routing.engine import Ruleset, decide
from routing.facts import Facts, InvalidFacts

Name = Callable[[str, str], str]


class Reasons:
    """The reasons of some moves, in four queries for any number. `looked` words the candidates."""

    def __init__(
        self,
        document: Mapping[str, Any],
        moves: Sequence[BacktestMove],
        name: Name,
        looked: Callable[[Iterable[Mapping[str, Any]], Name], list[str]],
    ) -> None:
        self._ruleset = Ruleset(document)
        self._name, self._looked = name, looked
        ids = [move.before["decision"] for move in moves if "decision" in move.before]
        rows = RoutingDecision.objects.filter(pk__in=ids).select_related("ruleset").defer("ruleset__document")
        self._decisions = {row.pk: row for row in rows}

    def before(self, move: BacktestMove) -> list[str]:
        """What decided then: the rule that matched, and who was looked at."""
        if move.kind == DIFFERS:
            return ["It was imported; no decision is kept."]
        decision = self._decisions.get(move.before.get("decision"))
        if decision is None:
            return []
        ruleset, facts = explaining.rules_of(decision), self._facts(decision)
        told = self._told(ruleset, facts, decision.trace, "")
        return told + self._looked(decision.candidates, self._name)

    def after(self, move: BacktestMove) -> list[str]:
        """What the tested rules make of it: why the rule of then does not match, which one does, and who
        would have been looked at."""
        if move.kind == DIFFERS:
            return [str(move.after.get("cause") or "")]
        decision = self._decisions.get(move.before.get("decision"))
        if decision is None:
            return []
        facts = self._facts(decision)
        trace = decide(self._ruleset, facts).trace
        told = self._told(self._ruleset, facts, trace, str(move.before.get("rule") or ""))
        return told + self._looked(move.after.get("candidates") or (), self._name)

    def _told(self, ruleset: Ruleset, facts: Facts, trace: Mapping[str, Any], wanted: str) -> list[str]:
        """The sentences of the rule that matched and of the one asked for; of no other that did not."""
        entries = engine.expand(ruleset, facts, trace)
        lines = engine.explain(ruleset, facts, trace, self._name)
        told = [
            line
            for entry, line in zip(entries, lines, strict=False)
            if entry.get("matched", "rule" not in entry) or entry.get("rule") == wanted
        ]
        return told if "matched" in trace else [*told, "No rule matches."]

    @staticmethod
    def _facts(decision: RoutingDecision) -> Facts:
        try:
            return explaining.facts_of(decision)
        except InvalidFacts:
            return Facts()
