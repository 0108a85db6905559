"""What the team page shows: who needs help, and who holds how much.

Owns the queries of the page and which handoffs are whose to watch: a manager's are those of the teams they
lead and of the queues they own. A constant number of queries, whatever the number of rows or people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, DateTimeField, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import QueryDict
from django.urls import reverse

from leads import attention, escalation
from leads.attention import RISK
from leads.choices import State
from leads.handoff_filter import LATEST
from leads.models import Handoff
from leads.presenters import teams
from leads.presenters.orphans import Trouble, trouble
from leads.presenters.teams import Group, RepLine, TeamRow
from leads.receivers import Receiver, receivers
from leads.roles import Can, can
from leads.views import loads, reps, watching
from leads.views.inbox import number
from leads.views.worklist import default_calendar
from routing.models import Team, User
from routing.prepared import prepared

MOST_ROWS = 12
MOST_WORK = 200


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

    @property
    def opening(self) -> str:
        """What stands before the id in a row's link: "/team/?team=3&h="."""
        query = self.query()
        return reverse("leads:team") + (f"{query}h=" if query == "?" else f"{query}&h=")


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
    people = loads.of_all() if _sees_all(user) else loads.of_manager(user.pk)
    return people.filter(team=params.team) if params.team is not None else people


def load(user: User, params: Params, now: datetime) -> Overview:
    """The page. `now` is in the viewer's zone."""
    own = None if params == Params() else watched(user, params)
    by_state = dict(watching.states(user, own))
    lines, are_lines_cut = loads.lines(user, people_of(user, Params(params.team)), params.team, now)
    rep = people_of(user, Params()).filter(pk=params.rep).first() if params.rep is not None else None
    led = list(Team.objects.all()) if _sees_all(user) else _led_by(user.pk)
    overview = Overview(
        params=params,
        teams=led,
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
        theirs = watched(user, params).exclude(state=State.INCOMPLETE).annotate(due=due)
        everything = _ids(theirs, ("due", "pk"), MOST_WORK + 1)
        found = _loaded(everything[:MOST_WORK])
        calendar = default_calendar()
        overview.work = [teams.row(found[pk], "", now, calendar) for pk in everything if pk in found]
        overview.is_work_cut = len(everything) > MOST_WORK
    else:
        overview.groups = _groups(user, own, now, params)
        overview.troubles = _troubles(user, {team.pk for team in led}, now)
    return overview


@prepared
def _led_by(manager: int) -> QuerySet[Team]:
    return Team.objects.filter(manager=manager)


def _troubles(user: User, led: Collection[int], now: datetime) -> list[Trouble]:
    """What nobody answers for and the sweep has not put right yet: of the people this person watches over,
    and of the queues, which are everybody's."""
    sees_all = _sees_all(user)
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


def _groups(user: User, own: QuerySet[Handoff] | None, now: datetime, params: Params) -> list[Group]:
    """The sections with their rows, or all of the one that is asked for; what is said of an empty one
    stands for it."""
    groups, calendar = teams.groups(), default_calendar()
    conditions = [row for row in attention.conditions(now) if params.show in ("", row[0])]
    most = MOST_WORK if params.show else MOST_ROWS
    firsts = watching.firsts(user, own, now, max(most, watching.MOST_FIRST))
    ids, counts = _in_sections(firsts, conditions, most)
    found = _loaded([pk for some in ids.values() for pk in some])
    for key, some in ids.items():
        group = groups[key]
        fits = [found[pk] for pk in some if pk in found]
        group.count = f"{counts[key]:,}"
        if key == RISK:
            looked_at = len(fits)
            fits = [handoff for handoff in fits if teams.is_at_risk(handoff, now, calendar)]
            # Those further down have more time left than the last one here.
            group.count = f"{len(fits)}+" if len(fits) == looked_at < counts[key] else str(len(fits))
        group.rows = [teams.row(handoff, key, now, calendar) for handoff in fits[:most]]
        if len(fits) > most or (key != RISK and counts[key] > most and not params.show):
            group.more = params.query(show=key)
    shown = [group for key, group in groups.items() if params.show in ("", key)]
    return [group for group in shown if group.rows or group.empty or params.show]


def _in_sections(
    firsts: Iterable[watching.First], conditions: Sequence[tuple[Any, ...]], most: int
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """The ids of each section in their order, and how many there are in it."""
    ids: dict[str, list[int]] = {key: [] for key, *_ in conditions}
    counts = dict.fromkeys(ids, 0)
    for key, pk, many, place in sorted(firsts, key=lambda row: row[3]):
        if key in ids:
            counts[key] = many
            if place <= most or key == RISK:
                ids[key].append(pk)
    return ids, counts


def _ids(rows: QuerySet[Handoff], order: tuple[str, ...], most: int) -> list[int]:
    """Which rows come first. Found by a narrow query, so that sorting carries nothing along."""
    return list(rows.order_by(*order).values_list("pk", flat=True)[:most])


def _loaded(ids: Sequence[int]) -> dict[int, Handoff]:
    """These handoffs with what their place on the page needs; the rest of wide tables stays where it is."""
    return {handoff.pk: handoff for handoff in watching.read(ids)}


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
    return can(user, Can.WATCH_ALL)
