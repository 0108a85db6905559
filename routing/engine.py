"""The decision: which rule a lead meets, and to whom it goes in which order.

Owns `decide`, pure over one published document and the facts of one lead, the trace it leaves (small JSON,
kept with the decision for ever) and the words for that trace. It takes nobody's turn, knows neither load
nor absence, and never asks who already rejected the lead: the walk over the targets does. The same
document and facts give the same decision and the same trace, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from routing.conditions import Compiler, Condition, View, sentence
from routing.conditions.evaluation import in_order
from routing.conditions.sentences import leaf_sentence, seen_words
from routing.facts import Facts

TargetKind = Literal["rep", "pool", "queue", "account_owner", "territory_owner"]
Why = Literal["account", "rule", "fallback", "manager", "overflow", "re_engaged", "returned"]

_PERSONAL = ("rep", "account_owner", "territory_owner")


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
    `absent` names, when no rule matched, the facts that, had they been known, might have let one match.
    """

    rule_id: str | None
    rule_name: str | None
    policy: str | None
    territory: str | None
    targets: tuple[Target, ...]
    trace: tuple[dict[str, Any], ...]
    absent: tuple[str, ...] = ()


class Ruleset:
    """A published document made ready: compiled once per version, asked once per lead.

    The document is {"rules": [{"id", "name", "when", "target": {"kind", "id"}, "fallback": {"kind", "id"} |
    null, "policy": slug | null}], "territories": {slug: {"name", "when", "owner": user id | null}},
    "lists": {name: [..]}, "overflow": {"kind": "queue", "id"}, "account_first": bool (default true)}.
    Immutable after it is made, so threads may share it.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        compiler = Compiler(document.get("lists"))
        self.document = document
        self.territories: dict[str, Mapping[str, Any]] = dict(document.get("territories") or {})
        # By slug: a database may give the keys of an object back in another order.
        self.slugs = tuple(sorted(self.territories))
        self.conditions = {
            slug: compiler.condition(self.territories[slug].get("when")) for slug in self.slugs
        }
        self.rules: tuple[tuple[Mapping[str, Any], Condition], ...] = tuple(
            (rule, compiler.condition(rule.get("when"))) for rule in document.get("rules") or ()
        )
        self.overflow: Mapping[str, Any] | None = document.get("overflow")
        self.account_first = document.get("account_first", True) is not False


def decide(document: Mapping[str, Any] | Ruleset, facts: Facts) -> Decision:
    """The decision of a document (or of a Ruleset made from it, for many leads) on one lead.

    First match wins. A customer whose account has an owner goes to that owner first, unless the document
    says "account_first": false; the rule that matched stays the rule of the decision.

    The trace holds one entry per rule up to the one that matched, {"rule": id, "matched": bool, "failed":
    {"field", "op", "value", "seen"}}, then, where they apply, {"account": user id} for the account owner
    put first and {"skipped": kind, "id": slug, "why": ...} for a target that names nobody.
    """
    ruleset = document if isinstance(document, Ruleset) else Ruleset(document)
    view = View(facts, ruleset.conditions)
    trace: list[dict[str, Any]] = []
    for rule, condition in ruleset.rules:
        failed = condition.failed(view)
        if failed is not None:
            trace.append({"rule": rule["id"], "matched": False, "failed": failed})
            continue
        trace.append({"rule": rule["id"], "matched": True})
        territory = _territory(ruleset, rule, condition, view)
        targets = _targets(ruleset, rule, territory, facts, trace)
        name, policy = rule.get("name"), rule.get("policy")
        return Decision(rule["id"], name, policy, territory, targets, tuple(trace))
    waits = {name for _, condition in ruleset.rules for name in condition.unknown(view)}
    return Decision(None, None, None, _held(ruleset, view), (), tuple(trace), in_order(waits))


def explain(
    document: Mapping[str, Any],
    trace: tuple[Mapping[str, Any], ...] | list[Mapping[str, Any]],
    name: Callable[[str, str], str] | None = None,
) -> list[str]:
    """The trace as plain sentences, in its order. `document` is the version that was asked; `name(kind, id)`
    gives the name of a rep, pool, queue or owner ("the pool Enterprise"), else kind and id are shown."""
    called = name or _called
    rules = {rule["id"]: rule for rule in document.get("rules") or ()}
    names = {slug: t.get("name") or slug for slug, t in (document.get("territories") or {}).items()}
    out: list[str] = []
    winner: Mapping[str, Any] | None = None
    for entry in trace:
        if "rule" in entry:
            rule = rules.get(entry["rule"], {})
            title = f"Rule \u201c{rule.get('name') or entry['rule']}\u201d"
            if entry["matched"]:
                winner = rule
                out.append(f"{title} matched: {sentence(rule.get('when'), names)}.")
            else:
                out.append(f"{title} did not match: {_reason(entry['failed'], names)}.")
        elif "account" in entry:
            owner = called("account_owner", entry["account"])
            out.append(f"The company is a customer, so its account owner comes first: {owner}.")
        elif "skipped" in entry:
            out.append(_skipped(entry, names))
    if winner is None:
        out.append("No rule matched.")
        return out
    skipped = {entry["why"] for entry in trace if "skipped" in entry}
    places = {
        "rule": winner.get("target"),
        "fallback": winner.get("fallback"),
        "overflow": document.get("overflow"),
    }
    steps = [_place(place, names, called) for why, place in places.items() if place and why not in skipped]
    if steps:
        start = "Otherwise it" if any("account" in entry for entry in trace) else "It"
        out.append(f"{start} goes to {', else to '.join(dict.fromkeys(steps))}.")
    return out


def _territory(ruleset: Ruleset, rule: Mapping[str, Any], condition: Condition, view: View) -> str | None:
    for slug in condition.territories_asked:
        if view.within(slug):
            return slug
    target = rule.get("target") or {}
    if target.get("kind") == "territory_owner" and target.get("id") in ruleset.territories:
        return str(target["id"])
    return _held(ruleset, view)


def _held(ruleset: Ruleset, view: View) -> str | None:
    return next((slug for slug in ruleset.slugs if view.within(slug)), None)


def _targets(
    ruleset: Ruleset,
    rule: Mapping[str, Any],
    territory: str | None,
    facts: Facts,
    trace: list[dict[str, Any]],
) -> tuple[Target, ...]:
    found: list[Target] = []
    seen: set[tuple[str, str]] = set()

    def add(target: Target) -> None:
        # The same person by two ways is one target: the first way counts.
        who = ("person" if target.kind in _PERSONAL else target.kind, target.id)
        if who not in seen:
            seen.add(who)
            found.append(target)

    if ruleset.account_first and facts.account_owner is not None and _is_customer(facts):
        trace.append({"account": str(facts.account_owner)})
        add(Target("account_owner", str(facts.account_owner), "account"))
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
            trace.append({"skipped": kind, "id": slug, "why": why})
        else:
            add(Target(kind, str(who), why))
    return tuple(found)


def _is_customer(facts: Facts) -> bool:
    return (facts.company_stage or "").strip().casefold() == "customer"


def _reason(failed: Mapping[str, Any], names: Mapping[str, str]) -> str:
    if failed.get("field") is None:
        return "its conditions cannot be read"
    met = seen_words(failed, names)
    if failed.get("group") == "none":
        return f"{met}, which it leaves out"
    wanted = leaf_sentence(failed, names)
    if failed.get("group") == "any":
        return f"none of its alternatives holds; the first asks that {wanted}, but {met}"
    return f"it asks that {wanted}, but {met}"


def _skipped(entry: Mapping[str, Any], names: Mapping[str, str]) -> str:
    where = {"rule": "", "fallback": " (the fallback)", "overflow": " (the overflow)"}[entry["why"]]
    if entry["skipped"] == "account_owner":
        return f"The account has no owner{where}."
    if entry["skipped"] == "territory_owner":
        slug = entry.get("id")
        return (
            f"Territory {names.get(slug, slug)} has no owner{where}."
            if slug
            else f"It is in no territory{where}."
        )
    return f"The {entry['skipped']} is not named{where}."


def _place(place: Mapping[str, Any], names: Mapping[str, str], called: Callable[[str, str], str]) -> str:
    kind, who = place["kind"], place.get("id")
    if kind == "account_owner":
        return "the account owner"
    if kind == "territory_owner":
        return f"the owner of territory {names.get(str(who), who)}" if who else "the territory's owner"
    return called(kind, str(who))


def _called(kind: str, who: str) -> str:
    if kind in ("rep", "account_owner"):
        return f"user {who}"
    return f"the {kind} {who}"
