"""What rejections say, as findings: a reason that stands out, how it moved, and the source it comes from.

Pure. A reason stands out from thirty of a hundred rejections on; a source is named with it when half of them
come from there. A source stands out above its alarm. Reasons count acts, rates handoffs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metrics import words
from metrics.comparing import Compared
from metrics.diagnosis import ENOUGH, Figure, Finding, List, beyond, doubt, since, told
from metrics.figures import Rate

# "When marketing sees that 30 % of rejections cite wrong title, that is signal."
THIRTY = 0.30
MOSTLY = 0.50
MOST_SOURCES = 3
NO_SOURCE: tuple[tuple[str, str], ...] = ()
_FIXES = {
    "bad_data": "Tighten the pre-flight checklist, and complete these records before they are handed over.",
    "wrong_person": "Look at which role the campaign addresses, and at whom its forms attract.",
    "wrong_title": "Recalibrate the profile or the scoring model: it gives points to titles that do not buy.",
    "competitor": "Put competitors’ domains on the list that keeps them from being handed over.",
    "out_of_territory": "Review the routing rules behind these leads against today’s territories.",
    "timing": "Ask for the time frame before the handoff, and recycle with a date instead of handing over "
    "early.",
    "not_icp": "Recalibrate the profile of the ideal customer, or what of it the score counts.",
    "duplicate": "Look through the possible duplicates before the handoff, and at the import that makes "
    "them.",
    "existing_customer": "Mark customers before the handoff, so that their account owner gets them.",
    "student_or_jobseeker": "Take careers pages and student addresses out of the score.",
    "other": "Read the notes: what comes up often deserves a reason of its own.",
}
_FIX = "Read these rejections together in the next lead quality call, and agree on what follows."


def reasons(
    acts: Mapping[str, Compared],
    labels: Mapping[str, str],
    by_source: Mapping[str, Sequence[tuple[str, int]]],
    rejected: Mapping[str, Rate],
) -> list[Finding]:
    """`acts` by reason code, of all acts; `by_source` its sources with counts, the most first; `rejected` of
    decided by source."""
    found = _sources(rejected, labels, by_source)
    total = max((share.now.denominator for share in acts.values()), default=0)
    for code, share in sorted(acts.items(), key=lambda pair: (-pair[1].now.numerator, pair[0])):
        severity = beyond(share, THIRTY)
        if not severity:
            continue
        label = labels.get(code, code)
        source = _mostly(by_source.get(code, ()), share.now.numerator)
        where, extra = "", NO_SOURCE
        figures = [Figure(f"say {label.lower()}", share.now, List(code, is_reason=True))]
        if source is not None:
            name, count = source
            where, extra = f", mostly from {name or 'no source'}", (("source", name),)
            rate = Rate(count, share.now.numerator)
            figures.append(
                Figure(f"of them from {name or 'no source'}", rate, List(code, extra=extra, is_reason=True))
            )
        found.append(
            Finding(
                f"reason_{code}",
                f"{words.share(share.now.value)} of rejections say {label.lower()}{where}: "
                f"{share.now.numerator:,} of "
                f"{share.now.denominator:,}.{since(share)}{doubt(share, severity)}",
                severity,
                tuple(figures),
                _FIXES.get(code, _FIX),
                List(code, extra=extra, is_reason=True),
            )
        )
    if found:
        return found
    if total < ENOUGH:
        return [
            Finding(
                "reasons_too_few",
                f"{words.many(total, 'rejection')} in these weeks: too few for a pattern ({ENOUGH} are "
                "needed).",
                "",
            )
        ]
    return [
        Finding(
            "reasons_fine",
            f"No reason stands out among {words.many(total, 'rejection')}: none makes "
            f"{words.share(THIRTY)} of them.",
            "ok",
        )
    ]


def _sources(
    rejected: Mapping[str, Rate],
    labels: Mapping[str, str],
    by_source: Mapping[str, Sequence[tuple[str, int]]],
) -> list[Finding]:
    """The sources over the alarm, the most rejections first, with what is said of them most often."""
    found: list[Finding] = []
    for name, rate in sorted(rejected.items(), key=lambda pair: (-pair[1].numerator, pair[0])):
        share = Compared(rate, Rate())
        severity = beyond(share, words.SOURCE_ALARM)
        if not severity or len(found) == MOST_SOURCES:
            continue
        said = [(dict(sources).get(name, 0), code) for code, sources in by_source.items()]
        count, code = max(said, default=(0, ""))
        why = f"; most often it is {labels.get(code, code).lower()} ({count:,} times)" if count else ""
        behind = List("loop_rejected", extra=(("source", name),))
        found.append(
            Finding(
                f"source_{len(found) + 1}",
                f"{name or 'No source'}: sales rejects {told(rate)}, above the alarm of "
                f"{words.share(words.SOURCE_ALARM)}{why}.{doubt(share, severity)}",
                severity,
                (Figure(f"rejected, from {name or 'no source'}", rate, behind),),
                "Ask what this channel is worth: let its leads be scored anew, or nurtured instead of "
                "handed over.",
                behind,
            )
        )
    return found


def _mostly(sources: Sequence[tuple[str, int]], of: int) -> tuple[str, int] | None:
    """The source that half of the acts come from, if there is one."""
    if not sources or not of or sources[0][1] / of < MOSTLY:
        return None
    return sources[0]
