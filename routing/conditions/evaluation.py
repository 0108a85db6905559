"""Evaluation of conditions: compiled once per ruleset version, asked once per lead.

Owns the groups, the number of the leaf on which a document failed, and that leaf described with the value
seen. Leaves are numbered from 0 in the order in which they stand in the document. A document that is not
sound never matches, whatever stands in it. Pure: the same document and facts give the same verdict.

Missing data: a leaf asked of a fact that is not known is not met (`absent` is the one exception), and in a
`none` group it does not count as met, so "none of: country is US" holds for a lead whose country nobody
knows. Say so with `present` where that is not wanted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from routing.conditions.comparing import TERRITORY, WORDS, Lists, Test, make_test, sought
from routing.conditions.keeping import kept, seen
from routing.conditions.operators import as_list
from routing.conditions.validation import is_sound
from routing.facts import Facts

# The number in the place of a leaf's, for a document that is not sound.
UNREADABLE = -1


class View(dict[str, Any]):
    """The comparable facts of one lead, for any number of conditions; each leaf is asked once."""

    __slots__ = ("_answers", "facts", "territories")

    def __init__(
        self, facts: Facts, known: Mapping[str, Any], territories: Mapping[str, Condition] | None = None
    ) -> None:
        super().__init__(known)
        self.facts = facts
        self.territories = territories or {}
        self._answers: dict[Leaf, bool] = {}

    def stand_in(self, slugs: tuple[str, ...]) -> None:
        """Say in which territories the lead is; until then it is in none."""
        self[TERRITORY] = slugs

    @property
    def held_by(self) -> tuple[str, ...]:
        """The territories of the lead."""
        held: tuple[str, ...] = self.get(TERRITORY, ())
        return held

    def holds(self, leaf: Leaf) -> bool:
        answer = self._answers.get(leaf)
        if answer is None:
            answer = self._answers[leaf] = leaf.test(self)
        return answer

    def because(self, slug: str) -> dict[str, Any] | None:
        """The condition on which a territory failed, described; None where there is none."""
        condition = self.territories.get(slug)
        return None if condition is None else condition.failed(self)


class Leaf:
    """One condition, ready to ask. `looks_for` says what a look-up can answer, if one can; `slugs` are the
    territories it asks for."""

    __slots__ = ("_shown", "field", "looks_for", "slugs", "test")

    def __init__(self, leaf: Mapping[str, Any], lists: Lists, of_territory: bool) -> None:
        op, value = leaf["op"], leaf.get("value")
        self.slugs: tuple[str, ...] = ()
        self.field: str = TERRITORY if op == "in_territory" else leaf["field"]
        if op == "in_territory":
            # A territory never leads to another, nor back to itself.
            self.slugs = () if of_territory else tuple(as_list(value))
            value = list(self.slugs)
        self.looks_for = sought(self.field, op, value, lists)
        self.test: Test = make_test(self.field, op, value, self.looks_for)
        shown, more = kept(leaf.get("value"))
        self._shown: dict[str, Any] = {"field": self.field, "op": op}
        if shown is not None:
            self._shown["value"] = shown
        if more:
            self._shown["more"] = more

    def described(self, view: View, group: str) -> dict[str, Any]:
        """The leaf with the value seen, small enough to be shown with each decision."""
        out = {**self._shown, "seen": seen(view.facts, self.field)}
        if isinstance(out.get("value"), list | dict):
            # What is given away must not be a way into the compiled version.
            out["value"] = out["value"].copy()
        if self.slugs and group == "none":
            out["seen"] = next((slug for slug in self.slugs if slug in view.held_by), None)
        elif len(self.slugs) == 1 and (because := view.because(self.slugs[0])):
            out["because"] = because
        if group != "all":
            out["group"] = group
        return out


class Group:
    """A group of leaves, or of leaves and groups of leaves, each with the number of its first leaf."""

    __slots__ = ("first", "kind", "parts", "width")

    def __init__(self, doc: Mapping[str, Any], shop: Compiler, first: int, of_territory: bool) -> None:
        kind, parts = next(iter(doc.items()))
        self.kind: str = kind
        self.first = number = first
        made: list[tuple[int, Leaf | Group]] = []
        for part in parts:
            if "op" in part:
                made.append((number, shop.leaf(part, of_territory)))
                number += 1
            else:
                group = Group(part, shop, number, of_territory)
                made.append((number, group))
                number += group.width
        self.parts = tuple(made)
        self.width: int = number - first

    def failing(self, view: View) -> int | None:
        """None when the group holds, else the number of the leaf on which it failed: of "any" the first
        alternative's, of "none" the one that holds and should not."""
        first: int | None = None
        for number, part in self.parts:
            if isinstance(part, Leaf):
                failed = None if view.holds(part) else number
            else:
                failed = part.failing(view)
            if self.kind == "all":
                if failed is not None:
                    return failed
            elif self.kind == "any":
                if failed is None:
                    return None
                first = failed if first is None else first
            elif failed is None:
                return number if isinstance(part, Leaf) else part.holding(view)
        return first

    def holding(self, view: View) -> int:
        """The leaf that stands for this group, which holds, where a single one must be named."""
        if self.kind == "any":
            for number, part in self.parts:
                if isinstance(part, Leaf) and view.holds(part):
                    return number
        return self.first

    def leaves(self, outer: str = "") -> Iterator[tuple[Leaf, str]]:
        """Each leaf in order, with the kind of group that makes it decisive."""
        kind = "none" if outer == "none" else "any" if outer == "any" and self.kind == "all" else self.kind
        for _, part in self.parts:
            if isinstance(part, Leaf):
                yield part, kind
            else:
                yield from part.leaves(self.kind)


class Condition:
    """A compiled document. Immutable; safe to share between threads and to keep for a version's life."""

    __slots__ = ("_leaves", "root", "territories_asked")

    def __init__(self, doc: Any, shop: Compiler, of_territory: bool) -> None:
        self.root = Group(doc, shop, 0, of_territory) if is_sound(doc) else None
        self._leaves = tuple(self.root.leaves()) if self.root is not None else ()
        self.territories_asked = tuple(dict.fromkeys(slug for leaf, _ in self._leaves for slug in leaf.slugs))

    def failing(self, view: View) -> int | None:
        """None when the document matches, else the number of the leaf on which it failed."""
        return UNREADABLE if self.root is None else self.root.failing(view)

    def described(self, number: int, view: View) -> dict[str, Any]:
        """The leaf of that number as {"field", "op", "value", "seen"}; `seen` is None for a missing fact.

        Further keys: "more" counts values that were cut, "group" is "any" (none of its alternatives held,
        this is the first) or "none" (this one held and should not), "because" is the condition on which a
        territory failed.
        """
        if not 0 <= number < len(self._leaves):
            return {"field": None, "op": "unreadable", "seen": None}
        leaf, group = self._leaves[number]
        return leaf.described(view, group)

    def failed(self, view: View) -> dict[str, Any] | None:
        """None when the document matches, else the condition on which it failed, described."""
        number = self.failing(view)
        return None if number is None else self.described(number, view)


class Compiler:
    """Prepares the documents of one version. Conditions that say the same share one leaf, and a lead is
    asked each leaf once, however many rules repeat it. `fields` are all that its documents ask for."""

    def __init__(self, lists: Mapping[str, Collection[Any]] | None = None) -> None:
        self.fields: set[str] = set()
        self._lists = Lists(lists or {})
        self._leaves: dict[tuple[str, bool], Leaf] = {}

    def condition(self, doc: Any, *, of_territory: bool = False) -> Condition:
        """A document made ready for many leads. Never raises: what `validate` would refuse becomes a
        condition that no lead meets. `of_territory` says that it defines a territory."""
        return Condition(doc, self, of_territory)

    def leaf(self, leaf: Mapping[str, Any], of_territory: bool) -> Leaf:
        """The leaf of that content."""
        key = (json.dumps(leaf, sort_keys=True), of_territory and leaf["op"] == "in_territory")
        if key not in self._leaves:
            made = self._leaves[key] = Leaf(leaf, self._lists, of_territory)
            self.fields.add(made.field)
            if leaf["op"] == "contains_word":
                self.fields.add(WORDS + made.field)
        return self._leaves[key]
