"""A handoff that waits for data: what is missing, why, and the fields that put it right.

Owns the nine places of the strip, the short names of the checks, and which fields belong to which check.
What the checks found comes as they stored it (`Inspection.findings`). Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leads import editing
from leads.choices import Check, LeadType
from leads.models import Complaint, DuplicatePair, Handoff, Lead
from leads.presenters import rows, times
from leads.presenters.clocks import Clock, of_handoff
from leads.presenters.flags import Flag
from leads.presenters.signals import cut
from routing import hours

BAD_DATA = "bad_data"
SHORT = {
    Check.BUSINESS_EMAIL: "Business e-mail",
    Check.FULL_NAME: "Full name",
    Check.COMPANY_NAME: "Company name",
    Check.COMPANY_SIZE_BAND: "Size band",
    Check.TRIGGER_EVENT: "Trigger event",
    Check.SCORE_BREAKDOWN: "Score breakdown",
    Check.BEHAVIORAL_SIGNAL: "Behavior signal",
    Check.ROUTING_RULE: "Routing rule",
    Check.DEDUPLICATION: "Duplicates",
}
FIELDS_OF: dict[str, tuple[str, ...]] = {
    Check.BUSINESS_EMAIL: ("email",),
    Check.FULL_NAME: ("first_name", "last_name"),
    Check.COMPANY_NAME: ("company_name",),
    Check.COMPANY_SIZE_BAND: ("size_band", "employee_count"),
    Check.ROUTING_RULE: ("country_code", "region", "postal_code", "industry", "language"),
}
NOBODY_FREE = "A rule matched, but nobody it names could take it."
SAME = {
    "company": "same company",
    "phone": "same phone",
    "email": "same address",
    "id": "same id in another system",
    "said": "somebody says so",
}
STEP, WIDTH = 11, 9


@dataclass(frozen=True, slots=True)
class Bar:
    """One of the nine places. tone: "late" (fails), "soon" (waived), "m3" (passes)."""

    x: int
    tone: str

    @property
    def y(self) -> int:
        return {"late": 0, "soon": 4}.get(self.tone, 9)

    @property
    def height(self) -> int:
        return 14 - self.y


@dataclass(frozen=True, slots=True)
class FixRow:
    """One waiting handoff in the list."""

    id: int
    name: str
    sub: str
    flags: tuple[Flag, ...]
    clock: Clock | None
    labels: str
    detail: str
    bars: tuple[Bar, ...]
    passed: str
    source: str


@dataclass(frozen=True, slots=True)
class Input:
    """A field of a form. `was` is what stood there when the page was made; `hint` helps to fill it."""

    name: str
    label: str
    kind: str
    longest: int
    value: str
    was: str
    error: str = ""
    hint: str = ""
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PairLine:
    """A possible duplicate in one line."""

    id: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ComplaintLine:
    """What a rep said was wrong."""

    id: int
    text: str
    by: str
    when: str
    exact: str


@dataclass(slots=True)
class Step:
    """One failing check, with what puts it right."""

    check: str
    label: str
    detail: str
    fix: str = ""
    inputs: list[Input] = field(default_factory=list)
    pairs: Sequence[PairLine] = ()
    complaints: Sequence[ComplaintLine] = ()
    can_waive: bool = False
    can_enrich: bool = False
    # The single keys of the first step that has the act.
    waive_key: str = ""
    enrich_key: str = ""
    clear_key: str = ""
    reason: str = ""
    error: str = ""


def label_of(code: str) -> str:
    """A check's short name; a required field's own name."""
    if code == BAD_DATA:
        return "Rep’s report"
    known = {str(check): name for check, name in SHORT.items()}
    return known.get(code) or code.replace("_", " ").capitalize()


def row(
    handoff: Handoff,
    findings: Iterable[Any],
    reports: Sequence[str],
    now: datetime,
    calendar: hours.Calendar | None,
) -> FixRow:
    """The row of an incomplete handoff (lead, company and policy loaded) with its latest findings and what
    reps reported."""
    known = by_check(findings)
    missing = [str(code) for code in handoff.missing]
    said = " ".join(f"“{cut(report)}”" for report in reports)
    details = [said if code == BAD_DATA and said else detail_of(code, known) for code in missing]
    return FixRow(
        id=handoff.pk,
        name=rows.name_of(handoff),
        sub=rows.sub_of(handoff),
        flags=rows.flags_of(handoff),
        clock=of_handoff(handoff, now, calendar),
        labels=", ".join(label_of(code) for code in missing),
        detail=" ".join(dict.fromkeys(detail for detail in details if detail)),
        bars=bars(missing, known),
        passed=f"{sum(1 for check in Check.values if check not in missing)} of {len(Check.values)}",
        source=cut(handoff.lead_source, 60),
    )


def bars(missing: Collection[str], known: Mapping[str, Mapping[str, Any]]) -> tuple[Bar, ...]:
    """The nine places: failing, waived, passed."""
    tones = (
        "late" if check in missing else "soon" if known.get(check, {}).get("waived") else "m3"
        for check in Check.values
    )
    return tuple(Bar(index * STEP, tone) for index, tone in enumerate(tones))


def by_check(findings: Iterable[Any]) -> dict[str, Mapping[str, Any]]:
    """Findings as stored, by the check; of several with one name the first."""
    found: dict[str, Mapping[str, Any]] = {}
    for finding in findings:
        if isinstance(finding, Mapping):
            found.setdefault(str(finding.get("check")), finding)
    return found


def detail_of(code: str, known: Mapping[str, Mapping[str, Any]]) -> str:
    """Why a check fails, in words."""
    finding = known.get(code)
    if finding is None:
        return "" if code != BAD_DATA else "A rep sent it back."
    if code == Check.ROUTING_RULE and finding.get("passed"):
        return NOBODY_FREE
    return cut(str(finding.get("detail") or ""), 300)


def steps(
    handoff: Handoff,
    findings: Iterable[Any],
    inputs: Mapping[str, Input],
    pairs: Sequence[PairLine],
    complaints: Sequence[Complaint],
    now: datetime,
) -> tuple[list[Step], list[Input]]:
    """A step for each failing check in order, and the inputs that belong to none of them."""
    known = by_check(findings)
    left = dict(inputs)
    found = []
    for code in (str(code) for code in handoff.missing):
        wanted: tuple[str, ...] = FIELDS_OF.get(code, (code,) if code in editing.FIELDS else ())
        if code == BAD_DATA:
            wanted = tuple(complaint.field for complaint in complaints if complaint.field in editing.FIELDS)
        if code == Check.ROUTING_RULE:
            # What is known already is not what the rules lack.
            wanted = tuple(name for name in wanted if not inputs[name].was)
        step = Step(
            check=code,
            label=label_of(code),
            detail=detail_of(code, known),
            fix=cut(str(known.get(code, {}).get("fix") or ""), 300),
            inputs=[left.pop(name) for name in wanted if name in left],
            can_waive=code in Check.values,
            can_enrich=code in (Check.COMPANY_NAME, Check.COMPANY_SIZE_BAND),
        )
        if code == Check.DEDUPLICATION:
            step.pairs = pairs
        elif code == BAD_DATA:
            step.complaints = [complaint_line(complaint, now) for complaint in complaints]
            step.detail = step.detail if not complaints else ""
        found.append(step)
    if waivable := next((step for step in found if step.can_waive), None):
        waivable.waive_key = "w"
    if enrichable := next((step for step in found if step.can_enrich), None):
        enrichable.enrich_key = "e"
    if reported := next((step for step in found if step.complaints), None):
        reported.clear_key = "c"
    return found, list(left.values())


def inputs(
    lead: Lead, typed: Mapping[str, str], errors: Mapping[str, str], *, domain: str = "", shared: int = 0
) -> dict[str, Input]:
    """The fields of a lead (its company loaded) as they stand, with what was typed over them.

    `domain` is the address's, a hint for the company's name; `shared` how many others have this company.
    """
    found = {}
    for name, value in editing.held(lead).items():
        spec = editing.FIELDS[name]
        hint = ""
        if name == "company_name":
            parts = [f"The address is of {domain}" if domain else ""]
            if shared:
                parts.append(f"{shared} other lead{'' if shared == 1 else 's'} of this company see it too")
            hint = ". ".join(part for part in parts if part)
        elif name == "country_code":
            hint = "Two letters, such as DE"
        found[name] = Input(
            name=name,
            label=spec.label,
            kind=spec.kind,
            longest=spec.longest,
            value=typed.get(name, value),
            was=value,
            error=errors.get(name, ""),
            hint=hint,
            options=spec.options,
        )
    return found


def pair_line(pair: DuplicatePair, lead_id: int, now: datetime) -> PairLine:
    """The other lead of a pair whose leads and companies are loaded."""
    other = pair.second if pair.first_id == lead_id else pair.first
    same = SAME.get(str(pair.evidence.get("same")) if isinstance(pair.evidence, dict) else "", "")
    parts = [
        cut(str(other.company), 80) if other.company else "",
        same,
        f"lead since {times.moment(other.created_at, now)}",
    ]
    name = cut(other.full_name or other.email or f"Lead {other.pk}", 90)
    return PairLine(pair.pk, name, ", ".join(part for part in parts if part))


def complaint_line(complaint: Complaint, now: datetime) -> ComplaintLine:
    """A report whose author is loaded."""
    return ComplaintLine(
        complaint.pk,
        cut(complaint.text, 500),
        str(complaint.by) if complaint.by else "a rep",
        times.day(complaint.at, now),
        times.exact(complaint.at, now),
    )


def is_demo(handoff: Handoff) -> bool:
    return handoff.effective_type == LeadType.DEMO
