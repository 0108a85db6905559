"""The form in which terms are proposed: what was typed, and the terms that it says.

Owns the names of the fields and the words for what is wrong with them. What was typed stays as it was typed.
Whether terms can be agreed on is `leads.agreement`; who may propose them is `leads.agreeing`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from django.http import QueryDict

from leads import agreement, typed
from leads.agreement import LONGEST_DONE, LONGEST_WHY, Promise, Reason, Terms
from leads.choices import LeadType
from metrics.agreed import TARGETS
from routing.sla import Target

BASES = (("business", "of working time"), ("elapsed", "of any time"))
NAMES = {
    "accept": "Answer within",
    "contact": "First contact within",
    "disposition": "Outcome recorded within",
}
WHOLE = "Whole minutes, such as 60."


@dataclass
class Input:
    """A target as it is typed: minutes and their base. One that is `optional` may be empty."""

    name: str
    label: str
    minutes: str = ""
    base: str = "business"
    is_optional: bool = False
    error: str = ""


@dataclass
class Part:
    """The targets of one lead type, and the minutes by which its figure is judged."""

    kind: str
    label: str
    inputs: list[Input]
    figure: Input


@dataclass
class ProposalForm:
    """The form as it stands. `errors` by field, those of targets beside their inputs."""

    base: int
    done: str
    threshold: str
    high_intent: list[str]
    parts: list[Part]
    why: str = ""
    side: str = ""
    wanted: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, base: int, terms: Terms, why: str = "") -> ProposalForm:
        """The form filled with terms."""
        parts = [
            Part(
                kind,
                str(LeadType(kind).label),
                [_input(kind, name, getattr(promise, name)) for name, _ in TARGETS],
                Input(f"{kind}-figure", "The figure counts a first contact within", str(promise.figure)),
            )
            for kind, promise in terms.targets.items()
        ]
        return cls(base, terms.done, str(terms.threshold), list(terms.high_intent), parts, why)

    @classmethod
    def sent(cls, data: QueryDict) -> ProposalForm:
        """The form as it was sent, bounded."""

        def text(name: str, most: int = 40) -> str:
            return typed.plain(data.get(name), most).strip()

        parts = [
            Part(
                str(kind),
                str(kind.label),
                [
                    Input(
                        f"{kind}-{name}",
                        NAMES[name],
                        text(f"{kind}-{name}"),
                        text(f"{kind}-{name}-base"),
                        name == "disposition",
                    )
                    for name, _ in TARGETS
                ],
                Input(f"{kind}-figure", "The figure counts a first contact within", text(f"{kind}-figure")),
            )
            for kind in LeadType
        ]
        return cls(
            base=_whole(text("base")) or 0,
            # One character more than may be: what is too long is told, not cut.
            done=text("done", 2 * LONGEST_DONE).replace("\r\n", "\n"),
            threshold=text("threshold"),
            high_intent=[value[:40] for value in data.getlist("high_intent")[:20]],
            parts=parts,
            why=text("why", 2 * LONGEST_WHY),
            side=text("side"),
            wanted=text("wanted"),
        )

    @property
    def kinds(self) -> list[tuple[str, str, bool]]:
        """What can make a demo lead: code, label, whether it is ticked."""
        return [(str(kind), str(kind.label), kind in self.high_intent) for kind in agreement.KINDS]

    @property
    def has_errors(self) -> bool:
        return bool(self.errors) or any(
            row.error for part in self.parts for row in [*part.inputs, part.figure]
        )

    def terms(self, reasons: tuple[Reason, ...]) -> Terms | None:
        """The terms that it says, with these reasons; None with the errors set when it says none."""
        threshold = _whole(self.threshold)
        if threshold is None:
            self.errors["threshold"] = "Whole points, such as 65."
        if unknown := [kind for kind in self.high_intent if kind not in [str(k) for k in agreement.KINDS]]:
            self.errors["high_intent"] = f"“{unknown[0]}” is no kind of trigger that can be chosen."
        if not self.done:
            self.errors["done"] = "Say what done means."
        targets = {part.kind: _promise(part) for part in self.parts}
        if self.has_errors or threshold is None:
            return None
        promised = {kind: promise for kind, promise in targets.items() if promise is not None}
        made = Terms(self.done, threshold, agreement.ordered(self.high_intent), promised, reasons)
        self.refuse(agreement.problems(made))
        return None if self.has_errors else made

    def refuse(self, errors: dict[str, str]) -> None:
        """Put what is wrong beside the field that it is about."""
        inputs = {row.name: row for part in self.parts for row in [*part.inputs, part.figure]}
        for name, words in errors.items():
            if name in inputs:
                inputs[name].error = words
            else:
                self.errors[name] = words

    def wanted_at(self, zone: str, now: datetime) -> datetime | None:
        """When the day begins on which it is wanted; None for today or no day. Sets the error otherwise."""
        if not self.wanted:
            return None
        try:
            day = date.fromisoformat(self.wanted)
        except ValueError:
            self.errors["wanted"] = "A day such as 2026-12-31."
            return None
        today = now.astimezone(ZoneInfo(zone)).date()
        if day < today:
            self.errors["wanted"] = "This day is past. Leave it empty for as soon as it is signed."
        if day <= today:
            return None
        if day.year > today.year + 2:
            self.errors["wanted"] = "At most two years ahead."
            return None
        return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


def _input(kind: str, name: str, value: Target | None) -> Input:
    minutes = "" if value is None else str(value.minutes)
    base = "business" if value is None or value.business else "elapsed"
    return Input(f"{kind}-{name}", NAMES[name], minutes, base, name == "disposition")


def _promise(part: Part) -> Promise | None:
    accept, contact, disposition = (_read(row) for row in part.inputs)
    figure = _whole(part.figure.minutes)
    if figure is None:
        part.figure.error = WHOLE
    if accept is None or contact is None or figure is None:
        return None
    return Promise(accept, contact, disposition, figure)


def _read(row: Input) -> Target | None:
    if row.is_optional and not row.minutes:
        return None
    minutes = _whole(row.minutes)
    if minutes is None:
        row.error = WHOLE
        return None
    if row.base not in dict(BASES):
        row.error = "Choose working time or any time."
        return None
    return Target(minutes, row.base == "business")


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
