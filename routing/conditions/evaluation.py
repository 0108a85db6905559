"""Evaluation of conditions: compiled once per ruleset version, asked once per lead.

Owns the meaning of each operator, the verdict with the condition that failed and the value seen, and the
list of facts whose absence alone kept a document from matching. A document that is not sound never
matches, whatever stands in it. Pure: the same document and facts give the same verdict, byte for byte.

Missing data: a leaf asked of a fact that is not known is not met (`absent` is the one exception), and in a
`none` group it does not count as met, so "none of: country is US" holds for a lead whose country nobody
knows. Say so with `present` where that is not wanted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from routing.conditions.comparing import Known, Lists, Test, comparable, make_test, territory_test
from routing.conditions.operators import CUSTOM, MAX_BITS, as_list
from routing.conditions.validation import is_sound
from routing.facts import FIELDS, Facts

# The missing facts that might make something hold, and those that might make it fail: none of them when it
# is so already, None when what is known rules it out.
Waits = tuple[frozenset[str] | None, frozenset[str] | None]

# How much of a condition and of a value seen is kept with a decision; the whole stands in the version.
_KEPT_VALUES = 6
_KEPT_TEXT = 80


@dataclass(frozen=True)
class Verdict:
    """Whether a document matched; if not, the condition that failed first, and why.

    `failed` is {"field", "op", "value", "seen"}; `seen` is None for a fact that is missing. Further keys:
    "more" counts values that were cut, "group" is "any" (none of its conditions held, this is the first) or
    "none" (this one held and should not), "because" is the condition on which a territory failed.
    `absent` names the facts that, had they been known, might have let the document match; empty when a known
    fact already spoke against it.
    """

    matched: bool
    failed: dict[str, Any] | None = None
    absent: tuple[str, ...] = ()


class View(Known):
    """Facts made comparable once, for any number of conditions; territories are answered once each."""

    __slots__ = ("_answers", "_because", "_failures", "_outside", "_seen", "facts", "territories")

    def __init__(self, facts: Facts, territories: Mapping[str, Condition]) -> None:
        super().__init__(comparable(facts))
        self.facts = facts
        self.territories = territories
        self._answers: dict[Leaf, dict[str, Any] | None] = {}
        self._failures: dict[str, Failure | None] = {}
        self._because: dict[str, dict[str, Any]] = {}
        self._seen: dict[str, Any] = {}
        self._outside: View | None = None

    def within(self, slug: str) -> bool:
        """Whether the lead is in the territory; a territory that does not exist holds nobody."""
        if slug not in self._failures:
            condition = self.territories.get(slug)
            self._failures[slug] = _NOWHERE if condition is None else condition.failing(self._alone())
        return self._failures[slug] is None

    def because(self, slug: str) -> dict[str, Any]:
        """The condition on which the territory failed, described; {} where there is none."""
        if slug not in self._because:
            failure = None if self.within(slug) else self._failures[slug]
            known = failure is not None and failure is not _NOWHERE
            self._because[slug] = failure.described(self._alone()) if failure and known else {}
        return self._because[slug]

    def failed(self, leaves: tuple[Leaf, ...]) -> dict[str, Any] | None:
        """The first of the leaves that does not hold, described; None when all hold. Each is asked once."""
        answers = self._answers
        for leaf in leaves:
            answer = answers.get(leaf, _UNASKED)
            if answer is _UNASKED:
                answer = None if leaf.test(self) else leaf.described(self, "all")
                answers[leaf] = answer
            if answer is not None:
                return answer
        return None

    def seen(self, field: str) -> Any:
        """The value of a field as it stood in the facts, cut short; None for what is missing."""
        if field not in self._seen:
            self._seen[field] = _seen(self.facts, field)
        return self._seen[field]

    def waits_for(self, slug: str) -> Waits:
        """The missing facts that decide whether the lead is in the territory."""
        condition = self.territories.get(slug)
        return _NEVER if condition is None else condition.waits(self._alone())

    def _alone(self) -> View:
        # Inside a territory no other is known, so that none can lead back to itself.
        if self._outside is None:
            view = View.__new__(View)
            view.update(self)
            view.facts, view.territories = self.facts, {}
            view._answers, view._failures, view._because = {}, {}, {}
            view._seen, view._outside = self._seen, None
            self._outside = view
        return self._outside


class Leaf:
    """One condition, ready to ask."""

    __slots__ = ("_base", "_copied", "_plain", "failure", "field", "slugs", "test")

    def __init__(self, leaf: Mapping[str, Any], lists: Lists) -> None:
        op: str = leaf["op"]
        self.slugs: tuple[str, ...] = ()
        if op == "in_territory":
            self.field = "territory"
            self.slugs = tuple(as_list(leaf["value"]))
            self.test: Test = territory_test(self.slugs)
        else:
            self.field = leaf["field"]
            self.test = make_test(self.field, op, leaf.get("value"), lists)
        kept, more = _kept(leaf.get("value"))
        self._base: dict[str, Any] = {"field": self.field, "op": op}
        if kept is not None:
            self._base["value"] = kept
        if more:
            self._base["more"] = more
        self._base["seen"] = None
        self.failure = Failure(self, "all")
        self._copied = isinstance(kept, list | dict)
        self._plain = not self._copied and not self.slugs

    def described(self, view: View, group: str) -> dict[str, Any]:
        """The leaf with the value seen, small enough to keep with each decision."""
        if self._plain and group == "all":
            return {**self._base, "seen": view.seen(self.field)}
        out = self._base.copy()
        if self._copied:
            # The trace must not be a way into the compiled version.
            out["value"] = out["value"].copy()
        if not self.slugs:
            out["seen"] = view.seen(self.field)
        elif group == "none":
            out["seen"] = next((slug for slug in self.slugs if view.within(slug)), None)
        elif len(self.slugs) == 1:
            because = view.because(self.slugs[0])
            if because:
                out["because"] = because.copy()
        if group != "all":
            out["group"] = group
        return out


class Failure(NamedTuple):
    """The leaf on which a document failed, and the kind of group that made it decisive."""

    leaf: Leaf | None
    group: str

    def described(self, view: View) -> dict[str, Any]:
        if self.leaf is None:
            return {"field": None, "op": "unreadable", "seen": None}
        return self.leaf.described(view, self.group)


class Group:
    """A group of leaves, or of leaves and groups of leaves."""

    __slots__ = ("kind", "parts")

    def __init__(self, doc: Mapping[str, Any], shop: Compiler) -> None:
        kind, parts = next(iter(doc.items()))
        self.kind: str = kind
        self.parts: tuple[Leaf | Group, ...] = tuple(
            shop.leaf(part) if "op" in part else Group(part, shop) for part in parts
        )

    def failing(self, view: View) -> Failure | None:
        """None when the group holds, else the leaf on which it failed."""
        if self.kind == "all":
            for part in self.parts:
                if isinstance(part, Leaf):
                    if not part.test(view):
                        return Failure(part, "all")
                else:
                    failure = part.failing(view)
                    if failure is not None:
                        return failure
            return None
        if self.kind == "any":
            first: Failure | None = None
            for part in self.parts:
                if isinstance(part, Leaf):
                    if part.test(view):
                        return None
                    failure = Failure(part, "any")
                else:
                    failure = part.failing(view)
                    if failure is None:
                        return None
                first = first or failure
            return first
        for part in self.parts:
            if isinstance(part, Leaf):
                if part.test(view):
                    return Failure(part, "none")
            elif part.failing(view) is None:
                return Failure(part.first_leaf(), "none")
        return None

    @property
    def flat(self) -> bool:
        """Whether this is an "all of" single conditions."""
        return self.kind == "all" and all(isinstance(part, Leaf) for part in self.parts)

    def first_leaf(self) -> Leaf | None:
        """The leaf that stands for the whole group where a single one must be named."""
        for part in self.parts:
            leaf = part if isinstance(part, Leaf) else part.first_leaf()
            if leaf is not None:
                return leaf
        return None

    def waits(self, view: View) -> Waits:
        """What the group waits for to hold, and to fail."""
        parts = [_leaf_waits(p, view) if isinstance(p, Leaf) else p.waits(view) for p in self.parts]
        hold, fail = [part[0] for part in parts], [part[1] for part in parts]
        if self.kind == "all":
            return _every(hold), _some(fail)
        if self.kind == "any":
            return _some(hold), _every(fail)
        return _every(fail), _some(hold)


class Condition:
    """A compiled document. Immutable; safe to share between threads and to keep for a version's life."""

    __slots__ = ("_root", "_simple", "territories_asked")

    def __init__(self, doc: Any, shop: Compiler) -> None:
        self._root = Group(doc, shop) if is_sound(doc) else None
        leaves = tuple(_leaves(self._root)) if self._root else ()
        self.territories_asked = tuple(dict.fromkeys(slug for leaf in leaves for slug in leaf.slugs))
        self._simple = leaves if self._root is not None and self._root.flat else None

    def failing(self, view: View) -> Failure | None:
        """None when the document matches, else the failure."""
        if self._simple is not None:
            for leaf in self._simple:
                if not leaf.test(view):
                    return leaf.failure
            return None
        return _UNREADABLE if self._root is None else self._root.failing(view)

    def failed(self, view: View) -> dict[str, Any] | None:
        """None when the document matches, else the condition on which it failed, described."""
        # Most rules are a flat "all of"; those are asked without a walk through groups.
        if self._simple is not None:
            return view.failed(self._simple)
        failure = self.failing(view)
        return None if failure is None else failure.described(view)

    def unknown(self, view: View) -> frozenset[str]:
        """The facts whose absence alone kept the document from matching."""
        return (self._root.waits(view)[0] if self._root is not None else None) or frozenset()

    def waits(self, view: View) -> Waits:
        """What the document waits for to match, and not to match."""
        return _NEVER if self._root is None else self._root.waits(view)

    def verdict(self, view: View) -> Verdict:
        failure = self.failing(view)
        if failure is None:
            return Verdict(True)
        return Verdict(False, failure.described(view), in_order(self.unknown(view)))


_UNREADABLE = Failure(None, "all")
# Of a territory that does not exist.
_NOWHERE = Failure(None, "none")
_UNASKED: dict[str, Any] = {}
_AS_IT_IS: frozenset[str] = frozenset()
_NEVER: Waits = (None, _AS_IT_IS)


class Compiler:
    """Prepares the documents of one version. Conditions that say the same share one leaf, and a lead is
    asked each leaf once, however many rules repeat it."""

    def __init__(self, lists: Mapping[str, Collection[Any]] | None = None) -> None:
        self._lists = Lists(lists or {})
        self._leaves: dict[str, Leaf] = {}

    def condition(self, doc: Any) -> Condition:
        """A document made ready for many leads. Never raises: what `validate` would refuse becomes a
        condition that no lead meets."""
        return Condition(doc, self)

    def leaf(self, leaf: Mapping[str, Any]) -> Leaf:
        """The leaf of that content."""
        key = json.dumps(leaf, sort_keys=True)
        if key not in self._leaves:
            self._leaves[key] = Leaf(leaf, self._lists)
        return self._leaves[key]


def evaluate(
    doc: Any,
    facts: Facts,
    territories: Mapping[str, Mapping[str, Any]] | None = None,
    lists: Mapping[str, Collection[Any]] | None = None,
) -> Verdict:
    """Whether the facts meet the document. `territories` maps slug to {"when": document, ...}. For one
    lead; for many, compile first."""
    compiler = Compiler(lists)
    known = {slug: compiler.condition(t.get("when")) for slug, t in (territories or {}).items()}
    return compiler.condition(doc).verdict(View(facts, known))


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Field names in the order of the vocabulary, custom fields after it by name."""
    order = {name: place for place, name in enumerate(FIELDS)}
    return tuple(sorted(names, key=lambda name: (order.get(name, len(order)), name)))


def _leaves(group: Group) -> list[Leaf]:
    out: list[Leaf] = []
    for part in group.parts:
        out.extend([part] if isinstance(part, Leaf) else _leaves(part))
    return out


def _leaf_waits(leaf: Leaf, view: View) -> Waits:
    if leaf.slugs:
        each = [view.waits_for(slug) for slug in leaf.slugs]
        return _some([hold for hold, _ in each]), _every([fail for _, fail in each])
    known, holds = leaf.field in view, leaf.test(view)
    settled = None if known else frozenset((leaf.field,))
    return (_AS_IT_IS, settled) if holds else (settled, _AS_IT_IS)


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


def _kept(value: Any) -> tuple[Any, int]:
    """The part of a leaf's value that is kept with a decision, and how many values were cut."""
    if isinstance(value, dict):
        # A stored document may come back with its keys in another order.
        return {key: value[key] for key in ("min", "max") if value.get(key) is not None}, 0
    if isinstance(value, list | tuple):
        return [_clipped(item) for item in value[:_KEPT_VALUES]], max(0, len(value) - _KEPT_VALUES)
    return _clipped(value), 0


def _clipped(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _KEPT_TEXT:
        return value[: _KEPT_TEXT - 1] + "\u2026"
    return value


def _seen(facts: Facts, field: str) -> Any:
    """The value of a field as it stood in the facts, clipped; None for what is missing."""
    if field.startswith(CUSTOM):
        raw = facts.custom.get(field[len(CUSTOM) :])
    else:
        raw = getattr(facts, field)
    if isinstance(raw, tuple):
        return [_clipped(item) for item in raw[:_KEPT_VALUES]] or None
    if isinstance(raw, str) and not raw.strip():
        return None
    if isinstance(raw, int) and raw.bit_length() > MAX_BITS:
        return "a very long number"
    if isinstance(raw, float) and not -1e300 < raw < 1e300:
        # Not a number and infinity have no form in JSON.
        return str(raw)
    return _clipped(raw)
