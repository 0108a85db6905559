"""What rejections say, as findings: a reason that stands out, how it moved, and the source it comes from.

Pure. A reason stands out from thirty of a hundred rejections on; a source is named with it when half of them
come from there. Reasons count acts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metrics import words
from metrics.comparing import Compared
from metrics.diagnosis import ENOUGH, Figure, Finding, List, beyond, since
from metrics.figures import Rate

# "When marketing sees that 30 % of rejections cite wrong title, that is signal."
THIRTY = 0.30
MOSTLY = 0.50
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
) -> list[Finding]:
    """`acts` by reason code, of all acts; `by_source` its sources with counts, the most first."""
    total = max((share.now.denominator for share in acts.values()), default=0)
    if total < ENOUGH:
        return [
            Finding(
                "reasons_too_few",
                f"{words.many(total, 'rejection')} in these weeks: too few for a pattern ({ENOUGH} are "
                "needed).",
                "",
            )
        ]
    found = []
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
        low, high = share.interval
        found.append(
            Finding(
                f"reason_{code}",
                f"{words.share(share.now.value)} of rejections say {label.lower()}{where}: "
                f"{share.now.numerator:,} of {share.now.denominator:,} (the true share lies between "
                f"{low * 100:.0f} and {high * 100:.0f} %).{since(share)}",
                severity,
                tuple(figures),
                _FIXES.get(code, _FIX),
                List(code, extra=extra, is_reason=True),
            )
        )
    if found:
        return found
    return [
        Finding(
            "reasons_fine",
            f"No reason stands out among {words.many(total, 'rejection')}: none makes "
            f"{words.share(THIRTY)} of them.",
            "ok",
        )
    ]


def _mostly(sources: Sequence[tuple[str, int]], of: int) -> tuple[str, int] | None:
    """The source that half of the acts come from, if there is one."""
    if not sources or not of or sources[0][1] / of < MOSTLY:
        return None
    return sources[0]
