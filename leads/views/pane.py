"""The open lead: everything that answers the three questions, loaded in a constant number of queries.

Owns the queries of the lead pane and what a viewer without personal data is not given. Words and
proportions are the presenters'. Never writes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404

from leads import consent, permissions, time_spent
from leads.choices import WEAK_SIGNALS, Channel, EventKind, Outcome, State
from leads.connecting.conflicts import of_lead as conflicts_of
from leads.consent import REFUSED
from leads.forms import quick_dates
from leads.lifecycle import reporting
from leads.models import (
    Activity,
    Company,
    ContactAttempt,
    Deferral,
    Event,
    FieldConflict,
    Handoff,
    Lead,
    Note,
    Rejection,
    RoutingDecision,
)
from leads.presenters import (
    clocks,
    company,
    conflicts,
    qualifying,
    rows,
    sides,
    signals,
    spent,
    stages,
    times,
    why,
)
from leads.presenters.actions import Action, Panel, ReasonGroup, actions, reason_groups
from leads.presenters.clocks import Clock
from leads.presenters.company import CompanyCard
from leads.presenters.flags import Flag
from leads.presenters.links import Link, mail, outside, phone
from leads.presenters.qualifying import ScoreBar
from leads.presenters.sides import Drifting
from leads.presenters.signals import Opener, Timeline
from leads.presenters.spent import TimeSpent
from leads.presenters.stages import Line, Step
from leads.querysets import sees
from leads.roles import Can, can
from leads.views import asked, colleagues, worklist
from leads.views.colleagues import Colleagues
from routing import hours
from routing.models import Queue, User
from routing.people import MANAGER, REP
from routing.prepared import prepared

MOST_RECEIVERS, MOST_COLLEAGUES = 500, 5
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK", "DKK", "NOK", "PLN")


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody or a queue that can be given the handoff."""

    value: str
    label: str


@dataclass
class Pane:
    """The values of the lead pane's template."""

    handoff: Handoff
    lead: Lead
    name: str
    sub: str
    company_name: str
    flags: Sequence[Flag]
    clock: Clock | None
    deadlines: str
    state_words: str
    email: Link | None
    phone: Link | None
    linkedin: Link | None
    there: str
    language: str
    is_suppressed: bool
    forbidden: Sequence[tuple[str, str]]
    wants_none: bool
    actions: Sequence[Action]
    panel: Panel
    reasons: tuple[ReasonGroup, ...]
    trigger: str
    definition: str
    bar: ScoreBar | None
    is_weak: bool
    has_duplicate: bool
    card: CompanyCard
    colleagues: Colleagues
    timeline: Timeline
    openers: Sequence[Opener]
    references: Sequence[tuple[int, str]]
    usual_channel: str
    source: str
    why: str
    has_trace: bool
    steps: Sequence[Step]
    history: Sequence[Line]
    time_spent: TimeSpent | None
    conflicts: Sequence[conflicts.Line]
    quick_dates: tuple[tuple[str, str, str], ...]
    receivers: tuple[Receiver, ...]
    is_mine: bool
    wants_view: bool
    can_report: bool
    can_contact: bool
    drifting: Sequence[Drifting]
    reads_audit: bool
    # What says least: nobody is reported as reached by a key pressed too quickly.
    usual_outcome: str = Outcome.NO_ANSWER
    wrong: Sequence[tuple[str, str]] = tuple(reporting.LABELS.items())
    channels: Sequence[tuple[str, str]] = tuple(Channel.choices)
    outcomes: Sequence[tuple[str, str]] = tuple(Outcome.choices)
    currencies: Sequence[str] = CURRENCIES

    @property
    def names_another(self) -> bool:
        """Whether the contact being logged refers to none of the opening lines."""
        chosen = self.panel.values.get("activity_id", "")
        return any(chosen == str(activity) for activity, _ in self.references)


def find(user: User, pk: int) -> Handoff:
    """The handoff with its context, if this person may see it; else Http404."""
    found = _whole.first(pk)
    if found is None or not sees(user, found):
        raise Http404("no such handoff")
    return found


def glimpse(user: User, pk: int) -> Handoff | None:
    """The handoff as it stands, with its holder and queue, which say what this person may do to it; None when
    there is none or it is not theirs to see."""
    found = _alone.first(pk)
    return found if found is not None and sees(user, found) else None


@prepared
def _alone(pk: int) -> QuerySet[Handoff]:
    return Handoff.objects.filter(pk=pk).select_related("assignee", "queue").order_by()


@prepared
def _whole(pk: int) -> QuerySet[Handoff]:
    """With all that is told of it, in one query. To plan it takes longer than to run it: it is prepared."""
    own = ("policy", "score", "trigger_activity", "definition", "rejection_reason", "ruleset")
    holders = ("assignee__calendar", "assignee__team__calendar", "queue__calendar")
    people = ("accepted_by", "rejected_by", "first_contact_by", "lead__company__owner")
    unread = ("lead__custom", "lead__attribution", "lead__field_times", "ruleset__document")
    told = Handoff.objects.filter(pk=pk).select_related(*own, *holders, *people).defer(*unread)
    # Few have one: whether it is worth asking comes along.
    conflict = FieldConflict.objects.filter(lead=OuterRef("lead"), settled_at__isnull=True)
    return told.annotate(has_conflicts=Exists(conflict))


def load(user: User, handoff: Handoff, now: datetime, panel: Panel | None = None) -> Pane:
    """The pane of a handoff from `find`. `now` is in the viewer's zone."""
    lead, panel = handoff.lead, panel or Panel()
    buttons = actions(handoff, set(permissions.verbs_for(user, handoff)), panel)
    verbs = {action.verb for action in buttons}
    activities, total = activities_of(lead)
    is_weak = not any(activity.kind not in WEAK_SIGNALS for activity in activities)
    has_duplicate = bool(asked.pairs(lead.pk))
    past = _past(handoff)
    personal = permissions.sees_personal_data(user)
    definition, calendar = handoff.definition, worklist.default_calendar()
    openers = signals.openers(activities, now) if handoff.is_open and not consent.wants_none(lead) else []
    return Pane(
        handoff=handoff,
        lead=lead,
        name=rows.name_of(handoff, personal=personal),
        sub=signals.cut(lead.job_title, 120),
        company_name=signals.cut(str(lead.company), 120) if lead.company else "",
        flags=rows.flags_of(handoff, has_duplicate=has_duplicate, is_weak=is_weak),
        clock=clocks.of_handoff(handoff, now, clocks.holders_calendar(handoff, calendar)),
        deadlines=clocks.deadlines(handoff, now),
        state_words=_state_words(handoff, now, user),
        email=mail(lead.email, is_refused=lead.email_opt_out) if personal else None,
        phone=phone(lead.phone, is_refused=lead.do_not_call) if personal else None,
        linkedin=outside(lead.linkedin_url, "LinkedIn") if personal else None,
        there=times.there(lead.timezone, now),
        language=times.language(signals.cut(lead.language, 35)),
        is_suppressed=lead.suppressed_at is not None,
        forbidden=[(code, words) for code, words in REFUSED.items() if code in consent.forbidden(lead)],
        wants_none=consent.wants_none(lead),
        actions=buttons,
        panel=panel,
        reasons=_reasons(verbs),
        trigger=qualifying.trigger_sentence(handoff, now),
        definition=f"definition {definition.version}" if definition else "",
        bar=qualifying.score_bar(
            handoff.score, handoff.score_total, definition.threshold if definition else None
        ),
        is_weak=is_weak,
        has_duplicate=has_duplicate,
        card=card_of(lead, past.decision),
        colleagues=colleagues.of(user, lead, personal=personal, most=MOST_COLLEAGUES),
        timeline=signals.timeline(activities, total, now),
        openers=openers,
        references=signals.references(activities, now, openers) if "contact" in verbs else (),
        usual_channel=_usual_channel(lead, past.attempts),
        source=_source(handoff),
        why=_why(handoff, past, user),
        has_trace=past.decision is not None,
        steps=stages.rail(handoff, next(iter(asked.inspection(handoff.pk)), None), now, user.pk),
        history=stages.history(
            past.events, past.notes, past.rejections, past.deferrals, past.attempts, past.names, now, user.pk
        ),
        conflicts=[
            conflicts.line(row, lead, now, personal=personal)
            for row in (conflicts_of(lead.pk) if getattr(handoff, "has_conflicts", False) else ())
        ],
        time_spent=_time_spent(handoff, past, calendar, now, user.pk),
        quick_dates=tuple(quick_dates(now)) if "defer" in verbs else (),
        receivers=_receivers(user) if "reassign" in verbs else (),
        is_mine=handoff.assignee_id == user.pk,
        wants_view=handoff.is_open and handoff.assignee_id == user.pk and handoff.viewed_at is None,
        can_report="report" in verbs,
        can_contact="contact" in verbs,
        drifting=sides.drifting(asked.findings(handoff.pk)),
        reads_audit=can(user, Can.READ_SYNC_AUDIT),
    )


@dataclass
class _Past:
    """What happened to the handoff, newest first, and everybody in it, by id."""

    events: list[Event]
    notes: list[Note]
    rejections: list[Rejection]
    deferrals: list[Deferral]
    attempts: list[ContactAttempt]
    decision: RoutingDecision | None
    people: dict[int, User]

    @cached_property
    def names(self) -> dict[int, str]:
        return {pk: str(user) for pk, user in self.people.items()}

    @property
    def moved(self) -> Event | None:
        """A claim or reassignment after the last routing decision."""
        since = self.decision.at if self.decision is not None else None
        for event in self.events:
            if event.kind in (EventKind.CLAIMED, EventKind.REASSIGNED):
                return event if since is None or event.occurred_at > since else None
        return None

    @property
    def words_of_move(self) -> str:
        """What was written as the reason of that move: a note of the same moment."""
        moved = self.moved
        if moved is None:
            return ""
        return next((note.text for note in self.notes if note.at == moved.occurred_at), "")


def _why(handoff: Handoff, past: _Past, user: User) -> str:
    if past.decision is None and handoff.state == State.INCOMPLETE:
        return "It is routed as soon as the data is complete."
    return why.why_me(past.decision, handoff.rule_name, past.moved, past.names, user.pk, past.words_of_move)


def _past(handoff: Handoff) -> _Past:
    events, notes = asked.events(handoff.pk), asked.notes(handoff.pk)
    rejections, deferrals = asked.rejections(handoff.pk), asked.deferrals(handoff.pk)
    attempts, decision = asked.attempts(handoff.pk), next(iter(asked.decision(handoff.pk)), None)
    ids = stages.people_in(events) | why.people_in(decision)
    for written in (notes, rejections, deferrals, attempts):
        ids |= {row.by_id for row in written if row.by_id}
    people = {user.pk: user for user in time_spent.people_of(ids)} if ids else {}
    return _Past(events, notes, rejections, deferrals, attempts, decision, people)


def _time_spent(
    handoff: Handoff, past: _Past, calendar: hours.Calendar | None, now: datetime, me: int
) -> TimeSpent | None:
    """Where its time went; a log that is longer than what is shown of it is read as a whole."""
    log = past.events[::-1] if len(past.events) < asked.MOST_EVENTS else None
    found = time_spent.of_handoff(handoff, now, log, known=past.people, default=calendar)
    return spent.time_spent(handoff, found.parts, found.people, found.queues, me)


def activities_of(lead: Lead) -> tuple[list[Activity], int]:
    """The newest activities, older direct interactions among them, newest first; and how many there are."""
    direct, others = asked.direct_activities(lead.pk), asked.other_activities(lead.pk)
    found = sorted(direct + others, key=lambda activity: (activity.occurred_at, activity.pk), reverse=True)
    is_whole = len(direct) < asked.MOST_DIRECT and len(others) < asked.MOST_OTHER
    return found, len(found) if is_whole else lead.activities.count()


def card_of(lead: Lead, decision: RoutingDecision | None = None) -> CompanyCard:
    """What is known of the lead's company, with how many others come from there and how the decision matched
    it to an account."""
    others = asked.others_of_company(lead.company_id, lead.pk) if lead.company_id is not None else []
    leads, handoffs = others[0][1:] if others else (0, 0)
    match = decision.account if decision is not None else {}
    ids = company.accounts_of(match)
    accounts = Company.objects.select_related("owner").in_bulk(ids) if ids else {}
    return company.card(lead.company, lead, leads, handoffs, match, accounts)


def _usual_channel(lead: Lead, attempts: Sequence[ContactAttempt]) -> str:
    """How the next contact is likely made: as the last one was, else as the lead can be reached."""
    shut = consent.forbidden(lead)
    last = next((attempt for attempt in attempts if attempt.undone_at is None), None)
    if last is not None and last.channel not in shut:
        return last.channel
    if lead.phone and not lead.do_not_call:
        return Channel.PHONE
    return Channel.EMAIL if lead.email and not lead.email_opt_out else Channel.DIRECT_MESSAGE


def _reasons(verbs: Collection[str]) -> tuple[ReasonGroup, ...]:
    if not {"reject", "disqualify"} & set(verbs):
        return ()
    return tuple(reason_groups(asked.reasons()))


def _receivers(user: User) -> tuple[Receiver, ...]:
    """People who can take leads, oneself first; a manager's are those of the teams they lead; then queues."""
    people = User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER]).distinct()
    if not can(user, Can.WATCH_ALL):
        people = people.filter(Q(team__manager=user) | Q(pk=user.pk))
    found = sorted(
        people.only("name", "email")[:MOST_RECEIVERS], key=lambda row: (row.pk != user.pk, str(row))
    )
    receivers = [Receiver(row.email, "Me" if row.pk == user.pk else str(row)) for row in found]
    queues = Queue.objects.exclude(kind=Queue.Kind.COMPLETION)[:MOST_RECEIVERS]
    return (*receivers, *(Receiver(f"queue:{queue.slug}", f"Queue {queue.name}") for queue in queues))


def _state_words(handoff: Handoff, now: datetime, user: User) -> str:
    """Where it stands, for those who do not hold it and for what is closed."""
    if handoff.is_history:
        return f"{handoff.get_state_display()}, imported history"
    if not handoff.is_open:
        reason = f": {handoff.rejection_reason}" if handoff.state == State.REJECTED else ""
        at = f", {times.day(handoff.closed_at, now)}" if handoff.closed_at else ""
        return f"{handoff.get_state_display()}{reason}{at}"
    if handoff.state == State.QUEUED:
        return f"Waits in {handoff.queue}"
    if handoff.state == State.INCOMPLETE:
        return f"With marketing: {stages.missing_words(handoff)}"
    if handoff.assignee is not None and handoff.assignee_id != user.pk:
        return f"{handoff.get_state_display()}, held by {handoff.assignee}"
    return ""


def _source(handoff: Handoff) -> str:
    """Where it came from: source, channel, campaign."""
    parts = [
        signals.cut(handoff.lead_source, 80),
        signals.cut(handoff.channel, 80),
        f"campaign {signals.cut(handoff.campaign, 80)}" if handoff.campaign else "",
    ]
    return ", ".join(part for part in parts if part)
