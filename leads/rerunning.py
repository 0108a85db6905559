"""A kept decision made again from what was kept, to see that it is still the same.

Owns the comparison: the stored facts go through the stored version, and rule, trace and the order of the
targets must come out as they were. Reads only. Who was free at that moment is not asked again: the
candidates are evidence, not a calculation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from leads.explaining import facts_of, is_erased, rules_of
from leads.models import RoutingDecision
from routing.engine import PERSONAL, Decision, Ruleset, Target, decide
from routing.models import Queue

# Why somebody took it whom no target names: the walk put them in.
_PUT_IN = ("re_engaged", "returned", "manager")


def differences(decisions: Sequence[RoutingDecision]) -> list[list[str]]:
    """For each decision what comes out otherwise than it was kept, as sentences; [] for the same answer,
    and where the facts were erased with the person."""
    slugs = dict(Queue.objects.values_list("slug", "pk")) if decisions else {}
    found: list[list[str]] = []
    for decision in decisions:
        if is_erased(decision):
            found.append([])
            continue
        rules = rules_of(decision)
        again = decide(rules, facts_of(decision))
        found.append([
            *_rule(decision, again),
            *_trace(decision.trace, again.trace, rules),
            *_order(decision.candidates, again.targets, slugs),
        ])  # fmt: skip
    return found


def _rule(kept: RoutingDecision, again: Decision) -> Iterator[str]:
    if kept.rule_id != (again.rule_id or ""):
        yield f"Kept was {_named(kept.rule_id)}, now it is {_named(again.rule_id)}."


def _named(rule_id: str | None) -> str:
    return f"rule {rule_id}" if rule_id else "no rule"


def _trace(kept: Mapping[str, Any], again: Mapping[str, Any], rules: Ruleset) -> Iterator[str]:
    was, now = kept.get("failed", []), again["failed"]
    for (rule, _), one, other in zip(rules.rules, was, now, strict=False):
        if one != other:
            yield f"Rule {rule['id']} failed on its condition {one + 1}, now on {other + 1}."
            break
    if len(was) != len(now):
        yield f"{len(was)} rules did not match, now {len(now)} do not."
    for key in sorted((kept.keys() | again.keys()) - {"failed"}):
        if kept.get(key) != again.get(key):
            yield f"The trace says {key} {kept.get(key)}, now {again.get(key)}."


def _order(
    candidates: Sequence[Mapping[str, Any]], targets: Sequence[Target], slugs: Mapping[str, int]
) -> Iterator[str]:
    """The walk looks at the targets from the first on. Of its own it puts in whoever had the lead before (at
    the start), managers (once the rule's own are through) and an overflow queue that no target names."""
    walked = [origin for origin, _ in groupby(candidates, lambda candidate: _origin(candidate, slugs))]
    took = candidates[-1].get("took") if candidates else None
    names_overflow = any(target.why == "overflow" for target in targets)
    is_put_in = took in _PUT_IN or (took == "overflow" and not names_overflow)
    if is_put_in:
        walked.pop()
    ahead = list(targets)
    why: str | None = None
    for at, origin in enumerate(walked):
        if ahead and origin == _place_of(ahead[0]):
            why = ahead.pop(0).why
        elif origin[0] != "person" or (at and any(target.why != "overflow" for target in ahead)):
            place = " ".join(_place_of(ahead[0])) if ahead else "nobody"
            yield f"Looked at was {' '.join(origin)}, now {place} is next."
            return
    if took is not None and not is_put_in and took != why:
        yield f"It was taken by way of the {took}, now by way of the {why}."
    elif took is None and ahead:
        yield f"Nobody took it, and {' '.join(_place_of(ahead[0]))} was not looked at."


def _place_of(target: Target) -> tuple[str, str]:
    return ("person" if target.kind in PERSONAL else target.kind, target.id)


def _origin(candidate: Mapping[str, Any], slugs: Mapping[str, int]) -> tuple[str, str]:
    """The target through which a candidate was looked at."""
    if "pool" in candidate:
        return "pool", str(candidate["pool"])
    if "queue" in candidate:
        return "queue", str(slugs.get(candidate["queue"], candidate["queue"]))
    return "person", str(candidate.get("user"))
