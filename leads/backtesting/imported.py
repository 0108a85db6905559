"""Imported history against a ruleset: would its rules have chosen the person who had the lead?

History has no decisions, so the facts are those of the lead as it is known now, and a pool agrees when the
assignee is one of its members: whose turn it was then nobody can know. Each that differs says why. Writes
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from leads import cases
from leads.models import Handoff
from routing.backtest import Crowd
from routing.engine import Decision, Ruleset, Target, decide
from routing.facts import FIELDS, Facts
from routing.models import Pool, Queue, User

CHUNK = 500
DIFFERS = "history"


@dataclass(frozen=True, slots=True)
class Differing:
    """An imported handoff that this ruleset gives to somebody else, and the cause in words."""

    handoff_id: int
    at: datetime
    assignee_id: int
    rule: str
    rule_name: str
    target: Target | None
    cause: str


@dataclass
class Comparison:
    """How many were compared, how many agreed, and the causes of the others by kind."""

    compared: int = 0
    agreeing: int = 0
    causes: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        return {"compared": self.compared, "agreeing": self.agreeing, "causes": dict(self.causes)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Comparison:
        return cls(data["compared"], data["agreeing"], Counter(data["causes"]))


def imported_between(since: datetime, until: datetime) -> QuerySet[Handoff]:
    """The imported handoffs of the span that somebody had."""
    return Handoff.objects.filter(
        is_history=True, assignee__isnull=False, mql_at__gte=since, mql_at__lt=until
    )


class History:
    """The imported handoffs of a span, a chunk at a time in order of their conversion."""

    def __init__(
        self,
        ruleset: Ruleset,
        crowd: Crowd,
        since: datetime,
        until: datetime,
        after: tuple[datetime, int] | None = None,
        found: Comparison | None = None,
    ) -> None:
        self.ruleset, self.crowd = ruleset, crowd
        self.rows, self.after = imported_between(since, until), after
        self.found = found or Comparison()
        self._names: dict[tuple[str, str], str] | None = None

    def next(self) -> tuple[list[Differing], int]:
        """Those of the next chunk that differ, and how many were compared; 0 after the last."""
        rows = self.rows.select_related("lead__company").order_by("mql_at", "pk")
        if self.after is not None:
            at, pk = self.after
            rows = rows.filter(Q(mql_at__gt=at) | Q(mql_at=at, pk__gt=pk))
        handoffs = list(rows[:CHUNK])
        if not handoffs:
            return [], 0
        self.after = (handoffs[-1].mql_at, handoffs[-1].pk)
        differing = []
        for handoff, case in zip(handoffs, cases.load(handoffs), strict=True):
            if (found := self._compare(handoff, case.facts())) is not None:
                differing.append(found)
        return differing, len(handoffs)

    def _compare(self, handoff: Handoff, facts: Facts) -> Differing | None:
        decision = decide(self.ruleset, facts)
        first = decision.targets[0] if decision.targets else None
        who = handoff.assignee_id or 0
        self.found.compared += 1
        if first is not None and self._may_be(first, who):
            self.found.agreeing += 1
            return None
        kind, cause = self._cause(decision, first, who)
        self.found.causes[kind] += 1
        return Differing(
            handoff.pk, handoff.mql_at, who, decision.rule_id or "", decision.rule_name or "", first, cause
        )

    def _may_be(self, target: Target, user_id: int) -> bool:
        if target.kind == "queue":
            return False
        if target.kind != "pool":
            return target.id == str(user_id)
        pool = self.crowd.pools.get(int(target.id)) if target.id.isdigit() else None
        return pool is not None and any(seat.user_id == user_id for seat in pool.seats)

    def _cause(self, decision: Decision, first: Target | None, user_id: int) -> tuple[str, str]:
        """Why it differs: in a few kinds for counting, and in words."""
        if decision.rule_id is None:
            unknown = ", ".join(
                FIELDS[name].label if name in FIELDS else name for name in decision.absent[:5]
            )
            return "No rule matches", f"No rule matches{f'; not known: {unknown}' if unknown else ''}."
        rule = f"Rule “{decision.rule_name}”"
        if first is None or first.why == "overflow":
            falls = f"; it falls to {self._name(first.kind, first.id)}" if first is not None else ""
            return "The rule names nobody", f"{rule} names nobody for this lead{falls}."
        who, name = self._name("rep", str(user_id)), self._name(first.kind, first.id)
        if any(self._may_be(target, user_id) for target in decision.targets[1:]):
            return "Second choice", f"{rule} tries {name} first; {who} comes after."
        if first.why == "account":
            return "Owner of the account", f"The account belongs to {name}, who comes before every rule."
        if first.kind == "pool":
            return "Not in the pool", f"{rule} gives it to {name}, and {who} is no member."
        if first.kind == "queue":
            return "A queue", f"{rule} lets it wait in {name}."
        return "Another person", f"{rule} gives it to {name}."

    def _name(self, kind: str, pk: str) -> str:
        if self._names is None:
            self._names = {
                ("pool", str(pk)): f"the pool {name}" for pk, name in Pool.objects.values_list("pk", "name")
            }
            self._names |= {
                ("queue", str(pk)): f"the queue {name}"
                for pk, name in Queue.objects.values_list("pk", "name")
            }
            self._names |= {
                ("person", str(user.pk)): str(user) for user in User.objects.only("pk", "name", "email")
            }
        return self._names.get((kind if kind in ("pool", "queue") else "person", pk), "somebody who is gone")
