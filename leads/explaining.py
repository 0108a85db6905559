"""The routing of a handoff in words, from the decisions that were kept.

Owns the names of people, pools and queues in those words, and the sentence for each candidate. The rules'
own sentences are `routing.engine.explain`. Reads only; nothing is decided anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leads.models import Handoff, RoutingDecision
from leads.notifications import holder_words
from routing import engine
from routing.models import Pool, Queue
from routing.people import User

BY = {
    "rule": "by the rule's own target",
    "account": "as the owner of the account",
    "fallback": "by the rule's fallback",
    "overflow": "because nobody else could",
    "re_engaged": "as whoever had the lead before",
}


class Names:
    """Names of what decisions refer to, read once."""

    def __init__(self, decisions: Iterable[RoutingDecision]) -> None:
        people = {str(c["user"]) for d in decisions for c in _dicts(d.candidates) if "user" in c}
        for decision in decisions:
            document = decision.ruleset.document if decision.ruleset else {}
            for rule in document.get("rules") or ():
                for place in (rule.get("target"), rule.get("fallback")):
                    if place and place.get("kind") == "rep":
                        people.add(str(place.get("id")))
            people |= {str(entry["account"]) for entry in _dicts(decision.trace) if "account" in entry}
        numbers = [int(pk) for pk in people if pk.isdigit()]
        self._people = {str(user.pk): str(user) for user in User.objects.filter(pk__in=numbers)}
        self._pools = {str(pk): name for pk, name in Pool.objects.values_list("pk", "name")}
        self._queues = {str(pk): name for pk, name in Queue.objects.values_list("pk", "name")}

    def __call__(self, kind: str, pk: str) -> str:
        if kind == "pool":
            return f"the pool {self._pools.get(pk, pk)}"
        if kind == "queue":
            return f"the queue {self._queues.get(pk, pk)}"
        return self._people.get(pk, f"user {pk}")


def lines(handoff: Handoff) -> Iterator[str]:
    """The decisions of a handoff in order of time, a line each sentence, then who holds it now."""
    decisions = list(handoff.decisions.select_related("ruleset").order_by("at", "pk"))
    yield f"Handoff {handoff.pk} is {handoff.get_state_display().lower()}, with {holder_words(handoff)}."
    if not decisions:
        missing = ", ".join(handoff.missing)
        yield f"It was never routed{f'; missing: {missing}' if missing else ''}."
        return
    names = Names(decisions)
    for decision in decisions:
        version = f"ruleset {decision.ruleset.version}" if decision.ruleset else "no ruleset"
        yield f"{decision.at:%Y-%m-%d %H:%M:%S} UTC, {version}:"
        for sentence in sentences(decision, names):
            yield f"  {sentence}"


def sentences(decision: RoutingDecision, names: Names) -> list[str]:
    """One decision: what each rule said, then who was looked at and who took it."""
    document = decision.ruleset.document if decision.ruleset else {}
    told = engine.explain(document, tuple(_dicts(decision.trace)), names)
    told += [_candidate(candidate, names) for candidate in _dicts(decision.candidates)]
    if decision.outcome == "nobody":
        told.append("Nobody could take it.")
    return told


def _candidate(candidate: Mapping[str, Any], names: Names) -> str:
    if "user" in candidate:
        who = names("rep", str(candidate["user"]))
    elif "pool" in candidate:
        who = names("pool", str(candidate["pool"]))
    elif "queue" in candidate:
        who = f"the queue {candidate['queue']}"
    else:
        who = f"the {str(candidate.get('target', 'target')).replace('_', ' ')}"
    if "took" in candidate:
        return f"Taken by {who}, {BY.get(str(candidate['took']), str(candidate['took']))}."
    return f"Not {who}: {candidate.get('skipped', 'passed over')}."


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
