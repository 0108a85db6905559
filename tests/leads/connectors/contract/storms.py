"""Thousands of changes over a few leads while the other side fails one call in five, in simulated time.

Owns what is done, what goes wrong, and what must hold at the end: the other side says what we say, and no
state was ever written that a newer one had superseded. The same for the same seed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max

from leads import connectors, lifecycle, outbox
from leads.choices import State
from leads.connectors import delivering, opened
from leads.lifecycle import Act
from leads.models import Connection, Delivery, Event, Handoff
from routing.models import User
from tests.conftest import NOW, Cast
from tests.factories import make_lead, open_handoff, route_to
from tests.leads.connectors.contract.systems import System

# What goes wrong with a call, and how often of a hundred.
WEATHER = (
    ("broken", 4),
    ("lost before", 3),
    ("lost after", 4),
    ("answer lost", 3),
    ("wait", 1),
    ("ended", 2),
    ("held", 3),
)
FITTING: dict[str, tuple[str, ...]] = {
    State.QUEUED: ("reassign",),
    State.ASSIGNED: ("accept", "accept", "reject", "defer", "contact", "note", "undone"),
    State.ACCEPTED: ("contact", "defer", "reassign", "note", "opportunity"),
    State.DEFERRED: ("resume", "contact"),
    State.WORKING: ("contact", "disqualify", "opportunity", "note"),
}


class Killed(BaseException):
    """A worker's end between sending and marking."""


@dataclass
class Storm:
    """One storm; `run` and then `assert_all_agree`."""

    cast: Cast
    system: System
    leads: int
    seed: int = 1
    at: datetime = NOW
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.connection = self.system.connection()
        route_to(self.cast.femke, self.cast.jonas)
        self.ids: dict[int, str] = {}
        for _ in range(self.leads):
            lead = make_lead()
            self.ids[lead.pk] = self.system.make_record(lead)
            open_handoff(lead, at=self.at)
        self.weather()

    def weather(self) -> None:
        self.system.outer.faults.clear(self.seed)
        for name, share in WEATHER:
            # Every call may be struck but for the few that are refused of a batch.
            more: dict[str, Any] = {"match": ""}
            if name == "held":
                more = {"item_match": self.system.some}
            self.system.fault(name, times=-1, probability=share / 100, **more)

    def run(self, changes: int) -> None:
        while self.counts["changes"] < changes:
            for _ in range(self.dice.randint(1, 12)):
                self.counts["changes"] += self.change()
                self.at += timedelta(seconds=self.dice.choice((0, 1, 5, 20, 60)))
            self.send(can_die=self.dice.random() < 0.05)

    def change(self) -> int:
        lead_id = self.dice.choice(list(self.ids))
        handoff = (
            Handoff.objects.filter(lead=lead_id).select_related("lead", "assignee").latest("mql_at", "pk")
        )
        if handoff.state not in FITTING:
            assert not handoff.is_open, handoff.state
            if handoff.mql_at < self.at:
                open_handoff(handoff.lead, kind="demo_request", at=self.at)
                return 1
            return 0
        verb = self.dice.choice(FITTING[handoff.state])
        act = Act(self.at, handoff.assignee)
        try:
            self.verbs(handoff, act)[verb]()
        except lifecycle.Refused:
            # Such as a third deferral: nothing was done.
            return 0
        return 1

    def verbs(self, handoff: Handoff, act: Act) -> dict[str, Callable[[], Any]]:
        pk, later = handoff.pk, act.now + timedelta(days=7)
        other: User = self.cast.jonas if handoff.assignee == self.cast.femke else self.cast.femke
        return {
            "accept": lambda: lifecycle.accept(pk, act),
            "reject": lambda: lifecycle.reject(pk, act, reason=self.dice.choice(("not_icp", "wrong_person"))),
            "defer": lambda: lifecycle.defer(pk, act, until=later, explanation="Later"),
            "resume": lambda: lifecycle.resume(pk, Act(act.now, self.cast.mia)),
            "contact": lambda: lifecycle.contact(pk, act, channel="phone", outcome="no_answer"),
            "note": lambda: lifecycle.note(pk, act, text=f"At {act.now}"),
            "opportunity": lambda: lifecycle.opportunity(pk, act),
            "disqualify": lambda: lifecycle.disqualify(pk, act, reason="not_icp"),
            "reassign": lambda: lifecycle.reassign(
                pk, Act(act.now, self.cast.ada), to=other.email, reason="balance"
            ),
            "undone": lambda: self.undone(pk, act),
        }

    def undone(self, pk: int, act: Act) -> None:
        lifecycle.accept(pk, act)
        self.at = act.now + timedelta(seconds=self.dice.randint(1, 9))
        lifecycle.undo(pk, Act(self.at, act.user))

    def send(self, *, can_die: bool = False) -> None:
        """A worker's turn; now and then it ends between the answer and writing it down."""
        outbox.release(self.at)
        self.connection.refresh_from_db()
        self.counts["turns"] += 1
        if self.connection.paused_why and self.connection.paused_until is None:
            # Two tokens in a row that ended at once look like refused credentials; somebody has a look.
            self.counts["resumed"] += 1
            Connection.objects.filter(pk=self.connection.pk).update(paused_why="")
            self.connection.refresh_from_db()
        if not can_die:
            self.counts["delivered"] += connectors.deliver(self.connection, lambda: self.at, seconds=30)
            return
        settle = delivering.settle

        def dies(*_: Any, **__: Any) -> int:
            raise Killed

        delivering.settle = dies  # type: ignore[assignment]
        try:
            connectors.deliver(self.connection, lambda: self.at, seconds=30, worker="dies")
        except Killed:
            self.counts["killed"] += 1
        finally:
            delivering.settle = settle

    def calm(self) -> None:
        """The weather is over; what is left is sent."""
        self.system.outer.faults.clear()
        for _ in range(40):
            if not Delivery.objects.filter(done_at__isnull=True).exists():
                return
            self.at += timedelta(minutes=16)
            self.send()
        left = Delivery.objects.filter(done_at__isnull=True).values_list("attempts", "last_error")
        raise AssertionError(f"it never came to an end: {self.connection.paused_why} {list(left[:5])}")

    def assert_all_agree(self) -> None:
        wants = outbox.wanted(list(self.ids))
        with opened(Connection.objects.get(pk=self.connection.pk)) as connector:
            expected = {pk: dict(connector.expected(want)) for pk, want in wants.items()}
        differing = {
            pk: (self.system.read_record(remote_id), expected[pk])
            for pk, remote_id in self.ids.items()
            if self.system.read_record(remote_id) != expected[pk]
        }
        assert differing == {}, differing
        dead = list(
            Delivery.objects.filter(status="dead").values_list("kind", "type", "attempts", "last_error")
        )
        assert dead == [], dead

    def assert_never_back(self) -> None:
        """No write of an older state after a newer one: a handoff's revisions only grow, and no handoff comes
        again once a later one of the lead was written."""
        order = {
            pk: number
            for number, pk in enumerate(Handoff.objects.order_by("mql_at", "pk").values_list("pk", flat=True))
        }
        newest = dict(Event.objects.values_list("handoff").annotate(Max("number")))
        for remote_id in self.ids.values():
            states = self.system.states(remote_id)
            ranks = [(order[handoff], revision) for handoff, revision in states]
            assert ranks == sorted(set(ranks)), remote_id
            assert all(revision <= newest[handoff] for handoff, revision in states)
            self.counts["effects"] += len(states)

    def assert_the_weather_was_bad(self) -> None:
        """A storm in which little went wrong would prove nothing."""
        struck = sum(entry.fault > 0 for entry in self.system.outer.log.of(self.system.name))
        writes = len(self.system.outer.log.of(self.system.name))
        self.counts["struck"] = struck
        assert struck >= writes / 20


def stormed(cast: Cast, system: System, *, changes: int, leads: int, seed: int = 1) -> Storm:
    """A storm that is over and held."""
    storm = Storm(cast, system, leads, seed)
    storm.run(changes)
    storm.assert_the_weather_was_bad()
    storm.calm()
    storm.assert_all_agree()
    storm.assert_never_back()
    return storm
