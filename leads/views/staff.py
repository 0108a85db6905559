"""What the team page shows: who needs help, and who holds how much.

Owns the queries of the page and which handoffs are whose to watch: a manager's are those of the teams they
lead and of the queues they own. A constant number of queries, whatever the number of rows or people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, Count, DateTimeField, F, Q, QuerySet, Value, When, Window
from django.db.models.functions import Coalesce, RowNumber
from django.http import QueryDict

from leads import attention, escalation, permissions
from leads.attention import RISK
from leads.choices import HOLDS_TURN, State
from leads.handoff_filter import LATEST
from leads.models import Handoff
from leads.presenters import teams, times
from leads.presenters.orphans import Trouble, trouble
from leads.presenters.teams import Group, RepLine, TeamRow
from leads.querysets import overdue
from leads.receivers import Receiver, receivers
from leads.views import reps
from leads.views.inbox import number
from leads.views.worklist import default_calendar
from routing.models import Absence, PoolMember, Team, User
from routing.people import MANAGER, REP

MOST_ROWS = 12
MOST_LOOKED_AT = 60  # of which some are at risk
MOST_WORK = 200
MOST_PEOPLE = 300
_HELD = [str(state) for state in HOLDS_TURN]
_OWED = [str(State.ASSIGNED), str(State.ACCEPTED)]
_ROW_FIELDS = (
    "id", "state", "revision", "lead_type", "raised_at", "triggered_again_at", "mql_at", "held_since",
    "assigned_at", "last_activity_at", "viewed_at", "accept_due_at", "contact_due_at", "completion_due_at",
    "next_due_at", "next_touch_at", "deferred_until", "no_activity_at", "black_hole_at", "is_history",
    "priority",
    "lead__first_name", "lead__last_name", "lead__email", "lead__job_title",
    "lead__company__name", "lead__company__domain",
    "policy__accept_minutes", "policy__accept_business", "policy__contact_minutes",
    "policy__contact_business", "policy__completion_minutes", "policy__completion_business",
    "policy__no_activity_minutes", "policy__no_activity_business",
    "assignee__name", "assignee__email", "assignee__is_active",
    "assignee__calendar__revision", "assignee__team__name", "assignee__team__calendar__revision",
    "queue__name", "queue__calendar__revision",
)  # fmt: skip


@dataclass(frozen=True)
class Params:
    """What the page shows, as it stands in the address: a team, a person whose work is listed, or all of
    one section."""

    team: int | None = None
    rep: int | None = None
    show: str = ""

    @classmethod
    def of(cls, data: QueryDict) -> Params:
        show = data.get("show", "")
        return cls(
            team=number(data.get("team")),
            rep=number(data.get("rep")),
            show=show if show in teams.groups() else "",
        )

    def query(self, **more: Any) -> str:
        pairs = {"team": self.team, "rep": self.rep, "show": self.show} | more
        return "?" + urlencode({name: value for name, value in pairs.items() if value not in ("", None)})


@dataclass
class Reassigning:
    """The form that is open under a row."""

    id: int
    revision: int
    receivers: Sequence[Receiver]
    to: str = ""
    reason: str = ""
    to_error: str = ""
    reason_error: str = ""
    asks_anyway: bool = False


@dataclass
class Overview:
    """All that the page shows."""

    params: Params
    teams: Sequence[Team]
    groups: Sequence[Group]
    lines: Sequence[RepLine]
    totals: Any
    states: Sequence[tuple[str, int]]
    open_count: int
    rep: User | None
    work: Sequence[TeamRow]
    beside: reps.Rep | None = None
    are_lines_cut: bool = False
    is_work_cut: bool = False
    form: Reassigning | None = None
    troubles: Sequence[Trouble] = ()
    notice: str = ""
    kept: str = ""
    away: Mapping[str, str] = field(default_factory=dict)
    away_errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def calm(self) -> bool:
        """Whether nothing needs anybody."""
        return not any(group.rows for group in self.groups)


def watched(user: User, params: Params) -> QuerySet[Handoff]:
    """The open handoffs that this person watches over, of one team or person if the address says so."""
    rows = Handoff.objects.open().filter(attention.watched_by(user))
    if params.team is not None:
        rows = rows.filter(attention.of_team(params.team))
    if params.rep is not None:
        rows = rows.filter(assignee=params.rep)
    return rows


def people_of(user: User, params: Params) -> QuerySet[User]:
    """The people in sales whose work this person watches over."""
    people = User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER]).distinct()
    if not _sees_all(user):
        people = people.filter(Q(team__manager=user) | Q(pk=user.pk))
    return people.filter(team=params.team) if params.team is not None else people


def load(user: User, params: Params, now: datetime) -> Overview:
    """The page. `now` is in the viewer's zone."""
    rows = watched(user, params)
    by_state = dict(
        rows.exclude(state=State.INCOMPLETE).order_by().values_list("state").annotate(n=Count("pk"))
    )
    lines, are_lines_cut = _lines(user, params, now)
    rep = people_of(user, Params()).filter(pk=params.rep).first() if params.rep is not None else None
    led = Team.objects.all() if _sees_all(user) else Team.objects.filter(manager=user)
    overview = Overview(
        params=params,
        teams=list(led),
        groups=[],
        lines=lines,
        totals=teams.totals(lines),
        states=[(str(state.label), by_state[str(state)]) for state in State if str(state) in by_state],
        open_count=sum(by_state.values()),
        rep=rep,
        work=[],
        are_lines_cut=are_lines_cut,
    )
    if rep is not None:
        overview.beside = reps.load(user, rep, now)
        # What is worked on has a next touch instead of a deadline.
        due = Coalesce("next_due_at", "next_touch_at", Value(LATEST, output_field=DateTimeField()))
        theirs = rows.exclude(state=State.INCOMPLETE).annotate(due=due)
        everything = _ids(theirs, ("due", "pk"), MOST_WORK + 1)
        found = _loaded(everything[:MOST_WORK])
        calendar = default_calendar()
        overview.work = [teams.row(found[pk], "", now, calendar) for pk in everything if pk in found]
        overview.is_work_cut = len(everything) > MOST_WORK
    else:
        overview.groups = _groups(rows, now, params)
        overview.troubles = _troubles(user, now)
    return overview


def _troubles(user: User, now: datetime) -> list[Trouble]:
    """What nobody answers for and the sweep has not put right yet: of the people this person watches over,
    and of the queues, which are everybody's."""
    sees_all = _sees_all(user)
    led = set() if sees_all else set(Team.objects.filter(manager=user).values_list("pk", flat=True))
    seen = [
        orphan
        for orphan in escalation.find(now)
        if sees_all
        or (orphan.handoff_id is None and orphan.user is None)
        or (orphan.user is not None and orphan.user.team_id in led)
    ]
    held: dict[int, int] = {}
    for states in {orphan.states for orphan in seen if orphan.states}:
        people = [orphan.user.pk for orphan in seen if orphan.user is not None and orphan.states == states]
        rows = Handoff.objects.open().filter(assignee__in=people, state__in=[str(state) for state in states])
        held |= dict(rows.order_by().values_list("assignee").annotate(n=Count("pk")))
    return [trouble(orphan, held, user.is_staff) for orphan in seen]


def _groups(rows: QuerySet[Handoff], now: datetime, params: Params) -> list[Group]:
    """The sections with their rows, or all of the one that is asked for; what is said of an empty one
    stands for it."""
    groups, calendar = teams.groups(), default_calendar()
    conditions = [row for row in attention.conditions(now) if params.show in ("", row[0])]
    most = MOST_WORK if params.show else MOST_ROWS
    ids, counts = _firsts(rows, conditions, most)
    found = _loaded([pk for some in ids.values() for pk in some])
    for key, some in ids.items():
        group = groups[key]
        made = [teams.row(found[pk], key, now, calendar) for pk in some if pk in found]
        group.count = f"{counts[key]:,}"
        if key == RISK:
            looked_at = len(made)
            made = [row for row in made if teams.is_at_risk(row.clock)]
            # Those further down have more time left than the last one here.
            group.count = f"{len(made)}+" if len(made) == looked_at < counts[key] else str(len(made))
        group.rows = made[:most]
        if len(made) > most or (key != RISK and counts[key] > most and not params.show):
            group.more = params.query(show=key)
    shown = [group for key, group in groups.items() if params.show in ("", key)]
    return [group for group in shown if group.rows or group.empty or params.show]


def _firsts(
    rows: QuerySet[Handoff], conditions: Sequence[tuple[str, Q, tuple[str, ...]]], most: int
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Which rows come first in each section, and how many there are in it; one narrow query."""
    section = Case(*(When(fits, then=Value(key)) for key, fits, _ in conditions))
    at = Case(*(When(section=key, then=F(order[0])) for key, _, order in conditions))
    found = (
        rows.order_by()
        .annotate(section=section)
        .filter(section__isnull=False)
        .annotate(
            place=Window(RowNumber(), partition_by="section", order_by=[at, "pk"]),
            many=Window(Count("pk"), partition_by="section"),
        )
        .filter(place__lte=max(most, MOST_LOOKED_AT))
        .values_list("section", "pk", "many", "place")
    )
    ids: dict[str, list[int]] = {key: [] for key, *_ in conditions}
    counts = dict.fromkeys(ids, 0)
    for key, pk, many, place in sorted(found, key=lambda row: row[3]):
        counts[key] = many
        if place <= most or key == RISK:
            ids[key].append(pk)
    return ids, counts


def _ids(rows: QuerySet[Handoff], order: tuple[str, ...], most: int) -> list[int]:
    """Which rows come first. Found by a narrow query, so that sorting carries nothing along."""
    return list(rows.order_by(*order).values_list("pk", flat=True)[:most])


def _loaded(ids: Sequence[int]) -> dict[int, Handoff]:
    """These handoffs with what their place on the page needs; the rest of wide tables stays where it is."""
    rows = Handoff.objects.filter(pk__in=ids).select_related(
        "lead__company", "policy", "queue__calendar", "assignee__calendar", "assignee__team__calendar"
    )
    return {handoff.pk: handoff for handoff in rows.only(*_ROW_FIELDS)}


def form_for(user: User, handoff: Handoff, now: datetime) -> Reassigning:
    """The form of one handoff, empty."""
    return Reassigning(handoff.pk, handoff.revision, receivers(user, handoff, now))


def put_in(overview: Overview, form: Reassigning, handoff: Handoff, now: datetime) -> Overview:
    """The page with this form open under its row; a row that needs nobody's help is put on top."""
    rows = [*overview.work, *(row for group in overview.groups for row in group.rows)]
    if all(row.id != handoff.pk for row in rows):
        row = teams.row(handoff, "", now, default_calendar())
        chosen = teams.chosen()
        chosen.rows, chosen.count = [row], "1"
        overview.groups = [chosen, *overview.groups]
        overview.work = [row, *overview.work]
    overview.form = form
    return overview


def _sees_all(user: User) -> bool:
    return permissions.is_marketing(user) or permissions.is_admin(user)


def _lines(user: User, params: Params, now: datetime) -> tuple[list[RepLine], bool]:
    """The work in figures of those who need help first, and whether there are more people than that; four
    queries for any number of them."""
    everybody = people_of(user, Params(params.team))
    counted = _counted(everybody, now)
    # Who holds nothing fills up what is left.
    idle = Case(When(pk__in=list(counted), then=Value(0)), default=Value(1))
    rows = everybody.select_related("team").annotate(idle=idle).order_by("idle", "name", "pk")
    people = list(rows[: MOST_PEOPLE + 1])
    is_cut = len(people) > MOST_PEOPLE
    del people[MOST_PEOPLE:]
    ids = [person.pk for person in people]
    caps: dict[int, list[int | None]] = {}
    seats = PoolMember.objects.filter(user__in=ids, is_active=True)
    for person_id, cap in seats.values_list("user_id", Coalesce("cap_open", "pool__cap_open")):
        caps.setdefault(person_id, []).append(cap)
    away = {absence.user_id: absence for absence in Absence.objects.at(now).filter(user__in=ids)}
    lines = [
        _line(person, counted.get(person.pk, {}), _cap(caps.get(person.pk, [])), away.get(person.pk), now)
        for person in people
    ]
    return sorted(lines, key=lambda line: (-line.late, -line.silent, -line.load, line.name)), is_cut


def _counted(people: QuerySet[User], now: datetime) -> dict[int, dict[str, Any]]:
    """What each of these people holds, by kind; those who need help first, as many as the page shows."""
    owed = Q(state__in=_OWED)
    silent = owed & (Q(no_activity_at__isnull=False) | Q(black_hole_at__isnull=False))
    rows = Handoff.objects.open().filter(assignee__in=people.order_by().values("pk")).values("assignee")
    counts = rows.annotate(
        answer=Count("pk", filter=Q(state=State.ASSIGNED)),
        contact=Count("pk", filter=Q(state=State.ACCEPTED)),
        follow=Count("pk", filter=Q(state=State.WORKING)),
        deferred=Count("pk", filter=Q(state=State.DEFERRED)),
        late=Count("pk", filter=owed & overdue(now)),
        silent=Count("pk", filter=silent),
        load=Count("pk", filter=Q(state__in=_HELD)),
    )
    most = counts.order_by("-late", "-silent", "-load", "assignee")[:MOST_PEOPLE]
    return {row["assignee"]: dict(row) for row in most}


def _cap(caps: Sequence[int | None]) -> int | None:
    """The most a person may hold by their seats; None when one of them has no cap, or there is no seat."""
    known = [cap for cap in caps if cap is not None]
    return max(known) if known and len(known) == len(caps) else None


def _line(
    person: User, counts: dict[str, Any], cap: int | None, absence: Absence | None, now: datetime
) -> RepLine:
    load = counts.get("load", 0)
    return RepLine(
        id=person.pk,
        name=str(person),
        team=str(person.team) if person.team else "",
        answer=counts.get("answer", 0),
        contact=counts.get("contact", 0),
        follow=counts.get("follow", 0),
        deferred=counts.get("deferred", 0),
        late=counts.get("late", 0),
        silent=counts.get("silent", 0),
        load=load,
        cap=str(cap) if cap is not None else "",
        share=min(100, round(100 * load / cap)) if cap else None,
        note=f"away until {times.moment(absence.ends_at, now)}" if absence else "",
    )
