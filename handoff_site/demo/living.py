"""Plays scenes up to now: leads arrive by intake, people act by lifecycle, the sweep runs in between.

Owns the order of time. Everything happens at a moment that lies before `now`, in order, so that turns,
windows, escalations and messages are those that would have come about. Decides nothing that a door decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, Min, Q

from handoff_site.demo.events import Sender
from handoff_site.demo.scenes import Move, Scene, ScriptFailed, Then
from leads import escalation, identity, lifecycle
from leads.intake import receive
from leads.models import Activity, ApiKey, Company, DuplicatePair, Handoff, Lead, Notification
from routing.people import User

# How long an event is on its way from the marketing platform.
DELAY = timedelta(seconds=2)
# The longest a move of today may lie back; on a younger day all of them are pressed into its hours.
TODAY = timedelta(hours=4)
MINUTE = timedelta(minutes=1)
UNREAD = timedelta(minutes=40)


@dataclass(order=True)
class Moment:
    """Something to be done at a time; `place` keeps the order of the script at one instant."""

    at: datetime
    place: int
    play: Callable[[datetime], None] = field(compare=False)


class Living:
    """The stage: people by name, the key that events come by, and the handoffs by scene."""

    def __init__(self, users: dict[str, User], key: ApiKey, sender: Sender, now: datetime, zone: str) -> None:
        self.users, self.key, self.sender, self.now = users, key, sender, now
        self.zone = ZoneInfo(zone)
        self.midnight = now.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        self.leads: dict[str, int] = {}

    def play(self, scenes: Sequence[Scene]) -> None:
        """Everything in order of time; the sweep before each step, as its minute would have run it."""
        for moment in sorted(self._moments(scenes)):
            self._sweep(moment.at)
            moment.play(moment.at)
        self._sweep(self.now)
        self._settle_messages()

    def _moments(self, scenes: Sequence[Scene]) -> list[Moment]:
        moments: list[Moment] = []
        for scene in scenes:
            moments.append(Moment(self.now - scene.ago, len(moments), self._arrival(scene)))
            for move in scene.moves:
                moments.append(Moment(self._at(move), len(moments), self._act(scene, move)))
        return moments

    def _at(self, move: Move) -> datetime:
        at = self.now - move.ago
        if move.is_today and self.now - self.midnight < TODAY:
            at = self.now - move.ago / TODAY * (self.now - self.midnight)
        return at

    def _sweep(self, until: datetime) -> None:
        """Run the sweep at each full minute up to `until` at which something is due."""
        last: datetime | None = None
        while True:
            found = Handoff.objects.live().aggregate(step=Min("next_step_at"), follow_up=Min("follow_up_at"))
            due = min((at for at in found.values() if at is not None), default=None)
            if due is None or due > until:
                return
            at = min(until, (due + MINUTE).replace(second=0, microsecond=0))
            if last is not None and at <= last:
                raise ScriptFailed(f"the sweep of {at} left something due at {due}")
            last = at
            failed = [step for step in escalation.sweep(at) if "error" in step]
            if failed:
                raise ScriptFailed(f"the sweep of {at} failed: {failed[0]}")

    # Arrivals

    def _arrival(self, scene: Scene) -> Callable[[datetime], None]:
        def arrive(at: datetime) -> None:
            self._account(scene, at)
            event = self.sender.qualified(
                at,
                scene.who,
                scene.firm,
                scene.origin,
                rating=scene.rating,
                trigger=scene.trigger,
                reason=scene.reason,
                deeds=scene.deeds,
            )
            self.leads[scene.key] = int(self._receive(event, at)["lead"]["id"])

        return arrive

    def _account(self, scene: Scene, at: datetime) -> None:
        """The firm as the CRM brought it along, before anybody of it converted."""
        if scene.account is None or scene.firm is None:
            return
        Company.objects.create(
            name=scene.firm.name,
            name_key=identity.text_key(scene.firm.name),
            account_key=identity.account_key(scene.firm.name),
            stage=scene.account.stage,
            owner=self.users[scene.account.owner],
            created_at=at,
            updated_at=at,
        )

    def _receive(self, event: dict[str, Any], at: datetime) -> dict[str, Any]:
        answer = receive([event], self.key, min(at + DELAY, self.now))[0]
        if answer["status"] == "invalid":
            raise ScriptFailed(f"{event['id']}: {answer['errors']}")
        return answer

    # Moves

    def _act(self, scene: Scene, move: Move) -> Callable[[datetime], None]:
        own = {
            "again": self._again,
            "won": self._won,
            "merge": self._merge,
            "different": self._different,
        }.get(move.verb, self._verb)

        def act(at: datetime) -> None:
            own(scene, move, at)

        return act

    def _verb(self, scene: Scene, move: Move, at: datetime) -> None:
        handoff = self._handoff(scene.key)
        user = self.users[move.by] if move.by else handoff.assignee or _who_takes_it(handoff)
        if user is None:
            raise ScriptFailed(f"{scene.key}: nobody holds it to {move.verb} it")
        values = {name: self._value(value, user) for name, value in move.values.items()}
        if kind := values.pop("refers", None):
            found = Activity.objects.filter(lead=handoff.lead_id, kind=kind).order_by("-occurred_at", "-pk")
            values["activity_id"] = found.values_list("pk", flat=True)[0]
        if "to" in values:
            values["to"] = self.users[values["to"]].email
        if "amount" in values:
            values["amount"] = Decimal(values["amount"])
        try:
            getattr(lifecycle, move.verb)(handoff.pk, lifecycle.Act(at, user), **values)
        except (lifecycle.Refused, lifecycle.Invalid) as error:
            raise ScriptFailed(f"{scene.key}, {move.verb}: {error}") from error

    def _again(self, scene: Scene, move: Move, at: datetime) -> None:
        event = self.sender.qualified(at, scene.who, None, scene.origin, rating=None, **move.values)
        self._receive(event, at)

    def _won(self, scene: Scene, move: Move, at: datetime) -> None:
        body = {"external_id": f"CRM-{scene.who.number}", "currency": "EUR", "stage": "Won", **move.values}
        self._receive(self.sender.event("opportunity.won", at, scene.who, opportunity=body), at)

    def _merge(self, scene: Scene, move: Move, at: datetime) -> None:
        keep = Lead.objects.get(pk=self.leads[move.values["other"]])
        gone = Lead.objects.get(pk=self.leads[scene.key])
        lifecycle.merge(keep, gone, lifecycle.Act(at, self.users[move.by]))

    def _different(self, scene: Scene, move: Move, at: datetime) -> None:
        first, second = sorted((self.leads[scene.key], self.leads[move.values["other"]]))
        pair = DuplicatePair.objects.get(first=first, second=second)
        lifecycle.different(pair, lifecycle.Act(at, self.users[move.by]))

    def _handoff(self, key: str) -> Handoff:
        found = Handoff.objects.live().filter(lead=self.leads[key]).order_by("-mql_at", "-pk")
        handoff = found.select_related("assignee", "queue").first()
        if handoff is None:
            raise ScriptFailed(f"{key}: it opened no handoff")
        return handoff

    def _value(self, value: Any, user: User) -> Any:
        """A moment of the script as an instant, in the zone of whoever acts."""
        if not isinstance(value, Then):
            return value
        if value.hour is None:
            return self.now + value.after
        local = (self.now + value.after).astimezone(ZoneInfo(user.time_zone))
        return local.replace(hour=value.hour, minute=0, second=0, microsecond=0).astimezone(UTC)

    def _settle_messages(self) -> None:
        """What was told has been mailed; all but the newest, and what was answered, has been read."""
        Notification.objects.filter(mail=Notification.Mail.PENDING).update(
            mail=Notification.Mail.SENT, mail_attempts=1
        )
        answered = Q(handoff__last_activity_at__gte=F("created_at"))
        old = Q(created_at__lt=self.now - UNREAD)
        Notification.objects.filter(answered | old).update(read_at=self.now)


def _who_takes_it(handoff: Handoff) -> User | None:
    """Who takes what a queue holds: the first of its members."""
    return None if handoff.queue is None else handoff.queue.members.order_by("email").first()
