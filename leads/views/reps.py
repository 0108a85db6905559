"""One rep's page: what they answered lately, when they are away, and who covers.

Owns those queries; what they hold is `staff`. Shows of a person's answers only what the viewer may see. A
constant number of queries. Never writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from leads.choices import EventKind
from leads.models import Event, Handoff
from leads.personal import covers, zone_of
from leads.presenters import rows, times
from routing.models import User

OVER = timedelta(days=14)
MOST, MOST_COUNTED, MOST_ABSENCES = 20, 1000, 10
ANSWERS = {
    EventKind.ACCEPTED: "accepted",
    EventKind.REJECTED: "rejected",
    EventKind.DEFERRED: "deferred",
    EventKind.CONTACTED: "contacted",
    EventKind.CONVERTED: "converted",
    EventKind.DISQUALIFIED: "disqualified",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One act of the rep."""

    id: int
    name: str
    what: str
    when: str
    exact: str


@dataclass(frozen=True, slots=True)
class Away:
    """One absence, now or to come."""

    id: int
    words: str
    cover: str
    note: str
    is_now: bool


@dataclass(frozen=True)
class Rep:
    """What stands beside the work of one person. `tally` says in words what they did in two weeks."""

    tally: str
    answers: Sequence[Answer]
    aways: Sequence[Away]
    covers: Sequence[tuple[int, str]]
    today: str


def load(viewer: User, person: User, now: datetime) -> Rep:
    """The answers that the viewer may see, the latest first, and absences that are not over."""
    kinds = [str(kind) for kind in ANSWERS]
    acts = Event.objects.filter(user=person, recorded_at__gte=now - OVER, kind__in=kinds)
    acts = acts.filter(handoff__in=Handoff.objects.visible_to(viewer))
    counted = Counter(acts.order_by("-recorded_at").values_list("kind", flat=True)[:MOST_COUNTED])
    latest = acts.select_related("handoff__lead", "handoff__rejection_reason").order_by("-recorded_at", "-pk")
    # Their days are days where they are.
    there = now.astimezone(zone_of(person))
    aways = person.absences.filter(ends_at__gt=now).select_related("cover").order_by("starts_at")
    return Rep(
        tally=", ".join(f"{counted[kind]} {word}" for kind, word in ANSWERS.items() if counted[kind]),
        answers=[_answer(event, now) for event in latest[:MOST]],
        aways=[
            Away(
                id=away.pk,
                words=times.days(away.starts_at, away.ends_at, there),
                cover=str(away.cover) if away.cover else "",
                note=away.note,
                is_now=away.starts_at <= now,
            )
            for away in aways[:MOST_ABSENCES]
        ],
        covers=[(cover.pk, str(cover)) for cover in covers(person)],
        today=there.date().isoformat(),
    )


def _answer(event: Event, now: datetime) -> Answer:
    handoff = event.handoff
    what = str(EventKind(event.kind).label)
    if event.kind == EventKind.REJECTED and handoff.rejection_reason is not None:
        what += f": {handoff.rejection_reason.label.lower()}"
    return Answer(
        id=handoff.pk,
        name=rows.name_of(handoff),
        what=what,
        when=times.day(event.occurred_at, now),
        exact=times.exact(event.occurred_at, now),
    )
