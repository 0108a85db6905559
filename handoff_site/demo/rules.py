"""How the demo organisation routes: four territories, pools, a queue, and rules in order.

Owns the draft, its first publishing and the reviews of its rules. The last rule is a deliberate catch-all to
a pool without a cap, so that whatever is sent to a demo finds somebody.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from handoff_site import reference
from handoff_site.demo.people import ANNELIESE, FEMKE, JONAS, REPS
from routing import publish, reviews
from routing.models import NamedList, Pool, PoolMember, Queue, Rule, Territory
from routing.people import User

CENTRAL = ("DE", "AT", "CH", "PL", "CZ", "SK", "HU", "TR")
WEST = ("FR", "BE", "NL", "LU", "IT", "ES", "PT")
NORTHERN = ("GB", "IE", "SE", "NO", "DK", "FI")
LARGE = ("201-500", "501-1000", "1001-5000", "5001-10000", "10001+")
SYNDICATION, PARTNER = "Content syndication", "Partner referral"
SECOND_LOOK = "second-look"
REVIEWED = 40  # days after the start
# One rule whose review is overdue, whenever the demo is made: a quarter and the next end within 184 days.
FORGOTTEN, FORGOTTEN_FOR = "Partner referrals, to Aarav", 200  # days before the start
WATCHED = ("oceanlink-carriers.example", "baltic-feeder.example", "northport-terminals.example")

# slug, name, cap on open, (member, weight, cap of their own)
Seat = tuple[str, int, int | None]
POOLS: tuple[tuple[str, str, int | None, tuple[Seat, ...]], ...] = (
    ("enterprise", "Enterprise desk", 12, ((FEMKE, 2, None), (JONAS, 2, 4), (ANNELIESE, 1, None))),
    ("central", "Central Europe", 10, (("zofia", 3, None), ("giulia", 1, None))),
    ("west", "West and South", 10, (("etienne", 2, None), ("giulia", 2, None))),
    ("north", "Nordics, UK and Ireland", 10, (("rosa", 2, None), ("aarav", 2, None), ("siobhan", 1, None))),
    ("overseas", "Overseas", 10, (("mateo", 1, None), ("thandiwe", 1, None), ("kenji", 1, None))),
    ("everybody", "Everybody", None, tuple((person.local, 1, None) for person in REPS)),
)

Condition = dict[str, Any]


def _leaf(field: str, op: str, value: Any = None) -> Condition:
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def _within(slug: str) -> Condition:
    return {"all": [{"op": "in_territory", "value": slug}]}


# slug, name, conditions, owner
TERRITORIES: tuple[tuple[str, str, Condition, str], ...] = (
    ("central", "Central Europe", {"all": [_leaf("country", "in", list(CENTRAL))]}, "zofia"),
    ("west", "West and South", {"all": [_leaf("country", "in", list(WEST))]}, "etienne"),
    ("north", "Nordics, UK and Ireland", {"all": [_leaf("country", "in", list(NORTHERN))]}, "rosa"),
    (
        "overseas",
        "Overseas",
        {
            "all": [
                _leaf("country", "present"),
                {"none": [_leaf("country", "in", [*CENTRAL, *WEST, *NORTHERN])]},
            ]
        },
        "mateo",
    ),
)


def make(start: datetime, users: dict[str, User]) -> None:
    """Territories, pools, the queue and the rules; published as of `start`."""
    everybody = [users[person.local] for person in REPS]
    second_look = Queue.objects.create(slug=SECOND_LOOK, name="Second look", owner=users["mia"])
    second_look.members.set(users[name] for name in (FEMKE, JONAS, "zofia", "etienne", "giulia"))
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    overflow.owner = users["mia"]
    overflow.save(update_fields=["owner"])
    overflow.members.set(everybody)
    pools = {slug: _pool(slug, name, cap, seats, users) for slug, name, cap, seats in POOLS}
    for slug, name, conditions, owner in TERRITORIES:
        territory = Territory.objects.create(slug=slug, name=name, conditions=conditions, owner=users[owner])
        if slug in pools:
            territory.members.set(seat.user for seat in pools[slug].seats.all())
    _rules(start, users, pools, second_look)
    NamedList.objects.create(
        slug="watched", name="Watched fleets", kind=NamedList.Kind.DOMAINS, values=list(WATCHED)
    )
    for model in (Territory, Rule, Pool, NamedList):
        model.history.update(history_date=start, history_user=users["otto"])
    publish.publish(
        start, users["otto"], "Territories, the enterprise desk and a second look at bought lists"
    )
    reviews.ensure_reviews(start)


def _pool(slug: str, name: str, cap: int | None, seats: tuple[Seat, ...], users: dict[str, User]) -> Pool:
    pool = Pool.objects.create(slug=slug, name=name, cap_open=cap)
    PoolMember.objects.bulk_create(
        PoolMember(pool=pool, user=users[local], weight=weight, cap_open=own) for local, weight, own in seats
    )
    return pool


def _rules(start: datetime, users: dict[str, User], pools: dict[str, Pool], second_look: Queue) -> None:
    def pool(slug: str) -> tuple[str, str]:
        return Rule.TargetKind.POOL, str(pools[slug].pk)

    large = _leaf("size_band", "in", list(LARGE))
    bought = {"all": [_leaf("source", "equals", SYNDICATION), _leaf("score_total", "range", {"max": 79})]}
    # name, conditions, target, fallback
    rows: tuple[tuple[str, Condition, tuple[str, str], tuple[str, str]], ...] = (
        (
            "Open opportunities, to the owner of the account",
            {
                "any": [
                    _leaf("company_stage", "equals", "open_opportunity"),
                    _leaf("company_domain", "in_list", "watched"),
                ]
            },
            (Rule.TargetKind.ACCOUNT_OWNER, ""),
            pool("everybody"),
        ),
        (
            FORGOTTEN,
            {"all": [_leaf("source", "equals", PARTNER)]},
            (Rule.TargetKind.REP, str(users["aarav"].pk)),
            pool("north"),
        ),
        (
            "Bought lists below 80, a second look first",
            bought,
            (Rule.TargetKind.QUEUE, str(second_look.pk)),
            ("", ""),
        ),
        (
            "Enterprise demos",
            {"all": [_leaf("lead_type", "equals", "demo"), large]},
            pool("enterprise"),
            pool("everybody"),
        ),
        (
            "Enterprise, from 201 people",
            {"all": [_leaf("lead_type", "equals", "standard"), large]},
            pool("enterprise"),
            pool("everybody"),
        ),
        ("Central Europe", _within("central"), pool("central"), pool("everybody")),
        ("West and South", _within("west"), pool("west"), pool("everybody")),
        ("Nordics, UK and Ireland", _within("north"), pool("north"), pool("everybody")),
        ("Overseas", _within("overseas"), pool("overseas"), pool("everybody")),
    )
    for position, (name, conditions, target, fallback) in enumerate(rows, start=1):
        _save(
            Rule(
                position=position * 10,
                name=name,
                conditions=conditions,
                target_kind=target[0],
                target_id=target[1],
                fallback_kind=fallback[0],
                fallback_id=fallback[1],
            ),
            start,
            users,
        )
    # The rule that ships sends everything to the overflow queue; here it ends with people.
    last = Rule.objects.filter(name=reference.CATCH_ALL).first() or Rule(
        name=reference.CATCH_ALL, position=reference.CATCH_ALL_POSITION, conditions={"all": []}
    )
    last.target_kind, last.target_id = pool("everybody")
    _save(last, start, users)


def _save(rule: Rule, start: datetime, users: dict[str, User]) -> None:
    rule.owner = users["otto"]
    days = -FORGOTTEN_FOR if rule.name == FORGOTTEN else REVIEWED
    rule.last_reviewed = (start + timedelta(days=days)).date()
    rule.save()
