"""How old the copy is at most, by a clock that the test moves: never too young, and nobody waits for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st

from routing.replica import EVERY, MOMENT, SPARED, Guard, Verdict

LIMIT = 10.0


@dataclass
class World:
    """A primary and its copy, by the bytes of their logs; what was asked of the copy is counted."""

    clock: float = 100.0
    primary: int = 1000
    copy: int | None = 1000
    is_up: bool = True
    asked: int = 0
    waited: list[float] = field(default_factory=list)

    def guard(self) -> Guard:
        return Guard(LIMIT, lambda: self.primary, self.answer, lambda: self.clock, self.wait)

    def answer(self) -> int | None:
        self.asked += 1
        if not self.is_up:
            raise OperationalError("connection refused")
        return self.copy

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.clock += seconds


def test_a_copy_that_has_replayed_all_is_read_and_asked_once_a_second() -> None:
    world = World()
    guard = world.guard()
    assert guard.verdict() == Verdict(0.0)
    world.clock += EVERY * 0.9
    assert guard.verdict() == Verdict(0.0)
    assert world.asked == 1
    world.clock += EVERY
    guard.verdict()
    assert (world.asked, world.waited) == (2, [])


def test_a_quiet_primary_is_no_lag() -> None:
    world = World()
    guard = world.guard()
    guard.verdict()
    world.clock += 86_400
    assert guard.verdict() == Verdict(0.0)


def test_a_copy_that_stands_still_is_left_at_the_limit_and_read_again_once_it_has_caught_up() -> None:
    world = World()
    guard = world.guard()
    guard.verdict()
    for second in range(1, 11):
        world.primary += 1
        world.clock = 100.0 + second
        assert guard.verdict() == Verdict(float(second))
    world.primary += 1
    world.clock = 111.0
    assert guard.verdict() == Verdict(11.0 + MOMENT, "It is too far behind.")
    world.copy = world.primary - 1
    world.clock = 113.0
    # It has replayed what the primary said at 110.
    assert guard.verdict() == Verdict(3.0)
    world.copy = world.primary
    world.clock = 115.0
    assert guard.verdict() == Verdict(0.0)


def test_of_a_busy_primary_the_copy_gets_a_moment_at_first() -> None:
    world = World(copy=999)
    guard = world.guard()

    def caught_up(seconds: float) -> None:
        world.wait(seconds)
        world.copy = 1000

    guard._wait = caught_up  # type: ignore[method-assign]
    assert guard.verdict() == Verdict(0.0)
    assert world.waited == [MOMENT]


def test_what_is_not_known_is_not_read() -> None:
    world = World(copy=999)
    assert world.guard().verdict() == Verdict(None, "It is not known yet how far it is behind.")


def test_a_copy_that_does_not_answer_is_spared_and_then_read_again() -> None:
    world = World(is_up=False)
    guard = world.guard()
    assert guard.verdict() == Verdict(None, "It does not answer.")
    world.is_up = True
    world.clock += SPARED * 0.9
    assert guard.verdict() == Verdict(None, "It does not answer.")
    assert world.asked == 1
    world.clock += SPARED
    assert guard.verdict() == Verdict(0.0)


def test_one_that_was_promoted_is_no_copy() -> None:
    assert World(copy=None).guard().verdict() == Verdict(None, "It follows no primary.")


def test_a_page_that_failed_has_it_asked_before_the_second_is_over() -> None:
    world = World()
    guard = world.guard()
    assert guard.verdict().is_used
    world.is_up = False
    assert guard.verdict().is_used
    guard.doubt()
    assert guard.verdict() == Verdict(None, "It does not answer.")


def test_nobody_waits_while_another_asks() -> None:
    world = World()
    guard = world.guard()
    is_asked, may_answer = threading.Event(), threading.Event()

    def slow() -> int:
        is_asked.set()
        assert may_answer.wait(10)
        return 1000

    guard._copy = slow  # type: ignore[method-assign]
    asking = threading.Thread(target=guard.verdict)
    asking.start()
    assert is_asked.wait(10)
    assert not guard.verdict().is_used
    may_answer.set()
    asking.join(10)
    assert guard.verdict() == Verdict(0.0)


@given(
    st.lists(st.tuples(st.floats(1.5, 30), st.integers(0, 5), st.integers(0, 20)), min_size=1, max_size=40)
)
def test_it_is_never_older_than_is_said(steps: list[tuple[float, int, int]]) -> None:
    """The primary moves on at the moments of the test; the copy replays some of what there is."""
    world = World()
    guard = world.guard()
    # When the primary had come so far, for every byte.
    written = {1000: world.clock}
    for wait, more, replayed in steps:
        world.clock += wait
        for byte in range(world.primary + 1, world.primary + more + 1):
            written[byte] = world.clock
        world.primary += more
        assert world.copy is not None
        world.copy = min(world.primary, world.copy + replayed)
        found = guard.verdict()
        missing = [at for byte, at in written.items() if byte > world.copy]
        if found.lag is not None and missing:
            assert found.lag >= world.clock - min(missing)
        if not missing:
            assert found == Verdict(0.0)
