"""The nine pre-flight checks: what must be true before a lead goes to sales.

Owns the Case (all a check may look at) and `inspect`, a pure function from case to findings. Never
stores, never moves a handoff: `leads.lifecycle` acts on what is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import QuerySet
from email_validator import EmailNotValidError, validate_email

from leads import accounts, choices, identity
from leads.accounts import AccountMatch
from leads.choices import Check
from leads.models import Company, Lead, PreflightSettings, Score
from routing.engine import Decision
from routing.facts import Facts
from routing.prepared import prepared

# What a rep says is wrong: a finding of its own, that no check makes and no waiver lets pass.
BAD_DATA = "bad_data"
SCORE_IS_SENT = "The system that scored the lead has to send the parts. Without them, waive with a reason."
DEFAULT_PLACEHOLDERS = (
    "test", "tester", "testing", "asdf", "asdfgh", "qwerty", "n/a", "na", "none", "null", "nil", "self", "me",
    "-", "--", ".", "..", "x", "xx", "xxx", "?", "unknown", "anonymous", "company", "my company", "abc",
    "foo",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """The result of one check. `fix` says what to do about a failure, in plain words."""

    check: str
    passed: bool
    detail: str = ""
    fix: str = ""
    waived: bool = False

    @property
    def holds(self) -> bool:
        """Whether this keeps the handoff from sales."""
        return not (self.passed or self.waived)

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "passed": self.passed,
            "waived": self.waived,
            "detail": self.detail,
            "fix": self.fix,
        }


@dataclass
class Case:
    """All that a check or a rule may look at for one handoff."""

    lead: Lead
    company: Company | None
    trigger: str
    trigger_reason: str
    lead_type: str
    score: Score | None
    lead_source: str = ""
    channel: str = ""
    campaign: str = ""
    has_signal: bool = False
    has_duplicate: bool = False
    enrichment_attempted: bool = False
    waived: Mapping[str, str] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()
    # Who must not get it because of what they said, and that in words where they are known.
    rejected_by: tuple[int, ...] = ()
    refused: Mapping[int, str] = field(default_factory=dict)
    lapsed_by: tuple[int, ...] = ()
    # None until the accounts were asked (`accounts.match`); then the company's own row speaks for itself.
    account: AccountMatch | None = None

    def facts(self) -> Facts:
        """What routing may see of this case: plain values, never a lead or a handoff."""
        lead, company, score = self.lead, self.company, self.score
        account = accounts.own(company) if self.account is None else self.account
        domain = identity.email_domain(lead.email_key or "") or None
        total = None if score is None else score.total
        return Facts(
            trigger=self.trigger or None,
            lead_type=self.lead_type or None,
            score_total=total,
            score_fit=None if score is None else score.fit,
            score_intent=None if score is None else score.intent,
            score_behavior=None if score is None else score.behavior,
            score_band=None if total is None else score_band(total),
            country=lead.country_code or (company.country_code if company else "") or None,
            region=lead.region or None,
            postal_code=lead.postal_code or None,
            language=lead.language or None,
            source=self.lead_source or None,
            channel=self.channel or None,
            campaign=self.campaign or None,
            email_domain=domain,
            company_domain=(company.domain or None) if company else None,
            company_name=(company.name or None) if company else None,
            industry=(company.industry or None) if company else None,
            size_band=(company.size_band or None) if company else None,
            employees=company.employee_count if company else None,
            revenue=None if not company or company.revenue_amount is None else str(company.revenue_amount),
            company_stage=account.stage or (company.stage if company else "") or None,
            account_owner=account.owner_id,
            named_account=account.named_fact if company else None,
            technologies=tuple(str(name) for name in company.technologies) if company else (),
            custom={str(key): value for key, value in lead.custom.items()},
            rejected_by=self.rejected_by,
            lapsed_by=self.lapsed_by,
        )


def score_band(total: int) -> str:
    """The score band that reports and rules group by; below zero counts as the lowest."""
    return next(
        (name for name, _, high in choices.SCORE_BANDS if high is None or total <= high),
        choices.SCORE_BANDS[-1][0],
    )


def is_placeholder(value: str, placeholders: frozenset[str]) -> bool:
    """Whether a value only pretends to be one: a listed word, a single letter, digits or marks alone."""
    text = " ".join(value.split()).casefold()
    if not text or text in placeholders:
        return True
    letter = next(filter(str.isalpha, text), "")
    # A single letter says nothing in an alphabet; one ideograph can be a whole family name.
    return not letter or (len(text.strip(".")) == 1 and ord(letter) < 0x2E80)


def _business_email(case: Case, words: frozenset[str]) -> Finding:
    email = case.lead.email
    if not email:
        return Finding(Check.BUSINESS_EMAIL, False, "There is no e-mail address.", "Add a business address.")
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return Finding(Check.BUSINESS_EMAIL, False, "The address is not a valid one.", "Correct the address.")
    domain = identity.email_domain(identity.normalise_email(email))
    if identity.is_free_mail(domain):
        return Finding(
            Check.BUSINESS_EMAIL,
            False,
            f"{domain} is a free or disposable mail provider.",
            "Find the business address, or waive with a reason.",
        )
    return Finding(Check.BUSINESS_EMAIL, True)


def _full_name(case: Case, words: frozenset[str]) -> Finding:
    wrong = [
        label
        for label, value in (("first name", case.lead.first_name), ("last name", case.lead.last_name))
        if is_placeholder(value, words)
    ]
    if wrong:
        missing = " and ".join(wrong)
        return Finding(Check.FULL_NAME, False, f"No real {missing}.", f"Fill in the {missing}.")
    return Finding(Check.FULL_NAME, True)


def _company_name(case: Case, words: frozenset[str]) -> Finding:
    name = case.company.name if case.company else ""
    if is_placeholder(name, words):
        return Finding(Check.COMPANY_NAME, False, "No company name.", "Fill in the company.")
    return Finding(Check.COMPANY_NAME, True)


def _company_size_band(case: Case, words: frozenset[str]) -> Finding:
    if case.company and (case.company.size_band or case.company.employee_count):
        return Finding(Check.COMPANY_SIZE_BAND, True)
    if case.enrichment_attempted:
        return Finding(Check.COMPANY_SIZE_BAND, True, "Enrichment was attempted and found no size.")
    return Finding(
        Check.COMPANY_SIZE_BAND, False, "No size band, and no enrichment yet.", "Enrich now, or fill it in."
    )


def _trigger_event(case: Case, words: frozenset[str]) -> Finding:
    if case.trigger in choices.TRIGGERS:
        return Finding(Check.TRIGGER_EVENT, True)
    return Finding(
        Check.TRIGGER_EVENT,
        False,
        "Nothing says which action crossed the threshold.",
        "The system that sent the lead has to name the trigger. Without it, waive with a reason.",
    )


def _score_breakdown(case: Case, words: frozenset[str]) -> Finding:
    if case.score is None:
        return Finding(Check.SCORE_BREAKDOWN, False, "There is no score.", SCORE_IS_SENT)
    if not case.score.has_breakdown:
        return Finding(
            Check.SCORE_BREAKDOWN,
            False,
            f"Only the total of {case.score.total} came, without fit, intent and behavior.",
            SCORE_IS_SENT,
        )
    return Finding(Check.SCORE_BREAKDOWN, True)


def _behavioral_signal(case: Case, words: frozenset[str]) -> Finding:
    if case.has_signal or case.trigger in (
        choices.TriggerKind.DEMO_REQUEST,
        choices.TriggerKind.PRICING_INQUIRY,
    ):
        return Finding(Check.BEHAVIORAL_SIGNAL, True)
    return Finding(
        Check.BEHAVIORAL_SIGNAL,
        False,
        "The activity trail has no specific signal: mails sent or opened do not count.",
        "Send the activity trail, or waive with a reason.",
    )


def _deduplication(case: Case, words: frozenset[str]) -> Finding:
    if case.has_duplicate:
        return Finding(
            Check.DEDUPLICATION,
            False,
            "This may be the same person as another lead.",
            "Merge the two, or say that they are different people.",
        )
    return Finding(Check.DEDUPLICATION, True)


def _routing_rule(decision: Decision) -> Finding:
    if decision.rule_id is not None:
        return Finding(Check.ROUTING_RULE, True, decision.rule_name or "")
    absent = ", ".join(decision.absent)
    detail = f"No rule matches; not known: {absent}." if absent else "No rule matches."
    return Finding(
        Check.ROUTING_RULE, False, detail, "Fill in what is missing, or add a rule for such leads."
    )


_CODES = tuple(Check.values)
CHECKS: dict[str, Callable[[Case, frozenset[str]], Finding]] = {
    Check.BUSINESS_EMAIL: _business_email,
    Check.FULL_NAME: _full_name,
    Check.COMPANY_NAME: _company_name,
    Check.COMPANY_SIZE_BAND: _company_size_band,
    Check.TRIGGER_EVENT: _trigger_event,
    Check.SCORE_BREAKDOWN: _score_breakdown,
    Check.BEHAVIORAL_SIGNAL: _behavioral_signal,
    Check.DEDUPLICATION: _deduplication,
}
EXTRA_FIELDS = ("job_title", "phone", "country_code", "region", "postal_code", "language", "linkedin_url")


def inspect(case: Case, settings: PreflightSettings, decision: Decision) -> list[Finding]:
    """Run every check that is switched on, in the order of the checklist. Pure.

    A waived check that fails is reported as waived. Open complaints of reps are findings of their own
    (`bad_data`): they cannot be waived, only cleared.
    """
    words = placeholder_words(settings)
    found = []
    for code in _CODES:
        if code in settings.disabled_checks:
            continue
        found.append(_routing_rule(decision) if code == Check.ROUTING_RULE else CHECKS[code](case, words))
    for name in settings.required_fields:
        if name in EXTRA_FIELDS:
            label, present = name.replace("_", " "), bool(getattr(case.lead, name))
            told = ("", "") if present else (f"No {label}.", f"Fill in the {label}.")
            found.append(Finding(name, present, *told))
    found = [
        replace(finding, waived=True) if not finding.passed and finding.check in case.waived else finding
        for finding in found
    ]
    found += [
        Finding(BAD_DATA, False, f"The rep says: {text}", "Correct it, or clear the report.")
        for text in case.complaints
    ]
    return found


def placeholder_words(settings: PreflightSettings) -> frozenset[str]:
    """The words that only pretend to be a name, case-folded."""
    return frozenset(word.casefold() for word in settings.placeholders) or frozenset(DEFAULT_PLACEHOLDERS)


def missing(findings: list[Finding]) -> list[str]:
    """Codes of the checks that hold the handoff back, each once, in order."""
    return list(dict.fromkeys(str(finding.check) for finding in findings if finding.holds))


def settings() -> PreflightSettings:
    """The one settings row, or the shipped settings when there is none."""
    return _settings.first() or PreflightSettings(placeholders=list(DEFAULT_PLACEHOLDERS))


@prepared
def _settings() -> QuerySet[PreflightSettings]:
    return PreflightSettings.objects.order_by("pk")
