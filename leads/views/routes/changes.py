"""Two documents beside each other on a page: each difference as a line with its parts.

Owns the lines that the pages for publishing, discarding and versions show. What differs is
`routing.differences`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leads.drafts import Names
from leads.presenters import reading
from leads.presenters import rules as rule_reading
from leads.presenters.reading import Piece
from routing.differences import Diff, Part, diff

KINDS = {"added": "Added", "removed": "Removed", "changed": "Changed", "moved": "Moved"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what and how, with the sentence in which it shows, or parts that read otherwise."""

    what: str
    name: str
    kind: str
    says: list[Piece]
    parts: tuple[Part, ...] = ()
    note: str = ""


def between(before: Mapping[str, Any], after: Mapping[str, Any], names: Names) -> list[Change]:
    """All that differs, rules first."""
    found = diff(before, after, names)
    old, new = rule_reading.of(before), rule_reading.of(after)
    called, called_before = names.called(after), names.called(before)
    lines = []
    for change in found.rules:
        note = f"from place {change.before} to {change.after}" if change.moved else ""
        if change.kind == "removed":
            says = rule_reading.said(old[change.id], names, called_before)
        else:
            says = rule_reading.said(new[change.id], names, called, old.get(change.id))
        rest = tuple(part for part in change.parts if part.name in ("name", "policy"))
        shown = rest if change.kind == "changed" else ()
        lines.append(Change("Rule", change.name, KINDS[change.kind], says, shown, note))
    return lines + _territories(before, after, names, found) + _rest(found, names)


def _territories(
    before: Mapping[str, Any], after: Mapping[str, Any], names: Names, found: Diff
) -> list[Change]:
    old, new = before.get("territories") or {}, after.get("territories") or {}
    lines = []
    for change in found.territories:
        was, now = old.get(change.slug), new.get(change.slug)
        if was and now:
            says = reading.compared(was.get("when"), now.get("when"), names.called(after))
        else:
            says = reading.aloud((now or was or {}).get("when"), names.called(after if now else before))
        parts = tuple(part for part in change.parts if part.name != "when" and was and now)
        lines.append(Change("Territory", change.name, KINDS[change.kind], [Piece("When "), *says], parts))
    return lines


def _rest(found: Diff, names: Names) -> list[Change]:
    called = {row.slug: row.name for row in names.lists}
    lines = []
    for change in found.lists:
        says = [
            *_values(change.some_added, change.added, "added"),
            *_values(change.some_removed, change.removed, "removed"),
        ]
        name = called.get(change.slug, change.slug)
        lines.append(Change("List", name, KINDS[change.kind], says or [Piece("Without values.")]))
    for part in found.settings:
        says = [Piece(part.before, "removed"), Piece(" "), Piece(part.after, "added")]
        lines.append(Change("Setting", part.label.capitalize(), "Changed", says))
    return lines


def _values(some: tuple[str, ...], count: int, kind: str) -> list[Piece]:
    pieces: list[Piece] = []
    for value in some[:6]:
        pieces += [reading.value(value, kind), Piece(" ")]
    if count > len(some[:6]):
        sign = "more" if kind == "added" else "more gone"
        pieces.append(Piece(f"and {count - len(some[:6]):,} {sign} "))
    return pieces
