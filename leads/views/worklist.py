"""The list beside the lead: a person's own work in sections, or what waits in one of their queues.

Owns the queries of the list and its filters. By what a poll knows that nothing changed is `stamp`.
A constant number of queries, whatever the number of rows. Never decides what may be done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import CharField, Count, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import Http404, QueryDict
from django.urls import reverse

from leads.choices import WEAK_SIGNALS, EventKind, LeadType, State
from leads.models import (
    Activity,
    ContactAttempt,
    Deferral,
    DuplicatePair,
    Event,
    Handoff,
    RejectionReason,
    Score,
)
from leads.presenters import rows
from leads.presenters.rows import DoneRow, Section
from leads.typed import plain
from leads.views import counts, stamp
from leads.views.shell import Shell
from routing import hours
from routing.models import Calendar, Queue, Team, User
from routing.prepared import prepared

MOST_ROWS = 200
MOST_DONE = 100

# What a row reads; the rest of these wide tables (facts as JSON) is left where it is.
_ROW_FIELDS = (
    "id", "state", "revision", "lead_type", "trigger", "trigger_reason", "raised_at", "triggered_again_at",
    "score_total", "accept_due_at", "contact_due_at", "next_due_at", "next_touch_at", "deferred_until",
    "no_activity_at", "black_hole_at", "priority", "updated_at",
    "lead__first_name", "lead__last_name", "lead__email", "lead__job_title",
    "lead__email_opt_out", "lead__do_not_call",
    "lead__company__name", "lead__company__domain",
    "policy__accept_minutes", "policy__accept_business",
    "policy__contact_minutes", "policy__contact_business",
    "trigger_activity__kind", "trigger_activity__title", "score_id",
)  # fmt: skip


@dataclass(frozen=True)
class Params:
    """What the list shows, as it stands in the address: queue slug ("" for one's own), words, lead type."""

    queue: str = ""
    words: str = ""
    kind: str = ""

    @classmethod
    def of(cls, data: QueryDict) -> Params:
        kind = data.get("type", "")
        return cls(
            queue=plain(data.get("queue"), 60),
            words=" ".join(plain(data.get("q")).split())[:100],
            kind=kind if kind in LeadType.values else "",
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.words or self.kind)

    def query(self, **more: Any) -> str:
        """The address's query with these parameters and more: "?queue=dach&h=12", "" for none."""
        pairs = {"queue": self.queue, "q": self.words, "type": self.kind} | more
        found = urlencode({name: value for name, value in pairs.items() if value not in ("", None)})
        return f"?{found}" if found else ""

    @property
    def opening(self) -> str:
        """What stands before the id in a row's link: "?queue=dach&h="."""
        return f"{self.query() or '?'}{'&' if self.query() else ''}h="


@dataclass(frozen=True, slots=True)
class Tab:
    """One's own work, or a queue with what waits in it."""

    label: str
    count: int
    href: str
    is_current: bool


@dataclass
class WorkList:
    """All that the list shows."""

    params: Params
    tabs: list[Tab]
    sections: list[Section]
    done: list[DoneRow]
    open_count: int
    is_cut: bool
    stamp: str
    open_id: int | None = None
    order: list[int] = field(default_factory=list)
    answer: str = ""

    @property
    def poll(self) -> str:
        """The query of the poll. In the address, not as a value of htmx: those the rows would inherit."""
        return self.params.query(v=self.stamp)

    def after(self, pk: int | None) -> int | None:
        """The row below this one, else the first other row; None for none."""
        others = [row for row in self.order if row != pk]
        if pk in self.order:
            below = self.order[self.order.index(pk) + 1 :]
            if below:
                return below[0]
        return others[0] if others else None

    def place(self, pk: int) -> str:
        """Where a row stands: "2 of 9"; "" when it is not in the list."""
        return f"{self.order.index(pk) + 1} of {len(self.order)}" if pk in self.order else ""


def load(user: User, shell: Shell, now: datetime, params: Params, open_id: int | None = None) -> WorkList:
    """The list of this person. `now` is in the viewer's zone. A queue that is not theirs is Http404."""
    # Before the rows, so that what changes meanwhile is news.
    is_simple = not (shell.has_queues or params.is_filtered or shell.mine["all"] > MOST_ROWS)
    before = "" if is_simple else stamp.of(user, now).text
    queues = _queues(user) if shell.has_queues else []
    chosen = next((row for row in queues if row.queue.slug == params.queue), None)
    if params.queue and chosen is None:
        raise Http404("no such queue")
    if params.is_filtered:
        base = _in_queue(chosen.queue.pk) if chosen else Handoff.objects.held_by(user)
        found = list(_with_row(_filtered(base, params))[: MOST_ROWS + 1])
    else:
        found = _waiting(chosen.queue.pk) if chosen else _mine(user.pk)
    is_cut = len(found) > MOST_ROWS
    found = found[:MOST_ROWS]
    # Without a stamp, what came between the frame's counts and the rows is news, too.
    if is_simple and Counter(row.state for row in found) == Counter(shell.by_state):
        before = stamp.of_page(found, shell.unread_count, now)
    _fetch_scores(found)
    notes = _notes(found, now)
    if chosen is None:
        calendar = calendar_of(user)
        by_state: dict[str, Any] = {} if params.is_filtered else shell.mine
        sections = rows.sections(found, by_state, now, calendar, notes, open_id)
    else:
        row = chosen.queue.calendar
        calendar = row.hours() if row is not None else default_calendar()
        section = Section("queued", f"Waiting in {chosen.queue}", "soonest due first")
        section.rows = [rows.row(handoff, now, calendar, open_id=open_id) for handoff in found]
        section.count = len(found) if params.is_filtered else chosen.count
        sections = [section] if section.rows else []
    return WorkList(
        params=params,
        tabs=_tabs(queues, shell, params),
        sections=sections,
        done=[] if chosen else _done(user, now, open_id),
        open_count=shell.mine["all"],
        is_cut=is_cut,
        stamp=before,
        open_id=open_id,
        order=[row.id for section in sections for row in section.rows],
        answer=shell.answer,
    )


def list_of(user: User, handoff: Handoff) -> Params | None:
    """The list in which this handoff stands for the person: their own, a queue's; None for neither."""
    if handoff.is_open and handoff.assignee_id == user.pk:
        return Params()
    queue = handoff.queue if handoff.is_open and handoff.state == State.QUEUED else None
    if queue is not None and any(own.queue.pk == queue.pk for own in _queues(user)):
        return Params(queue=queue.slug)
    return None


def calendar_of(user: User) -> hours.Calendar | None:
    """The working time of a person: their own calendar, their team's, or the default."""
    # The default may also be somebody's own; what is nearer to the person counts first.
    ranked = sorted(_calendars(user.pk), key=lambda row: (row.pk != user.calendar_id, row.is_default))
    return ranked[0].hours() if ranked else None


@prepared
def _calendars(user: int) -> QuerySet[Calendar]:
    own = User.objects.filter(pk=user).values("calendar_id")
    team = Team.objects.filter(members=user).values("calendar_id")
    return Calendar.objects.filter(Q(pk__in=own) | Q(pk__in=team) | Q(is_default=True))


def default_calendar() -> hours.Calendar | None:
    found = _default_calendar()
    return found[0].hours() if found else None


@prepared
def _default_calendar() -> QuerySet[Calendar]:
    return Calendar.objects.filter(is_default=True).order_by()


@dataclass(slots=True)
class Waiting:
    """A sales queue of somebody's, with how much waits in it."""

    queue: Queue
    count: int = 0


def _queues(user: User) -> list[Waiting]:
    """The sales queues that this person is a member or the owner of."""
    found = [Waiting(queue) for queue in _sales_queues(user.pk)]
    if found:
        waiting = Handoff.objects.filter(
            queue__in=[row.queue.pk for row in found], state=State.QUEUED, is_history=False
        )
        by_queue = dict(waiting.order_by().values_list("queue").annotate(count=Count("pk")))
        for row in found:
            row.count = by_queue.get(row.queue.pk, 0)
    return found


@prepared
def _sales_queues(user: int) -> QuerySet[Queue]:
    return counts.sales_queues(user)


@prepared
def _mine(user: int) -> QuerySet[Handoff]:
    return _with_row(Handoff.objects.open().filter(assignee=user))[: MOST_ROWS + 1]


@prepared
def _waiting(queue: int) -> QuerySet[Handoff]:
    return _with_row(_in_queue(queue))[: MOST_ROWS + 1]


def _in_queue(queue: int) -> QuerySet[Handoff]:
    return Handoff.objects.filter(queue=queue, state=State.QUEUED, is_history=False)


def _filtered(base: QuerySet[Handoff], params: Params) -> QuerySet[Handoff]:
    for word in params.words.split():
        base = base.filter(
            Q(lead__first_name__icontains=word)
            | Q(lead__last_name__icontains=word)
            | Q(lead__email__icontains=word)
            | Q(lead__company__name__icontains=word)
        )
    if params.kind == LeadType.DEMO:
        base = base.filter(Q(lead_type=LeadType.DEMO) | Q(raised_at__isnull=False))
    elif params.kind:
        base = base.filter(lead_type=params.kind, raised_at__isnull=True)
    return base


def _with_row(base: QuerySet[Handoff]) -> QuerySet[Handoff]:
    lead = OuterRef("lead_id")
    pairs = DuplicatePair.objects.filter(status=DuplicatePair.Status.OPEN)
    weak = [str(kind) for kind in WEAK_SIGNALS]
    return (
        base.select_related("lead__company", "policy", "trigger_activity")
        .only(*_ROW_FIELDS)
        .annotate(
            has_duplicate=Exists(pairs.filter(Q(first=lead) | Q(second=lead))),
            has_strong_signal=Exists(Activity.objects.filter(lead=lead).exclude(kind__in=weak)),
        )
        .order_by("-priority", Coalesce("next_due_at", "next_touch_at").asc(nulls_last=True), "pk")
    )


def _fetch_scores(found: list[Handoff]) -> None:
    """The scores of those rows that have nothing else to give as their reason, in one query."""
    bare = [row for row in found if row.trigger_activity_id is None and not row.trigger_reason]
    ids = [row.score_id for row in bare if row.score_id is not None]
    scores = Score.objects.only("reasons").in_bulk(ids) if ids else {}
    for row in found:
        row.score = scores.get(row.score_id or 0)


def _notes(found: list[Handoff], now: datetime) -> dict[int, str]:
    deferred = [handoff.pk for handoff in found if handoff.state == State.DEFERRED]
    working = [handoff.pk for handoff in found if handoff.state == State.WORKING]
    return rows.latest_notes(_written(deferred, working), now) if deferred or working else {}


@prepared
def _written(
    deferred: Collection[int], working: Collection[int]
) -> QuerySet[Any, tuple[int, datetime, str, str, str]]:
    """Why those were deferred and how these were contacted, as `rows.latest_notes` takes it."""
    none = Value("", output_field=CharField())
    deferrals = Deferral.objects.filter(handoff__in=deferred, undone_at__isnull=True).order_by()
    attempts = ContactAttempt.objects.filter(handoff__in=working, undone_at__isnull=True).order_by()
    words = deferrals.values_list("handoff", "at", "explanation", none, none)
    made = attempts.values_list("handoff", "at", none, "channel", "outcome")
    return words.union(made, all=True).order_by("at")


def _done(user: User, now: datetime, open_id: int | None) -> list[DoneRow]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    newest_first = _acts(user.pk, midnight)
    reasons = {str(event.data.get("reason")) for event in newest_first if isinstance(event.data, dict)} - {
        "None"
    }
    named = RejectionReason.objects.filter(code__in=reasons).values_list("code", "label") if reasons else ()
    labels = dict(named)
    return rows.done_today(reversed(newest_first), labels, now, open_id)


@prepared
def _acts(user: int, since: datetime) -> QuerySet[Event]:
    kinds = sorted(str(kind) for kind in (*rows.DONE, EventKind.UNDONE))
    return (
        Event.objects.filter(user=user, recorded_at__gte=since, kind__in=kinds)
        .select_related("handoff__lead")
        .only(
            "kind", "number", "recorded_at", "data", "handoff__deferred_until",
            "handoff__lead__first_name", "handoff__lead__last_name", "handoff__lead__email",
        )
        .order_by("-recorded_at", "-number")[:MOST_DONE]
    )  # fmt: skip


def _tabs(queues: list[Waiting], shell: Shell, params: Params) -> list[Tab]:
    if not queues:
        return []
    tabs = [Tab("Mine", shell.mine["all"], reverse("leads:inbox"), not params.queue)]
    for row in queues:
        slug = row.queue.slug
        tabs.append(Tab(row.queue.name, row.count, Params(queue=slug).query(), slug == params.queue))
    return tabs
