"""`decide`: first match wins, the owner of the account comes before the rule's own targets.

Owns the compiled form of a document, the order of the targets and the short trace. The same document and
facts give the same decision and the same trace, byte for byte. Nothing is worded here, nothing is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from routing.conditions import Board, Compiler, Condition, View, absent, reading
from routing.facts import Facts

TargetKind = Literal["rep", "pool", "queue", "account_owner", "territory_owner"]
Why = Literal["account", "rule", "fallback", "manager", "overflow", "re_engaged", "returned"]

PERSONAL = ("rep", "account_owner", "territory_owner")


@dataclass(frozen=True)
class Target:
    """Somebody or something a lead may go to. `id` is a user id for "rep", "account_owner" and
    "territory_owner" (the person is already looked up), else the pool's or queue's id, always as text."""

    kind: TargetKind
    id: str
    why: Why


@dataclass(frozen=True)
class Decision:
    """What the rules say of one lead.

    `targets` is in the order in which they are to be tried, each person, pool or queue once; it is () when
    no rule matched. `policy` is the rule's SLA policy (slug), None for the default of the lead's type.
    `territory` is the one the rule asked for or hands to, else the first by slug that holds the lead.
    """

    rule_id: str | None
    rule_name: str | None
    policy: str | None
    territory: str | None
    targets: tuple[Target, ...]
    trace: dict[str, Any]
    missing: Callable[[], tuple[str, ...]] = field(default=tuple, compare=False, repr=False)

    @property
    def absent(self) -> tuple[str, ...]:
        """When no rule matched, the facts that, had they been known, might have let one match. They are
        looked for when asked: it takes longer than the decision."""
        return self.missing()


class Ruleset:
    """A published document made ready: compiled once per version, asked once per lead.

    The document is {"rules": [{"id", "name", "when", "target": {"kind", "id"}, "fallback": {"kind", "id"} |
    null, "policy": slug | null}], "territories": {slug: {"name", "when", "owner": user id | null}},
    "lists": {slug: [..]}, "overflow": {"kind": "queue", "id"}, "account_first": "owned" | "customers" |
    "never"}. Immutable after it is made, so threads may share it.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        compiler = Compiler(document.get("lists"))
        self.document = document
        self.territories: dict[str, Mapping[str, Any]] = dict(document.get("territories") or {})
        # By slug: a database may give the keys of an object back in another order.
        self.slugs = tuple(sorted(self.territories))
        self.conditions = {
            slug: compiler.condition(self.territories[slug].get("when"), of_territory=True)
            for slug in self.slugs
        }
        self.rules: tuple[tuple[Mapping[str, Any], Condition], ...] = tuple(
            (rule, compiler.condition(rule.get("when"))) for rule in document.get("rules") or ()
        )
        self.overflow: Mapping[str, Any] | None = document.get("overflow")
        self.account_first: str = document.get("account_first") or "owned"
        self.board = Board([condition for _, condition in self.rules])
        self._map = Board([self.conditions[slug] for slug in self.slugs])
        self._read = reading(compiler.fields)

    def view(self, facts: Facts) -> View:
        """The facts as this version's conditions look at them, the lead's territories found."""
        view = View(facts, self._read(facts), self.conditions)
        view.stand_in(tuple(self.slugs[place] for place in self._map.holding(view)))
        return view


def ready(document: Mapping[str, Any] | Ruleset) -> Ruleset:
    return document if isinstance(document, Ruleset) else Ruleset(document)


def decide(document: Mapping[str, Any] | Ruleset, facts: Facts) -> Decision:
    """The decision of a document (or of a Ruleset made from it, for many leads) on one lead.

    First match wins. A company's owner comes before the rule's own targets, if the document's
    "account_first" says so; the rule that matched stays the rule of the decision.

    The trace is {"failed": for each rule before the match the number of the leaf on which it failed (in the
    order of its document, -1 for one that cannot be read), "matched": rule id, "account": the owner put
    first, "skipped": [{"kind", "id", "why"}] for targets that name nobody}; what does not apply is left out.
    """
    ruleset = ready(document)
    view = ruleset.view(facts)
    failed, place = ruleset.board.first(view)
    trace: dict[str, Any] = {"failed": failed}
    if place is None:
        held = next(iter(view.held_by), None)
        return Decision(None, None, None, held, (), trace, partial(_absent, ruleset, view))
    rule, condition = ruleset.rules[place]
    trace["matched"] = rule["id"]
    territory = _territory(ruleset, rule, condition, view)
    targets = _targets(ruleset, rule, territory, facts, trace)
    return Decision(rule["id"], rule.get("name"), rule.get("policy"), territory, targets, trace)


def _absent(ruleset: Ruleset, view: View) -> tuple[str, ...]:
    return absent([condition for _, condition in ruleset.rules], view)


def _territory(ruleset: Ruleset, rule: Mapping[str, Any], condition: Condition, view: View) -> str | None:
    held = view.held_by
    for slug in condition.territories_asked:
        if slug in held:
            return slug
    target = rule.get("target") or {}
    if target.get("kind") == "territory_owner" and target.get("id") in ruleset.territories:
        return str(target["id"])
    return next(iter(held), None)


def _targets(
    ruleset: Ruleset,
    rule: Mapping[str, Any],
    territory: str | None,
    facts: Facts,
    trace: dict[str, Any],
) -> tuple[Target, ...]:
    # The same person by two ways is one target: the first way counts.
    found: dict[tuple[str, str], Target] = {}
    skipped: list[dict[str, Any]] = []
    if facts.account_owner is not None and _account_first(ruleset, facts):
        owner = trace["account"] = str(facts.account_owner)
        found["person", owner] = Target("account_owner", owner, "account")
    wanted: tuple[tuple[Mapping[str, Any] | None, Why], ...] = (
        (rule.get("target"), "rule"),
        (rule.get("fallback"), "fallback"),
        (ruleset.overflow, "overflow"),
    )
    for place, why in wanted:
        if not place:
            continue
        kind, who = place["kind"], place.get("id")
        slug = None
        if kind == "account_owner":
            who = facts.account_owner
        elif kind == "territory_owner":
            slug = who or territory
            who = ruleset.territories.get(slug, {}).get("owner") if slug else None
        if who is None or who == "":
            skipped.append({"kind": kind, "id": slug, "why": why})
        else:
            whom = ("person" if kind in PERSONAL else kind, str(who))
            found.setdefault(whom, Target(kind, str(who), why))
    if skipped:
        trace["skipped"] = skipped
    return tuple(found.values())


def _account_first(ruleset: Ruleset, facts: Facts) -> bool:
    if ruleset.account_first == "customers":
        return is_customer(facts)
    return ruleset.account_first != "never"


def is_customer(facts: Facts) -> bool:
    return (facts.company_stage or "").strip().casefold() == "customer"
