"""A machine of random days for Hypothesis: intake, verbs, leave, people who come and go, edits, time, sweeps.

Each run is one transaction that is rolled back, so the people and the reference data are made once. A sweep
may run twice, late, beside another one, or be killed at any of its writes, as by kill -9: what it had begun
is rolled back, what it had finished stays. What must hold is in `tests.storm.seen`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from leads import escalation, invariants, keys, lifecycle, projection
from leads.choices import CLOSED, OPEN
from leads.escalation import sweeping
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import ApiKey, Event, Handoff
from routing import calendars, hours, policies, sla
from routing.models import Absence, Calendar, Queue, User
from routing.people import REP
from tests.conftest import NOW, Cast, forget_kept
from tests.factories import event, route_to
from tests.storm import deeds, seen
from tests.storm.deeds import Conversion, Deed, Killed, conversions, killed_at, people, person
from tests.storm.seen import Seen

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
JUMPS = (5 * MINUTE, 20 * MINUTE, 50 * MINUTE, 2 * HOUR, 5 * HOUR, 26 * HOUR, 4 * DAY, 70 * DAY)
# After its tenth example Hypothesis goes over to variations of what it had; new days are worth more.
BATCH = 10
# What was done in all runs together, for the figures; and the seed of the last batch.
DONE: Counter[str] = Counter()


class Clockwork(RuleBasedStateMachine):
    """One run. `cast` and a key that brings leads in quietly are set by `machine`."""

    cast: Cast
    quiet_key: ApiKey

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.number = 0
        # See `seen.Seen`.
        self.kept: dict[int, tuple[int, hours.Calendar]] = {}
        # What a sweep would have fired at the end of the last step.
        self.overdue: dict[seen.Key, int] = {}
        # What nobody could answer for then: what one repair has put right is not tried again.
        self.unanswered: list[str] = []
        # Runs are rolled back under what a process keeps of rows that do not change.
        forget_kept()
        self.run = transaction.atomic()
        self.run.__enter__()
        DONE["runs"] += 1

    def teardown(self) -> None:
        try:
            self.sweep_until_quiet()
            seen.everything(self.now, self.kept, swept=True)
        finally:
            transaction.set_rollback(True)
            self.run.__exit__(None, None, None)

    # What happens

    @initialize(brought=conversions)
    def begin(self, brought: Sequence[Conversion]) -> None:
        self.bring(brought)

    @rule(brought=conversions, quiet=st.integers(0, 9))
    def intake(self, brought: Sequence[Conversion], quiet: int) -> None:
        self.bring(brought, None if quiet else self.quiet_key)

    def bring(self, brought: Sequence[Conversion], key: ApiKey | None = None) -> None:
        self.tick()
        made = []
        for number, demo, lacking in brought:
            data: dict[str, Any] = {"trigger": {"kind": "demo_request" if demo else "score_threshold"}}
            if not lacking:
                data["lead"] = {"first_name": "-"}
            self.number += 1
            made.append(event(number, at=self.now, id=f"clock-{self.number}", **data))
        receive(made, key, self.now)

    @rule(done=st.lists(deeds.deeds, min_size=1, max_size=3))
    def act(self, done: Sequence[Deed]) -> None:
        for deed in done:
            self.tick()
            self.deed(*deed)

    def deed(self, what: int, which: int, who: int, kill: int, regrets: bool) -> None:
        """Somebody does something with a lead: mostly its holder, now and then another, or is cut off."""
        handoff = self.pick(which)
        if handoff is None:
            # Nothing is open: then there is something new.
            self.bring([(which % 9 + 1, bool(who % 2), what % 4)])
            return
        self.number += 1
        actor = handoff.assignee if who < 4 else person(self.cast, self.number)
        actor = actor or person(self.cast, who)
        done = self.tried(
            handoff, kill, partial(deeds.do, handoff, what, Act(self.now, actor), self.cast, self.number)
        )
        if done and regrets:
            self.now += timedelta(seconds=5)
            DONE["undone"] += self.tried(
                handoff, 0, partial(lifecycle.undo, handoff.pk, Act(self.now, actor))
            )

    def tried(self, handoff: Handoff, kill: int, verb: Callable[[], object]) -> bool:
        """Whether it was done; if not, nothing was written. In any case the row is what the log says."""
        events, done = Event.objects.count(), False
        try:
            with killed_at(kill):
                verb()
            done = True
        except (Refused, Invalid):
            DONE["refused"] += 1
        except Killed:
            DONE["killed acts"] += 1
        assert done or Event.objects.count() == events
        DONE["acts"] += done
        handoff.refresh_from_db()
        assert projection.differences(handoff) == []
        if handoff.state in CLOSED:
            assert handoff.next_due_at is None and handoff.next_step_at is None
        return done

    @rule(who=people, starts=st.sampled_from((0, 0, 1, 30)), days=st.integers(1, 12), cover=st.integers(0, 6))
    def leave(self, who: int, starts: int, days: int, cover: int) -> None:
        self.tick()
        covers = [None, None, *self.cast][cover]
        user = person(self.cast, who)
        starts_at = self.now + starts * HOUR
        Absence.objects.create(
            user=user,
            cover=covers if covers != user else None,
            starts_at=starts_at,
            ends_at=starts_at + days * DAY,
        )
        DONE["absences"] += 1

    @rule(who=people)
    def come_back(self, who: int) -> None:
        self.tick()
        away = Absence.objects.at(self.now).filter(user=person(self.cast, who))
        for absence in away.filter(starts_at__lt=self.now):
            absence.ends_at = self.now
            absence.save()
        lifecycle.drain(self.now)

    @rule(who=people, how=st.sampled_from(("unseen", "by the rules", "to somebody", "role", "role unseen")))
    def go(self, who: int, how: str) -> None:
        """Somebody leaves the firm or sales; an admin says so on the page, or nobody does."""
        self.tick()
        user = person(self.cast, who)
        if how.startswith("role"):
            user.groups.clear()
        else:
            User.objects.filter(pk=user.pk).update(is_active=False)
        if not how.endswith("unseen"):
            to = person(self.cast, who + 1) if how == "to somebody" else None
            escalation.let_go(User.objects.get(pk=user.pk), Act(self.now, self.cast.ada), to)
        DONE["gone"] += 1

    @rule(who=people)
    def join(self, who: int) -> None:
        self.tick()
        user = person(self.cast, who)
        User.objects.filter(pk=user.pk).update(is_active=True)
        if not user.groups.exists():
            user.groups.add(Group.objects.get(name=REP))
        lifecycle.drain(self.now)

    @rule(who=people, kind=st.sampled_from(("overflow", "completion")))
    def own(self, who: int, kind: str) -> None:
        self.tick()
        user = person(self.cast, who)
        if user.is_active:
            Queue.objects.filter(kind=kind).update(owner=user)

    @rule(
        slug=st.sampled_from(("demo", "standard")),
        accept=st.sampled_from(deeds.TARGETS),
        contact=st.sampled_from(deeds.TARGETS),
        more=st.sets(st.sampled_from(deeds.MORE)),
        moves=st.booleans(),
    )
    def policy(
        self, slug: str, accept: sla.Target, contact: sla.Target, more: set[sla.Step], moves: bool
    ) -> None:
        """A new version; what is open keeps the one it has, unless somebody asks to move it."""
        self.tick()
        shipped = next(policy for policy in sla.default_policies() if policy.slug == slug)
        targets = policies.targets_of(shipped) | {"accept": accept, "contact": contact}
        # The steps of a clock stand in the order of their time, at the same time the shipped ones first.
        steps = [*shipped.steps, *(step for step in deeds.MORE if step in more)]
        steps.sort(key=lambda step: (step.share is None, step.share or 0))
        row = policies.revise(slug, targets, steps, None, self.now, "a storm")
        if moves:
            self.move(policy=row)
        DONE["policies"] += 1

    @rule(
        nordic=st.booleans(),
        week=st.sampled_from(deeds.WEEKS),
        closes=st.integers(0, 6),
        moves=st.booleans(),
    )
    def calendar(self, nordic: bool, week: hours.Week, closes: int, moves: bool) -> None:
        """The hours of some are edited; somebody may ask for the deadlines to move with them."""
        self.tick()
        row = Calendar.objects.get(is_default=not nordic)
        before = Seen(self.now, self.kept)
        self.kept = {
            handoff.pk: (handoff.revision, before.counted_by(handoff))
            for handoff in before.handoffs()
            if handoff.is_open
        }
        calendars.save(row, row.revision, None, week, self.now)
        if closes:
            calendars.close(row.pk, {(self.now + closes * DAY).date(): "Closed"}, None, self.now)
        # By other hours other steps are late.
        self.overdue = Seen(self.now, self.kept).overdue()
        if moves:
            self.move(calendar=row)
        DONE["calendars"] += 1

    def move(self, **edited: Any) -> None:
        """Move what the page offers to move; after that it offers nothing."""
        act = Act(self.now, self.cast.otto)
        for row in lifecycle.affected(act, **edited).rows:
            lifecycle.move_deadlines(row.handoff_id, act, "a storm", policy=edited.get("policy"))
            DONE["moved"] += 1
        assert lifecycle.affected(act, **edited).rows == ()

    @rule(jump=st.sampled_from(JUMPS))
    def wait(self, jump: timedelta) -> None:
        self.now += jump

    @rule(times=st.integers(1, 2), jump=st.sampled_from((0 * MINUTE, MINUTE, HOUR, 3 * DAY)))
    def sweep(self, times: int, jump: timedelta) -> None:
        """On time or late, once or twice."""
        self.tick()
        self.now += jump
        for _ in range(times):
            self.minute()
        self.sweep_until_quiet()
        seen.everything(self.now, self.kept, swept=True)

    @rule(
        write=st.sampled_from((1, 2, 3, 4, 6, 8, 11, 15, 20)), jump=st.sampled_from((0 * MINUTE, HOUR, DAY))
    )
    def killed_sweep(self, write: int, jump: timedelta) -> None:
        self.tick()
        self.now += jump
        try:
            with killed_at(write):
                self.minute()
        except Killed:
            DONE["killed sweeps"] += 1

    @rule(deed=deeds.deeds, turns=st.lists(st.booleans(), min_size=1, max_size=5))
    def two_workers(self, deed: Deed, turns: list[bool]) -> None:
        """Both have read the same batch. Before they write somebody acts; then they come to each lead in
        turn, now the one first and now the other."""
        self.tick()
        batch = list(Handoff.objects.due(self.now).values_list("pk", flat=True))
        workers = lifecycle.Round(batch, self.now), lifecycle.Round(batch, self.now)
        self.deed(*deed)
        for place, pk in enumerate(batch):
            first = turns[place % len(turns)]
            fired = [worker.fire(pk) for worker in (workers[first], workers[not first])]
            assert not all(fired), "both fired it"
            DONE["fired"] += sum(len(steps or ()) for steps in fired)
            DONE["shared"] += fired[1] is None

    # What must hold

    @invariant()
    def nobody_is_an_orphan(self) -> None:
        """Whatever nobody can answer for now, one repair puts right; the storm goes on without it."""
        DONE["steps"] += 1
        found, known = seen.unanswered(self.now), self.unanswered
        self.unanswered = found
        if not found or found == known:
            return
        assert escalation.find(self.now)
        with transaction.atomic():
            escalation.repair(self.now)
            assert seen.unanswered(self.now) == []
            assert escalation.find(self.now) == []
            assert [str(wrong) for wrong in invariants.violations(self.now)] == []
            DONE["repairs"] += 1
            transaction.set_rollback(True)

    @invariant()
    def no_step_is_lost(self) -> None:
        """What a sweep would have fired fires later, or the log says what made it pointless."""
        rows = Seen(self.now, self.kept)
        assert seen.lost(rows, self.overdue) == []
        self.overdue = rows.overdue()

    # Small things

    def tick(self) -> None:
        """Time goes on with every step; no two acts are at one instant."""
        self.now += timedelta(seconds=20)

    def minute(self) -> None:
        """What the worker does each minute."""
        fired = escalation.sweep(self.now)
        assert [item for item in fired if "error" in item] == []
        DONE["fired"] += len(fired)
        escalation.repair(self.now)
        lifecycle.drain(self.now)

    def sweep_until_quiet(self) -> None:
        """A step that moves a lead leaves the rest to the next sweep; there are not many."""
        for _ in range(12):
            due = Handoff.objects.due(self.now) | Handoff.objects.to_follow_up(self.now)
            if not due.exists() and not seen.unanswered(self.now):
                return
            self.minute()
        raise AssertionError("sweeping comes to no end")

    def pick(self, which: int) -> Handoff | None:
        rows = Handoff.objects.filter(Q(state__in=OPEN) | Q(follow_up_at__isnull=False))
        handoffs = list(rows.select_related("assignee").order_by("-pk"))
        return handoffs[which % len(handoffs)] if handoffs else None


def machine(cast: Cast) -> type[Clockwork]:
    """The machine among these people, who share what comes in; each may hold four leads through the rules.
    One team keeps the hours of another continent."""
    route_to(cast.femke, cast.jonas, cast.rosa, cap=4)
    team = cast.rosa.team
    assert team is not None
    calendar = Calendar(name="Nordics", time_zone="America/New_York")
    team.calendar = calendars.save(calendar, calendar.revision, None, deeds.WEEKS[0], NOW)
    team.save()
    quiet_key, _ = keys.make_key("Quiet", ["intake"], NOW)
    quiet_key.is_quiet = True
    quiet_key.save()
    return type("Days", (Clockwork,), {"cast": cast, "quiet_key": quiet_key})


def storm(cast: Cast, runs: int, steps: int, first: int = 0) -> None:
    """So many runs of so many steps, in batches of ten whose seeds count from `first`."""
    DONE.clear()
    bounds = settings(
        max_examples=BATCH,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # The next batch is no place to repeat what failed in this one: its seed does.
        database=None,
        phases=(Phase.generate, Phase.shrink),
        print_blob=False,
    )
    days = machine(cast)
    logging.disable(logging.WARNING)
    try:
        # The breath that lets other writers of SQLite in: there are none.
        with patch.object(sweeping, "BREATH", 0):
            for number in range(first, first + -(-runs // BATCH)):
                DONE["seed"] = number
                run_state_machine_as_test(seed(number)(days), settings=bounds)
    finally:
        logging.disable(logging.NOTSET)
