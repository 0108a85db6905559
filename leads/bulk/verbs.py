"""The acts that can be done to many handoffs at once: for whom, on what, what they need, and the doing.

Owns what a single act asks before it is done and what its result is called. The doing is a verb of
`leads.lifecycle` or `leads.triaging`; what is refused there is refused here too. Accepting is none of these:
a rep accepts one by one.
"""

from __future__ import annotations

import zoneinfo
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import ClassVar

from django.conf import settings

from leads import lifecycle, permissions, triaging
from leads.choices import Check, State
from leads.lifecycle import Act
from leads.lifecycle.answering import LONGEST_COOL_OFF
from leads.lifecycle.moving import QUEUE_PREFIX, REASSIGNABLE
from leads.models import BulkRow, Handoff
from leads.presenters import people
from leads.querysets import owned_queue_ids
from leads.receivers import Receiver, refused_by
from leads.roles import Can, can
from routing.models import Queue
from routing.people import User

Said = tuple[str, str]
Options = Mapping[str, str]
MORNING = time(9)
DONE, SAME, REFUSED = str(BulkRow.Status.DONE), str(BulkRow.Status.SAME), str(BulkRow.Status.REFUSED)


class Verb(ABC):
    """One act. `needs` are the options it asks for; `wanted` stands in "Cannot ..."."""

    code: ClassVar[str]
    label: ClassVar[str]
    permission: ClassVar[str]
    wanted: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    states: ClassVar[tuple[State, ...]] = (State.INCOMPLETE,)

    def is_for(self, user: User) -> bool:
        return can(user, Can.COMPLETE)

    def is_open_to(self, handoff: Handoff) -> bool:
        """Whether its state allows the act."""
        return not handoff.is_history and handoff.state in self.states

    def object_to(
        self, user: User, handoffs: Sequence[Handoff], options: Options, now: datetime
    ) -> dict[int, Said]:
        """What else stands against it, by handoff; a constant number of queries."""
        return {}

    @abstractmethod
    def do(self, handoff: Handoff, act: Act, options: Options, revision: int) -> Said:
        """The act, with what became of it. Raises Refused and Invalid."""


class Reassign(Verb):
    code, label, permission, wanted = "reassign", "Reassign", "reassign", "reassign"
    needs = ("to", "reason")
    states = REASSIGNABLE

    def is_for(self, user: User) -> bool:
        able = can(user, Can.WATCH_TEAMS)
        return able or bool(can(user, Can.ACT) and owned_queue_ids(user))

    def object_to(
        self, user: User, handoffs: Sequence[Handoff], options: Options, now: datetime
    ) -> dict[int, Said]:
        to = options.get("to", "")
        if to.startswith(QUEUE_PREFIX):
            queue = Queue.objects.filter(slug=to.removeprefix(QUEUE_PREFIX)).first()
            have = [
                row for row in handoffs if queue and row.queue_id == queue.pk and row.state == State.QUEUED
            ]
            return {row.pk: (SAME, f"It waits in {queue} already.") for row in have}
        receiver = User.objects.select_related("team").filter(email=to).first() if to else None
        if receiver is None:
            return {}
        found: dict[int, Said] = {}
        refused = {} if options.get("anyway") else refused_by(handoffs, now)
        for handoff in handoffs:
            if handoff.assignee_id == receiver.pk:
                found[handoff.pk] = (SAME, f"{receiver} has it already.")
            elif not permissions.may_give(user, handoff, receiver):
                found[handoff.pk] = (REFUSED, f"{receiver} is in no team that you lead.")
            elif why := refused.get(handoff.pk, {}).get(receiver.pk):
                found[handoff.pk] = (REFUSED, f"{receiver} {why}.")
        return found

    def do(self, handoff: Handoff, act: Act, options: Options, revision: int) -> Said:
        after = lifecycle.reassign(
            handoff.pk, act, to=options.get("to", ""), reason=options.get("reason", ""), revision=revision
        )
        return DONE, f"Given to {people.holder_words(after)}."


class Recheck(Verb):
    code, label, permission, wanted = "recheck", "Check again", "recheck", "check it again"

    def do(self, handoff: Handoff, act: Act, options: Options, revision: int) -> Said:
        return DONE, _after(lifecycle.recheck(handoff.pk, act))


class Waive(Verb):
    code, label, permission, wanted = "waive", "Waive a check", "waive", "waive a check"
    needs = ("check", "reason")

    def object_to(
        self, user: User, handoffs: Sequence[Handoff], options: Options, now: datetime
    ) -> dict[int, Said]:
        check = options.get("check", "")
        if check not in Check.values:
            return {}
        passes = [row for row in handoffs if check not in row.missing]
        return {row.pk: (SAME, f"It does not fail “{Check(check).label}”.") for row in passes}

    def do(self, handoff: Handoff, act: Act, options: Options, revision: int) -> Said:
        check, reason = options.get("check", ""), options.get("reason", "")
        return DONE, _after(lifecycle.waive(handoff.pk, act, check=check, reason=reason, revision=revision))


class Settle(Verb):
    code, label, permission, wanted = "settle", "Settle: the rejection stands", "triage", "settle"
    states = (State.REJECTED,)

    def object_to(
        self, user: User, handoffs: Sequence[Handoff], options: Options, now: datetime
    ) -> dict[int, Said]:
        ids = [row.pk for row in handoffs]
        waiting = set(triaging.rejections().filter(pk__in=ids).order_by().values_list("pk", flat=True))
        return {pk: (SAME, "It does not wait for a decision in triage.") for pk in ids if pk not in waiting}

    def do(self, handoff: Handoff, act: Act, options: Options, revision: int) -> Said:
        done = triaging.settle_rejection(handoff, act)
        return (DONE, "The rejection stands.") if done else (SAME, "It was settled already.")


class Recycle(Verb):
    code, label, permission, wanted = "recycle", "Back to marketing until", "triage", "recycle it"
    needs: ClassVar[tuple[str, ...]] = ("until",)
    states = (State.REJECTED,)

    def is_open_to(self, handoff: Handoff) -> bool:
        # One that can still be taken back is not decided yet.
        return super().is_open_to(handoff) and handoff.follow_up_at is None

    def do(self, handoff: Handoff, act: Act, options: Options, revision: int) -> Said:
        day = day_of(options)
        if day is None or act.user is None:
            return REFUSED, "No day was chosen."
        zone = zoneinfo.ZoneInfo(act.user.time_zone or settings.ORG_TIME_ZONE)
        until = datetime.combine(day, MORNING, zone)
        lifecycle.recycle(handoff.pk, act, until=until, revision=revision)
        return DONE, f"Back to marketing until {day:%-d %b %Y}."


class Suppress(Recycle):
    code, label, permission, wanted = "suppress", "Suppress", "triage", "suppress the lead"
    needs = ()

    def do(self, handoff: Handoff, act: Act, options: Options, revision: int) -> Said:
        lifecycle.suppress(handoff.pk, act, revision=revision)
        return DONE, "Suppressed; sales does not get it again."


ALL: dict[str, Verb] = {
    verb.code: verb for verb in (Reassign(), Waive(), Recheck(), Settle(), Recycle(), Suppress())
}


def day_of(options: Options) -> date | None:
    """The day that was chosen, if it is one."""
    text = options.get("until", "")
    try:
        return date.fromisoformat(text) if text.isascii() and len(text) == 10 else None
    except ValueError:
        return None


def in_words(verb: Verb, options: Options, receivers: Sequence[Receiver]) -> str:
    """What would be done, as far as it is chosen: "Goes to Femke de Boer"."""
    receiver = next((row for row in receivers if row.value == options.get("to")), None)
    if receiver is not None:
        is_queue = receiver.value.startswith(QUEUE_PREFIX)
        return (
            f"Goes to the {receiver.label[:1].lower()}{receiver.label[1:]}"
            if is_queue
            else f"Goes to {receiver.label}"
        )
    if "until" in verb.needs and (day := day_of(options)) is not None:
        return f"Back to marketing until {day:%-d %b %Y}"
    if options.get("check") in Check.values:
        return f"Waives “{Check(options['check']).label}”"
    return verb.label


def wrong(verb: Verb, options: Options, receivers: Sequence[Receiver], now: datetime) -> dict[str, str]:
    """What is wrong with what was chosen for all of them, by option."""
    errors: dict[str, str] = {}
    if "until" in verb.needs:
        day = day_of(options)
        if day is None or not now.date() < day <= (now + LONGEST_COOL_OFF).date():
            errors["until"] = "Choose the day on which they may come back, within the next two years."
    if "to" in verb.needs:
        receiver = next((row for row in receivers if row.value == options.get("to")), None)
        if not options.get("to"):
            errors["to"] = "Choose who gets them."
        elif receiver is None:
            errors["to"] = "Choose somebody of a team you lead, or a queue."
        elif receiver.is_away:
            errors["to"] = f"{receiver.label}: {receiver.why_not}."
    if "check" in verb.needs and options.get("check") not in Check.values:
        errors["check"] = "Choose the check."
    if "reason" in verb.needs and not options.get("reason", "").strip():
        errors["reason"] = "Write why: it stands in the history of each."
    return errors


def _after(handoff: Handoff) -> str:
    """Where a handoff stands after its checks ran."""
    if handoff.state == State.INCOMPLETE:
        lacks = ", ".join(
            str(Check(code).label).lower() if code in Check.values else code.replace("_", " ")
            for code in handoff.missing
        )
        return f"Still missing: {lacks}."
    return f"Complete; it is with {people.holder_words(handoff) or 'nobody yet'}."
