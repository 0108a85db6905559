"""The routing of a handoff in words, from the decisions that were kept.

Owns the names of people, pools and queues in those words and what is said of each candidate; pages, API and
commands say it alike. The rules' own sentences are `routing.engine.explain`. Reads only; nothing is decided
anew (`leads.rerunning` does that, to compare).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import QuerySet

from leads import erasure
from leads.lifecycle import placing
from leads.models import Handoff, RoutingDecision
from leads.notifications import holder_words
from routing import engine
from routing.facts import Facts
from routing.models import Pool, Queue
from routing.people import User

BY = {
    "rule": "by the rule's own target",
    "account": "as the owner of the account",
    "fallback": "by the rule's fallback",
    "manager": "because all who could have it had it before, and this is their manager",
    "overflow": "because nobody else could",
    "re_engaged": "as whoever had the lead before",
    "returned": "because it came back to them",
}
_NO_RULES = engine.Ruleset({})


ERASED = "The person was erased since: of the facts only what figures need is kept."


def is_erased(decision: RoutingDecision) -> bool:
    """Whether the facts it was decided on went with the person: it can be read, not made again."""
    return bool(decision.facts.get(erasure.ERASED))


class Looked(NamedTuple):
    """Somebody or something that was looked at: who, whether they took it, and why or why not."""

    name: str
    took: bool
    why: str

    def __str__(self) -> str:
        return f"Taken by {self.name}, {self.why}." if self.took else f"Not {self.name}: {self.why}."


def decisions_of(handoff: Handoff) -> QuerySet[RoutingDecision]:
    """Its decisions, the earliest first, with their versions (whose documents are read elsewhere, once)."""
    found = handoff.decisions.select_related("ruleset").defer("ruleset__document")
    return found.order_by("at", "pk")


def rules_of(decision: RoutingDecision) -> engine.Ruleset:
    """The version that decided; no rules at all where none was published yet."""
    row = decision.ruleset
    return _NO_RULES if row is None else placing.compiled(row.pk, row.version)


def facts_of(decision: RoutingDecision) -> Facts:
    """The facts as they were when it was decided."""
    return Facts.from_json(decision.facts)


class Teller:
    """The words for some decisions, in three queries for any number (their `ruleset` loaded)."""

    def __init__(self, decisions: Sequence[RoutingDecision]) -> None:
        people = {pk for decision in decisions for pk in _people(decision) if pk.isdigit()}
        self._people = {str(user.pk): str(user) for user in User.objects.filter(pk__in=people)}
        self._pools = {str(pk): name for pk, name in Pool.objects.values_list("pk", "name")}
        queues = list(Queue.objects.values_list("pk", "slug", "name"))
        # A rule knows a queue by its id, a candidate by its slug.
        self._queues = {str(pk): name for pk, _, name in queues} | {slug: name for _, slug, name in queues}

    def name(self, kind: str, pk: str) -> str:
        """The name of a rep, pool, queue or owner as it stands in a sentence."""
        if kind == "pool":
            return f"the pool {self._pools.get(pk, pk)}"
        if kind == "queue":
            return f"the queue {self._queues.get(pk, pk)}"
        return self._people.get(pk, f"user {pk}")

    def rules(self, decision: RoutingDecision) -> list[str]:
        """What each rule said, and to whom the one that matched sends it."""
        if is_erased(decision):
            return [ERASED]
        return engine.explain(rules_of(decision), facts_of(decision), decision.trace, self.name)

    def candidates(self, decision: RoutingDecision) -> list[Looked]:
        """Everybody who was looked at, in order."""
        return [self._looked(candidate) for candidate in decision.candidates]

    def sentences(self, decision: RoutingDecision) -> list[str]:
        """The whole decision: what each rule said, then who was looked at and who took it."""
        told = self.rules(decision)
        told += [str(looked) for looked in self.candidates(decision)]
        return [*told, "Nobody could take it."] if decision.outcome == "nobody" else told

    def _looked(self, candidate: Mapping[str, Any]) -> Looked:
        if "user" in candidate:
            name = self.name("rep", str(candidate["user"]))
            if "pool" in candidate:
                name += f" of {self.name('pool', str(candidate['pool']))}"
        elif "pool" in candidate:
            name = self.name("pool", str(candidate["pool"]))
        else:
            name = self.name("queue", str(candidate.get("queue")))
        if "took" in candidate:
            return Looked(name, True, BY.get(candidate["took"], candidate["took"]))
        return Looked(name, False, candidate["skipped"])


def entries(decision: RoutingDecision) -> list[dict[str, Any]]:
    """The trace of a decision in full, as the API shows it."""
    return engine.expand(rules_of(decision), facts_of(decision), decision.trace)


def standing(handoff: Handoff, decisions: Sequence[RoutingDecision]) -> str:
    """Who holds it now; of one that was never routed also what it waits for."""
    told = f"Handoff {handoff.pk} is {handoff.get_state_display().lower()}, with {holder_words(handoff)}."
    if decisions:
        return told
    missing = ", ".join(handoff.missing)
    return f"{told} It was never routed{f'; missing: {missing}' if missing else ''}."


def heading(decision: RoutingDecision) -> str:
    """When it was decided, and by which version."""
    version = f"ruleset {decision.ruleset.version}" if decision.ruleset else "no ruleset"
    return f"{decision.at:%Y-%m-%d %H:%M:%S} UTC, {version}:"


def _people(decision: RoutingDecision) -> Iterator[str]:
    """Everybody whom the words for this decision name."""
    for candidate in decision.candidates:
        if "user" in candidate:
            yield str(candidate["user"])
    if "account" in decision.trace:
        yield str(decision.trace["account"])
    for rule, _ in rules_of(decision).rules:
        if rule["id"] == decision.trace.get("matched"):
            for place in (rule.get("target"), rule.get("fallback")):
                if place and place.get("kind") == "rep":
                    yield str(place.get("id"))
