"""Findings as a page has them: with their state in words, figures with intervals, and addresses of lists.

Values in, values out; which list is behind what the finding says, where it is `metrics.lists`.
"""

from __future__ import annotations

from dataclasses import dataclass

from metrics import address, diagnosis, lists, words
from metrics.diagnosis import Finding, List
from metrics.figures import Rate
from metrics.periods import WeekRange
from metrics.words import Status

STATES = {
    "late": Status("late", "Act on it"),
    "soon": Status("soon", "Maybe"),
    "ok": Status("ok", "Fine"),
    "": Status("", "Too few to say"),
}


@dataclass(frozen=True)
class Shown:
    """A figure with its interval and its list."""

    label: str
    value: str
    of: str
    between: str
    href: str


@dataclass(frozen=True)
class Said:
    """A finding as the page has it."""

    code: str
    state: Status
    sentence: str
    fix: str
    figures: tuple[Shown, ...]
    href: str


@dataclass(frozen=True)
class Sayer:
    """Words findings for a page: `settled` are its mature weeks, `ripe` those old enough for
    opportunities."""

    asked: address.Asked
    settled: WeekRange | None
    ripe: WeekRange | None

    def said(self, finding: Finding) -> Said:
        figures = tuple(
            Shown(
                figure.label,
                words.share(figure.rate.value),
                f"{figure.rate.numerator:,} of {figure.rate.denominator:,}",
                between(figure.rate),
                self.href(figure.list),
            )
            for figure in finding.figures
            if figure.rate.denominator
        )
        href = self.href(finding.list) if finding.list else ""
        state = STATES[finding.severity]
        if finding.verdict:
            state = Status(state.tone, finding.verdict)
        return Said(finding.code, state, finding.sentence, finding.fix, figures, href)

    def href(self, behind: List) -> str:
        """Where a list is; "" where there are no such weeks."""
        weeks = self.ripe if behind.ripe else self.settled
        if weeks is None:
            return ""
        if behind.weeks is not None:
            weeks = WeekRange(*behind.weeks, weeks.zone)
        extra = dict(behind.extra)
        if behind.is_reason:
            return lists.reason_address(self.asked, behind.name, weeks, extra)
        return lists.address(self.asked, behind.name, weeks, behind.part, extra)

    def list_of(self, name: str, *, ripe: bool = False) -> str:
        return self.href(List(name, ripe=ripe))


def between(rate: Rate) -> str:
    """The interval for a cell: "31 to 52 %"; "" of nothing."""
    return diagnosis.between(rate, "to") if rate.denominator else ""
