"""Looks at rows before anything is written: what is known already, what is wrong, what would be new.

Reads the database and never writes. `Result` counts what a run did, or in a dry run what it would do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from leads import erasure, identity, preflight
from leads.history.rows import Problem, Row
from leads.models import Company, Handoff, RejectionReason
from leads.reasons import SHIPPED
from routing.people import User

MAX_PROBLEMS = 1000
SYSTEM = "history"
_NEW = ("leads", "companies", "people")


@dataclass
class Result:
    """Counts of an import, in rows. `problems` are the first MAX_PROBLEMS, a row can have several."""

    rows: int = 0
    created: int = 0
    unchanged: int = 0
    failed: int = 0
    leads_created: int = 0
    companies_created: int = 0
    people_created: int = 0
    problems: list[Problem] = field(default_factory=list)

    def fail(self, problems: Sequence[Problem]) -> None:
        self.failed += 1
        self.problems += problems[: max(0, MAX_PROBLEMS - len(self.problems))]

    def add(self, other: Result) -> None:
        """Count a finished chunk in."""
        for name in (
            "created",
            "unchanged",
            "failed",
            "leads_created",
            "companies_created",
            "people_created",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.problems += other.problems[: max(0, MAX_PROBLEMS - len(self.problems))]


@dataclass(frozen=True)
class Plan:
    """A row that can be written, with the key its person and its company are found by."""

    row: Row
    who: identity.Identity
    domain: str | None
    company_key: str


class Planner:
    """One run's look-ups. `people` are user ids by e-mail; the writer adds those it makes."""

    def __init__(self, create_people: bool) -> None:
        self.create_people = create_people
        self.words = preflight.placeholder_words(preflight.settings())
        self.people: dict[str, int] = {}
        # Keys that a dry run has counted as new.
        self._counted: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Look the people up again: what was made may have been rolled back."""
        self.people = dict(User.objects.values_list("email", "pk"))

    def plan(self, rows: Sequence[Row], result: Result) -> list[Plan]:
        """The rows to write; the others are counted as unchanged or failed."""
        keys = [row.external_id for row in rows]
        marks = {erasure.history_mark(key): key for key in keys}
        found = Handoff.objects.filter(history_key__in=[*keys, *marks])
        known = {marks.get(key, key) for key in found.values_list("history_key", flat=True) if key}
        erased = _erased(rows)
        codes = {shipped.code for shipped in SHIPPED}
        codes.update(RejectionReason.objects.values_list("code", flat=True))
        plans = []
        for row in rows:
            # Of somebody who was erased since, nothing of before is taken in again.
            if row.external_id in known or row.external_id in erased:
                result.unchanged += 1
                continue
            email_key = identity.normalise_email(row.email) if row.email else ""
            problems = [*self._unknown_person(row), *_unknown_words(row, codes)]
            if len(email_key) > 320:
                problems.append(Problem(row.number, "email", "is too long"))
            if problems:
                result.fail(problems)
                continue
            ids = () if email_key else ((SYSTEM, "handoff", row.external_id),)
            domain = identity.company_domain(email_key, "")
            # Without a domain only a real name makes a company: "n/a" is none.
            pretends = not row.company or preflight.is_placeholder(row.company, self.words)
            company_key = domain or ("" if pretends else identity.text_key(row.company)[:300])
            plans.append(Plan(row, identity.Identity(email_key, ids), domain, company_key))
        return plans

    def _unknown_person(self, row: Row) -> Iterator[Problem]:
        if not row.assignee or row.assignee in self.people:
            return
        if not self.create_people:
            yield Problem(row.number, "assignee", f"{row.assignee!r} is nobody here")
            return
        try:
            validate_email(row.assignee)
        except ValidationError:
            yield Problem(row.number, "assignee", f"{row.assignee!r} is not an e-mail address")

    def count(self, rows: Sequence[Row]) -> Result:
        """What writing would do with these rows."""
        result = Result()
        plans = self.plan(rows, result)
        with transaction.atomic():
            matches = identity.find([plan.who for plan in plans])
        new_leads = {
            min(plan.who.keys) for plan, match in zip(plans, matches, strict=True) if match.lead is None
        }
        domains, names = known_companies(plans)
        new_companies = {
            plan.company_key
            for plan in plans
            if plan.company_key and plan.domain not in domains and plan.company_key not in names
        }
        new_people = {f"user:{plan.row.assignee}" for plan in plans if plan.row.assignee not in self.people}
        result.created = len(plans)
        result.leads_created = len(new_leads - self._counted)
        result.companies_created = len(new_companies - self._counted)
        result.people_created = len(new_people - {"user:"} - self._counted)
        self._counted |= new_leads | new_companies | new_people
        return result


def _erased(rows: Sequence[Row]) -> set[str]:
    """The rows, by their id, that are of before their person was erased; one query."""
    keys = {row.external_id: f"mail:{identity.normalise_email(row.email)}" for row in rows if row.email}
    since = erasure.erased_since(set(keys.values()))
    none = datetime.min.replace(tzinfo=UTC)
    return {row.external_id for row in rows if row.mql_at <= since.get(keys.get(row.external_id, ""), none)}


def _unknown_words(row: Row, codes: set[str]) -> Iterator[Problem]:
    if row.rejection_reason and row.rejection_reason not in codes:
        yield Problem(row.number, "rejection_reason", f"{row.rejection_reason!r} is not a reason here")


def known_companies(plans: Sequence[Plan]) -> tuple[dict[str, Company], dict[str, Company]]:
    """The stored companies of these plans, by domain, and by name for those without one."""
    domains = {plan.domain for plan in plans if plan.domain}
    keys = {plan.company_key for plan in plans if plan.company_key and not plan.domain}
    by_domain = {company.domain or "": company for company in Company.objects.filter(domain__in=domains)}
    nameless = Company.objects.filter(domain__isnull=True, name_key__in=keys).order_by("-pk")
    return by_domain, {company.name_key: company for company in nameless}
