"""What is wrong with a policy as a whole: whether silence always ends at a named human.

Owns the demands on a ladder that no single step can meet or miss. Pure: whether a person is still active and
a queue still takes leads is `routing.policies`.
"""

from collections.abc import Iterable, Iterator, Sequence

from routing.sla.values import MOVES, WHO, Policy, Step, Target, person_id

# The time of each clock and each target, as sentences call it.
CLOCKS = {
    "acceptance": "the time to answer",
    "unacknowledged": "the time to be acknowledged",
    "contact": "the time to the first contact",
    "idle": "the time without activity",
    "black_hole": "the time to the black hole",
    "completion": "the time to complete the data",
}
TARGETS = {
    "accept": "Answer",
    "contact": "First contact",
    "unacknowledged": "Acknowledged by anybody",
    "no_activity": "No activity",
    "black_hole": "Black hole",
    "completion": "Data completion",
}
# Whose silence would otherwise be nobody's.
MUST_END_AT_A_HUMAN = ("acceptance", "contact", "idle", "completion")
# The rep is the one whose silence it is.
HUMANS = WHO - {"rep"}
MOST_STEPS = 40
MOST_MINUTES = 366 * 24 * 60


def problems(policy: Policy) -> list[str]:
    """What is wrong with the policy, each as a sentence; [] when it may be used.

    Each clock on which somebody owes something ends, at the end of its time or after it, with a step that
    tells a manager, a queue's owner, marketing or a named person. Steps of a clock stand in the order of
    their time. Only the holder's own window, once it is over, takes a lead away. That no code comes twice is
    the value's own demand.
    """
    return [*_targets(policy), *_steps(policy.steps), *_ends(policy.steps)]


def target(policy: Policy, name: str) -> Target:
    """The target of this name, one of TARGETS."""
    found: Target = getattr(policy, name)
    return found


def _targets(policy: Policy) -> Iterator[str]:
    for name, label in TARGETS.items():
        minutes = target(policy, name).minutes
        if not 1 <= minutes <= MOST_MINUTES:
            yield f"{label}: between one minute and 366 days."


def _steps(steps: Sequence[Step]) -> Iterator[str]:
    if len(steps) > MOST_STEPS:
        yield f"At most {MOST_STEPS} steps; this ladder has {len(steps)}."
    latest: dict[str, tuple[bool, int]] = {}
    for number, step in enumerate(steps, start=1):
        yield from (f"Step {number}: {message}" for message in _step(step))
        place = _place(step)
        if place < latest.get(step.clock, place):
            yield f"Step {number}: it comes after a later step on {CLOCKS[step.clock]}; put them in order."
        latest[step.clock] = max(place, latest.get(step.clock, place))


def _step(step: Step) -> Iterator[str]:
    if step.what == "tell" and not step.who:
        yield "it tells nobody."
    if step.what in MOVES and (step.clock != "acceptance" or not step.is_at_end):
        yield "a lead is taken away only when its holder\u2019s time to answer is over, or later."
    if step.what == "flag" and (step.clock != "idle" or not step.is_at_end):
        yield "the flag says that the time without activity is over; it belongs there."
    if step.what == "mark" and (step.clock != "black_hole" or step.share != 100):
        yield "the mark says that the time to the black hole is over; it belongs there."
    if step.after is not None and not 1 <= step.after.minutes <= MOST_MINUTES:
        yield "it comes between one minute and 366 days after the end."


def _ends(steps: Sequence[Step]) -> Iterator[str]:
    for clock, called in CLOCKS.items():
        own = [step for step in steps if step.clock == clock]
        if not own and clock in MUST_END_AT_A_HUMAN:
            yield f"Nobody is told when {called} is over."
        if not own or clock == "black_hole":
            continue
        last = max(own, key=_place)
        tied = [step for step in own if _place(step) == _place(last)]
        if not last.is_at_end:
            yield f"Nobody is told when {called} is over: its last step comes before that."
        elif not any(names_a_human(step.who) for step in tied):
            yield (
                f"The last step on {called} must tell a manager, a queue\u2019s owner, marketing or a person"
                " by name: silence ends at a human."
            )


def names_a_human(who: Iterable[str]) -> bool:
    """Whether one of these is somebody else than the rep."""
    return any(one in HUMANS or person_id(one) is not None for one in who)


def _place(step: Step) -> tuple[bool, int]:
    """Where a step stands among those of its clock: shares first, then what comes after the end."""
    return (True, step.after.minutes) if step.after is not None else (False, step.share or 0)
