"""A sales organisation with N handoffs: 100 reps, few open for each as in life, the rest closed in two years.

Open handoffs and the moulds of the closed ones are made by intake and lifecycle; the closed ones are copies
(`moulds`). What is loaded passes every invariant.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import connection

from handoff_site import reference
from leads import escalation, keys, lifecycle
from leads.intake import receive
from leads.models import Activity, Handoff
from routing import publish
from routing.models import Pool, PoolMember, Rule, Team, User
from routing.people import ADMIN, MANAGER, MARKETING, REP
from tests.bench import moulds

REPS, POOLS = 100, 10
OPEN_EACH = 12  # 5 to answer, 2 to contact, 2 deferred, 3 in work
WEEKS = 104
MOULDS = 120
DOMAIN = "@bench.example.com"
# From so many on, several processes load, into tables whose indexes are made afterwards.
LARGE, PROCESSES = 50_000, 2
COUNTRIES = ("DE", "FR", "GB", "NL", "SE", "PL", "IT", "ES", "US", "IN")
GIVEN = (
    "Adaeze",
    "Tomasz",
    "Jean-Baptiste",
    "Sofía",
    "Oluwaseun",
    "Hanneke",
    "Mehmet",
    "Aoife",
    "Yuki",
    "Rafael",
)
FAMILY = ("Okonkwo", "Wiśniewski", "Thévenot", "Hernández", "Adeyemi", "van den Berg", "Yıldırım", "Tanaka")
TITLES = ("VP Revenue Operations", "Head of IT", "CRM Manager", "Managing Director", "Sales Director")
INDUSTRIES = ("Freight and logistics", "Insurance", "Food and drink", "Software", "Machine building")
SOURCES = ("Webinar", "Website", "Paid search", "LinkedIn", "Trade fair", "Newsletter")
TECHNOLOGIES = ("SAP S/4HANA", "Entra ID", "Salesforce", "HubSpot", "Okta", "Power BI")
ENDS = ("converted", "rejected", "disqualified", "rejected", "converted", "disqualified")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class World:
    """What the measurements need: the plain API key, the reps in order, somebody of marketing ops."""

    key: str
    reps: list[User]
    marketing: User
    handoffs: int


class Maker:
    """Makes events about people who do not exist yet, each with a number of its own."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.number = 0

    def event(self, at: datetime, country: str | None = None) -> dict[str, Any]:
        """A conversion as a marketing platform sends it: score with reasons, a trail, a company."""
        rng = self.rng
        self.number += 1
        number = self.number
        domain = f"sent-{number // 2}-{rng.randrange(10**6)}.com"
        first, last = rng.choice(GIVEN), f"{rng.choice(FAMILY)}-{_word(number)}"
        when = at.isoformat()
        return {
            "specversion": "1.0",
            "id": f"bench-{number}-{rng.randrange(10**9)}",
            "source": "/bench/map",
            "type": "lead.qualified",
            "time": when,
            "data": {
                "lead": {
                    "external_ids": [
                        {"system": "map", "object": "contact", "id": f"{number}-{rng.randrange(10**9)}"}
                    ],
                    "email": f"person{number}@{domain}",
                    "first_name": first,
                    "last_name": last,
                    "job_title": rng.choice(TITLES),
                    "phone": f"+4940{rng.randrange(10**6, 10**7)}",
                    "country_code": country or rng.choice(COUNTRIES),
                    "language": "en",
                    "timezone": "Europe/Berlin",
                },
                "company": {
                    "name": f"{last} & Partners",
                    "domain": domain,
                    "website": f"https://www.{domain}/",
                    "industry": rng.choice(INDUSTRIES),
                    "employee_count": rng.randrange(20, 9000),
                    "country_code": "DE",
                    "technologies": rng.sample(TECHNOLOGIES, 2),
                },
                "score": {
                    "total": 81,
                    "scored_at": when,
                    "fit": _part(29, 40, ("Size in focus", 12), ("Industry in focus", 10), ("Title fits", 7)),
                    "intent": _part(33, 40, ("Demo request", 25), ("Pricing, three visits", 8)),
                    "behavior": _part(
                        19, 20, ("Chat with a person", 8), ("Webinar attended", 7), ("Story read", 4)
                    ),
                },
                "activities": list(_trail(number, at)),
                "source": {
                    "lead_source": rng.choice(SOURCES),
                    "channel": "Event",
                    "utm_campaign": "Ops Leaders",
                },
                "trigger": {
                    "kind": "score_threshold",
                    "reason": "Pricing viewed three times",
                    "occurred_at": when,
                },
            },
        }

    def did(self, known: dict[str, Any], at: datetime) -> dict[str, Any]:
        """One thing that the lead of an event before did, sent by itself."""
        self.number += 1
        one = f"bench-did-{self.number}-{self.rng.randrange(10**9)}"
        return {
            "specversion": "1.0",
            "id": one,
            "source": "/bench/map",
            "type": "lead.activity",
            "time": at.isoformat(),
            "data": {
                "lead": {name: known["data"]["lead"][name] for name in ("external_ids", "email")},
                "activities": [
                    {
                        "id": one,
                        "kind": "page_view",
                        "occurred_at": at.isoformat(),
                        "title": "Customer stories",
                        "url": "https://www.example.com/stories",
                        "points": 2,
                    }
                ],
            },
        }


def load(count: int, now: datetime) -> World:
    """Fill an empty, migrated database with `count` handoffs as of `now`."""
    reps = min(REPS, max(POOLS, count // (2 * OPEN_EACH)))
    world = _people(reps, now)
    _rules(world.reps, now)
    maker = Maker()
    peers = {
        rep.pk: [other.pk for other in world.reps[place % POOLS :: POOLS]]
        for place, rep in enumerate(world.reps)
    }
    made = _moulds(maker, min(MOULDS, max(6, count // 20)), now)
    open_count = min(OPEN_EACH * len(world.reps), count // 2)
    _open(maker, open_count, now)
    is_large = count >= LARGE and connection.vendor == "postgresql"
    moulds.stamp(made, peers, count - open_count - len(made), WEEKS, PROCESSES if is_large else 1)
    # Whatever fell due while the open ones were made has fired before anything is measured.
    escalation.sweep(now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    world.handoffs = Handoff.objects.count()
    return world


def found(now: datetime) -> World | None:
    """What was loaded here before, with a new key; None of an empty database."""
    reps = list(User.objects.filter(email__startswith="rep", email__endswith=DOMAIN).order_by("email"))
    if not reps:
        return None
    _, plain = keys.make_key("Bench", keys.SCOPES, now)
    return World(plain, reps, User.objects.get(email=f"marketing{DOMAIN}"), Handoff.objects.count())


def _people(count: int, now: datetime) -> World:
    reference.setup(now - WEEKS * 7 * DAY)
    groups = {group.name: group for group in Group.objects.all()}
    no_password = make_password(None)
    teams = [Team.objects.create(name=f"Team {letter}") for letter in "ABCDEFGHIJ"]

    def person(local: str, name: str, role: str, team: Team | None = None, **more: Any) -> User:
        user = User.objects.create(
            email=f"{local}{DOMAIN}", name=name, password=no_password, team=team, **more
        )
        user.groups.add(groups[role])
        return user

    admin = person("admin", "Ada Admin", ADMIN, is_superuser=True)
    marketing = person("marketing", "Otto Ops", MARKETING)
    for number, team in enumerate(teams):
        team.manager = person(f"manager{number}", f"Mia Manager {number}", MANAGER)
        team.save(update_fields=["manager"])
    reps = [
        person(
            f"rep{number:03}",
            f"Rep {_word(number)} {number}",
            REP,
            teams[number % POOLS],
            time_zone="Europe/Berlin",
        )
        for number in range(count)
    ]
    reference.ensure_queues(now - WEEKS * 7 * DAY, admin)
    _, plain = keys.make_key("Bench", keys.SCOPES, now)
    return World(plain, reps, marketing, 0)


def _rules(reps: Sequence[User], now: datetime) -> None:
    """A rule and a pool for each country, and the catch-all behind them."""
    everybody = Pool.objects.create(slug="everybody", name="Everybody")
    PoolMember.objects.bulk_create(PoolMember(pool=everybody, user=rep) for rep in reps)
    for place, country in enumerate(COUNTRIES):
        pool = Pool.objects.create(slug=country.lower(), name=f"Pool {country}")
        PoolMember.objects.bulk_create(PoolMember(pool=pool, user=rep) for rep in reps[place::POOLS])
        Rule.objects.create(
            position=10 + place,
            name=f"Leads from {country}",
            conditions={"all": [{"field": "country", "op": "in", "value": [country]}]},
            target_kind=Rule.TargetKind.POOL,
            target_id=str(pool.pk),
        )
    last = Rule.objects.get(name=reference.CATCH_ALL)
    last.target_kind, last.target_id = Rule.TargetKind.POOL, str(everybody.pk)
    last.save()
    publish.publish(now - WEEKS * 7 * DAY, None)


def _moulds(maker: Maker, count: int, now: datetime) -> list[moulds.Mould]:
    """Closed handoffs of a working week, made move by move, and read back as moulds."""
    monday = (now - (now.weekday() + 7) * DAY).replace(hour=8, minute=0, second=0, microsecond=0)
    ids = []
    for number in range(count):
        at = monday + (number % 5) * DAY + (number * 37 % 480) * MINUTE
        answer = receive([maker.event(at, COUNTRIES[number % POOLS])], None, at + timedelta(seconds=2))[0]
        pk = int(answer["handoff"]["id"])
        _finish(pk, ENDS[number % len(ENDS)], at)
        ids.append(pk)
    rows = Handoff.objects.filter(pk__in=ids).select_related("lead__company", "assignee").order_by("pk")
    return moulds.cast(rows)


def _finish(pk: int, end: str, at: datetime) -> None:
    """Answer, contact and close a handoff, with the notes of a life of some ten events."""
    handoff = Handoff.objects.select_related("assignee").get(pk=pk)
    rep = handoff.assignee

    def act(minutes: float) -> lifecycle.Act:
        return lifecycle.Act(at + minutes * MINUTE, rep)

    def wrote(minutes: float, text: str) -> None:
        lifecycle.note(pk, act(minutes), text=text)

    wrote(12, "Two of their sites are in our focus.")
    lifecycle.accept(pk, act(17))
    if end == "rejected":
        wrote(18, "The title is not the one on their site.")
        wrote(19, "Asked the front desk who decides.")
        lifecycle.reject(pk, act(22), reason="wrong_title", note="Not the one who decides.")
        return
    lifecycle.contact(pk, act(23), channel="phone", outcome="voicemail")
    wrote(24, "In a meeting until eleven.")
    signal = Activity.objects.filter(lead=handoff.lead_id, kind="chat").values_list("pk", flat=True)[0]
    lifecycle.contact(
        pk, act(41), channel="phone", outcome="reached", activity_id=signal, note="Liked the demo."
    )
    wrote(2 * 24 * 60, "Sent what was asked for.")
    wrote(3 * 24 * 60 - 30, "Waits for the budget.")
    if end == "converted":
        lifecycle.opportunity(pk, act(4 * 24 * 60), external_id="CRM", amount=Decimal(12000), currency="EUR")
    else:
        lifecycle.disqualify(pk, act(3 * 24 * 60), reason="timing")


def _open(maker: Maker, count: int, now: datetime) -> None:
    """Open work that came within the last hours, as a rep's day has it."""
    made: list[int] = []
    for start in range(0, count, 50):
        at = now - 50 * MINUTE + (start // 50) * MINUTE
        events = [
            maker.event(at, COUNTRIES[number % POOLS]) for number in range(start, min(start + 50, count))
        ]
        for answer in receive(events, None, at + timedelta(seconds=2)):
            made.append(int(answer["handoff"]["id"]))
    seen: dict[int, int] = {}
    for handoff in Handoff.objects.filter(pk__in=made).select_related("assignee").order_by("pk"):
        rep = handoff.assignee
        assert rep is not None
        turn = seen[rep.pk] = seen.get(rep.pk, -1) + 1
        act = lifecycle.Act(now - 20 * MINUTE, rep)
        kind = turn % OPEN_EACH
        if kind in (5, 6):
            lifecycle.accept(handoff.pk, act)
        elif kind in (7, 8):
            lifecycle.defer(handoff.pk, act, until=now + 9 * DAY, explanation="After the holidays")
        elif kind > 8:
            lifecycle.contact(handoff.pk, act, channel="phone", outcome="voicemail")


def _part(score: int, most: int, *reasons: tuple[str, int]) -> dict[str, Any]:
    rows = [
        {"code": label.lower().replace(" ", "_"), "label": label, "points": points}
        for label, points in reasons
    ]
    return {"score": score, "max": most, "reasons": rows}


def _trail(number: int, at: datetime) -> Iterator[dict[str, Any]]:
    rows = (
        (60 * 24, "page_view", "What we do", 1),
        (59 * 24, "email_open", "Welcome", 0),
        (30 * 24, "page_view", "Customer stories", 2),
        (9 * 24, "webinar_attendance", "Routing leads across borders", 7),
        (4 * 24, "asset_download", "Routing, a guide", 3),
        (30, "chat", "Do you support SSO with Entra ID?", 8),
        (26, "pricing_view", "Pricing", 3),
        (3, "page_view", "Security", 1),
        (2, "pricing_view", "Pricing", 3),
        (0, "pricing_view", "Pricing", 2),
    )
    for place, (hours, kind, title, points) in enumerate(rows):
        yield {
            "id": f"a{number}-{place}",
            "kind": kind,
            "occurred_at": (at - timedelta(hours=hours)).isoformat(),
            "title": title,
            "url": "https://www.example.com/pricing",
            "points": points,
        }


def _word(number: int) -> str:
    """A pronounceable name that differs clearly from its neighbours'."""
    syllables = ("ba", "ko", "mi", "tu", "re", "sal", "von", "dry", "pel", "gu", "xan", "fio", "zet")
    number, word = number * 7 + 11, ""
    while number:
        number, rest = divmod(number, len(syllables))
        word += syllables[rest]
    return word.capitalize()
