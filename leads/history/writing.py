"""Writes past handoffs set-wise: a chunk of rows is one transaction and a fixed number of queries.

Owns leads, companies, people, scores, handoffs, events and the acts' own rows of an import. A row whose
`external_id` is known is left as it is. A lead's fields follow the usual law: the newer fact wins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TextIO

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from leads import identity
from leads.choices import EventKind
from leads.history import story
from leads.history.planning import Plan, Planner, Result, known_companies
from leads.history.rows import Problem, Row, read
from leads.intake.fields import set_field
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
from leads.reasons import ensure_reasons
from leads.search import indexing
from routing.people import User

CHUNK = 500
NO_WORDS = "Not recorded in the imported history"


def import_history(
    file: TextIO, now: datetime, *, create_people: bool = False, dry_run: bool = False
) -> Result:
    """Import an open history file (see `rows.read`), `now` being the moment of the import.

    Importing the same file again changes nothing. With `dry_run` everything is checked and counted and
    nothing is written. Raises FileProblem when the file as a whole cannot be read.
    """
    result = Result()
    planner = Planner(create_people)
    writer = _Writer(now, planner)
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
        result.add(planner.count(rows) if dry_run else writer.write(rows))
    return result


class _Writer:
    """Writes one chunk after the other."""

    def __init__(self, now: datetime, planner: Planner) -> None:
        self.now = now
        self.planner = planner
        self.definitions = list(
            MqlDefinition.objects.order_by("in_force_from").values_list("in_force_from", "pk")
        )

    def write(self, rows: Sequence[Row]) -> Result:
        """Write these rows in one transaction. Another import of the same rows at once costs a second try."""
        for attempt in (1, 2):
            result = Result()
            try:
                with transaction.atomic():
                    plans = self.planner.plan(rows, result)
                    if plans:
                        self._write(plans, result)
            except IntegrityError:
                if attempt == 2:
                    raise
                self.planner.refresh()
                continue
            break
        return result

    def _write(self, plans: Sequence[Plan], result: Result) -> None:
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
                assignee_id=self.planner.people.get(plan.row.assignee),
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

    def _ensure_people(self, plans: Sequence[Plan], result: Result) -> None:
        missing = sorted({plan.row.assignee for plan in plans} - {""} - self.planner.people.keys())
        if not missing:
            return
        # Inactive and without a password: they stand for who did it, and cannot sign in.
        User.objects.bulk_create(
            (User(email=email, is_active=False, password=make_password(None)) for email in missing),
            ignore_conflicts=True,
        )
        self.planner.people |= dict(User.objects.filter(email__in=missing).values_list("email", "pk"))
        result.people_created += len(missing)

    def _companies(self, plans: Sequence[Plan], result: Result) -> dict[str, Company]:
        """The companies by key, made or named where the file knows more."""
        domains, names = known_companies(plans)
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
            if set_field(company, "name", plan.row.company, plan.row.mql_at, self.planner.words):
                company.name_key = identity.text_key(company.name)[:300]
                company.account_key = identity.account_key(company.name)
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
            [found[key] for key in sorted(changed & found.keys())],
            ["name", "name_key", "account_key", "field_times"],
        )
        indexing.keep([*made.values(), *without, *(found[key] for key in changed & found.keys())])
        result.companies_created += len(new)
        return found | made | {company.name_key: company for company in without}

    def _leads(self, plans: Sequence[Plan], companies: dict[str, Company], result: Result) -> list[Lead]:
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
        indexing.keep(changed.values(), new.values())
        result.leads_created += len(new)
        return chosen

    def _fill(self, lead: Lead, plan: Plan, company: Company | None) -> bool:
        """Put what the row knows into the lead; whether anything changed."""
        row = plan.row
        changed = [
            set_field(lead, name, getattr(row, name), row.mql_at, self.planner.words)
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

    def _scores(self, plans: Sequence[Plan], leads: Sequence[Lead]) -> list[Score | None]:
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
