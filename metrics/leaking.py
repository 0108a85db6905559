"""Which of the five stages leaks: what is looked for at each, from which share on, and what is recommended.

Pure: shares in, findings out. The limits are ours but for black holes, whose limit both sides agreed, and
late contacts, of which half are a median over target; each is said beside its figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metrics import words
from metrics.comparing import Compared
from metrics.diagnosis import ENOUGH, Figure, Finding, List, beyond, doubt, since, told
from metrics.figures import Rate


@dataclass(frozen=True)
class Stage:
    """A stage: how many came to it, how many of them got no further, and the median minutes it took."""

    number: int
    name: str
    party: str
    came: int
    lost: int
    minutes: float | None
    list: List

    @property
    def rate(self) -> Rate:
        return Rate(self.lost, self.came)


@dataclass(frozen=True)
class Symptom:
    """What is looked for at a stage, from which share on it is a leak, and what is recommended. `{}` in the
    words is the share with its interval."""

    code: str
    stage: int
    limit: float
    words: str
    fix: str


SYMPTOMS = (
    Symptom(
        "incomplete",
        2,
        0.25,
        "Stage 2 leaks: {} of the MQLs came without the data that was agreed and were held.",
        "Use the pre-flight checklist where the lead is made: require or enrich what is missing most often "
        "before it is handed over. Completeness is marketing’s before sales’ clock starts.",
    ),
    Symptom(
        "never_ready",
        2,
        0.10,
        "Stage 2 loses leads: {} of the MQLs never became complete.",
        "Work the completion queue daily, and stop sending what cannot be completed.",
    ),
    Symptom(
        "misrouted",
        3,
        0.10,
        "Stage 3 leaks: {} of the assigned leads went to a rep whose they were not.",
        "Review the routing rules against today’s territories and people; each rule once a quarter.",
    ),
    Symptom(
        "never_assigned",
        3,
        0.05,
        "Stage 3 loses leads: {} of the complete leads never came to anybody in sales.",
        "Give each queue an owner who looks at it, and each segment a rule that is meant for it.",
    ),
    Symptom(
        "black_holes",
        4,
        words.BLACK_HOLE_LIMIT,
        "Stage 4 leaks: {} of the assigned leads saw no activity within 24 hours: black holes.",
        "Require an explicit answer in a time-boxed window, with an escalation when none comes within 2 "
        "hours; "
        "ask why the ladder did not reach anybody.",
    ),
    Symptom(
        "answered_late",
        4,
        0.25,
        "Stage 4 is slow: {} of the answers came after their deadline, or are past it.",
        "Enforce the acceptance window: warn before it ends, then give the lead to the next rep.",
    ),
    Symptom(
        "never_answered",
        4,
        0.10,
        "Stage 4 loses leads: {} of the assigned leads were neither accepted nor rejected nor deferred.",
        "Silent ignoring is no category: have what is open longer than four hours without activity looked "
        "at.",
    ),
    Symptom(
        "contacted_late",
        5,
        0.50,
        "Stage 5 is slow: {} of the first contacts came later than was agreed for the type.",
        "“Where the time went” shows in whose hands it passes: most of it may lie in an earlier stage.",
    ),
    Symptom(
        "generic",
        5,
        0.30,
        "Stage 5 is logged but generic: {} of the first contacts referred to none of the lead’s signals.",
        "Train it: three minutes of research, and a first message that names what the lead did. The opening "
        "lines on the lead’s page are made for that.",
    ),
    Symptom(
        "never_contacted",
        5,
        0.10,
        "Stage 5 loses leads: {} of the accepted leads were never contacted.",
        "Accepting is not working a lead: have each accepted lead contacted by its deadline or given back.",
    ),
)


def leaks(shares: Mapping[str, Compared]) -> list[Finding]:
    """What leaks, by stage; one finding says so when nothing does or nothing can be said."""
    found = []
    for symptom in SYMPTOMS:
        share = shares[symptom.code]
        severity = beyond(share, symptom.limit)
        if not severity:
            continue
        behind = List(symptom.code)
        sentence = symptom.words.format(told(share.now)) + since(share) + doubt(share, severity)
        figure = Figure(f"from {words.share(symptom.limit)} on it is a leak", share.now, behind)
        found.append(Finding(symptom.code, sentence, severity, (figure,), symptom.fix, behind))
    if found:
        return found
    known = [code for code, share in shares.items() if share.now.denominator >= ENOUGH]
    if not known:
        most = max((share.now.denominator for share in shares.values()), default=0)
        return [
            Finding(
                "stages_too_few",
                f"At most {words.many(most, 'lead')} came to a stage in these weeks: too few to say which "
                "of them "
                f"leaks ({ENOUGH} are needed).",
                "",
            )
        ]
    return [Finding("stages_fine", "No stage leaks: each share is below what would be called a leak.", "ok")]


def most_lost(stages: Sequence[Stage]) -> str:
    """The funnel in a sentence; "" without leads."""
    if not stages or not stages[0].came:
        return ""
    done = stages[-1].came - stages[-1].lost
    whole = f"Of {words.many(stages[0].came, 'MQL')}, {done:,} came to a first contact."
    worst = max(stages, key=lambda stage: (stage.lost, -stage.number))
    if not worst.lost:
        return whole
    share = words.share(worst.rate.value)
    return (
        f"{whole} Most were lost at stage {worst.number}, {worst.name.lower()}: "
        f"{worst.lost:,} of {worst.came:,} ({share})."
    )
