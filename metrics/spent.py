"""Where the time of many handoffs went: the parts of each added up by kind, party and lead type.

Pure: parts in, sums out. The sum of what is shown is the sum of the whole, to the microsecond: it adds up
what `leads.timing` cut without gap or overlap, and rounds nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from leads.timing import Kind, Part

NOTHING = timedelta(0)
# What a part is shown as: its kind and who answers for it, in the order of a lead's way.
Slot = tuple[Kind, str]
SLOTS: tuple[Slot, ...] = (
    (Kind.INTAKE, "marketing"),
    (Kind.COMPLETION, "marketing"),
    (Kind.ROUTING, "marketing"),
    (Kind.ROUTING, "sales"),
    (Kind.ACKNOWLEDGMENT, "sales"),
    (Kind.CONTACT, "sales"),
    (Kind.DEFERRAL, "sales"),
)


@dataclass
class Sums:
    """Elapsed and business time by slot, and of how many handoffs."""

    handoffs: int = 0
    elapsed: dict[Slot, timedelta] = field(default_factory=lambda: dict.fromkeys(SLOTS, NOTHING))
    business: dict[Slot, timedelta] = field(default_factory=lambda: dict.fromkeys(SLOTS, NOTHING))

    def add(self, parts: Sequence[Part]) -> None:
        self.handoffs += 1
        for part in parts:
            self.elapsed[part.kind, part.party] += part.elapsed
            self.business[part.kind, part.party] += part.business

    def total(self, base: str) -> timedelta:
        """`base` is elapsed or business."""
        return sum(self._of(base).values(), NOTHING)

    def mean(self, base: str, slot: Slot | None = None) -> timedelta:
        """What a handoff spent on average, in all or in one slot."""
        whole = self.total(base) if slot is None else self._of(base)[slot]
        return whole / self.handoffs if self.handoffs else NOTHING

    def share(self, base: str, slot: Slot) -> float | None:
        whole = self.total(base)
        return self._of(base)[slot] / whole if whole else None

    def by_party(self, base: str) -> Counter[str]:
        """Microseconds by who answers for them."""
        found: Counter[str] = Counter()
        for (_, party), span in self._of(base).items():
            found[party] += span // timedelta(microseconds=1)
        return found

    def _of(self, base: str) -> Mapping[Slot, timedelta]:
        return {"elapsed": self.elapsed, "business": self.business}[base]


def add_up(handoffs: Iterable[tuple[str, Sequence[Part]]]) -> dict[str, Sums]:
    """From (lead type, parts): the sums by lead type, and of all under ""."""
    found: defaultdict[str, Sums] = defaultdict(Sums)
    found[""] = Sums()
    for lead_type, parts in handoffs:
        found[""].add(parts)
        found[lead_type].add(parts)
    return dict(found)
