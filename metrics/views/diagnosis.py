"""The guided diagnosis: three questions answered with findings, their figures and their lists.

Covers what the person may see. What is found is `metrics.diagnosis`, what is counted `metrics.diagnosing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads import agreeing
from leads.choices import Side
from metrics import address, charts, diagnosing, diagnosis, leaking, rejecting, ways, words
from metrics.comparing import Compared
from metrics.diagnosis import Agreed, Band, Finding
from metrics.leaking import Stage
from metrics.periods import WeekRange
from metrics.saying import STATES, Said, Sayer, between
from metrics.words import Status
from routing.reading import of_figures


@dataclass(frozen=True)
class Question:
    """One of the questions: `lead` says what is looked at."""

    name: str
    title: str
    lead: str
    state: Status
    findings: tuple[Said, ...]


@require_safe
@of_figures
def page(request: HttpRequest) -> HttpResponse:
    """Scoring or process, which stage, is done agreed, and what the rejections say."""
    ways.reader(request)
    asked = address.read(request)
    counted = diagnosing.read(asked, address.visible(request))
    complete = counted.shares["complete"].now
    sayer = Sayer(asked, counted.settled, counted.ripe)
    questions = [
        _question(
            sayer,
            "scoring",
            "Is it the scoring model or the process?",
            "Acceptance and conversion by score band, at the top first.",
            diagnosis.scoring(counted.bands),
        ),
        _question(
            sayer,
            "stages",
            "Where in the five stages does it leak?",
            leaking.most_lost(counted.stages),
            leaking.leaks(counted.shares),
        ),
        _question(
            sayer,
            "done",
            "Do both teams agree on what done means?",
            "Done: acknowledged by a rep, an attempt logged, the outcome recorded.",
            [diagnosis.agreement(_agreed(counted.terms.end_of(asked.weeks.span)), complete)],
        ),
    ]
    reasons = _question(
        sayer,
        "reasons",
        "What do the rejections say?",
        "Acts of rejection by reason; a handoff rejected twice counts twice.",
        rejecting.reasons(counted.reasons, counted.labels, counted.by_source, counted.rejected),
    )
    context = {
        "ways": ways.of(request, asked, "metrics:diagnosis"),
        "asked": asked,
        "questions": questions,
        "reasons": reasons,
        "first": _gravest([said for question in (*questions, reasons) for said in question.findings]),
        "settled": _span(counted.settled),
        "terms": words.judged_by(counted.terms, asked.weeks.span, asked.weeks.zone),
        "ripe": _span(counted.ripe),
        "enough": diagnosis.ENOUGH,
        "bands": _bands(sayer, counted.bands),
        "stages": _stages(sayer, counted.stages),
        "band_chart": _band_chart(counted.bands),
        "stage_chart": _stage_chart(counted.stages),
    }
    return render(request, "metrics/diagnosis.html", context)


def _agreed(at: datetime) -> Agreed | None:
    """What both sides signed, as it was in force at a moment."""
    held = agreeing.current(at)
    if held is None:
        return None
    by_side = {row.side: str(row.person) for row in agreeing.signatures(held)}
    since = timezone.localtime(held.in_force_from)
    return Agreed(
        version=held.version,
        since=f"{since.day} {since:%B %Y}",
        marketing=by_side.get(Side.MARKETING, ""),
        sales=by_side.get(Side.SALES, ""),
        waiting=agreeing.open_proposals().filter(created_at__lte=at).count(),
    )


def _bands(sayer: Sayer, bands: Mapping[str, Band]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, band in bands.items():
        extra = (("band", name),)
        rows.append(
            {
                "name": name,
                "accepted": _cell(sayer, band.accepted, diagnosis.List("loop_accepted", "hits", extra)),
                "won": _cell(sayer, band.won, diagnosis.List("converted", "hits", extra, ripe=True)),
            }
        )
    return rows


def _cell(sayer: Sayer, share: Compared, behind: diagnosis.List) -> dict[str, str]:
    rate = share.now
    return {
        "value": words.share(rate.value),
        "of": f"{rate.numerator:,} of {rate.denominator:,}" if rate.denominator else "",
        "between": between(rate),
        "before": words.share(share.before.value),
        "href": sayer.href(behind) if rate.numerator else "",
    }


def _stages(sayer: Sayer, stages: Sequence[Stage]) -> list[dict[str, object]]:
    return [
        {
            "number": stage.number,
            "name": stage.name,
            "party": stage.party,
            "came": f"{stage.came:,}",
            "lost": f"{stage.lost:,}",
            "share": words.share(stage.rate.value) if stage.number > 1 else "",
            "between": between(stage.rate) if stage.number > 1 else "",
            "median": words.minutes(stage.minutes),
            "href": sayer.href(stage.list) if stage.lost else "",
        }
        for stage in stages
    ]


def _band_chart(found: Mapping[str, Band]) -> charts.Bars:
    bands = [band for band in found.values() if band.accepted.now.denominator]
    return charts.bars(
        [
            charts.Share(
                label=band.name,
                share=band.accepted.now.value or 0.0,
                value=words.share(band.accepted.now.value),
                own=band.accepted.before.value,
                is_bad=band.name == diagnosis.HIGH
                and bool(diagnosis.beyond(band.accepted.opposite, diagnosis.DECAYED)),
            )
            for band in bands
        ],
        1 - diagnosis.DECAYED,
        f"decayed below {words.share(1 - diagnosis.DECAYED)}",
    )


def _stage_chart(stages: Sequence[Stage]) -> charts.Bars:
    """What of the MQLs is left after each stage."""
    whole = stages[0].came
    if not whole:
        return charts.bars([])
    return charts.bars(
        [
            charts.Share(
                label=f"{stage.number} {stage.name}",
                share=(stage.came - stage.lost) / whole,
                value=f"{stage.came - stage.lost:,}",
                detail=f"lost {stage.lost:,}" if stage.lost else "",
            )
            for stage in stages
        ]
    )


def _question(sayer: Sayer, name: str, title: str, lead: str, findings: Sequence[Finding]) -> Question:
    said = tuple(sayer.said(finding) for finding in findings)
    worst = diagnosis.worst(findings)
    state = next((each.state for each in said if each.state.tone == worst), STATES[worst])
    return Question(name, title, lead, state, said)


def _gravest(said: Sequence[Said]) -> Said | None:
    """What to begin with; None when nothing is found."""
    for tone in ("late", "soon"):
        for each in said:
            if each.state.tone == tone:
                return each
    return None


def _span(weeks: WeekRange | None) -> str:
    if weeks is None:
        return ""
    first, last = words.short(weeks.first), words.short(weeks.last)
    return first if first == last else f"{first} to {last}"
