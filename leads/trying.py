"""Trying a lead on a ruleset: every rule, every condition, every candidate, the result and its deadlines.

Owns `try_lead`, which asks the rules and walks the targets as routing does, with a desk that locks nothing
and saves nothing. It writes nothing at all: neither a decision nor a turn. The words are `leads.presenters`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leads import accounts, cases, refusals
from leads.choices import HOLDS_TURN, LeadType
from leads.lifecycle.act import Act
from leads.lifecycle.book import Book
from leads.lifecycle.placing import Item, items_of, walks
from leads.models import Handoff, Lead
from leads.preflight import Case
from routing import sla
from routing.conditions import Compiler, View
from routing.engine import Decision, Ruleset, decide, expand
from routing.facts import Facts
from routing.models import Queue, SlaPolicy, User
from routing.rotation import Desk, Seating


@dataclass(frozen=True, slots=True)
class Met:
    """A condition of the rule that matched: the leaf as its document has it, what was seen, and whether it
    holds. `group` is the kind of group that it stands in, `alternatives` numbers those of one inner group."""

    leaf: Mapping[str, Any]
    seen: Mapping[str, Any]
    holds: bool
    group: str
    inner: int | None = None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """By when the holder would have to answer and to make contact if it came now, by which policy."""

    policy: sla.Policy
    policy_name: str
    calendar: str
    accept_at: datetime
    contact_at: datetime


@dataclass(frozen=True)
class Trial:
    """What a ruleset makes of a lead at a moment. `entries` are the rules as `routing.engine.expand` gives
    them; `seating` is None when no rule matched, since the lead would not come to sales."""

    facts: Facts
    decision: Decision
    entries: list[dict[str, Any]]
    met: list[Met]
    seating: Seating | None
    deadlines: Deadlines | None
    open: Mapping[int, int] = field(default_factory=dict)

    @property
    def holder(self) -> tuple[str, int | None]:
        """Who would have it: ("rep", id), ("queue", id) or ("nobody", None)."""
        if self.seating is None or self.seating.outcome == "nobody":
            return "nobody", None
        if self.seating.user is not None:
            return "rep", self.seating.user.pk
        return "queue", self.seating.queue.pk if self.seating.queue is not None else None


def try_lead(subject: Facts | Handoff | Lead, document: Mapping[str, Any] | Ruleset, now: datetime) -> Trial:
    """What the document makes of these facts, this handoff or this lead as if it came now.

    A handoff is tried with what is known of it: who rejected it or let it lapse is passed over. What it
    takes of its holder's capacity is left out, for it would move. Lead and company are loaded.
    """
    ruleset = document if isinstance(document, Ruleset) else Ruleset(document)
    item = _item(subject, now)
    facts = subject if isinstance(subject, Facts) else item.case.facts()
    decision = decide(ruleset, facts)
    entries = expand(ruleset, facts, decision.trace)
    met = list(_met(ruleset, decision, facts))
    if decision.rule_id is None:
        return Trial(facts, decision, entries, met, None, None)
    [targets] = walks([(item, decision)])
    desk = Desk(targets, now, dry=True)
    holder = item.handoff.assignee_id
    if holder in desk.loads and item.handoff.state in HOLDS_TURN:
        desk.loads[holder].open -= 1
    before = {user: load.open for user, load in desk.loads.items()}
    seating = desk.seat(targets, _excluded(item, facts))
    deadlines = _deadlines(seating, decision, facts, now)
    return Trial(facts, decision, entries, met, seating, deadlines, before)


def _item(subject: Facts | Handoff | Lead, now: datetime) -> Item:
    if isinstance(subject, Handoff):
        return items_of([subject], now)[0]
    if isinstance(subject, Lead):
        known = cases.lead_facts([subject.pk])[subject.pk]
        refused = refusals.holding(known.rejections, subject, None, LeadType.STANDARD, now)
        case = Case(
            lead=subject,
            company=subject.company,
            trigger="",
            trigger_reason="",
            lead_type=str(LeadType.STANDARD),
            score=known.score,
            lead_source=subject.lead_source,
            channel=subject.channel,
            campaign=subject.campaign,
            rejected_by=tuple(sorted(refused)),
            refused=refused,
        )
        accounts.match([case])
        return Item(Handoff(), case)
    return Item(Handoff(), Case(Lead(), None, "", "", subject.lead_type or str(LeadType.STANDARD), None))


def _excluded(item: Item, facts: Facts) -> dict[int, str]:
    """Who must not get it: those of the handoff, or of the facts where there is none."""
    if item.handoff.pk is not None:
        return item.excluded
    item.case.rejected_by, item.case.lapsed_by = facts.rejected_by, facts.lapsed_by
    return item.excluded


def _met(ruleset: Ruleset, decision: Decision, facts: Facts) -> Iterator[Met]:
    """Each condition of the rule that matched, asked by itself, in the order of its document."""
    when = next((rule.get("when") for rule, _ in ruleset.rules if rule.get("id") == decision.rule_id), None)
    if not isinstance(when, Mapping) or len(when) != 1:
        return
    compiler = Compiler(ruleset.document.get("lists"))
    view = ruleset.view(facts)
    [(kind, parts)] = when.items()
    for number, part in enumerate(parts):
        if "op" in part:
            yield _asked(part, kind, None, compiler, view)
            continue
        [(inner, leaves)] = part.items()
        for leaf in leaves:
            yield _asked(leaf, inner, number, compiler, view)


def _asked(leaf: Mapping[str, Any], kind: str, inner: int | None, compiler: Compiler, view: View) -> Met:
    condition = compiler.condition({"all": [leaf]})
    return Met(leaf, condition.described(0, view), condition.failing(view) is None, kind, inner)


def _deadlines(seating: Seating, decision: Decision, facts: Facts, now: datetime) -> Deadlines | None:
    """The deadlines that the holder would get, as `lifecycle` sets them for a lead that came just now."""
    book = Book(Act(now))
    lead_type = facts.lead_type or str(LeadType.STANDARD)
    row: SlaPolicy | None = book.policy_row(lead_type, decision.policy)
    policy = book.policy_for(row.pk if row else None, lead_type)
    holder: User | Queue | None = seating.user or seating.queue
    if isinstance(holder, User):
        calendar = book.calendar_of(holder)
        own = holder.calendar or (holder.team.calendar if holder.team else None)
    elif holder is not None:
        calendar, own = book.calendar_of_queue(holder), holder.calendar
    else:
        return None
    return Deadlines(
        policy=policy,
        policy_name=row.name if row else policy.slug.capitalize(),
        calendar=str(own) if own else "",
        accept_at=sla.deadline(now, policy.accept, calendar),
        contact_at=sla.deadline(now, policy.contact, calendar),
    )
