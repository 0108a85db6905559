"""The colleagues' open work, drawn by the seed: enough for a manager's page to have something to say.

Owns the plots that a drawn lead can follow. Pure; played by `living`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from handoff_site.demo import rules
from handoff_site.demo.events import Deed, Origin, Rating
from handoff_site.demo.names import PLACES, Crowd, Place
from handoff_site.demo.scenes import Move, Scene, Then

PAGES = (("Integrations", "integrations"), ("Security", "security"), ("Customer stories", "stories"))
WEBINARS = (
    "Routing leads across borders", "Five minutes: what a quick answer is worth", "Who owns this lead?",
)  # fmt: skip
CHATS = (
    "Do you have a price for charities?", "Can we bring our own CRM?", "How long does it take to set up?",
    "Is there a trial without a card?", "Who sees the phone numbers?", "Kann man das auf Deutsch bekommen?",
)  # fmt: skip
WORDS = (
    "In the new quarter", "After the audit", "When the new boss is here", "Nach der Messe",
    "Après les vacances",
)  # fmt: skip
ORIGINS = (
    Origin("Webinar", "Event", WEBINARS[0]), Origin("Website", "Organic"), Origin("Paid search", "Paid"),
    Origin("LinkedIn", "Paid social"), Origin("Newsletter", "E-mail"), Origin(rules.PARTNER, "Partner"),
)  # fmt: skip
# How long ago it came, and what was done with it.
Drawn = tuple[timedelta, tuple[Move, ...]]


def _minutes(rng: random.Random, low: float, high: float) -> timedelta:
    return timedelta(minutes=rng.uniform(low, high))


def _hours(rng: random.Random, low: float, high: float) -> timedelta:
    return timedelta(hours=rng.uniform(low, high))


def _fresh(rng: random.Random) -> Drawn:
    return _minutes(rng, 2, 22), ()


def _waiting(rng: random.Random) -> Drawn:
    return _minutes(rng, 28, 55), ()


def _late(rng: random.Random) -> Drawn:
    return _minutes(rng, 70, 260), ()


def _forgotten(rng: random.Random) -> Drawn:
    return _hours(rng, 25, 33), ()


def _taken(rng: random.Random) -> Drawn:
    arrived = _minutes(rng, 15, 75)
    return arrived, (Move(arrived * rng.uniform(0.3, 0.8), "accept"),)


def _called(rng: random.Random) -> Drawn:
    arrived = _hours(rng, 3, 70)
    channel, outcome = rng.choice((("phone", "reached"), ("phone", "voicemail"), ("email", "no_answer")))
    first = arrived - _minutes(rng, 8, 80)
    return arrived, (
        Move(first + timedelta(minutes=4), "accept"),
        _contact(first, channel, outcome),
    )


def _put_off(rng: random.Random) -> Drawn:
    arrived = _hours(rng, 20, 90)
    until = Then(timedelta(days=rng.randint(2, 30)), rng.randint(9, 15))
    values = {"until": until, "explanation": rng.choice(WORDS)}
    return arrived, (Move(arrived - _minutes(rng, 10, 90), "defer", values=values),)


def _declined(rng: random.Random) -> Drawn:
    arrived = _hours(rng, 4, 80)
    values = {"reason": rng.choice(("wrong_title", "timing", "not_icp", "wrong_person"))}
    return arrived, (Move(arrived - _minutes(rng, 10, 110), "reject", values=values),)


def _won(rng: random.Random) -> Drawn:
    arrived = _hours(rng, 60, 130)
    first = arrived - _minutes(rng, 6, 50)
    values = {"amount": f"{rng.randint(20, 240) * 100}.00", "currency": "EUR", "stage": "Discovery"}
    won = Move(_hours(rng, 3, 40), "opportunity", values=values)
    return arrived, (_contact(first, "phone", "reached"), won)


def _contact(ago: timedelta, channel: str, outcome: str) -> Move:
    return Move(ago, "contact", values={"channel": channel, "outcome": outcome, "refers": "pricing_view"})


PLOTS: tuple[tuple[Callable[[random.Random], Drawn], int], ...] = (
    (_fresh, 4), (_waiting, 4), (_late, 3), (_forgotten, 2), (_taken, 5), (_called, 9), (_put_off, 4),
    (_declined, 4), (_won, 3),
)  # fmt: skip


def scenes(rng: random.Random, crowd: Crowd) -> list[Scene]:
    """One scene for each turn of each plot, at firms of at most 200 people all over the world."""
    made = []
    for plot, count in PLOTS:
        for number in range(count):
            arrived, moves = plot(rng)
            key = f"{plot.__name__.strip('_')}-{number}"
            place = rng.choice(PLACES)
            trigger = "demo_request" if rng.random() < 0.2 else "score_threshold"
            made.append(scene(key, rng, crowd, place, arrived, moves, trigger))
    return made


def scene(
    key: str,
    rng: random.Random,
    crowd: Crowd,
    place: Place,
    arrived: timedelta,
    moves: tuple[Move, ...],
    trigger: str,
) -> Scene:
    """A conversion so long ago of somebody at a firm of that place, with a trail and a score."""
    firm = crowd.firm(place, (6, 198))
    deeds = _deeds(rng, trigger)
    return Scene(
        key=key,
        who=crowd.person(place, firm),
        firm=firm,
        origin=rng.choice(ORIGINS),
        rating=_rating(rng),
        trigger=trigger,
        ago=arrived,
        reason="Demo form" if trigger == "demo_request" else "Back on Pricing",
        deeds=deeds,
        moves=moves,
    )


def _deeds(rng: random.Random, trigger: str) -> tuple[Deed, ...]:
    """A trail that grows warmer: pages, a webinar or a chat, then pricing, then what triggered."""
    title, page = rng.choice(PAGES)
    trail = [Deed(_hours(rng, 120, 720), "page_view", title, 2, page=page)]
    if rng.random() < 0.5:
        name = rng.choice(WEBINARS)
        trail.append(Deed(_hours(rng, 48, 120), "webinar_attendance", name, 9, campaign=name))
    if rng.random() < 0.4:
        trail.append(Deed(_hours(rng, 3, 40), "chat", rng.choice(CHATS), 8))
    visits = sorted((_hours(rng, 0.5, 30) for _ in range(rng.randint(1, 3))), reverse=True)
    trail += [Deed(before, "pricing_view", "Pricing", 5, page="pricing") for before in visits]
    if trigger == "demo_request":
        trail.append(Deed(timedelta(0), trigger, "Demo", 22, rng.choice(CHATS), page="demo"))
    return tuple(trail)


def _rating(rng: random.Random) -> Rating:
    """Reasons that add up to somewhere between 65 and 93."""
    fit, intent, behavior = rng.randint(24, 36), rng.randint(28, 38), rng.randint(13, 19)
    third = fit // 3
    return Rating(
        (("Size in focus", third), ("Title fits", third), ("Country in focus", fit - 2 * third)),
        (("Pricing viewed", intent // 2), ("Plans compared", intent - intent // 2)),
        (("Came back within a week", behavior // 2), ("Read the guide", behavior - behavior // 2)),
    )
