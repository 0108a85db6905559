"""What a replay is given and what it gives back.

Owns the plain records: a decision as it was kept, a turn of the ledger, and the verdict on one decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from routing.facts import Facts

HolderKind = Literal["rep", "queue", "nobody"]
# same: the same rule, target and holder. rule: the same holder by another rule or another way. The others
# change hands: to another person or out of one queue into another, from a person to a queue, to the
# overflow or nowhere at all, and out of there.
KINDS = ("same", "rule", "moved", "queue", "unrouted", "routed")


@dataclass(frozen=True, slots=True)
class Holder:
    """Where a decision leaves its lead: with a person (`pool` when through one), in a queue, or nowhere.

    `id` is the person's or the queue's id as text; `why` names the target that took it.
    """

    kind: HolderKind
    id: str = ""
    pool: int | None = None
    why: str = ""

    @property
    def place(self) -> tuple[str, str]:
        return self.kind, self.id


@dataclass(frozen=True, slots=True)
class Past:
    """One decision as it was kept. `holder` is who got it by the ledger of turns, not by the candidates.

    `until` is when the work left its holder (or, for work in a queue, when it ended), None while it lasts;
    `shares` is what each member of the pool accrued by the turn; a turn that was given back never counted.
    `policy` is the slug of the rule that matched then.
    """

    key: int
    ref: str
    at: datetime
    rule: str
    facts: Facts
    candidates: Sequence[Mapping[str, Any]]
    holder: Holder
    policy: str | None = None
    until: datetime | None = None
    shares: Mapping[str, str] = field(default_factory=dict)
    is_given_back: bool = False


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """A turn that no decision of the span took: open before it, or given and claimed by hand."""

    ref: str
    user_id: int
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay says of one decision: which of KINDS, the rule and holder it would have had, who would
    have been looked at, and whether its acceptance was and would be late."""

    kind: str
    rule: str
    rule_name: str
    holder: Holder
    candidates: tuple[dict[str, Any], ...]
    is_late: bool
    was_late: bool
