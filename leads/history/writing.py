"""Writes past handoffs set-wise: a chunk of rows is one transaction and a fixed number of queries.

Owns leads, companies, people, scores, handoffs, events and the acts' own rows of an import. A row whose
`external_id` is known is left as it is. A lead's fields follow the usual law: the newer fact wins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TextIO

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from leads import identity
from leads.choices import EventKind
from leads.history import story
from leads.history.rows import Problem, Row, read
from leads.models import (
    Company,
    ContactAttempt,
    Deferral,
    Event,
    ExternalId,
    Handoff,
    Lead,
    MqlDefinition,
    Rejection,
    RejectionReason,
    Score,
)
from leads.reasons import SHIPPED, ensure_reasons
from routing.people import User

CHUNK = 500
MAX_PROBLEMS = 1000
SYSTEM = "history"
_NEW = ("leads", "companies", "people")
NO_WORDS = "Not recorded in the imported history"


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
class _Plan:
    """A row that can be written, with the key its person and its company are found by."""

    row: Row
    who: identity.Identity
    domain: str | None
    company_key: str


def import_history(
    file: TextIO, now: datetime, *, create_people: bool = False, dry_run: bool = False
) -> Result:
    """Import an open history file (see `rows.read`), `now` being the moment of the import.

    Importing the same file again changes nothing. With `dry_run` everything is checked and counted and
    nothing is written. Raises FileProblem when the file as a whole cannot be read.
    """
    result = Result()
    importer = _Importer(now, create_people)
    if not dry_run:
        ensure_reasons()
    seen: dict[str, int] = {}
    items = read(file)
    while chunk := list(islice(items, CHUNK)):
        rows = []
        for item in chunk:
            result.rows += 1
            if isinstance(item, list):
                result.fail(item)
            elif item.external_id in seen:
                first = seen[item.external_id]
                result.fail([Problem(item.number, "external_id", f"is the same as in row {first}")])
            else:
                seen[item.external_id] = item.number
                rows.append(item)
        result.add(importer.count(rows) if dry_run else importer.write(rows))
    return result


class _Importer:
    """One run: what is looked up once, and the writing of one chunk."""

    def __init__(self, now: datetime, create_people: bool) -> None:
        self.now = now
        self.create_people = create_people
        self.people: dict[str, int] = dict(User.objects.values_list("email", "pk"))
        self.definitions = list(
            MqlDefinition.objects.order_by("in_force_from").values_list("in_force_from", "pk")
        )
        # Keys that a dry run has counted as new.
        self._counted: set[str] = set()

    def count(self, rows: Sequence[Row]) -> Result:
        """What `write` would do with these rows."""
        result = Result()
        plans = self._plan(rows, result)
        with transaction.atomic():
            matches = identity.find([plan.who for plan in plans])
        new_leads = {
            min(plan.who.keys) for plan, match in zip(plans, matches, strict=True) if match.lead is None
        }
        domains, names = _known_companies(plans)
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

    def write(self, rows: Sequence[Row]) -> Result:
        """Write these rows in one transaction. Another import of the same rows at once costs a second try."""
        for attempt in (1, 2):
            result = Result()
            try:
                with transaction.atomic():
                    plans = self._plan(rows, result)
                    if plans:
                        self._write(plans, result)
            except IntegrityError:
                if attempt == 2:
                    raise
                continue
            break
        return result

    def _plan(self, rows: Sequence[Row], result: Result) -> list[_Plan]:
        """The rows to write; the others are counted as unchanged or failed."""
        keys = [row.external_id for row in rows]
        known = set(Handoff.objects.filter(history_key__in=keys).values_list("history_key", flat=True))
        codes = {shipped.code for shipped in SHIPPED}
        codes.update(RejectionReason.objects.values_list("code", flat=True))
        plans = []
        for row in rows:
            if row.external_id in known:
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
            company_key = domain or identity.text_key(row.company)[:300]
            plans.append(_Plan(row, identity.Identity(email_key, ids), domain, company_key))
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

    def _write(self, plans: Sequence[_Plan], result: Result) -> None:
        self._ensure_people(plans, result)
        identity.lock(key for plan in plans for key in plan.who.keys)
        companies = self._companies(plans, result)
        leads = self._leads(plans, companies, result)
        scores = self._scores(plans, leads)
        reasons = {reason.code: reason for reason in RejectionReason.objects.all()}
        told = []
        for plan, lead, score in zip(plans, leads, scores, strict=True):
            reason = reasons.get(plan.row.rejection_reason)
            context = story.Context(
                lead_id=lead.pk,
                assignee_id=self.people.get(plan.row.assignee),
                reason_id=reason.pk if reason else None,
                next_step=reason.next_step if reason else "",
                score_id=score.pk if score else None,
                definition_id=self._definition(plan.row.mql_at),
            )
            told.append(story.tell(plan.row, context))
        handoffs = Handoff.objects.bulk_create(
            Handoff(revision=len(steps), created_at=self.now, updated_at=self.now, **story.fold(steps))
            for steps in told
        )
        Event.objects.bulk_create(
            Event(
                handoff=handoff,
                number=number,
                kind=step.kind,
                stage=step.stage,
                occurred_at=step.at,
                recorded_at=self.now,
                data={"set": {name: _plain(value) for name, value in step.sets.items()}, **step.codes},
            )
            for handoff, steps in zip(handoffs, told, strict=True)
            for number, step in enumerate(steps, start=1)
        )
        _write_acts(handoffs, told)
        result.created += len(plans)

    def _ensure_people(self, plans: Sequence[_Plan], result: Result) -> None:
        missing = sorted({plan.row.assignee for plan in plans} - {""} - self.people.keys())
        if not missing:
            return
        # Inactive and without a password: they stand for who did it, and cannot sign in.
        User.objects.bulk_create(
            (User(email=email, is_active=False, password=make_password(None)) for email in missing),
            ignore_conflicts=True,
        )
        self.people |= dict(User.objects.filter(email__in=missing).values_list("email", "pk"))
        result.people_created += len(missing)

    def _companies(self, plans: Sequence[_Plan], result: Result) -> dict[str, Company]:
        """The companies by key, made or named where the file knows more."""
        domains, names = _known_companies(plans)
        found = {**names, **domains}
        missing = {plan.company_key: plan.domain for plan in plans if plan.company_key}
        new = {
            key: Company(domain=domain, created_at=self.now, updated_at=self.now)
            for key, domain in missing.items()
            if key not in found
        }
        changed = set()
        for plan in plans:
            company = new.get(plan.company_key) or found.get(plan.company_key)
            if company is None or not plan.row.company:
                continue
            if _put(company, "name", plan.row.company, plan.row.mql_at):
                company.name_key = identity.text_key(company.name)[:300]
                changed.add(plan.company_key)
        with_domain = [company for company in new.values() if company.domain]
        Company.objects.bulk_create(with_domain, ignore_conflicts=True)
        made = {
            company.domain: company
            for company in Company.objects.filter(domain__in=[company.domain for company in with_domain])
            if company.domain
        }
        without = Company.objects.bulk_create(company for company in new.values() if not company.domain)
        Company.objects.bulk_update(
            [found[key] for key in sorted(changed & found.keys())], ["name", "name_key", "field_times"]
        )
        result.companies_created += len(new)
        return found | made | {company.name_key: company for company in without}

    def _leads(self, plans: Sequence[_Plan], companies: dict[str, Company], result: Result) -> list[Lead]:
        """The lead of each plan, in order, saved."""
        new: dict[str, Lead] = {}
        changed: dict[int, Lead] = {}
        chosen = []
        for plan, match in zip(plans, identity.find([plan.who for plan in plans]), strict=True):
            lead = match.lead
            if lead is None:
                lead = new.setdefault(
                    min(plan.who.keys),
                    Lead(
                        email=plan.row.email,
                        email_key=plan.who.email_key or None,
                        created_at=self.now,
                        updated_at=self.now,
                    ),
                )
            if self._fill(lead, plan, companies.get(plan.company_key)) and lead.pk:
                changed[lead.pk] = lead
            chosen.append(lead)
        Lead.objects.bulk_create(new.values())
        ExternalId.objects.bulk_create(
            ExternalId(lead=lead, system=system, object=kind, value=value)
            for plan, lead in zip(plans, chosen, strict=True)
            for system, kind, value in plan.who.external_ids
        )
        Lead.objects.bulk_update(
            changed.values(),
            ["first_name", "last_name", "name_key", "lead_source", "company", "field_times", "updated_at"],
        )
        result.leads_created += len(new)
        return chosen

    def _fill(self, lead: Lead, plan: _Plan, company: Company | None) -> bool:
        """Put what the row knows into the lead; whether anything changed."""
        row = plan.row
        changed = [
            _put(lead, name, getattr(row, name), row.mql_at)
            for name in ("first_name", "last_name", "lead_source")
            if getattr(row, name)
        ]
        if company is not None and lead.company_id is None and lead.company is None:
            lead.company = company
            changed.append(True)
        if any(changed):
            lead.name_key = identity.name_key(lead.first_name, lead.last_name)
            lead.updated_at = self.now
        return any(changed)

    def _scores(self, plans: Sequence[_Plan], leads: Sequence[Lead]) -> list[Score | None]:
        scores = [
            Score(
                lead=lead,
                total=plan.row.score_total,
                fit=plan.row.score_fit,
                intent=plan.row.score_intent,
                behavior=plan.row.score_behavior,
                scored_at=plan.row.mql_at,
                received_at=self.now,
            )
            if plan.row.score_total is not None
            else None
            for plan, lead in zip(plans, leads, strict=True)
        ]
        Score.objects.bulk_create(score for score in scores if score is not None)
        return scores

    def _definition(self, at: datetime) -> int | None:
        """The MQL definition in force at that moment, if any was."""
        place = bisect_right(self.definitions, at, key=lambda pair: pair[0])
        return self.definitions[place - 1][1] if place else None


def _unknown_words(row: Row, codes: set[str]) -> Iterator[Problem]:
    if row.rejection_reason and row.rejection_reason not in codes:
        yield Problem(row.number, "rejection_reason", f"{row.rejection_reason!r} is not a reason here")


def _known_companies(plans: Sequence[_Plan]) -> tuple[dict[str, Company], dict[str, Company]]:
    """The stored companies of these plans, by domain, and by name for those without one."""
    domains = {plan.domain for plan in plans if plan.domain}
    keys = {plan.company_key for plan in plans if plan.company_key and not plan.domain}
    by_domain = {company.domain or "": company for company in Company.objects.filter(domain__in=domains)}
    nameless = Company.objects.filter(domain__isnull=True, name_key__in=keys).order_by("-pk")
    return by_domain, {company.name_key: company for company in nameless}


def _put(target: Lead | Company, name: str, value: str, at: datetime) -> bool:
    """Set a field unless it holds a newer fact, or one of unknown age; whether it changed."""
    held = target.field_times.get(name)
    moment = at.isoformat(timespec="microseconds")
    if getattr(target, name) and (held is None or held >= moment):
        return False
    changed: bool = getattr(target, name) != value
    setattr(target, name, value)
    target.field_times[name] = moment
    return changed


def _write_acts(handoffs: Sequence[Handoff], told: Sequence[Sequence[story.Step]]) -> None:
    """The rejections, deferrals and attempts as rows of their own, as pages and figures read them."""
    rejections, deferrals, attempts = [], [], []
    for handoff, steps in zip(handoffs, told, strict=True):
        by = handoff.assignee_id
        for step in steps:
            if step.kind == EventKind.REJECTED:
                rejections.append(
                    Rejection(
                        handoff=handoff,
                        reason_id=step.sets["rejection_reason_id"],
                        next_step=handoff.next_step,
                        by_id=by,
                        at=step.at,
                    )
                )
            elif step.kind == EventKind.DEFERRED:
                # Until when, and in which words, the file does not say.
                deferrals.append(
                    Deferral(handoff=handoff, by_id=by, at=step.at, until=step.at, explanation=NO_WORDS)
                )
            elif step.kind == EventKind.CONTACTED:
                attempts.append(
                    ContactAttempt(
                        handoff=handoff,
                        by_id=by,
                        channel=handoff.first_contact_channel,
                        outcome=handoff.first_contact_outcome,
                        at=step.at,
                        recorded_at=step.at,
                    )
                )
    Rejection.objects.bulk_create(rejections)
    Deferral.objects.bulk_create(deferrals)
    ContactAttempt.objects.bulk_create(attempts)


def _plain(value: Any) -> Any:
    """A column's value as JSON holds it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return str(value) if isinstance(value, Decimal) else value
