"""A trial as it is read: rules ticked and crossed, candidates with what speaks against them, the result.

Owns the words. What was tried and what came of it is `leads.trying`. Pure: names come in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.explaining import BY
from leads.presenters import times
from leads.presenters.rules import of
from leads.presenters.signals import cut
from leads.presenters.why import SKIPPED
from leads.trying import Deadlines, Met, Trial
from routing.conditions.sentences import leaf_sentence, seen_words
from routing.facts import FIELDS, Facts

# The name of a rep, pool or queue by kind and id.
Name = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Tick:
    """One line with a tick or a cross: what was asked, and what was seen where that says more. Idle: it does
    not hold, and need not, for another alternative does."""

    holds: bool
    text: str
    seen: str = ""
    is_idle: bool = False

    @property
    def icon(self) -> str:
        return "check" if self.holds else "skip" if self.is_idle else "cross"


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was asked. A rule that did not match has one tick: the condition on which it failed."""

    number: int
    id: str
    name: str
    matched: bool
    ticks: list[Tick]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline, by which target and in whose hours."""

    what: str
    when: str
    exact: str
    how: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The whole trial in words. `unreached` names the rules that were never asked, "" for none."""

    result: str
    holder: str
    rules: list[Tried]
    unreached: str
    notes: list[str]
    candidates: list[Tick]
    deadlines: list[Due]


def shown(
    trial: Trial, document: Mapping[str, Any], name: Name, territories: Mapping[str, str], now: datetime
) -> Shown:
    """A trial of this document. `name(kind, id)` names people, pools and queues."""
    rules = of(document)
    numbers = {pk: number for number, pk in enumerate(rules, start=1)}
    tried = []
    for entry in (entry for entry in trial.entries if "rule" in entry):
        pk = str(entry["rule"])
        title = str(rules.get(pk, {}).get("name") or f"Rule {numbers.get(pk, '')}".strip())
        ticks, note = ([], "") if entry["matched"] else _failed(entry["failed"], territories)
        if entry["matched"]:
            ticks = _met(trial.met, territories)
            note = "" if ticks else "It takes every lead."
        tried.append(Tried(numbers.get(pk, 0), pk, title, bool(entry["matched"]), ticks, note))
    left = len(rules) - len(tried)
    return Shown(
        result=_result(trial, name, numbers),
        holder=_holder(trial, name),
        rules=tried,
        unreached=_unreached(len(tried), left) if tried and tried[-1].matched else "",
        notes=_notes(trial, name, territories),
        candidates=[_candidate(row, trial.open, name) for row in trial.seating.candidates]
        if trial.seating
        else [],
        deadlines=_deadlines(trial.deadlines, now) if trial.deadlines else [],
    )


def same(one: Trial, other: Trial, name: Name) -> str:
    """Whether another version gives the same, in a sentence; `other` is that version's trial."""
    if one.holder == other.holder and one.decision.rule_id == other.decision.rule_id:
        return "The live version gives the same."
    rule = f"“{other.decision.rule_name}”" if other.decision.rule_id else "no rule"
    if one.holder == other.holder:
        return f"In the live version the same gets it, but by {rule}."
    return f"In the live version {_holder(other, name) or 'nobody'} gets it, by {rule}."


def known(facts: Facts, name: Name) -> list[tuple[str, str]]:
    """The facts that are known, labelled, in the order of the vocabulary."""
    found = []
    for key, field in FIELDS.items():
        value = getattr(facts, key)
        if value is None or value == ():
            continue
        if key == "account_owner":
            text = name("rep", str(value))
        elif isinstance(value, tuple):
            text = ", ".join(value)
        else:
            text = str(value).replace("_", " ") if field.choices else str(value)
        found.append((field.title, cut(text, 120)))
    found += [
        (cut(key, 40), cut(str(value), 120)) for key, value in facts.custom.items() if value is not None
    ]
    return found


def _failed(failed: Mapping[str, Any], territories: Mapping[str, str]) -> tuple[list[Tick], str]:
    if failed.get("field") is None:
        return [], "Its conditions cannot be read."
    group = failed.get("group")
    if group == "none":
        return [
            Tick(
                False,
                f"leaves out that {leaf_sentence(failed, territories)}",
                seen_words(failed, territories),
            )
        ], ""
    note = "None of its alternatives holds; this is the first." if group == "any" else ""
    return [Tick(False, leaf_sentence(failed, territories), seen_words(failed, territories))], note


def _met(met: Sequence[Met], territories: Mapping[str, str]) -> list[Tick]:
    ticks = []
    for item in met:
        negated = item.group == "none"
        text, seen = leaf_sentence(item.leaf, territories, negated), seen_words(item.seen, territories)
        # A whole group that may fail is an alternative too: what decides is that the rule matched.
        is_idle = item.holds == negated
        if is_idle:
            seen += "; another alternative holds"
        ticks.append(Tick(not is_idle, text, seen if seen != text else "", is_idle))
    return ticks


def _unreached(asked: int, left: int) -> str:
    if not left:
        return ""
    if left == 1:
        return f"{asked + 1} not reached"
    return f"{asked + 1} {'and' if left == 2 else 'to'} {asked + left} not reached"


def _holder(trial: Trial, name: Name) -> str:
    kind, pk = trial.holder
    return name(kind, str(pk)) if pk is not None else ""


def _result(trial: Trial, name: Name, numbers: Mapping[str, int]) -> str:
    """The result without the holder's name, which stands before it."""
    rule = trial.decision.rule_id
    if rule is None or trial.seating is None:
        absent = [FIELDS[key].label if key in FIELDS else key for key in trial.decision.absent[:6]]
        unknown = f" Not known, and asked for: {', '.join(absent)}." if absent else ""
        return f"No rule matches. It would wait for data completion under “Routing rule”.{unknown}"
    which = f"rule {numbers.get(rule, '?')}, “{trial.decision.rule_name}”"
    if trial.seating.outcome == "nobody":
        return f"Nobody can take it: {which} matches, but there is nobody left and no overflow queue."
    how = {
        "rule": f"gets it through {which}.",
        "fallback": f"gets it as the fallback of {which}.",
        "account": f"gets it as the owner of the account, before {which}.",
        "manager": f"gets it as the manager of those who had it before; {which} matched.",
        "overflow": f"takes it, because nobody whom {which} names can.",
        "re_engaged": f"gets it as whoever had the lead before; {which} matched.",
        "returned": f"gets it back; {which} matched.",
    }
    return how.get(trial.seating.why, f"gets it through {which}.")


def _notes(trial: Trial, name: Name, territories: Mapping[str, str]) -> list[str]:
    notes = []
    for entry in trial.entries:
        if "account" in entry:
            notes.append(
                f"The account belongs to {name('rep', entry['account'])}, who comes before the rule’s target."
            )
        elif "skipped" in entry:
            where = {"rule": "its target", "fallback": "its fallback", "overflow": "the overflow"}[
                entry["why"]
            ]
            slug = entry.get("id") or ""
            none = (
                f"territory {territories.get(slug, slug)} has no owner" if slug else "it is in no territory"
            )
            what = {"account_owner": "the account has no owner", "territory_owner": none}.get(
                entry["skipped"], "it is not named"
            )
            notes.append(f"Passed over {where}: {what}.")
    if trial.decision.territory:
        slug = trial.decision.territory
        notes.append(f"The lead is in territory {territories.get(slug, slug)}.")
    return notes


def _candidate(row: Mapping[str, Any], held: Mapping[int, int], name: Name) -> Tick:
    if "user" in row:
        who = name("rep", str(row["user"]))
        if "pool" in row:
            who += f" of {name('pool', str(row['pool']))}"
    elif "pool" in row:
        who = name("pool", str(row["pool"]))
    else:
        who = name("queue", str(row.get("queue")))
    if "took" not in row:
        why = str(row.get("skipped"))
        return Tick(False, who, SKIPPED.get(why, why).removeprefix("is "))
    why = BY.get(str(row["took"]), str(row["took"]))
    if "user" in row:
        count = held.get(row["user"], 0)
        why = f"{why}; {count} open"
    return Tick(True, who, why)


def _deadlines(found: Deadlines, now: datetime) -> list[Due]:
    windows = (
        ("Answer", found.policy.accept, found.accept_at),
        ("Contact", found.policy.contact, found.contact_at),
    )
    hours = found.calendar or "the default calendar"
    return [
        Due(
            what,
            times.moment(at, now),
            times.exact(at, now),
            f"{times.minutes(target.minutes)} {f'of {hours}' if target.business else 'on the clock'}",
        )
        for what, target, at in windows
    ]
