"""Pools: who shares the work that a rule sends there, how, and what each has had so far.

Owns both pages with the form of the seats. A change counts at once, not with the next publishing: rules
name a pool by its id. Whose turn it is, and the memory of turns, is `routing.rotation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from leads import lifecycle, rosters
from leads.drafts import Names
from leads.forms import complaints
from leads.routing_forms import PoolForm, RoutingForm, SeatForm, active, new_slug
from leads.views.routes import frame
from leads.views.shell import shell_of
from routing import draft
from routing.models import Absence, Pool, PoolMember, Rule
from routing.rotation import capacity

MOST_SEATS = 500


@dataclass(frozen=True, slots=True)
class SeatLine:
    """A member as they stand: turns taken against the quota so far, what is open, and why they get none."""

    user: int
    name: str
    weight: int
    share: int
    taken: int
    quota: str
    load: str
    full: str
    state: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A pool on the list."""

    id: int
    name: str
    method: str
    caps: str
    seats: list[SeatLine]
    used: list[str]


@dataclass
class SeatInput:
    """A member as they are typed."""

    number: int
    user: str
    name: str
    given: Mapping[str, Any]
    errors: Mapping[str, str] = field(default_factory=dict)
    line: SeatLine | None = None


@require_safe
def pools(request: HttpRequest) -> HttpResponse:
    """All of them, with their members."""
    frame.reader(request)
    now = shell_of(request).now
    seats = _seats(now)
    used = _used()
    lines = [
        Line(
            id=row.pk,
            name=row.name,
            method=str(row.get_method_display()),
            caps=caps(row),
            seats=seats.get(row.pk, []),
            used=used.get(str(row.pk), []),
        )
        for row in Pool.objects.all()
    ]
    values = {"lines": lines, "may_edit": frame.may_edit(request)}
    return render(request, "leads/routing/pools.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
def pool_new(request: HttpRequest) -> HttpResponse:
    """A pool that is not there yet."""
    frame.editor(request)
    return _edit(request, Pool())


@require_http_methods(["GET", "HEAD", "POST"])
def pool(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them; for those who do not edit, as it is."""
    frame.reader(request)
    found = Pool.objects.select_related("calendar").filter(pk=pk).first()
    if found is None:
        raise Http404("no such pool")
    if request.method == "POST" or frame.may_edit(request):
        frame.editor(request)
        return _edit(request, found)
    return _render(request, found, _seats(shell_of(request).now, found).get(found.pk, []), {})


def _edit(request: HttpRequest, row: Pool) -> HttpResponse:
    names = Names()
    lines = _seats(shell_of(request).now, row).get(row.pk, []) if row.pk else []
    if request.method != "POST":
        form: RoutingForm = PoolForm(names=names, initial=PoolForm.of(row))
        return _page(request, row, form, _stored(row, lines), lines, names)
    seats = _sent(request, names, lines)
    command = str(request.POST.get("edit", ""))[:40]
    if command:
        _act(command, seats, request, names)
        return _page(request, row, PoolForm.typed(request.POST, names), seats, lines, names)
    bound = PoolForm(request.POST, names=names, initial=PoolForm.of(row))
    made = _members(seats, names)
    if not bound.is_valid() or any(seat.errors for seat in seats):
        return _page(request, row, bound, seats, lines, names, status=422)
    is_new = row.pk is None
    bound.fill(row)
    if is_new:
        row.slug = new_slug(Pool, row.name)
    user = frame.editor(request)
    try:
        draft.save(row, frame.revision(request), user, seats=made)
    except draft.Stale as stale:
        theirs = cast(Pool, stale.current)
        clash = frame.conflict(
            stale,
            _words(theirs, list(theirs.seats.select_related("user"))),
            _words(row, made),
            shell_of(request).now,
        )
        if clash.differences:
            return _page(request, row, bound, seats, lines, names, clash=clash, status=409)
    # Somebody new, or with more room, may take what waits.
    lifecycle.drain_soon(shell_of(request).now)
    said = "is there now" if is_new else "is saved, as of now"
    return frame.done(request, f"The pool “{row.name}” {said}.", reverse("leads:pools"))


def _page(
    request: HttpRequest,
    row: Pool,
    form: RoutingForm,
    seats: Sequence[SeatInput],
    lines: Sequence[SeatLine],
    names: Names,
    *,
    clash: frame.Conflict | None = None,
    status: int = 200,
) -> HttpResponse:
    taken = {seat.user for seat in seats}
    values = {
        "form": form,
        "seats": seats,
        "others": [(pk, name) for pk, name in active(names.sellers) if pk not in taken],
        "clash": clash,
        "revision": clash.revision if clash else request.POST.get("revision", row.revision),
        "focus": "f-add" if request.POST.get("edit") else "",
    }
    return _render(request, row, lines, values, status)


def _render(
    request: HttpRequest, row: Pool, lines: Sequence[SeatLine], values: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    shown = {
        "row": row,
        "lines": lines,
        "caps": caps(row),
        "may_edit": frame.may_edit(request),
        "changed": frame.last_change(row, shell_of(request).now),
        "used": _used().get(str(row.pk), []) if row.pk else [],
        "roster": rosters.of_pool(row, shell_of(request).now),
    }
    return render(request, "leads/routing/pool.html", shown | dict(values), status=status)


def caps(row: Pool) -> str:
    """What a member may have, in words."""
    parts = [
        f"{most} {words}"
        for most, words in ((row.cap_open, "open"), (row.cap_day, "a day"), (row.cap_week, "a week"))
        if most is not None
    ]
    said = f"at most {', '.join(parts)} each" if parts else "no cap"
    return f"{said}, in working hours only" if row.in_hours_only else said


def _seats(now: datetime, pool: Pool | None = None) -> dict[int, list[SeatLine]]:
    """The members of one pool or all, by pool, in the order of their names; three queries."""
    rows = PoolMember.objects.select_related("pool", "user__calendar", "user__team__calendar")
    found = list(rows.filter(pool=pool) if pool is not None else rows)
    people = {seat.user_id: seat.user for seat in found}
    timed = {seat.user_id for seat in found if capacity.is_timed(seat)}
    loads = capacity.loads(list(people.values()), timed, now)
    away = set(Absence.objects.at(now).filter(user__in=people).values_list("user_id", flat=True))
    weights: dict[int, int] = {}
    for seat in found:
        if seat.is_active and seat.user.is_active:
            weights[seat.pool_id] = weights.get(seat.pool_id, 0) + seat.weight
    by_pool: dict[int, list[SeatLine]] = {}
    for seat in sorted(found, key=lambda seat: (not seat.is_active, str(seat.user), seat.user_id)):
        line = _line(seat, loads[seat.user_id], seat.user_id in away, weights.get(seat.pool_id, 0))
        by_pool.setdefault(seat.pool_id, []).append(line)
    return by_pool


def _line(seat: PoolMember, load: capacity.Load, is_away: bool, weights: int) -> SeatLine:
    is_on = seat.is_active and seat.user.is_active
    state = "no longer active" if not seat.user.is_active else "" if seat.is_active else "not in rotation"
    most = capacity.cap(seat, "cap_open")
    return SeatLine(
        user=seat.user_id,
        name=str(seat.user),
        weight=seat.weight,
        share=round(100 * seat.weight / weights) if is_on and weights else 0,
        taken=seat.taken,
        quota=f"{seat.accrued:.1f}" if seat.pool.method == Pool.Method.QUOTA else "",
        load=f"{load.open} open" if most is None else f"{load.open} of {most} open",
        full=capacity.full(seat, load),
        state=state or ("away" if is_away else ""),
        is_on=is_on,
    )


def _stored(row: Pool, lines: Sequence[SeatLine]) -> list[SeatInput]:
    by_user = {line.user: line for line in lines}
    rows = {seat.user_id: seat for seat in row.seats.all()} if row.pk else {}
    return [
        SeatInput(
            number,
            str(user),
            line.name,
            {name: "" if (it := getattr(rows[user], name)) is None else it for name in SeatForm.FIELDS},
            line=line,
        )
        for number, (user, line) in enumerate(by_user.items())
        if user in rows
    ]


def _sent(request: HttpRequest, names: Names, lines: Sequence[SeatLine]) -> list[SeatInput]:
    """The members as they were typed."""
    by_user = {str(line.user): line for line in lines}
    found: list[SeatInput] = []
    for number in range(MOST_SEATS):
        user = request.POST.get(f"s.{number}.user")
        if user is None:
            break
        given = {name: request.POST.get(f"s.{number}.{name}", "")[:20] for name in SeatForm.FIELDS}
        person = names.by_id.get(user)
        if person is not None:
            found.append(SeatInput(len(found), user, str(person), given, line=by_user.get(user)))
    return found


def _act(command: str, seats: list[SeatInput], request: HttpRequest, names: Names) -> None:
    """One more member, or one less of those that are not stored yet."""
    verb, _, number = command.partition(".")
    if verb == "add":
        user = request.POST.get("add", "")
        person = names.by_id.get(user)
        if person is not None and person.is_active and user not in {seat.user for seat in seats}:
            seats.append(SeatInput(len(seats), user, str(person), {"weight": 1, "is_active": True}))
    elif verb == "remove" and number.isdecimal() and int(number) < len(seats):
        if seats[int(number)].line is None:
            del seats[int(number)]
        for position, seat in enumerate(seats):
            seat.number = position


def _members(seats: Sequence[SeatInput], names: Names) -> list[PoolMember]:
    """The seats as rows; what is wrong with one is put on it."""
    made = []
    sellers = {str(person.pk) for person in names.sellers}
    for seat in seats:
        form = SeatForm({**seat.given, "user": seat.user})
        if not form.is_valid():
            seat.errors = complaints(form)
        elif seat.line is None and seat.user not in sellers:
            seat.errors = {"user": "Only active people in sales can be members."}
        else:
            values = {name: form.cleaned_data[name] for name in SeatForm.FIELDS}
            made.append(PoolMember(user=names.by_id[seat.user], **values))
    return made


def _used() -> dict[str, list[str]]:
    """The names of the draft's rules by the id of each pool they hand to."""
    found: dict[str, list[str]] = {}
    for rule in Rule.objects.filter(is_active=True):
        for kind, pk in ((rule.target_kind, rule.target_id), (rule.fallback_kind, rule.fallback_id)):
            if kind == Rule.TargetKind.POOL and rule.name not in found.setdefault(pk, []):
                found[pk].append(rule.name)
    return found


def _words(row: Pool, seats: Sequence[PoolMember]) -> dict[str, str]:
    members = sorted(
        f"{seat.user} {seat.weight}{_own(seat)}{'' if seat.is_active else ' (off)'}" for seat in seats
    )
    return {
        "Name": row.name,
        "Whose turn it is": str(row.get_method_display()),
        "Caps": caps(row),
        "Members and weights": ", ".join(members) or "nobody",
        "Duty roster": str(row.calendar or "none"),
    }


def _own(seat: PoolMember) -> str:
    own = [str(cap) for cap in (seat.cap_open, seat.cap_day, seat.cap_week) if cap is not None]
    return f" (own caps {', '.join(own)})" if own else ""
