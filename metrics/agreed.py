"""The agreement in words: its terms, what a change of them changes, who signed, and what a back-test found.

Owns the sentences of the agreement's pages. Never decides who may sign (`leads.agreeing`) or what is counted
(`metrics.governance`), and never names a lead: the pages look names up for whoever reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.agreement import Promise, Reason, Terms, changed_reasons
from leads.choices import LeadType, NextStep, Side, TriggerKind
from leads.models import Agreement, Proposal, Signature
from leads.presenters import times
from metrics import words
from metrics.governance import Comparison, Rate, Tally
from routing.sla import Target

THRESHOLD = "Score threshold"
NO_WINDOW = "no window of its own"
NOTHING = "–"
TARGETS = (("accept", "answer"), ("contact", "first contact"), ("disposition", "outcome recorded"))


@dataclass(frozen=True, slots=True)
class Change:
    """A term that reads otherwise; "" before or after for what was not there."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature: for which side, by whom, when. `name` is "" for a side that has not signed."""

    side: str
    name: str = ""
    when: str = ""
    exact: str = ""


def kinds(codes: Sequence[str]) -> str:
    """Kinds of trigger in a row: "demo request or pricing inquiry"; "nothing" for none."""
    labels = [str(TriggerKind(code).label).lower() for code in codes]
    if len(labels) < 2:
        return labels[0] if labels else "nothing"
    return f"{', '.join(labels[:-1])} or {labels[-1]}"


def target(value: Target | None) -> str:
    if value is None:
        return NO_WINDOW
    return f"{times.minutes(value.minutes)} of {'working time' if value.business else 'any time'}"


def step(reason: Reason) -> str:
    """What follows a rejection: "Back to marketing, left alone for 90 days"."""
    label = str(NextStep(reason.next_step).label)
    return f"{label}, left alone for {reason.cool_off} days" if reason.cool_off else label


def promises(terms: Terms) -> list[tuple[str, list[tuple[str, str]]]]:
    """The targets by lead type: (name of the type, [(what, target in words)])."""
    return [
        (
            str(LeadType(kind).label),
            [
                *((label.capitalize(), target(getattr(promise, name))) for name, label in TARGETS),
                ("The figure counts a first contact within", _figure(promise)),
            ],
        )
        for kind, promise in terms.targets.items()
    ]


def _figure(promise: Promise) -> str:
    return f"{words.agreed(promise.within)} of the conversion"


def changes(before: Terms, after: Terms) -> list[Change]:
    """Field by field what reads otherwise; the text of what done means is told line by line elsewhere."""
    found = []
    if before.threshold != after.threshold:
        found.append(Change(THRESHOLD, str(before.threshold), str(after.threshold)))
    if before.high_intent != after.high_intent:
        found.append(Change("Makes a demo lead", kinds(before.high_intent), kinds(after.high_intent)))
    for kind, promise in after.targets.items():
        old, name = before.targets[kind], str(LeadType(kind).label)
        for field, label in TARGETS:
            was, now = target(getattr(old, field)), target(getattr(promise, field))
            if was != now:
                found.append(Change(f"{name}: {label}", was, now))
        if old.figure != promise.figure:
            found.append(Change(f"{name}: the figure counts within", _figure(old), _figure(promise)))
    return found + reasons(before.reasons, after.reasons)


def reasons(before: Sequence[Reason], after: Sequence[Reason]) -> list[Change]:
    """The rejection reasons that came, went or read otherwise."""
    return [
        Change("Rejection reason", _reason(old) if old else "", _reason(new) if new else "")
        for old, new in changed_reasons(before, after)
    ]


def _reason(reason: Reason) -> str:
    return f"{reason.label}: {step(reason)[:1].lower()}{step(reason)[1:]}"


def summary(before: Terms, after: Terms) -> str:
    """A change in a line: "Score threshold 65 → 70, what done means"; all but the threshold is only named."""
    found = []
    if before.threshold != after.threshold:
        found.append(f"score threshold {before.threshold} → {after.threshold}")
    for change in changes(before, after):
        label = change.label[:1].lower() + change.label[1:]
        if change.label != THRESHOLD and label not in found:
            found.append(label)
    if before.done != after.done:
        found.append("what done means")
    text = ", ".join(found) or "the terms as they are, to be signed"
    return text[:1].upper() + text[1:]


def differing(terms: Terms, live: Mapping[str, Promise]) -> list[Change]:
    """Where the default policies in force, by which the clocks run, are not what was agreed on."""
    return [
        Change(f"{LeadType(kind).label}: {label}", target(getattr(promise, name)), target(getattr(now, name)))
        for kind, promise in terms.targets.items()
        if (now := live.get(kind)) is not None
        for name, label in TARGETS[:2]
        if getattr(promise, name) != getattr(now, name)
    ]


def signatures(rows: Sequence[Signature], now: datetime) -> list[Signed]:
    """Both sides, marketing first, the one that has not signed without a name (people are loaded)."""
    by_side = {row.side: row for row in rows}
    found = []
    for side in Side:
        row = by_side.get(side)
        if row is None:
            found.append(Signed(str(side.label)))
        else:
            found.append(
                Signed(str(side.label), str(row.person), times.day(row.at, now), times.exact(row.at, now))
            )
    return found


def state(proposal: Proposal, is_stale: bool, now: datetime) -> str:
    """Where a proposal stands (who settled it and its version are loaded)."""
    if proposal.state == "open":
        if is_stale:
            return "Overtaken: another version was agreed on since"
        return f"Waits for {Side(proposal.side).other.label.lower()}"
    at = times.day(proposal.settled_at, now) if proposal.settled_at else ""
    return f"{proposal.get_state_display()} by {proposal.settled_by}, {at}"


def begins(row: Agreement, now: datetime) -> str:
    """Since when a version holds, or from when: "in force since 3 Oct 2026", "from Mon 7 Dec"."""
    if row.in_force_from > now:
        return f"from {times.moment(row.in_force_from, now)}"
    if row.version == 1:
        return "in force from the beginning"
    return f"in force since {times.day(row.in_force_from, now)}"


@dataclass(frozen=True, slots=True)
class Share:
    """A rate in words with what it is of, and between what the true one lies."""

    text: str
    of: str
    between: str


UNKNOWN = Share("not known", "", "")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the back-test's table."""

    label: str
    mqls: str
    acceptance: Share
    conversion: Share


@dataclass(frozen=True, slots=True)
class Found:
    """A back-test in words. `says` are the sentences that matter, `rows` the figures behind them."""

    rows: tuple[Row, ...]
    says: tuple[str, ...]
    old: str
    new: str


def found(kept: Mapping[str, Any]) -> Found:
    """What `metrics.past_scores.back_test` gave, in words."""
    result = Comparison.of(dict(kept))
    (old, old_kinds), (new, new_kinds) = (
        (definition["threshold"], definition["high_intent"]) for definition in kept["definitions"]
    )
    rows = [_row("All, as it is", result.old.total), _row("All, as proposed", result.new.total)]
    if old_kinds != new_kinds:
        for label in ("demo", "standard"):
            rows.append(_row(f"{label.capitalize()}, as it is", getattr(result.old, label)))
            rows.append(_row(f"{label.capitalize()}, as proposed", getattr(result.new, label)))
    for label, tally in (
        ("No longer handed over", result.lost),
        ("Handed over while the threshold was lower", result.gained),
        ("Of another type", result.retyped),
    ):
        if tally.mqls:
            rows.append(_row(label, tally))
    for label, count in (("Handed over later", kept["later"]), ("Handed over besides", kept["newcomers"])):
        if count:
            rows.append(Row(label, count, UNKNOWN, UNKNOWN))
    return Found(tuple(rows), tuple(_says(result, kept, old, new)), str(old), str(new))


def _says(result: Comparison, kept: Mapping[str, Any], old: int, new: int) -> list[str]:
    says = []
    lost, later, came = result.lost, kept["later"], kept["newcomers"]
    if new > old:
        before = result.old.total.mqls
        says.append(
            f"{_leads(lost.mqls, 'handoff')} of {before:,} would not have been made: "
            f"the score was below {new}."
        )
        if lost.accepted or lost.rejected:
            missed = ", which would have been missed or come later" if lost.converted else ""
            says.append(
                f"Of these sales accepted {lost.accepted} and rejected {lost.rejected}; "
                f"{lost.converted} became an opportunity{missed}."
            )
        if later:
            says.append(
                f"{_leads(later)} would have been handed over later, at a higher score; nobody knows how "
                "they would have fared then."
            )
    elif new < old:
        says.append(
            f"{_leads(came)} more would have been handed over; nobody knows how they would have fared."
            if came
            else "No further lead would have been handed over."
        )
    if result.retyped.mqls:
        says.append(f"{_leads(result.retyped.mqls, 'handoff')} would have been of another type.")
    return says


def _leads(count: int, what: str = "lead") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _row(label: str, tally: Tally) -> Row:
    return Row(label, f"{tally.mqls:,}", _share(tally.acceptance), _share(tally.conversion))


def _share(rate: Rate) -> Share:
    of = f"{rate.numerator:,} of {rate.denominator:,}"
    if rate.value is None:
        return Share(NOTHING, of, "")
    low, high = rate.between
    between = f"{round(100 * low)} to {round(100 * high)} %"
    return Share(f"{round(100 * rate.value)} %", of, between)
