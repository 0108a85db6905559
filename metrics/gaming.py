"""Whether marketing's volume is inflated: the share of conversions that needed weak signals, and how those
fare.

Pure: weeks of counts in, findings out. Which conversions needed weak signals is `metrics.weak`. A jump is
told only where a test shows one: of the last RECENT mature weeks against the EARLIER ones before, or since
a definition came into force. Volume is held against the same weeks: a quota that is met by counting opens
shows in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile, pairwise

from metrics import words
from metrics.comparing import Compared, Moved, proportions, volumes
from metrics.diagnosis import ENOUGH, Figure, Finding, List, told
from metrics.figures import Rate
from metrics.periods import Week
from metrics.tallying import Tally

RECENT, EARLIER = 4, 12
WEEKS = RECENT + EARLIER
# Weeks on each side of a new definition, at least and at most.
FEWEST, MOST = 2, EARLIER
# MQLs come in batches and vary more than the test allows for: a jump is also this much more a week.
JUMP = 1.2


@dataclass(frozen=True)
class Counted:
    """A week: its MQLs, and its conversions by score with and without the need for weak signals."""

    week: Week
    mqls: int
    weak: int
    rest: int

    @property
    def share(self) -> Rate:
        return Rate(self.weak, self.weak + self.rest)


@dataclass(frozen=True)
class Definition:
    """A version of the MQL definition: its threshold, in force from a moment on."""

    version: int
    threshold: int
    starts_at: datetime


@dataclass(frozen=True)
class Period:
    """Some weeks together."""

    weeks: int
    mqls: int
    share: Rate
    list: List

    @classmethod
    def of(cls, weeks: Sequence[Counted]) -> Period:
        weak = sum(each.weak for each in weeks)
        judged = sum(each.share.denominator for each in weeks)
        ends = (weeks[0].week, weeks[-1].week) if weeks else None
        return cls(
            len(weeks), sum(each.mqls for each in weeks), Rate(weak, judged), List("weak_all", weeks=ends)
        )


def findings(
    weeks: Sequence[Counted], definitions: Sequence[Definition], week_of: Callable[[datetime], Week]
) -> list[Finding]:
    """`weeks` are mature, in order, the last WEEKS of them at most; `definitions` in order of their
    beginning."""
    weeks = list(dropwhile(lambda each: not each.mqls, weeks))
    recent, earlier = Period.of(weeks[-RECENT:]), Period.of(weeks[:-RECENT])
    whole = Period.of(weeks)
    if whole.share.denominator < ENOUGH or not earlier.weeks:
        return [
            Finding(
                "gaming_too_few",
                f"{words.many(whole.share.denominator, 'conversion')} by score in "
                f"{words.many(whole.weeks, 'mature week')}: too few to say whether scores are inflated "
                f"({ENOUGH} in "
                f"more than {RECENT} weeks are needed).",
                "",
            )
        ]
    found = [*_jump(recent, earlier), *_volume(recent, earlier)]
    for before, definition in pairwise(definitions):
        found += _since(weeks, before, definition, week_of(definition.starts_at))
    if found:
        return found
    return [
        Finding(
            "gaming_fine",
            f"No jump: {told(recent.share)} of the conversions by score of the last "
            f"{words.many(recent.weeks, 'mature week')} needed weak signals, "
            f"{words.share(earlier.share.value)} of those before; {_a_week(recent)} a week, "
            f"{_a_week(earlier)} before.",
            "ok",
        )
    ]


def _jump(recent: Period, earlier: Period) -> list[Finding]:
    if proportions(recent.share, earlier.share) != Moved.UP:
        return []
    return [
        Finding(
            "inflated",
            f"{told(recent.share)} of the conversions by score of the last "
            f"{words.many(recent.weeks, 'week')} needed weak "
            f"signals to cross the threshold, up from {words.share(earlier.share.value)} in the "
            f"{words.many(earlier.weeks, 'week')} before.",
            "late",
            (Figure("needed weak signals", recent.share, recent.list),),
            "Take e-mail opens and single page views out of the score, and keep the number of MQLs apart "
            "from "
            "who sets the threshold: a quota for MQLs invites this.",
            recent.list,
        )
    ]


def _volume(recent: Period, earlier: Period) -> list[Finding]:
    moved = volumes(recent.mqls, recent.weeks, earlier.mqls, earlier.weeks)
    if moved != Moved.UP or recent.mqls / recent.weeks < JUMP * earlier.mqls / earlier.weeks:
        return []
    return [
        Finding(
            "more_mqls",
            f"{_a_week(recent)} a week in the last {words.many(recent.weeks, 'week')}, up from "
            f"{_a_week(earlier)} in the "
            f"{words.many(earlier.weeks, 'week')} before.",
            "soon",
            (),
            "Look at whether they are accepted as before. More MQLs with fewer accepted is a threshold "
            "that gave way.",
        )
    ]


def _since(weeks: Sequence[Counted], before: Definition, now: Definition, changed: Week) -> list[Finding]:
    """What moved with a new definition. The week of the change belongs to neither side."""
    earlier = [each for each in weeks if each.week < changed][-MOST:]
    later = [each for each in weeks if each.week > changed]
    if len(earlier) < FEWEST or len(later) < FEWEST:
        return []
    old, new = Period.of(earlier), Period.of(later)
    said = []
    if proportions(new.share, old.share) == Moved.UP:
        said.append(
            f"{words.share(new.share.value)} of the conversions by score need weak signals, up from "
            f"{words.share(old.share.value)}"
        )
    is_more = new.mqls / new.weeks >= JUMP * old.mqls / old.weeks
    if volumes(new.mqls, new.weeks, old.mqls, old.weeks) == Moved.UP and is_more:
        said.append(f"there are {_a_week(new)} a week, up from {_a_week(old)}")
    if not said:
        return []
    return [
        Finding(
            f"since_version_{now.version}",
            f"Since version {now.version} of the definition (threshold {now.threshold}, before "
            f"{before.threshold}) came "
            f"into force in {words.short(changed)}, {' and '.join(said)}.",
            "late" if now.threshold <= before.threshold else "soon",
            (Figure("needed weak signals since", new.share, new.list),),
            "Hold the back-test of that proposal against what came of it, and propose the threshold anew.",
        )
    ]


def _a_week(period: Period) -> str:
    return words.many(round(period.mqls / period.weeks) if period.weeks else 0, "MQL")


@dataclass(frozen=True)
class Fare:
    """How conversions by score with (`weak`) and without the need for weak signals fared."""

    accepted: Compared
    won: Compared


def fare(tallies: Mapping[str, Tally], ripe: Mapping[str, Tally]) -> Fare:
    """Weak against the rest: accepted of decided, and of weeks old enough with an opportunity of accepted."""
    return Fare(
        Compared(tallies["weak"]["decided"], tallies["rest"]["decided"]),
        Compared(ripe["weak"]["accepted"], ripe["rest"]["accepted"]),
    )


def faring(found: Fare) -> list[Finding]:
    """What they are worth, against the rest."""
    said = []
    for share, what, name in (
        (found.accepted, "accepted", "weak_decided"),
        (found.won, "an opportunity once accepted", "weak_accepted"),
    ):
        if share.now.denominator < ENOUGH or share.before.denominator < ENOUGH:
            continue
        weak, rest = words.share(share.now.value), words.share(share.before.value)
        if share.moved == Moved.DOWN:
            said.append(
                Finding(
                    f"{name}_worse",
                    f"What needed weak signals is less often {what}: {told(share.now)}, the rest {rest}.",
                    "late",
                    (Figure(what, share.now, List(name)),),
                    "These points buy volume, not pipeline: lower them, or raise the threshold by a "
                    "proposal.",
                    List(name),
                )
            )
        else:
            said.append(
                Finding(
                    f"{name}_alike",
                    f"What needed weak signals is {what} no less often than the rest ({weak} and {rest}).",
                    "ok",
                )
            )
    if said:
        return said
    return [
        Finding(
            "faring_too_few",
            f"Too few conversions needed weak signals to say how they fare ({ENOUGH} decided are needed).",
            "",
        )
    ]
