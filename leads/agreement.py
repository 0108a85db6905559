"""The terms of the agreement as values: what done means, what makes an MQL, the targets, the reasons.

Owns the JSON in which they are kept, what terms may be, and how two of them differ. The reasons are those
that the administration had when the terms were proposed: they are edited there, with a history of their own,
and both sides sign the list as they saw it. Never writes; who agrees to what is `leads.agreeing`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from leads.choices import LeadType, TriggerKind
from leads.models import Agreement, Proposal, RejectionReason
from routing.models import SlaPolicy
from routing.sla import MOST_MINUTES, Target

LONGEST_DONE, LONGEST_WHY = 4000, 2000
MOST_POINTS = 100_000
# A score that crosses is no kind of high intent, whoever says so.
KINDS = tuple(kind for kind in TriggerKind if kind != TriggerKind.SCORE_THRESHOLD)
SHIPPED_DONE = """A handoff is complete when a rep has acknowledged the lead, an outreach attempt has been \
logged, and the outcome has been recorded.
A lead that was passed on but never acknowledged is not a completed handoff.
A lead that was accepted but never contacted is not a completed handoff.
A lead that was rejected with a reason is closed, not complete.
Both sides have to close their loop."""
# What the figures of first contact are judged by, in minutes from the conversion.
SHIPPED_FIGURE = {LeadType.DEMO: 5, LeadType.STANDARD: 60}


@dataclass(frozen=True)
class Promise:
    """What sales promises for one lead type. `accept`, `contact`: as the SLA policies count them;
    `disposition`: by when the outcome is recorded, None for no window of its own; `figure`: the minutes,
    elapsed from the conversion, by which the figure of first contact is judged."""

    accept: Target
    contact: Target
    disposition: Target | None
    figure: int

    @property
    def within(self) -> timedelta:
        return timedelta(minutes=self.figure)


class Reason(NamedTuple):
    """A rejection reason as both sides saw it; `next_step` is a code, `cool_off` are days."""

    code: str
    label: str
    next_step: str
    cool_off: int


@dataclass(frozen=True)
class Terms:
    """What an agreement says. `targets` is by lead type, `high_intent` in the order of `KINDS`."""

    done: str
    threshold: int
    high_intent: tuple[str, ...]
    targets: Mapping[str, Promise]
    reasons: tuple[Reason, ...]

    @classmethod
    def of(cls, row: Agreement | Proposal) -> Terms:
        """The terms of a version (with its definition loaded) or of a proposal."""
        source = row.definition if isinstance(row, Agreement) else row
        return cls(
            done=row.done,
            threshold=source.threshold,
            high_intent=ordered(source.high_intent),
            targets=targets_of(row.targets),
            reasons=tuple(Reason(**reason) for reason in row.reasons),
        )

    def columns(self) -> dict[str, Any]:
        """As a proposal keeps them."""
        return {
            "done": self.done,
            "threshold": self.threshold,
            "high_intent": list(self.high_intent),
            "targets": targets_json(self.targets),
            "reasons": [reason._asdict() for reason in self.reasons],
        }


class Line(NamedTuple):
    """A line of a text as it became: `kind` is "same", "added" or "removed"."""

    kind: str
    text: str


def ordered(kinds: Iterable[str]) -> tuple[str, ...]:
    """Kinds in the fixed order, each once."""
    given = set(kinds)
    return tuple(str(kind) for kind in KINDS if kind in given)


def targets_json(targets: Mapping[str, Promise]) -> dict[str, Any]:
    return {
        str(kind): {
            "accept": _target_json(promise.accept),
            "contact": _target_json(promise.contact),
            "disposition": _target_json(promise.disposition),
            "figure_minutes": promise.figure,
        }
        for kind, promise in targets.items()
    }


def targets_of(kept: Mapping[str, Any]) -> dict[str, Promise]:
    """The promises by lead type, demo first."""
    return {
        str(kind): Promise(
            accept=_target(kept[kind]["accept"]),
            contact=_target(kept[kind]["contact"]),
            disposition=_target(kept[kind]["disposition"]) if kept[kind]["disposition"] else None,
            figure=kept[kind]["figure_minutes"],
        )
        for kind in LeadType
    }


def _target_json(target: Target | None) -> dict[str, Any] | None:
    return None if target is None else {"minutes": target.minutes, "business": target.business}


def _target(kept: Mapping[str, Any]) -> Target:
    return Target(kept["minutes"], kept["business"])


def live_targets() -> dict[str, Promise]:
    """What the default policies in force promise, judged by the shipped figures; one query. A lead type
    without a default policy is left out."""
    rows = SlaPolicy.objects.filter(is_live=True, is_default=True)
    return {
        row.lead_type: Promise(
            accept=Target(row.accept_minutes, row.accept_business),
            contact=Target(row.contact_minutes, row.contact_business),
            disposition=None,
            figure=SHIPPED_FIGURE[LeadType(row.lead_type)],
        )
        for row in rows
    }


def live_reasons() -> tuple[Reason, ...]:
    """The reasons that are in force in the administration now; one query."""
    rows = RejectionReason.objects.filter(is_active=True)
    return tuple(Reason(row.code, row.label, row.next_step, row.cool_off_days) for row in rows)


def problems(terms: Terms) -> dict[str, str]:
    """What is wrong with terms, by field ("threshold", "demo-accept"); empty for nothing."""
    found = {}
    if not 0 <= terms.threshold <= MOST_POINTS:
        found["threshold"] = f"Whole points, from 0 to {MOST_POINTS:,}."
    for kind, promise in terms.targets.items():
        for name in ("accept", "contact", "disposition"):
            target: Target | None = getattr(promise, name)
            if target is not None and not 1 <= target.minutes <= MOST_MINUTES:
                found[f"{kind}-{name}"] = f"Whole minutes, from 1 to {MOST_MINUTES:,} (366 days)."
        if not 1 <= promise.figure <= MOST_MINUTES:
            found[f"{kind}-figure"] = f"Whole minutes, from 1 to {MOST_MINUTES:,} (366 days)."
    return found


def changes_definition(before: Terms, after: Terms) -> bool:
    """Whether what makes an MQL changes: then the past can be asked what would have been."""
    return (before.threshold, before.high_intent) != (after.threshold, after.high_intent)


def lines(before: str, after: str) -> list[Line]:
    """A text as it became, line by line. Changed lines stand as removed, then added."""
    old, new = before.splitlines(), after.splitlines()
    found: list[Line] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Line("same", text) for text in old[i:j]]
            continue
        found += [Line("removed", text) for text in old[i:j]]
        found += [Line("added", text) for text in new[k:m]]
    return found


def changed_reasons(
    before: Sequence[Reason], after: Sequence[Reason]
) -> list[tuple[Reason | None, Reason | None]]:
    """Reasons that came, went or read otherwise, as (before, after), in the order of the later list; what
    went stands last."""
    old, new = {reason.code: reason for reason in before}, {reason.code: reason for reason in after}
    changed = [(old.get(code), reason) for code, reason in new.items() if old.get(code) != reason]
    return [*changed, *((reason, None) for code, reason in old.items() if code not in new)]
