"""What a run amounts to, with names as they are at its end: for the command, the page and the file.

Owns the keys: `replayed`, `agreement`, `moved`, `unrouted`, `overflow`, `late`, `by_rep`, `by_queue`,
`by_rule`, `history`. Before is what happened, after what the ruleset would have made of it.
"""

from __future__ import annotations

from typing import Any

from leads.backtesting.running import Run
from routing.backtest.tally import PLACES
from routing.models import Queue, Ruleset, User

NO_RULE = "No rule"


def report(run: Run) -> dict[str, Any]:
    """The result of a run so far, as plain JSON; three queries."""
    tally, found = run.replay.tally, run.history.found
    return {
        "replayed": tally.replayed,
        "agreement": tally.agreement,
        "unchanged": tally.kinds["same"],
        "moved": tally.changed_hands,
        "unrouted": tally.kinds["unrouted"],
        "routed": tally.kinds["routed"],
        "to_queue": tally.kinds["queue"],
        "other_rule": tally.kinds["rule"],
        "unreadable": run.unreadable,
        "overflow": dict(zip(("before", "after"), tally.overflow, strict=True)),
        "late": dict(zip(("before", "after"), tally.late, strict=True)),
        "by_rep": _by_rep(run),
        "by_queue": _by_queue(run),
        "by_rule": _by_rule(run),
        "history": {
            "compared": found.compared,
            "agreeing": found.agreeing,
            "differing": found.compared - found.agreeing,
            "causes": [{"cause": cause, "count": count} for cause, count in found.causes.most_common()],
        },
    }


def _by_rep(run: Run) -> list[dict[str, Any]]:
    """Everybody who had or would have had any, by name."""
    rows = run.replay.tally.people
    people = {str(user.pk): user for user in User.objects.filter(pk__in=[int(pk) for pk in rows])}
    found = []
    for pk, row in rows.items():
        user = people.get(pk)
        found.append(
            {
                "id": int(pk),
                "rep": user.email if user else f"user {pk}",
                "name": str(user) if user else f"user {pk}",
                **dict(zip(PLACES, row, strict=True)),
                "peak_before": run.replay.was.peak.get(int(pk), 0),
                "peak_after": run.replay.would.peak.get(int(pk), 0),
                "cap": run.crowd.cap_of(int(pk)),
            }
        )
    return sorted(found, key=lambda row: (str(row["name"]).casefold(), row["id"]))


def _by_queue(run: Run) -> list[dict[str, Any]]:
    rows = run.replay.tally.queues
    queues = {str(queue.pk): queue for queue in Queue.objects.all()}
    return [
        {
            "queue": queues[pk].slug if pk in queues else pk,
            "name": str(queues[pk]) if pk in queues else pk,
            "is_overflow": pk in queues and queues[pk].kind == Queue.Kind.OVERFLOW,
            **dict(zip(PLACES, row, strict=True)),
        }
        for pk, row in sorted(rows.items())
    ]


def _by_rule(run: Run) -> list[dict[str, Any]]:
    """The rules of the document in its order, then those of other versions, then what matched none."""
    rows = run.replay.tally.rules
    names = {str(rule.get("id")): str(rule.get("name") or "") for rule, _ in run.ruleset.rules}
    others = {pk for pk in rows if pk and pk not in names}
    known = names | (_older_names(others) if others else {})
    order = [*names, *sorted(others), *([""] if "" in rows else [])]
    return [
        {
            "rule": pk,
            "name": known.get(pk) or (f"rule {pk}" if pk else NO_RULE),
            "before": rows.get(pk, (0, 0))[0],
            "after": rows.get(pk, (0, 0))[1],
            "is_in_ruleset": pk in names,
        }
        for pk in order
    ]


def _older_names(rules: set[str]) -> dict[str, str]:
    """Names of rules that this document no longer has, from the latest version that had them."""
    found: dict[str, str] = {}
    for document in Ruleset.objects.order_by("-version").values_list("document", flat=True)[:50]:
        for rule in document.get("rules") or ():
            if str(rule.get("id")) in rules:
                found.setdefault(str(rule.get("id")), str(rule.get("name") or ""))
        if len(found) == len(rules):
            break
    return found
