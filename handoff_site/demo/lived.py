"""Weeks of finished handoffs that came by intake and were worked by hand, drawn by the seed.

Imported history has no log and no deadlines; these have, so that attainment, personal contacts, late logging,
weak signals and where the time went have twelve weeks to speak of. Each is over before the living inbox
begins: nobody finds it among today's work. Pure; played by `living`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from handoff_site.demo import others
from handoff_site.demo.events import Deed, Rating
from handoff_site.demo.names import PLACES, Crowd
from handoff_site.demo.scenes import Move, Scene, Then

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# One of so many handoffs of the past was lived; each costs a tenth of a second to make.
ONE_IN = 12
# The newest days belong to the living inbox; what is told here is over when so much of its time has passed.
UNTIL = 6 * DAY
OVER_AFTER = 0.85
OPENS, CLOSES = 7.0, 14.5
REASONS = ("timing", "wrong_title", "not_icp", "wrong_person", "competitor")
OUTCOMES = (("phone", "reached"), ("phone", "voicemail"), ("phone", "no_answer"), ("email", "no_answer"))
# Minutes to the first contact, in the first week and in the last: median.
PACE = {"demo_request": (9.0, 3.0), "score_threshold": (70.0, 32.0)}
# Offsets from the conversion, the verb, its values.
Acts = list[tuple[timedelta, str, Mapping[str, object]]]
Plot = Callable[[random.Random, timedelta], Acts]


def _won(rng: random.Random, pace: timedelta) -> Acts:
    values = {"amount": f"{rng.randint(20, 240) * 100}.00", "currency": "EUR", "stage": "Discovery"}
    return [*_worked(rng, pace), (rng.uniform(1, 12) * DAY, "opportunity", values)]


def _lost(rng: random.Random, pace: timedelta) -> Acts:
    again = [(2 * DAY, "contact", _contact(rng))] if rng.random() < 0.4 else []
    end = (rng.uniform(3, 12) * DAY, "disqualify", {"reason": rng.choice(("not_icp", "timing"))})
    return [*_worked(rng, pace), *again, end]


def _rejected(rng: random.Random, pace: timedelta) -> Acts:
    return [(pace, "reject", {"reason": rng.choice(REASONS)})]


def _forgotten(rng: random.Random, pace: timedelta) -> Acts:
    """Nobody looks for a day and more."""
    after = DAY + rng.uniform(1, 30) * HOUR
    end = (after + rng.uniform(1, 5) * DAY, "disqualify", {"reason": "timing"})
    return [(after, "accept", {}), (after + rng.uniform(5, 90) * MINUTE, "contact", _contact(rng)), end]


def _put_off(rng: random.Random, pace: timedelta) -> Acts:
    wait = rng.uniform(2, 3.5) * DAY
    end = (wait + 4 * DAY, "disqualify", {"reason": "timing"})
    first = (pace, "defer", {"until": wait, "explanation": rng.choice(others.WORDS)})
    return [first, (wait + rng.uniform(5, 50) * MINUTE, "contact", _contact(rng)), end]


PLOTS: tuple[tuple[Plot, int], ...] = (
    (_won, 20), (_lost, 44), (_rejected, 20), (_forgotten, 11), (_put_off, 5),
)  # fmt: skip


def scenes(rng: random.Random, crowd: Crowd, count: int, start: datetime, now: datetime) -> list[Scene]:
    """So many scenes spread over the weekdays from `start` until the newest days."""
    made = []
    for number in range(count):
        arrived = _moment(rng, start, now - UNTIL)
        trigger = "demo_request" if rng.random() < 0.3 else "score_threshold"
        first, last = PACE[trigger]
        share = (arrived - start) / (now - start)
        pace = rng.lognormvariate(0, 0.7) * (first + (last - first) * share) * MINUTE
        plot = rng.choices([each for each, _ in PLOTS], [weight for _, weight in PLOTS])[0]
        moves = tuple(
            Move(
                now - arrived - min(after, OVER_AFTER * (now - arrived)),
                verb,
                values=_values(values, arrived, now),
            )
            for after, verb, values in plot(rng, pace)
        )
        drawn = others.scene(f"lived-{number}", rng, crowd, rng.choice(PLACES), now - arrived, moves, trigger)
        made.append(_weak(rng, drawn) if trigger == "score_threshold" and rng.random() < 0.22 else drawn)
    return made


def _moment(rng: random.Random, start: datetime, end: datetime) -> datetime:
    """Some time in office hours of a weekday."""
    for _ in range(200):
        day = start + rng.randrange(max(1, (end - start).days)) * DAY
        if day.weekday() < 5:
            return day + timedelta(hours=rng.triangular(OPENS, CLOSES, 8.5))
    return start + OPENS * HOUR


def _worked(rng: random.Random, pace: timedelta) -> Acts:
    """Accepted and contacted; some log the contact an hour or two late."""
    late = rng.uniform(70, 150) * MINUTE if rng.random() < 0.12 else timedelta(0)
    contact = _contact(rng) | ({"at": pace} if late else {})
    return [(pace * rng.uniform(0.2, 0.7), "accept", {}), (pace + late, "contact", contact)]


def _contact(rng: random.Random) -> dict[str, object]:
    """Seven of ten refer to what the lead did."""
    channel, outcome = rng.choice(OUTCOMES)
    refers = {"refers": "page_view"} if rng.random() < 0.7 else {}
    return {"channel": channel, "outcome": outcome, **refers}


def _values(values: Mapping[str, object], arrived: datetime, now: datetime) -> dict[str, object]:
    """Lengths from the conversion as the moments that they are."""
    return {
        name: Then(arrived + value - now) if isinstance(value, timedelta) else value
        for name, value in values.items()
    }


def _weak(rng: random.Random, scene: Scene) -> Scene:
    """The same lead, carried over the line by opened mails and a page or two."""
    deeds = (
        Deed(rng.uniform(24, 90) * HOUR, "page_view", "Blog", 3, page="blog"),
        *(Deed(hours * HOUR, "email_open", "Newsletter", 2) for hours in (20, 5)),
        Deed(rng.uniform(5, 60) * MINUTE, "page_view", "Blog", 3, page="blog"),
    )
    rating = Rating(
        (("Size in focus", 18), ("Title fits", 14)),
        (("Guide downloaded", 18),),
        (("Opened mails and pages", rng.randint(16, 19)),),
    )
    return replace(scene, deeds=deeds, rating=rating, reason="Score crossed")
