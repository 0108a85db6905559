"""What a replay adds up to: totals, and before and after for each person and each rule.

Owns the counts and their plain form. Before is what happened, after what would have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from routing.backtest.crowd import Crowd
from routing.backtest.records import KINDS, Holder, Past, Verdict

# In this order: how many before and after, how many of them are predicted to be accepted late.
PLACES = ("before", "after", "late_before", "late_after")


@dataclass
class Tally:
    """`kinds` counts verdicts; `overflow` and `late` are [before, after]; the tables hold PLACES by id."""

    kinds: Counter[str] = field(default_factory=Counter)
    overflow: list[int] = field(default_factory=lambda: [0, 0])
    late: list[int] = field(default_factory=lambda: [0, 0])
    people: dict[str, list[int]] = field(default_factory=dict)
    queues: dict[str, list[int]] = field(default_factory=dict)
    rules: dict[str, list[int]] = field(default_factory=dict)

    def add(self, past: Past, verdict: Verdict, crowd: Crowd) -> None:
        self.kinds[verdict.kind] += 1
        worlds = (
            (past.holder, past.rule, verdict.was_late),
            (verdict.holder, verdict.rule, verdict.is_late),
        )
        for place, (holder, rule, is_late) in enumerate(worlds):
            self.rules.setdefault(rule, [0, 0])[place] += 1
            self.overflow[place] += crowd.is_overflow(holder)
            self.late[place] += is_late
            if (table := self._table(holder)) is not None:
                row = table.setdefault(holder.id, [0, 0, 0, 0])
                row[place] += 1
                row[2 + place] += is_late

    def _table(self, holder: Holder) -> dict[str, list[int]] | None:
        return {"rep": self.people, "queue": self.queues}.get(holder.kind)

    @property
    def replayed(self) -> int:
        return sum(self.kinds.values())

    @property
    def changed_hands(self) -> int:
        """How many would have been with somebody else, in another queue, or nowhere."""
        return self.replayed - self.kinds["same"] - self.kinds["rule"]

    @property
    def agreement(self) -> float | None:
        """The share of decisions whose rule and target come out as they did; None when there was none."""
        return self.kinds["same"] / self.replayed if self.replayed else None

    def to_json(self) -> dict[str, Any]:
        return {
            "kinds": {kind: self.kinds[kind] for kind in KINDS},
            "overflow": self.overflow,
            "late": self.late,
            "people": self.people,
            "queues": self.queues,
            "rules": self.rules,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tally:
        return cls(
            Counter(data["kinds"]),
            list(data["overflow"]),
            list(data["late"]),
            *({key: list(row) for key, row in data[name].items()} for name in ("people", "queues", "rules")),
        )
