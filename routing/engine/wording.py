"""What is read out of a trace: the entries that pages and the API show, and the sentences.

Owns both, over the version that was asked and the facts that were kept with the decision; a trace alone
holds neither. Names of people, pools and queues are the caller's. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from routing.conditions import sentence
from routing.conditions.sentences import leaf_sentence, seen_words
from routing.engine.deciding import Ruleset, is_customer, ready
from routing.facts import Facts


def expand(
    document: Mapping[str, Any] | Ruleset, facts: Facts, trace: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A trace in full: one entry for each rule up to the one that matched, {"rule": id, "matched": bool,
    "failed": {"field", "op", "value", "seen"}} (see `Condition.described`), then, where they apply,
    {"account": user id} for the owner put first and {"skipped": kind, "id": slug, "why": ...}."""
    ruleset = ready(document)
    view = ruleset.view(facts)
    entries: list[dict[str, Any]] = [
        {"rule": rule["id"], "matched": False, "failed": condition.described(number, view)}
        for (rule, condition), number in zip(ruleset.rules, trace.get("failed", ()), strict=False)
    ]
    if "matched" in trace:
        entries.append({"rule": trace["matched"], "matched": True})
    if "account" in trace:
        entries.append({"account": trace["account"]})
    entries += [
        {"skipped": place["kind"], "id": place["id"], "why": place["why"]}
        for place in trace.get("skipped", ())
    ]
    return entries


def explain(
    document: Mapping[str, Any] | Ruleset,
    facts: Facts,
    trace: Mapping[str, Any],
    name: Callable[[str, str], str] | None = None,
) -> list[str]:
    """The trace as plain sentences, in its order. `document` is the version that was asked; `name(kind, id)`
    gives the name of a rep, pool, queue or owner ("the pool Enterprise"), else kind and id are shown."""
    ruleset = ready(document)
    called = name or _called
    rules = {rule["id"]: rule for rule, _ in ruleset.rules}
    names = {slug: t.get("name") or slug for slug, t in ruleset.territories.items()}
    out: list[str] = []
    for entry in expand(ruleset, facts, trace):
        if "rule" in entry:
            rule = rules.get(entry["rule"], {})
            title = f"Rule \u201c{rule.get('name') or entry['rule']}\u201d"
            if entry["matched"]:
                out.append(f"{title} matched: {sentence(rule.get('when'), names)}.")
            else:
                out.append(f"{title} did not match: {_reason(entry['failed'], names)}.")
        elif "account" in entry:
            owner = called("account_owner", entry["account"])
            if is_customer(facts):
                out.append(f"The company is a customer, so its account owner comes first: {owner}.")
            else:
                out.append(f"The company has an owner of its own, who comes first: {owner}.")
        else:
            out.append(_skipped(entry, names))
    if "matched" not in trace:
        out.append("No rule matched.")
    elif steps := _steps(ruleset, rules.get(trace["matched"], {}), trace, names, called):
        start = "Otherwise it" if "account" in trace else "It"
        out.append(f"{start} goes to {', else to '.join(steps)}.")
    return out


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


def _steps(
    ruleset: Ruleset,
    rule: Mapping[str, Any],
    trace: Mapping[str, Any],
    names: Mapping[str, str],
    called: Callable[[str, str], str],
) -> list[str]:
    """To whom it goes in which order, each once, without those that name nobody."""
    skipped = {entry["why"] for entry in trace.get("skipped", ())}
    places = {"rule": rule.get("target"), "fallback": rule.get("fallback"), "overflow": ruleset.overflow}
    told = [_place(place, names, called) for why, place in places.items() if place and why not in skipped]
    return list(dict.fromkeys(told))


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
