"""The three questions, answered from counts: scoring or process, which stage leaks, is done agreed upon.

Pure: counts in, findings out; each finding is a sentence with its figures and what the practice recommends.
Sober: no finding from fewer than ENOUGH cases, each share with its interval, a change only where the test for
two proportions shows one. What cannot be said is said to be unknown, and when nothing is wrong it says so.
The stages are `metrics.leaking`, the reasons `metrics.rejecting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from metrics import words
from metrics.comparing import Compared, Moved, proportions
from metrics.figures import Rate
from metrics.intervals import wilson
from metrics.periods import Week

# Fewer cases than this are no ground for a finding.
ENOUGH = 20
HIGH, NEXT = "80+", "65-79"
# "If leads with scores over 80 are being rejected at 40 %, the model may be decayed."
DECAYED = 0.40
# Accepted, and so rarely an opportunity that routing or follow-up is to be looked at, whatever was before.
SELDOM = 0.10


@dataclass(frozen=True)
class List:
    """Which list is behind a figure: `name` of `metrics.lists`, or a rejection reason (`is_reason`). `ripe`
    is of the weeks that are old enough for opportunities, `weeks` are others than the page's. `extra` are
    filters."""

    name: str
    part: str = "hits"
    extra: tuple[tuple[str, str], ...] = ()
    is_reason: bool = False
    ripe: bool = False
    weeks: tuple[Week, Week] | None = None


@dataclass(frozen=True)
class Figure:
    """What is counted in words, how many of how many, and their list."""

    label: str
    rate: Rate
    list: List


@dataclass(frozen=True)
class Finding:
    """`severity`: "late" is sure, "soon" may be, "ok" is fine, "" cannot be said. `list` is where to
    begin; `verdict` says what the severity means where that is not the usual."""

    code: str
    sentence: str
    severity: str
    figures: tuple[Figure, ...] = ()
    fix: str = ""
    list: List | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Band:
    """A score band: accepted of decided, and with an opportunity of accepted (of weeks old enough)."""

    name: str
    accepted: Compared
    won: Compared


def beyond(share: Compared, limit: float) -> str:
    """How sure a share is at or above a limit: "late" when its whole interval is, "soon" when only it is
    itself, "" when it is not or of too few."""
    value = share.now.value
    if value is None or share.now.denominator < ENOUGH or value < limit:
        return ""
    return "late" if share.interval[0] >= limit else "soon"


def told(rate: Rate) -> str:
    """ "41 % (33 of 80)"."""
    return f"{words.share(rate.value)} ({rate.numerator:,} of {rate.denominator:,})"


def doubt(share: Compared, severity: str) -> str:
    """That the limit lies within the interval, as a sentence; "" where it does not."""
    return (
        f" It may be chance: the true share lies between {between(share.now)}." if severity == "soon" else ""
    )


def between(rate: Rate, link: str = "and") -> str:
    """The interval in words: "31 and 52 %"."""
    low, high = wilson(rate.numerator, rate.denominator)
    return f"{words.share(low).removesuffix(' %')} {link} {words.share(high)}"


def since(share: Compared) -> str:
    """What changed against the period before, as a sentence; "" where that cannot be said."""
    moved, before = share.moved, told(share.before)
    if moved == Moved.UNKNOWN:
        return ""
    if moved == Moved.SAME:
        return f" Much as in the period before: {before}."
    return f" That is {moved} from {before} in the period before."


# Is it the scoring model or the process?


def scoring(bands: Mapping[str, Band]) -> list[Finding]:
    """Acceptance and conversion by score band, read from the top."""
    high = bands.get(HIGH)
    if high is None or high.accepted.now.denominator < ENOUGH:
        decided = high.accepted.now.denominator if high else 0
        return [
            Finding(
                "scoring_too_few",
                f"Sales decided on {words.many(decided, 'lead')} with a score of 80 or more: too few to say "
                f"whether the model or the process is at fault ({ENOUGH} are needed).",
                "",
            )
        ]
    rejected = high.accepted.opposite
    in_band = (("band", HIGH),)
    figures = (
        Figure("80+ rejected", rejected.now, _rejected_in(HIGH)),
        Figure("80+ with an opportunity", high.won.now, List("converted", extra=in_band, ripe=True)),
    )
    if severity := beyond(rejected, DECAYED):
        return [
            Finding(
                "model_decayed",
                f"Sales rejects {told(rejected.now)} of the leads with a score of 80 or more: the scoring "
                "model "
                f"{'has' if severity == 'late' else 'may have'} decayed."
                f"{since(rejected)}{doubt(rejected, severity)}",
                severity,
                figures,
                "Recalibrate the model against the customers that you win today, and read the reasons of "
                "these "
                "rejections: they say which part of the profile no longer holds.",
                figures[0].list,
            )
        ]
    next_band = bands.get(NEXT)
    if next_band and proportions(high.accepted.now, next_band.accepted.now) == Moved.DOWN:
        return [
            Finding(
                "drifted",
                f"The score has drifted at the top: leads of 80 or more are accepted less often "
                f"({words.share(high.accepted.now.value)}) than leads of {NEXT} "
                f"({words.share(next_band.accepted.now.value)}). A sound score climbs from band to band.",
                "soon",
                (figures[0], Figure(f"{NEXT} rejected", next_band.accepted.opposite.now, _rejected_in(NEXT))),
                "Look at what gives the last points: read the reasons of the rejections in the top band "
                "first.",
                figures[0].list,
            )
        ]
    if high.won.now.denominator < ENOUGH:
        return [
            Finding(
                "conversion_too_few",
                f"High scores are accepted: {told(high.accepted.now)}. Whether they convert cannot be said "
                "yet: "
                f"of the weeks that are old enough there are "
                f"{words.many(high.won.now.denominator, 'accepted lead')}"
                f" of 80 or more ({ENOUGH} are needed).",
                "",
                figures[:1],
            )
        ]
    if why := _not_converting(high, bands):
        return [
            Finding(
                "not_converting",
                f"High scores are accepted and then come to nothing: {told(high.won.now)} of the accepted "
                "leads "
                f"of 80 or more became an opportunity, {why}. The model is not the problem; routing or "
                "follow-up is.",
                "late",
                figures,
                "Look at stage 3 and stage 5 below for these leads: whether they reach the rep who knows "
                "their "
                "segment, and whether the first contact is in time and personal.",
                List("converted", "misses", in_band, ripe=True),
            )
        ]
    return [
        Finding(
            "scoring_fine",
            f"High scores are accepted ({words.share(high.accepted.now.value)} of "
            f"{words.many(high.accepted.now.denominator, 'lead')} of 80 or more) and become opportunities "
            f"({words.share(high.won.now.value)} of {high.won.now.denominator:,}): neither the model nor "
            "the process "
            "stands out.",
            "ok",
            figures,
        )
    ]


def _rejected_in(band: str) -> List:
    return List("loop_rejected", extra=(("band", band),))


def _not_converting(high: Band, bands: Mapping[str, Band]) -> str:
    """Why the conversion of the highest band is too low, in words; "" when it is not."""
    lower = [band.won.now for name, band in bands.items() if name != HIGH]
    rest = Rate(sum(rate.numerator for rate in lower), sum(rate.denominator for rate in lower))
    if high.won.moved == Moved.DOWN:
        return f"down from {words.share(high.won.before.value)} in the period before"
    if rest.denominator >= ENOUGH and proportions(high.won.now, rest) == Moved.DOWN:
        return f"fewer than of lower scores ({words.share(rest.value)})"
    if high.won.interval[1] < SELDOM:
        return f"fewer than {words.share(SELDOM)}"
    return ""


# Do both teams agree on what done means?


@dataclass(frozen=True)
class Agreed:
    """The agreement in force: its version, since when in words, and who signed for each side ("": nobody)."""

    version: int
    since: str
    marketing: str
    sales: str
    waiting: int = 0


def agreement(agreed: Agreed | None, complete: Rate) -> Finding:
    """What is signed, beside what each side may call done: handed over, or every loop closed."""
    figures = (Figure("accepted and contacted, of what was assigned", complete, List("complete")),)
    gap = ""
    if complete.denominator:
        gap = (
            f" By a field that flips, {complete.denominator:,} were handed over; by the acts that were "
            "logged, "
            f"{complete.numerator:,} are complete ({words.share(complete.value)})."
        )
    if agreed is None or not (agreed.marketing and agreed.sales):
        return Finding(
            "nothing_signed",
            f"Nothing is signed yet: what done means stands nowhere that both teams put their name to.{gap}",
            "soon",
            figures if complete.denominator else (),
            "Ask marketing when a handoff is complete, and sales when they consider a lead handed over. "
            "Write down "
            "one definition, sign it, and look at it together in the next lead quality call.",
            verdict="Not signed",
        )
    waiting = ""
    if agreed.waiting:
        verb = "waits" if agreed.waiting == 1 else "wait"
        waiting = f" {words.many(agreed.waiting, 'proposal')} {verb} for the other side."
    return Finding(
        "signed",
        f"Version {agreed.version} is in force since {agreed.since}: signed by {agreed.marketing} for "
        "marketing and "
        f"{agreed.sales} for sales.{waiting}{gap}",
        "ok",
        figures if complete.denominator else (),
        verdict="Signed",
    )


def worst(findings: Iterable[Finding]) -> str:
    """The gravest severity among them."""
    found = {finding.severity for finding in findings}
    return next((severity for severity in ("late", "soon", "ok") if severity in found), "")
