"""A published ruleset as it is read: each rule as a sentence, and who gets what it matches.

Owns the words for targets and what is wrong with a rule. The sentence of the conditions is
`routing.conditions`. Pure: names come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routing.conditions import sentence

MOST_MEMBERS = 5


@dataclass(frozen=True, slots=True)
class Names:
    """Names by id, as documents hold ids; `away` and `inactive` are ids of people."""

    people: Mapping[str, str]
    pools: Mapping[str, str]
    queues: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]
    inactive: frozenset[str]
    away: frozenset[str]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule. `who` are the members of its pool; `health` says what is wrong, "" for nothing."""

    number: int
    name: str
    when: str
    to: str
    who: str
    fallback: str
    policy: str
    fired: int
    share: int
    health: str


def lines(document: Mapping[str, Any], fired: Mapping[str, int], names: Names) -> list[RuleLine]:
    """The rules of a document in order, with how many leads each routed."""
    territories = {
        slug: str(row.get("name") or slug) for slug, row in (document.get("territories") or {}).items()
    }
    rules = [rule for rule in document.get("rules") or () if isinstance(rule, Mapping)]
    most = max((fired.get(str(rule.get("id")), 0) for rule in rules), default=0)
    found = []
    for number, rule in enumerate(rules, start=1):
        count = fired.get(str(rule.get("id")), 0)
        target = rule.get("target") or {}
        found.append(
            RuleLine(
                number=number,
                name=str(rule.get("name") or f"Rule {number}"),
                when=_when(rule.get("when"), territories),
                to=place(target, names, territories),
                who=_who(target, names),
                fallback=place(rule["fallback"], names, territories) if rule.get("fallback") else "",
                policy=str(rule.get("policy") or ""),
                fired=count,
                share=round(100 * count / most) if most else 0,
                health=health(target, names) or ("" if count or is_last_resort(rule) else "Never fired"),
            )
        )
    return found


def place(target: Mapping[str, Any], names: Names, territories: Mapping[str, str]) -> str:
    """A target in words."""
    kind, who = str(target.get("kind") or ""), str(target.get("id") or "")
    if kind == "pool":
        return f"the pool {names.pools[who]}" if who in names.pools else "a pool that is gone"
    if kind == "queue":
        return f"the queue {names.queues[who]}" if who in names.queues else "a queue that is gone"
    if kind == "account_owner":
        return "the owner of the account"
    if kind == "territory_owner":
        return f"the owner of {territories.get(who, who)}" if who else "the owner of the lead’s territory"
    return names.people.get(who, "a person who is gone")


def _when(conditions: Any, territories: Mapping[str, str]) -> str:
    """The conditions as a sentence of their own."""
    words = sentence(conditions, territories)
    return "Every lead." if words == "every lead" else f"When {words}."


def _who(target: Mapping[str, Any], names: Names) -> str:
    """The members of the target's pool, some by name."""
    members = names.members.get(str(target.get("id")), ()) if target.get("kind") == "pool" else ()
    shown = ", ".join(members[:MOST_MEMBERS])
    return f"{shown} and {len(members) - MOST_MEMBERS} more" if len(members) > MOST_MEMBERS else shown


def is_last_resort(rule: Mapping[str, Any]) -> bool:
    """A catch-all: that it never had to fire is good news."""
    return bool(rule.get("when") == {"all": []})


def health(target: Mapping[str, Any], names: Names) -> str:
    """What is wrong with a rule's target, the worst first."""
    kind, who = target.get("kind"), str(target.get("id") or "")
    if kind == "rep" and who in names.inactive:
        return "Points at somebody who is no longer active"
    if kind == "pool" and not names.members.get(who):
        return "Its pool has no members"
    if kind == "rep" and who in names.away:
        return "Points at somebody who is away"
    return ""
