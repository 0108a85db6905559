"""Why this person: the routing decision in plain words.

Owns the short answer from the decision's candidates. The full trace is worded by `routing.engine`.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leads.models import Event, RoutingDecision
from leads.presenters.signals import cut
from routing.engine import is_customer
from routing.facts import Facts

TOOK = {
    "rule": "The rule “{rule}” chose {it}.",
    "fallback": "The rule “{rule}” matched, but its own choice was not free; its fallback is {it}.",
    "overflow": "The rule “{rule}” matched, but nobody it names was free; the overflow takes it: {it}.",
    "account": "The company has an owner of its own, so it goes to them: {it}.",
    "manager": "All who could have it had it before, so it goes to their manager: {it}.",
    "re_engaged": "It came back to whoever had it before: {it}.",
    "returned": "It came back to whoever had it before: {it}.",
}
CUSTOMER = "The company is a customer, so it goes to the owner of the account: {it}."
# Where the reason that was kept does not follow a name as it stands.
SKIPPED = {
    "inactive": "is no longer active",
    "away": "is away",
    "not in rotation": "is not in the rotation",
    "not in sales": "is not in sales",
    "outside working hours": "is outside working hours",
    "gone": "is gone",
}
AT_CAP = re.compile(r"(?<!\d)\d+ of \d")


def people_in(decision: RoutingDecision | None) -> set[int]:
    """Ids of the people the decision looked at."""
    if decision is None or not isinstance(decision.candidates, list):
        return set()
    return {c["user"] for c in decision.candidates if isinstance(c, dict) and isinstance(c.get("user"), int)}


def why_me(
    decision: RoutingDecision | None,
    rule_name: str,
    moved: Event | None,
    names: Mapping[int, str],
    me: int | None,
    words: str = "",
) -> str:
    """A few sentences. `moved` is a later claim or reassignment, which outranks the decision; `words` are
    the reason that was given for it."""
    if moved is not None:
        return _moved(moved, names, me, words)
    if decision is None:
        return "No routing decision is kept for this handoff."
    candidates = [c for c in decision.candidates if isinstance(c, dict)]
    taker = next((c for c in candidates if "took" in c), None)
    if taker is None:
        return "Nobody could take it; it waits for data or a rule."
    who = _name(taker, names, me)
    rule = rule_name or "Everything else"
    template = TOOK.get(str(taker["took"]), TOOK["rule"])
    if taker["took"] == "account" and is_customer(Facts.from_json(decision.facts)):
        template = CUSTOMER
    sentence = template.format(rule=rule, it=who)
    passed = [
        f"{_name(c, names, me, start=not index)} {_reason(str(c['skipped']))}"
        for index, c in enumerate(c for c in candidates if c is not taker and "skipped" in c and "user" in c)
    ]
    if passed:
        shown = ", ".join(passed[:4]) + (f" and {len(passed) - 4} more could not" if len(passed) > 4 else "")
        sentence += f" {shown}."
    return sentence


def _moved(event: Event, names: Mapping[int, str], me: int | None, words: str) -> str:
    if event.kind == "claimed":
        by = "You" if event.user_id == me else names.get(event.user_id or 0, "Somebody")
        return f"{by} claimed it from the queue."
    by = "You" if event.user_id == me else names.get(event.user_id or 0, "The system")
    changed = event.data.get("set", {}) if isinstance(event.data, dict) else {}
    holder = changed.get("assignee_id") if isinstance(changed, dict) else None
    to = "you" if holder == me else names.get(holder, "a queue") if isinstance(holder, int) else "a queue"
    return f"{by} gave it to {to}{f': {cut(words, 300)}' if words else ''}."


def _name(candidate: Mapping[str, Any], names: Mapping[int, str], me: int | None, start: bool = False) -> str:
    if "user" in candidate:
        if candidate["user"] == me:
            return "You" if start else "you"
        return names.get(candidate["user"], "somebody")
    if "queue" in candidate:
        return f"the queue {candidate['queue']}"
    return "a pool"


def _reason(skipped: str) -> str:
    return SKIPPED.get(skipped, f"is full ({skipped})" if AT_CAP.search(skipped) else skipped)
