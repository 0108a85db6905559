"""Makes the whole demo in one transaction, once.

Owns the order (reference data, people, rules, past, living inbox, calls, integrations), the mark by which a
second run knows that it is there, and the refusal to mix with anybody's own leads.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from handoff_site import reference
from handoff_site.demo import agreed, call, integrations, lived, others, past, people, rules, scenes
from handoff_site.demo.events import Sender
from handoff_site.demo.living import Living
from handoff_site.demo.names import Crowd
from leads.models import ApiKey, Handoff, Lead
from routing.models import Pool, Rule, Team, Territory, User

MARK = "Demo: marketing platform"
# No digest of anything, so no token opens this key; it has no scope either.
NO_DIGEST = "demo"
LEADS, WEEKS, SEED = 1200, 12, 7
SCRIPTS = ("doubts", "femke")


class Occupied(Exception):
    """The database holds people or leads of its own; the demo is not mixed with them."""


@dataclass(frozen=True)
class Made:
    """How much there is now; `is_new` is False when it was there already."""

    is_new: bool
    people: int
    past: int
    living: int


def is_made() -> bool:
    return ApiKey.objects.filter(name=MARK, digest=NO_DIGEST).exists()


def make(
    now: datetime,
    *,
    leads: int = LEADS,
    seed: int = SEED,
    weeks: int = WEEKS,
    with_password: bool,
) -> Made:
    """The demo organisation as of `now`: `leads` past handoffs over `weeks` weeks, and the living inbox.

    The same arguments make the same rows. A second call changes nothing. Raises Occupied for a database
    with other people's work.
    """
    if is_made():
        return _count(is_new=False)
    _refuse_others()
    with transaction.atomic():
        _make(now, leads, seed, weeks, with_password)
    return _count(is_new=True)


def _refuse_others() -> None:
    """Raise Occupied where somebody has begun to work in earnest; an account or two are no work yet."""
    if Lead.objects.exists() or Handoff.objects.exists():
        raise Occupied("There are leads here that are not the demo's.")
    begun = any(model.objects.exists() for model in (Team, Pool, Territory))
    if begun or Rule.objects.exclude(name=reference.CATCH_ALL).exists():
        raise Occupied("There are teams, pools, territories or rules here that are not the demo's.")
    emails = [person.email for person in people.PEOPLE]
    if User.objects.filter(email__in=emails).exists():
        raise Occupied("Somebody here has the address of a demo person.")


def _make(now: datetime, leads: int, seed: int, weeks: int, with_password: bool) -> None:
    # A demo needs no secrets of its randomness, only the same rows each time.
    rng = random.Random(seed)  # noqa: S311
    start = past.begin(now, weeks)
    reference.setup(start)
    users = people.make(now, start, with_password=with_password)
    reference.ensure_queues(start, users["otto"])
    rules.make(start, users)
    key = ApiKey.objects.create(
        name=MARK, prefix="demo", digest=NO_DIGEST, scopes=[], created_at=start, created_by=users["otto"]
    )
    crowd, sender = Crowd(rng), Sender()
    # Drawn before the past uses the names up.
    colleagues = others.scenes(rng, crowd)
    before = lived.scenes(rng, crowd, leads // lived.ONE_IN, start, now)
    script = [scene for name in SCRIPTS for scene in scenes.load(name)]
    result = past.Past(rng, crowd, now, weeks).write(leads, script, sender, key)
    if result.failed:
        raise scenes.ScriptFailed(f"the history has bad rows: {result.problems[0]}")
    agreed.make(now, start, users)
    living = Living(users, key, sender, now, users[people.FEMKE].time_zone)
    living.play([*before, *script, *colleagues])
    call.hold(now, users)
    integrations.make(now, start, users, living.leads)


def _count(*, is_new: bool) -> Made:
    emails = [person.email for person in people.PEOPLE]
    return Made(
        is_new,
        people=User.objects.filter(email__in=emails).count(),
        past=Handoff.objects.filter(is_history=True).count(),
        living=Handoff.objects.live().count(),
    )
