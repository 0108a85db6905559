"""Rules as they are read: each as a sentence with its values marked, who gets what, and what needs a look.

Owns the words for targets and the line of a rule on a page, in a version and in a draft beside what is
live. The sentence of the conditions is `leads.presenters.reading`. Pure: names come in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leads.presenters.reading import Called, Piece, aloud, compared, value
from routing.differences import RuleChange
from routing.health import Finding

# The name of a rep, pool or queue, by kind and id as documents hold it.
Name = Callable[[str, str], str]
MARKS = {"added": "Added", "removed": "Removed", "changed": "Changed", "moved": "Moved"}


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule. `number` is "" for one that is not in the document; `marks` say how it differs from live."""

    id: str
    number: str
    name: str
    says: list[Piece]
    fired: int = 0
    share: int = 0
    findings: Sequence[Finding] = ()
    owner: str = ""
    reviewed: str = ""
    reviewed_exact: str = ""
    marks: list[str] = field(default_factory=list)
    was_called: str = ""
    policy: str = ""
    is_first: bool = False
    is_last: bool = False

    @property
    def is_gone(self) -> bool:
        return not self.number


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of rules beside their document, by rule id: leads in 90 days, findings, owner, and the
    day of the last review in words and exactly."""

    fired: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    reviewed: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def lines(document: Mapping[str, Any], name: Name, called: Called, beside: Beside) -> list[RuleLine]:
    """The rules of a document in order."""
    rules = of(document)
    most = max((beside.fired.get(pk, 0) for pk in rules), default=0)
    found = []
    for number, (pk, rule) in enumerate(rules.items(), start=1):
        says = said(rule, name, called)
        found.append(_line(pk, rule, str(number), says, beside, most, (number == 1, number == len(rules))))
    return found


def beside_live(
    live: Mapping[str, Any],
    draft: Mapping[str, Any],
    changes: Sequence[RuleChange],
    name: Name,
    called: Called,
    beside: Beside,
) -> list[RuleLine]:
    """The rules of the draft, each marked with how it differs from what is live; those that are removed
    stand where they stood."""
    before, after = of(live), of(draft)
    by_id = {change.id: change for change in changes}
    most = max((beside.fired.get(pk, 0) for pk in {**before, **after}), default=0)
    found: list[RuleLine] = []
    for number, (pk, rule) in enumerate(after.items(), start=1):
        change = by_id.get(pk)
        old = before.get(pk) if change is not None else None
        ends = (number == 1, number == len(after))
        says = said(rule, name, called, old)
        found.append(_line(pk, rule, str(number), says, beside, most, ends, change, old))
    places = {line.id: place for place, line in enumerate(found)}
    for place, (pk, rule) in enumerate(before.items()):
        if pk not in after:
            line = _line(
                pk, rule, "", said(rule, name, called), beside, most, (False, False), by_id.get(pk), rule
            )
            above = [places[other] for other in list(before)[:place] if other in places]
            at = max(above, default=-1) + 1
            found.insert(at, line)
            places = {line.id: spot for spot, line in enumerate(found)}
    return found


def of(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The rules of a document by id, in order."""
    return {str(rule.get("id")): rule for rule in document.get("rules") or () if isinstance(rule, Mapping)}


def _line(
    pk: str,
    rule: Mapping[str, Any],
    number: str,
    says: list[Piece],
    beside: Beside,
    most: int,
    ends: tuple[bool, bool],
    change: RuleChange | None = None,
    old: Mapping[str, Any] | None = None,
) -> RuleLine:
    fired = beside.fired.get(pk, 0)
    title = str(rule.get("name") or f"Rule {number}".strip())
    was = str(old.get("name") or "") if old is not None else ""
    marks = [MARKS[change.kind]] if change is not None else []
    if change is not None and change.moved and change.kind == "changed":
        marks.append(MARKS["moved"])
    if "Moved" in marks and change is not None and change.before:
        marks[marks.index("Moved")] = f"Moved, was {change.before}"
    reviewed, exact = beside.reviewed.get(pk, ("", ""))
    return RuleLine(
        id=pk,
        number=number,
        name=title,
        says=says,
        fired=fired,
        share=round(100 * fired / most) if most else 0,
        findings=beside.findings.get(pk, ()),
        owner=beside.owners.get(pk, ""),
        reviewed=reviewed,
        reviewed_exact=exact,
        marks=marks,
        was_called=was if was != title else "",
        policy=str(rule.get("policy") or ""),
        is_first=ends[0],
        is_last=ends[1],
    )


def said(
    rule: Mapping[str, Any], name: Name, called: Called, old: Mapping[str, Any] | None = None
) -> list[Piece]:
    """A rule as one sentence; beside an older form of it what was added and what was struck."""
    when, target, fallback = rule.get("when"), rule.get("target"), rule.get("fallback")
    if old is None:
        words = aloud(when, called)
        to, otherwise = place(target, name, called), place(fallback, name, called)
    else:
        words = compared(old.get("when"), when, called)
        to = _changed(old.get("target"), target, name, called)
        otherwise = _changed(old.get("fallback"), fallback, name, called)
    begin = [Piece("Give it to ")] if words == [Piece("every lead")] else [Piece("When "), *words]
    if len(begin) > 1:
        begin.append(Piece(", give it to "))
    end = [Piece(", else to "), *otherwise] if otherwise else []
    return [*begin, *(to or [value("nobody")]), *end, Piece(".")]


def place(target: Mapping[str, Any] | None, name: Name, called: Called, kind: str = "value") -> list[Piece]:
    """A target in words; [] for none."""
    if not target or not target.get("kind"):
        return []
    what, who = str(target.get("kind")), str(target.get("id") or "")
    if what == "account_owner":
        return [Piece("the "), value("owner of the account", kind)]
    if what == "territory_owner":
        of_which = called.territories.get(who, who) if who else "the lead’s territory"
        return [Piece("the "), value(f"owner of {of_which}", kind)]
    full = name(what, who)
    for lead in ("the pool ", "the queue "):
        if full.startswith(lead):
            return [Piece(lead), value(full.removeprefix(lead), kind)]
    return [value(full, kind)]


def _changed(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, name: Name, called: Called
) -> list[Piece]:
    if (old or None) == (new or None):
        return place(new, name, called)
    gone, came = place(old, name, called, "removed"), place(new, name, called, "added")
    if not gone or not came:
        return gone or came
    return [*gone, Piece(" "), *came]


def words(pieces: Sequence[Piece]) -> str:
    """A sentence without its marks."""
    return "".join(piece.text for piece in pieces)


def is_last_resort(rule: Mapping[str, Any]) -> bool:
    """A catch-all: that it never had to fire is good news."""
    return bool(rule.get("when") == {"all": []})
