"""What a document waits for: the missing facts that, had they been known, might have let it match.

Owns that reckoning, and `evaluate`, which gives it with the verdict of a single document. It is asked only
of leads that met no rule; leads that meet one pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from routing.conditions.comparing import TERRITORY, reading
from routing.conditions.evaluation import Compiler, Condition, Group, Leaf, View
from routing.facts import FIELDS, Facts

# The missing facts that might make something hold, and those that might make it fail: none of them when it
# is so already, None when what is known rules it out.
Waits = tuple[frozenset[str] | None, frozenset[str] | None]

_AS_IT_IS: frozenset[str] = frozenset()
_NEVER: Waits = (None, _AS_IT_IS)


@dataclass(frozen=True)
class Verdict:
    """Whether a document matched; if not, the condition that failed first (see `Condition.described`).

    `absent` names the facts that, had they been known, might have let the document match; empty when a known
    fact already spoke against it.
    """

    matched: bool
    failed: dict[str, Any] | None = None
    absent: tuple[str, ...] = ()


def evaluate(
    doc: Any,
    facts: Facts,
    territories: Mapping[str, Mapping[str, Any]] | None = None,
    lists: Mapping[str, Collection[Any]] | None = None,
) -> Verdict:
    """Whether the facts meet the document. `territories` maps slug to {"when": document, ...}. For one
    lead; for many, compile first."""
    compiler = Compiler(lists)
    known = {
        slug: compiler.condition(t.get("when"), of_territory=True) for slug, t in (territories or {}).items()
    }
    condition = compiler.condition(doc)
    view = View(facts, reading(compiler.fields)(facts), known)
    view.stand_in(tuple(slug for slug in sorted(known) if known[slug].failing(view) is None))
    failed = condition.failed(view)
    return Verdict(True) if failed is None else Verdict(False, failed, absent((condition,), view))


def absent(conditions: Collection[Condition], view: View) -> tuple[str, ...]:
    """The facts whose absence alone kept these documents from matching, in the order of the vocabulary,
    custom fields after it by name."""
    names = {name for condition in conditions for name in _to_match(condition, view) or ()}
    order = {name: place for place, name in enumerate(FIELDS)}
    return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))


def _to_match(condition: Condition, view: View) -> frozenset[str] | None:
    """What a document waits for to match. Most are an "all of" that a known fact rules out at once."""
    if condition.root is None or condition.root.kind != "all":
        return _waits(condition, view)[0]
    found = _AS_IT_IS
    for _, part in condition.root.parts:
        need = (_leaf_waits(part, view) if isinstance(part, Leaf) else _group_waits(part, view))[0]
        if need is None:
            return None
        found |= need
    return found


def _waits(condition: Condition | None, view: View) -> Waits:
    """What a document waits for to match, and not to match."""
    return _NEVER if condition is None or condition.root is None else _group_waits(condition.root, view)


def _group_waits(group: Group, view: View) -> Waits:
    parts = [_leaf_waits(p, view) if isinstance(p, Leaf) else _group_waits(p, view) for _, p in group.parts]
    hold, fail = [part[0] for part in parts], [part[1] for part in parts]
    if group.kind == "all":
        return _every(hold), _some(fail)
    if group.kind == "any":
        return _some(hold), _every(fail)
    return _every(fail), _some(hold)


def _leaf_waits(leaf: Leaf, view: View) -> Waits:
    if leaf.field == TERRITORY:
        each = [_waits(view.territories.get(slug), view) for slug in leaf.slugs]
        return _some([hold for hold, _ in each]), _every([fail for _, fail in each])
    settled = None if leaf.field in view else frozenset((leaf.field,))
    return (_AS_IT_IS, settled) if view.holds(leaf) else (settled, _AS_IT_IS)


def _every(needs: list[frozenset[str] | None]) -> frozenset[str] | None:
    """What all of them together wait for; None when one of them cannot be had."""
    found = _AS_IT_IS
    for need in needs:
        if need is None:
            return None
        found |= need
    return found


def _some(needs: list[frozenset[str] | None]) -> frozenset[str] | None:
    """What might bring about one of them: nothing when one is so already, None when none can be had."""
    possible = [need for need in needs if need is not None]
    if not possible or not all(possible):
        return _AS_IT_IS if possible else None
    return frozenset().union(*possible)
