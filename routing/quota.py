"""Whose turn it is in a pool: weighted rotation by quota, pure.

Owns `pick` (the next member among those available), `take` and `give_back` (the members after a turn, and
after a turn is undone). Knows no database, caps, absences or clocks: routing/rotation.py hands in the
members that may be chosen now, under a lock, and keeps what comes back.

The quota. Each turn every available member accrues weight / sum of available weights; a member's credit is
what they accrued less the turns they took. Whoever is not available accrues nothing and keeps their credit
as it stands: the quota is frozen, not owed, so nobody comes back to a flood or to a fast, and a new member
starts level with the rest. (These are the fair shares of Fagin and Williams, "A fair carpool scheduling
algorithm", IBM J. Res. Dev. 27, 1983.)

The rule. Among members below their quota the one with the largest credit takes the turn, unless somebody
else's deadline could then no longer be kept; then the next, and at the latest the one whose own deadline is
earliest. A deadline is the turn by which a credit would reach one. That is the quota method (Balinski and
Young 1975; Still, "A class of new methods for congressional apportionment", SIAM J. Appl. Math. 37, 1979;
Tijdeman, "The chairman assignment problem", Discrete Math. 32, 1980), which leaves a choice among all who
are eligible; the choice made here is the one that suffers least when people come and go.

What holds. (1) While the same members are available from the start, every count stays less than one turn
from n * share, above and below, for ever and for any weights. Let c be the credits before a turn is taken,
s the shares and T(b) = sum of max(0, floor(c + b * s)) the turns due by b turns from now. Deadlines can be
kept only if T(b) <= b + 1 for all b; at the start c = s, so it holds; the test in `_attainable` keeps it
(from the taker's own deadline on nothing changes but one turn due and taken); the earliest deadline among
those below quota always passes it, since before that deadline only members at or above quota fall due, and
sum of b * s <= b. So no credit reaches one, and as only credits above zero are drawn on, none falls to
minus one. (2) After a change, as long as the members stay: if it is possible that nobody falls a full turn
behind, nobody does; nobody gets a full turn ahead unless all available are at or above their quota.
(3) Across changes no rule that cannot see the future stays below one turn. Of four equal members let A and
B be there, then C and D, then the two who were passed over: both have accrued a whole turn, and one of them
does not get it. No bound is proved here for that; what simulation shows (members coming and going at random,
weights 1 to 20, up to 12 members) is below 1 nearly always, 1.08 turns at worst with spells of fifty turns,
1.14 with three in ten away anew at each turn, 1.5 with a random pair alone at each turn, without growth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import lcm

# Shares are stored with twelve decimals.
_PLACES = 12
_UNIT = 1_000_000_000_000
# Stored credits are rounded; what differs by less than this much is the same. In a pool whose members stay
# the rounding never exceeds two units of the twelfth decimal, and each change adds at most two more.
_BLUR = 10**3
# How many turns ahead a deadline is looked for. Beyond it the earliest deadline is taken, which is safe.
_HORIZON = 1_000


@dataclass(frozen=True)
class Member:
    """One person in a pool: `weight` a whole number from 1 (what is said above is exact while the
    weights of a pool sum to at most 10^8), `accrued` the quota so far in turns, with twelve decimals, and
    `taken` the turns taken less those given back. A new member starts at 0 and 0."""

    user_id: int
    weight: int
    accrued: Decimal
    taken: int


@dataclass(frozen=True)
class Pick:
    """One turn: who takes it, and what each available member accrues by it. `shares` maps user id to a
    decimal with twelve places; they sum to exactly 1. To undo the turn, the shares must be kept with it."""

    user_id: int
    shares: dict[int, Decimal]


def pick(members: Iterable[Member]) -> Pick:
    """The next turn among the available members, each given once. Changes nothing; see `take`.

    Deterministic, whatever the order of the members. Equal credits go to the greater weight, then to the
    lowest user id; never by turns taken so far, which would favour whoever was away. Raises ValueError for
    no member, the same one twice, or a weight below 1.
    """
    available = sorted(members, key=lambda member: member.user_id)
    if not available:
        raise ValueError("nobody is available to take a turn")
    if len({member.user_id for member in available}) < len(available):
        raise ValueError("a member was given twice")
    if any(member.weight < 1 for member in available):
        raise ValueError("a weight is a whole number from 1")
    return Pick(_next(available).user_id, _shares(available))


def take(members: Iterable[Member], turn: Pick) -> tuple[Member, ...]:
    """The members after a turn, in their order; those not available at it are unchanged."""
    return _moved(members, turn, 1)


def give_back(members: Iterable[Member], turn: Pick) -> tuple[Member, ...]:
    """The members as if the turn had never been: each loses the share it brought, the taker the turn.

    `members` should hold everybody who was available at the turn, present or not by now; whoever has left
    the pool for good is passed over. Straight after the turn this restores the very state before it. Later
    it takes out this turn alone: the others keep what they took since, and the taker, one turn further
    below quota, is next before long. A turn is given back once; seeing to that is the caller's.
    """
    return _moved(members, turn, -1)


def _moved(members: Iterable[Member], turn: Pick, sign: int) -> tuple[Member, ...]:
    return tuple(
        replace(
            member,
            accrued=member.accrued + sign * turn.shares.get(member.user_id, Decimal(0)),
            taken=member.taken + (sign if member.user_id == turn.user_id else 0),
        )
        for member in members
    )


def _shares(available: Sequence[Member]) -> dict[int, Decimal]:
    """What each accrues this turn, in twelve decimals and summing to exactly 1.

    Rounding each share by itself would let a pool of three drift by a unit each turn. Instead the turns so
    far are the clock t, and a member's share is the growth from t to t + 1 of the rounded span between the
    cumulated weights before and after them. While the members stay the same these growths telescope, so
    the error never exceeds two units, however many turns.
    """
    total = sum(member.weight for member in available)
    t = sum(member.taken for member in available)
    shares: dict[int, Decimal] = {}
    below = cumulated = 0
    for member in available:
        cumulated += member.weight
        units = cumulated * _UNIT
        grown = (t + 1) * units // total - t * units // total
        shares[member.user_id] = Decimal(grown - below).scaleb(-_PLACES)
        below = grown
    return shares


def _next(available: Sequence[Member]) -> Member:
    """The member whose turn it is. All credits are whole numbers over the common denominator total * unit,
    so that nothing is decided by a rounding of this function's own."""
    total = sum(member.weight for member in available)
    one = total * _UNIT
    credit = {m.user_id: _credit(m, total) + m.weight * _UNIT for m in available}
    common = lcm(*(member.weight for member in available))

    def largest_first(member: Member) -> tuple[int, int, int]:
        return -credit[member.user_id], -member.weight, member.user_id

    def deadline(member: Member) -> int:
        # In turns from now, times a factor that is the same for all.
        return (one - credit[member.user_id]) * (common // member.weight)

    ranked = sorted(available, key=largest_first)
    below = [member for member in ranked if credit[member.user_id] > 0]
    if not below:
        return ranked[0]
    earliest = min(below, key=deadline)
    due = [(credit[member.user_id], member.weight * _UNIT, member) for member in available]
    for member in below:
        if member is earliest or _attainable(member, due, one):
            return member
    return earliest


def _credit(member: Member, total: int) -> int:
    """The stored credit times total * unit; a credit that is a multiple of 1 / total but for the rounding
    of its shares is taken as that multiple."""
    units = int(member.accrued.scaleb(_PLACES).to_integral_value()) - member.taken * _UNIT
    nearest = (2 * units * total + _UNIT) // (2 * _UNIT)
    if abs(units * total - nearest * _UNIT) <= _BLUR * total:
        return nearest * _UNIT
    return (units + _BLUR // 2) // _BLUR * _BLUR * total


def _attainable(taker: Member, due: Sequence[tuple[int, int, Member]], one: int) -> bool:
    """Whether everybody else's deadlines before the taker's own can be kept if the taker goes now."""
    own = next((one - credit + share - 1) // share for credit, share, member in due if member is taker)
    if own <= 0:
        return True
    if own > _HORIZON:
        return False
    deadlines: list[int] = []
    for credit, share, member in due:
        if member is taker:
            continue
        # The turn by which each further turn of this member falls due, 0 being the present one.
        needed = one - credit
        while (at := max(0, (needed + share - 1) // share)) < own:
            deadlines.append(at)
            if at == 0 or len(deadlines) >= own:
                return False
            needed += one
    deadlines.sort()
    return all(place <= at for place, at in enumerate(deadlines, start=1))
