"""The figures of one group as values: shares with numerator and denominator, times to first contact.

Owns their shape, their adding up, and the contract's keys and rounding. Never asks the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metrics.measures import BESIDE, RATES

KINDS = ("demo", "standard")


@dataclass
class Rate:
    """A share as it is shown: with its numerator and denominator."""

    numerator: int = 0
    denominator: int = 0

    @property
    def value(self) -> float | None:
        """The share between 0 and 1, or None when nothing counts."""
        return self.numerator / self.denominator if self.denominator else None

    def plus(self, other: Rate) -> Rate:
        return Rate(self.numerator + other.numerator, self.denominator + other.denominator)


@dataclass
class Spread:
    """Elapsed minutes to first contact of one lead type, and how many were within target. None of nothing."""

    n: int = 0
    mean: float | None = None
    median: float | None = None
    p90: float | None = None
    within: Rate = field(default_factory=Rate)


@dataclass
class Figures:
    """All figures of one group. `beside` are those that stand next to the five."""

    mqls: int = 0
    rates: dict[str, Rate] = field(default_factory=lambda: {name: Rate() for name in RATES})
    contact: dict[str, Spread] = field(default_factory=lambda: {kind: Spread() for kind in KINDS})
    beside: dict[str, Rate] = field(default_factory=lambda: {name: Rate() for name in BESIDE})

    def rate(self, name: str) -> Rate:
        """A share by the name of its measure."""
        return self.rates[name] if name in self.rates else self.beside[name]

    @property
    def is_empty(self) -> bool:
        """Nothing counts in any of them."""
        counted = [rate.denominator for rate in (*self.rates.values(), *self.beside.values())]
        return not (self.mqls or any(counted) or any(spread.n for spread in self.contact.values()))

    def as_json(self) -> dict[str, Any]:
        """Keys and rounding of the contract: shares to six places, minutes to three."""
        return {
            "mqls": self.mqls,
            **{name: _rate_json(rate) for name, rate in self.rates.items()},
            "time_to_first_contact": {kind: _spread_json(each) for kind, each in self.contact.items()},
        }


def as_kept(found: Figures) -> dict[str, Any]:
    """All that counts in them, as JSON; the inverse of `from_kept`."""
    shares = {**found.rates, **found.beside}
    return {
        "mqls": found.mqls,
        "shares": {
            name: [each.numerator, each.denominator] for name, each in shares.items() if each.denominator
        },
        "contact": {
            kind: [each.n, each.within.numerator, each.mean, each.median, each.p90]
            for kind, each in found.contact.items()
        },
    }


def from_kept(values: Mapping[str, Any]) -> Figures:
    found = Figures(values["mqls"])
    for name, counts in values["shares"].items():
        into = found.rates if name in found.rates else found.beside
        into[name] = Rate(*counts)
    for kind, (n, within, mean, median, p90) in values["contact"].items():
        found.contact[kind] = Spread(n, mean, median, p90, Rate(within, n))
    return found


def report(total: Figures, groups: Mapping[str, Mapping[str, Figures]]) -> dict[str, Any]:
    """The contract's `total` and one `by_<name>` a group."""
    answer: dict[str, Any] = {"total": total.as_json()}
    for name, found in groups.items():
        answer[f"by_{name}"] = {key: each.as_json() for key, each in found.items()}
    return answer


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)


def _rate_json(rate: Rate) -> dict[str, Any]:
    return {
        "numerator": rate.numerator,
        "denominator": rate.denominator,
        "rate": _rounded(rate.value, 6),
    }


def _spread_json(spread: Spread) -> dict[str, Any]:
    return {
        "n": spread.n,
        "mean_minutes": _rounded(spread.mean, 3),
        "median_minutes": _rounded(spread.median, 3),
        "p90_minutes": _rounded(spread.p90, 3),
        "within_target": _rate_json(spread.within),
    }
