"""One decision after another, decided anew and walked anew.

Owns `Replay`. What the kept candidates say of a target is believed: who could not take it then cannot now,
and who took it takes it. Of a target that was never tried the simulated crowd decides. So a version that
is replayed over its own decisions gives back each rule and each holder, unless deciding or walking has
changed; compared is with the ledger of turns, which neither has written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from routing import hours
from routing.backtest.crowd import Counted, Crowd, Memory, Moment, next_of
from routing.backtest.load import Load
from routing.backtest.records import Holder, Past, TurnTaken, Verdict
from routing.backtest.tally import Tally
from routing.engine import Decision, Ruleset, Target, decide
from routing.facts import Facts
from routing.sla import Target as Window

NOBODY = Holder("nobody")
# Who took it for a reason that stands before every rule: had it before, or comes back to.
BEFORE_RULES = ("re_engaged", "returned")
# Why somebody must not get it again, as `routing.rotation` words it.
REJECTED, LAPSED = "rejected it before", "let it lapse"
HAD_IT = (REJECTED, LAPSED)
# Why somebody has a lead that in truth waited in a queue: it would have been theirs all the while.
HELD = "held"
MOST_CANDIDATES = 30


@dataclass(frozen=True)
class Windows:
    """Acceptance windows by policy slug, and by lead type where a rule names none."""

    by_slug: Mapping[str, Window] = field(default_factory=dict)
    by_type: Mapping[str, Window] = field(default_factory=dict)

    def of(self, slug: str | None, lead_type: str | None) -> Window | None:
        return self.by_slug.get(slug or "") or self.by_type.get(lead_type or "")


class Replay:
    """A run over past decisions in order of time; between two slices it is plain JSON (`state`)."""

    def __init__(
        self, ruleset: Ruleset, crowd: Crowd, windows: Windows, state: Mapping[str, Any] | None = None
    ) -> None:
        self.ruleset = ruleset
        self.crowd = crowd
        self.windows = windows
        self.was = Load.from_json(state["was"]) if state else Load()
        self.would = Load.from_json(state["would"]) if state else Load()
        self.tally = Tally.from_json(state["tally"]) if state else Tally()
        self._counted = Counted.from_json(state["counted"]) if state else Counted()
        self._memory = Memory.from_json(state["memory"]) if state else Memory()

    def state(self) -> dict[str, Any]:
        return {
            "was": self.was.to_json(),
            "would": self.would.to_json(),
            "tally": self.tally.to_json(),
            "counted": self._counted.to_json(),
            "memory": self._memory.to_json(),
        }

    def turn(self, taken: TurnTaken) -> None:
        """A turn that people took: it would have been taken all the same, unless somebody had the lead
        already whom no queue kept waiting."""
        self.was.advance(taken.at)
        self.would.advance(taken.at)
        self.was.take(taken.ref, taken.user_id, taken.until)
        if self.would.keep(taken.ref, taken.until) is None:
            self.would.take(taken.ref, taken.user_id, taken.until)
            self._count(taken.user_id, taken.at)

    def decision(self, past: Past) -> Verdict:
        """What this ruleset would have made of the decision, and both worlds after it."""
        decision = decide(self.ruleset, past.facts)
        excluded = self._excluded(past)
        self.was.advance(past.at)
        self.would.advance(past.at)
        self.was.drop(past.ref)
        if past.holder.kind == "rep":
            self.was.take(past.ref, int(past.holder.id), past.until)
        if past.holder.kind == "rep" and (had := self.would.keep(past.ref, past.until)) is not None:
            # It was drained from a queue in which it would not have waited.
            return self._verdict(past, decision, Holder("rep", str(had), None, HELD), [])
        self.would.drop(past.ref)
        moment = Moment(past.at, self.would.open, self._counted, self._memory, excluded)
        walk = Walk(past, self.crowd, moment)
        holder = walk.through(self._targets(decision, past))
        if holder.kind == "rep":
            user_id = int(holder.id)
            self.would.take(past.ref, user_id, past.until, waits=past.holder.kind != "rep")
            if not past.is_given_back:
                self._count(user_id, past.at)
                if holder.pool is not None:
                    shares = past.shares if walk.is_kept else walk.shares
                    self._memory.took(holder.pool, user_id, shares)
        return self._verdict(past, decision, holder, walk.candidates[-MOST_CANDIDATES:])

    def _verdict(
        self, past: Past, decision: Decision, holder: Holder, candidates: list[dict[str, Any]]
    ) -> Verdict:
        verdict = Verdict(
            kind=self._kind(past, decision.rule_id or "", holder),
            rule=decision.rule_id or "",
            rule_name=decision.rule_name or "",
            holder=holder,
            candidates=tuple(candidates),
            is_late=self._is_late(decision.policy, past.facts, past.at, holder),
            was_late=self._is_late(past.policy, past.facts, past.at, past.holder),
        )
        self.tally.add(past, verdict, self.crowd)
        return verdict

    def _targets(self, decision: Decision, past: Past) -> tuple[Target, ...]:
        """The targets in order, as lifecycle walks them: first whoever the lead comes back to, last the
        overflow queue, be it that the document names none."""
        took = next((row for row in past.candidates if row.get("took") in BEFORE_RULES), None)
        first = (
            () if took is None or "user" not in took else (Target("rep", str(took["user"]), took["took"]),)
        )
        if decision.rule_id is None and past.rule:
            # A lead that no rule matches never gets to sales: pre-flight holds it back.
            return first
        return self._with_overflow((*first, *decision.targets))

    def _with_overflow(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        if self.crowd.overflow is None or any(target.why == "overflow" for target in targets):
            return targets
        return (*targets, Target("queue", str(self.crowd.overflow.id), "overflow"))

    def _excluded(self, past: Past) -> dict[int, str]:
        """Who must not get it again: as kept, and whoever holds it in either world up to this moment."""
        excluded = dict.fromkeys(past.facts.lapsed_by, LAPSED) | dict.fromkeys(
            past.facts.rejected_by, REJECTED
        )
        skipped = {row.get("user"): str(row["skipped"]) for row in past.candidates if "skipped" in row}
        excluded |= {
            user: why for user, why in skipped.items() if isinstance(user, int) and why.startswith(HAD_IT)
        }
        was, would = (load.until_now(past.ref, past.at) for load in (self.was, self.would))
        if was is not None:
            excluded.setdefault(was, skipped.get(was, "had it until then"))
            if would is not None:
                excluded.setdefault(would, excluded[was])
        return excluded

    def _kind(self, past: Past, rule: str, holder: Holder) -> str:
        if rule == past.rule and holder == past.holder:
            return "same"
        if holder.place == past.holder.place:
            return "rule"
        was_lost, is_lost = self._is_lost(past.holder), self._is_lost(holder)
        if is_lost:
            return "moved" if was_lost else "unrouted"
        if was_lost:
            return "routed"
        return "queue" if holder.kind == "queue" and past.holder.kind == "rep" else "moved"

    def _is_lost(self, holder: Holder) -> bool:
        """Whether nobody was chosen: it fell to the overflow queue, or nowhere."""
        return holder.kind == "nobody" or self.crowd.is_overflow(holder)

    def _is_late(self, policy: str | None, facts: Facts, at: datetime, holder: Holder) -> bool:
        """Whether acceptance is predicted to breach: the window is elapsed time and holds no working time
        of its holder. A window of business time holds some by definition."""
        window = self.windows.of(policy, facts.lead_type)
        if window is None or window.business or holder.kind == "nobody":
            return False
        calendar = self.crowd.calendar_of(holder)
        if calendar is None:
            return False
        return hours.between(at, at + timedelta(minutes=window.minutes), calendar) <= timedelta(0)

    def _count(self, user_id: int, at: datetime) -> None:
        if self.crowd.is_timed and (person := self.crowd.people.get(user_id)) is not None:
            self._counted.took(person, at)


class Walk:
    """The walk over the targets of one decision: by its kept candidates where they speak, else simulated."""

    def __init__(self, past: Past, crowd: Crowd, moment: Moment) -> None:
        self.crowd, self.moment = crowd, moment
        self.candidates: list[dict[str, Any]] = []
        self.shares: Mapping[Any, Any] = {}
        self.is_kept = False
        self._had_it: list[int] = []
        self._manager = next((row for row in past.candidates if row.get("took") == "manager"), None)
        self._people: dict[int, Mapping[str, Any]] = {}
        self._pools: dict[int, list[Mapping[str, Any]]] = {}
        for row in past.candidates:
            if row.get("pool") is not None:
                self._pools.setdefault(row["pool"], []).append(row)
            elif "user" in row:
                self._people[row["user"]] = row

    def through(self, targets: Sequence[Target]) -> Holder:
        """As `routing.rotation` walks: a manager takes what was left by those who had it, before overflow."""
        for target in targets:
            if target.why != "overflow" and (holder := self._try(target)) is not None:
                return holder
        if (self._had_it or self._manager) and (holder := self._to_a_manager()) is not None:
            return holder
        for target in targets:
            if target.why == "overflow" and (holder := self._try(target)) is not None:
                return holder
        return NOBODY

    def _to_a_manager(self) -> Holder | None:
        if self._manager is not None and isinstance(self._manager.get("user"), int):
            return self._person(self._manager["user"], "manager")
        seen: set[int] = set()
        for user_id in tuple(self._had_it):
            for manager_id in self._managers_of(user_id):
                if manager_id in seen:
                    continue
                seen.add(manager_id)
                if (holder := self._person(manager_id, "manager")) is not None:
                    return holder
                if self.candidates[-1]["skipped"] != "away":
                    break
        return None

    def _managers_of(self, user_id: int) -> list[int]:
        """The manager of this person's team, then who covers for them."""
        person = self.crowd.people.get(user_id)
        if person is None or person.manager is None:
            return []
        manager = self.crowd.people.get(person.manager)
        return [person.manager, *(manager.covers(self.moment.at) if manager is not None else ())]

    def _try(self, target: Target) -> Holder | None:
        if not target.id.isdigit():
            return None
        if target.kind == "queue":
            queue = self.crowd.queues.get(int(target.id))
            if queue is None:
                self.candidates.append({"queue": target.id, "skipped": "gone"})
                return None
            self.candidates.append({"queue": queue.slug, "took": target.why})
            return Holder("queue", target.id, None, target.why)
        if target.kind == "pool":
            return self._pool(int(target.id), target.why)
        return self._person(int(target.id), target.why)

    def _person(self, user_id: int, why: str) -> Holder | None:
        kept = self._people.get(user_id)
        if kept is not None:
            skipped = str(kept.get("skipped") or "")
        else:
            skipped = self.moment.unable(self.crowd.people.get(user_id))
        self._look({"user": user_id, **({"skipped": skipped} if skipped else {"took": why})})
        return None if skipped else Holder("rep", str(user_id), None, why)

    def _pool(self, pool_id: int, why: str) -> Holder | None:
        kept = self._pools.get(pool_id)
        if kept is not None:
            return self._kept_pool(pool_id, why, kept)
        pool = self.crowd.pools.get(pool_id)
        if pool is None:
            self.candidates.append({"pool": pool_id, "skipped": "no members"})
            return None
        user_id, self.shares, passed = next_of(pool, self.crowd.people, self.moment)
        for row in passed:
            self._look(row)
        if user_id is None:
            return None
        self.candidates.append({"user": user_id, "pool": pool_id, "took": why})
        return Holder("rep", str(user_id), pool_id, why)

    def _kept_pool(self, pool_id: int, why: str, kept: Iterable[Mapping[str, Any]]) -> Holder | None:
        for row in kept:
            if "took" not in row:
                self._look(dict(row))
                continue
            self.candidates.append({"user": row["user"], "pool": pool_id, "took": why})
            self.is_kept = True
            return Holder("rep", str(row["user"]), pool_id, why)
        return None

    def _look(self, row: dict[str, Any]) -> None:
        self.candidates.append(row)
        if str(row.get("skipped", "")).startswith(HAD_IT) and "user" in row:
            self._had_it.append(row["user"])
