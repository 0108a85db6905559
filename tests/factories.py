"""Rows for tests: leads, companies, handoffs in any state, and valid intake events.

Handoffs go through the real lifecycle, so that what tests see is what users get.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from leads import agreeing, cases, identity, lifecycle, qualification
from leads.agreement import Terms
from leads.lifecycle.book import Book
from leads.lifecycle.opening import Opening, open_all
from leads.models import Activity, Agreement, Company, Handoff, Lead, MqlDefinition, Proposal, Score
from leads.qualification import Trigger
from leads.search import indexing
from routing.models import Pool, PoolMember, Queue, Rule, Ruleset, User
from tests.conftest import NOW

_numbers = itertools.count(1)


def make_company(**fields: Any) -> Company:
    number = next(_numbers)
    values = {
        "name": f"Company {number}",
        "domain": f"company-{number}.example.com",
        "size_band": "51-200",
        "industry": "Logistics",
        "created_at": NOW,
        "updated_at": NOW,
    } | fields
    company = Company(**values)
    company.name_key = identity.text_key(company.name)
    company.account_key = identity.account_key(company.name)
    company.save()
    indexing.keep(new=[company])
    return company


def make_lead(**fields: Any) -> Lead:
    """A lead that passes every check once it has a score and a signal (see make_handoff)."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "email": f"person{number}@company-{number}.example.com",
        "first_name": _word(number),
        "last_name": f"{_word(number * 7 + 3)}sen",
        "country_code": "DE",
        "lead_source": "Webinar",
        "job_title": "Head of Operations",
        "created_at": NOW,
        "updated_at": NOW,
    } | fields
    if "company" not in values:
        values["company"] = make_company()
    lead = Lead(**values)
    lead.email_key = identity.normalise_email(lead.email) or None
    lead.name_key = identity.name_key(lead.first_name, lead.last_name)
    lead.phone_key = identity.phone_key(lead.phone, lead.country_code)
    lead.save()
    indexing.keep(new=[lead])
    return lead


def _word(number: int) -> str:
    """A pronounceable name that differs clearly from its neighbours'."""
    syllables = ("ba", "ko", "mi", "tu", "re", "sal", "von", "dry", "pel", "gu", "xan", "fio", "zet")
    word = ""
    while True:
        number, rest = divmod(number, len(syllables))
        word += syllables[rest]
        if not number:
            return f"{word}n".capitalize()


def make_score(lead: Lead, total: int = 80, at: datetime = NOW, **fields: Any) -> Score:
    values = {"fit": total // 2, "fit_max": 50, "intent": total // 4, "intent_max": 25} | fields
    values.setdefault("behavior", total - total // 2 - total // 4)
    values.setdefault("behavior_max", 25)
    return Score.objects.create(lead=lead, total=total, scored_at=at, received_at=at, **values)


def make_activity(lead: Lead, kind: str = "pricing_view", at: datetime = NOW, **fields: Any) -> Activity:
    return Activity.objects.create(lead=lead, kind=kind, occurred_at=at, received_at=at, **fields)


def make_proposal(
    proposer: User,
    at: datetime = NOW,
    why: str = "From a test",
    wanted_at: datetime | None = None,
    **terms: Any,
) -> Proposal:
    """A proposal of the terms agreed on last with some replaced, such as threshold=80."""
    latest = agreeing.newest()
    assert latest is not None
    wanted = dataclasses.replace(Terms.of(latest), **terms)
    act = lifecycle.Act(at, proposer)
    return agreeing.propose(act, latest.version, wanted, why, wanted_at=wanted_at)


def agree(proposer: User, signer: User, at: datetime = NOW, **terms: Any) -> Agreement:
    """The next version of the agreement, in force from `at`: proposed by one side and signed by the other."""
    made = agreeing.sign(make_proposal(proposer, at, **terms).pk, lifecycle.Act(at, signer))
    return Agreement.objects.select_related("definition").get(proposal=made)


def route_to(*people: User, queue: Queue | None = None, cap: int | None = None) -> Ruleset:
    """Publish a ruleset with one catch-all: to a pool of these people, or to a queue."""
    if queue is not None:
        target = {"kind": "queue", "id": str(queue.pk)}
    else:
        number = next(_numbers)
        pool = Pool.objects.create(slug=f"pool-{number}", name=f"Pool {number}", cap_open=cap)
        PoolMember.objects.bulk_create(PoolMember(pool=pool, user=user) for user in people)
        target = {"kind": "pool", "id": str(pool.pk)}
    rule = Rule.objects.create(
        name="All leads", conditions={"all": []}, target_kind=target["kind"], target_id=target["id"]
    )
    overflow = Queue.objects.filter(kind=Queue.Kind.OVERFLOW).first()
    document = {
        "rules": [
            {
                "id": str(rule.pk),
                "name": rule.name,
                "when": {"all": []},
                "target": target,
                "fallback": None,
                "policy": None,
            }
        ],
        "territories": {},
        "lists": {},
        "overflow": {"kind": "queue", "id": str(overflow.pk)} if overflow else None,
    }
    Ruleset.objects.filter(is_live=True).update(is_live=False)
    version = (Ruleset.objects.order_by("-version").values_list("version", flat=True).first() or 0) + 1
    return Ruleset.objects.create(version=version, document=document, published_at=NOW, is_live=True)


@transaction.atomic
def open_handoff(
    lead: Lead | None = None,
    *,
    kind: str = "score_threshold",
    at: datetime = NOW,
    now: datetime | None = None,
    is_quiet: bool = False,
    complete: bool = True,
) -> Handoff:
    """Open a handoff by the live ruleset. `complete` gives the lead what pre-flight asks for."""
    lead = lead or make_lead()
    if complete and not lead.scores.exists():
        make_score(lead, at=at)
    if complete and not lead.activities.exists():
        make_activity(lead, at=at - timedelta(hours=1), title="Pricing")
    score = lead.scores.order_by("-scored_at").first()
    act = lifecycle.Act(now or at)
    definition = qualification.in_force(qualification.definitions(), at)
    assert definition is None or isinstance(definition, MqlDefinition)
    opening = Opening(
        lead=lead,
        trigger=Trigger(kind, "from a test", at),
        definition=definition,
        score=score,
        known=cases.lead_facts([lead.pk])[lead.pk],
        activity=None,
        received_at=act.now,
        is_quiet=is_quiet,
    )
    book = Book(act)
    handoff = open_all(book, [opening])[0]
    book.save()
    return Handoff.objects.get(pk=handoff.pk)


def make_handoff(
    state: str = "assigned",
    assignee: User | None = None,
    *,
    lead: Lead | None = None,
    kind: str = "score_threshold",
    at: datetime = NOW,
    queue: Queue | None = None,
    is_quiet: bool = False,
) -> Handoff:
    """A handoff in this state, held by `assignee` (or waiting in `queue`), with its real history.

    The live ruleset becomes a catch-all to that person or queue.
    """
    if state == "incomplete":
        lead = lead or make_lead(company=None)
        return open_handoff(lead, kind=kind, at=at, is_quiet=is_quiet)
    if state == "queued":
        queue = queue or Queue.objects.get(kind=Queue.Kind.OVERFLOW)
        route_to(queue=queue)
        return open_handoff(lead, kind=kind, at=at, is_quiet=is_quiet)
    assert assignee is not None, "a handoff that sales holds needs an assignee"
    route_to(assignee)
    handoff = open_handoff(lead, kind=kind, at=at, is_quiet=is_quiet)
    act = lifecycle.Act(at + timedelta(minutes=1), assignee)
    later = lifecycle.Act(at + timedelta(minutes=2), assignee)
    if state == "accepted":
        handoff = lifecycle.accept(handoff.pk, act)
    elif state == "deferred":
        until = at + timedelta(days=7)
        handoff = lifecycle.defer(handoff.pk, act, until=until, explanation="After the holidays")
    elif state in ("working", "converted", "disqualified"):
        handoff = lifecycle.contact(handoff.pk, act, channel="phone", outcome="no_answer")
        if state == "converted":
            handoff = lifecycle.opportunity(handoff.pk, later)
        elif state == "disqualified":
            handoff = lifecycle.disqualify(handoff.pk, later, reason="not_icp")
    elif state == "rejected":
        handoff = lifecycle.reject(handoff.pk, act, reason="not_icp")
    return Handoff.objects.get(pk=handoff.pk)


_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "source": "/map/test",
    "type": "lead.qualified",
    "data": {
        "lead": {
            "first_name": "Adaeze",
            "last_name": "Okonkwo",
            "job_title": "VP Operations",
            "country_code": "DE",
            "consent": {"email_opt_out": False, "do_not_call": False},
        },
        "company": {"name": "Halvorsen Logistics", "industry": "Logistics", "employee_count": 420},
        "score": {
            "total": 80,
            "fit": {"score": 40, "max": 50, "reasons": [{"code": "size", "label": "Size", "points": 40}]},
            "intent": {"score": 20, "max": 25, "reasons": []},
            "behavior": {"score": 20, "max": 25, "reasons": []},
        },
        "activities": [{"kind": "pricing_view", "title": "Pricing", "url": "https://example.com/pricing"}],
        "source": {"lead_source": "Webinar", "channel": "Event"},
        "trigger": {"kind": "demo_request", "reason": "Demo form"},
    },
}


def event(number: int | None = None, at: datetime = NOW, **data: Any) -> dict[str, Any]:
    """A valid CloudEvents dict about person `number`; `data` replaces parts of it (None drops one)."""
    number = next(_numbers) if number is None else number
    made = copy.deepcopy(_EVENT)
    when = at.isoformat()
    made |= {"id": f"ev-{number}", "time": when}
    body = made["data"]
    body["lead"] |= {
        "email": f"adaeze{number}@halvorsen-{number}.com",
        "first_name": _word(number),
        "last_name": f"{_word(number * 11 + 5)}ova",
        "external_ids": [{"system": "map", "object": "contact", "id": str(number)}],
    }
    body["company"]["domain"] = f"halvorsen-{number}.com"
    body["score"]["scored_at"] = when
    body["activities"][0] |= {"id": f"act-{number}", "occurred_at": when}
    body["trigger"]["occurred_at"] = when
    for part, value in data.items():
        if part in ("id", "source", "type", "time"):
            made[part] = value
        elif value is None:
            body.pop(part, None)
        elif isinstance(value, dict) and isinstance(body.get(part), dict):
            body[part] |= value
        else:
            body[part] = value
    return made
